"""Arrays on disk that grow while they are written: plain ``.npy`` files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike

from biopose_sim.errors import InputError
from ik_pipeline.shards.types import ARRAYS, shape_of

# Room for the header, which holds the length that is known at the end; a multiple of 64 as the format asks for.
_HEADER_BYTES = 192
_MAGIC = b"\x93NUMPY\x01\x00"


class GrowingArray:
    """A ``.npy`` file to which rows are appended; its header is written last.

    Args:
        path: of the file.
        dtype: of its numbers, little-endian, as numpy writes it: ``"<f4"``.
        row: shape of a row.
    """

    def __init__(self, path: Path, dtype: str, row: tuple[int, ...]) -> None:
        self.dtype, self.row, self.rows = np.dtype(dtype), row, 0
        self._file = open(path, "wb")  # noqa: SIM115 (closed by SplitArrays)
        self._file.write(bytes(_HEADER_BYTES))

    def append(self, values: ArrayLike) -> None:
        """Append rows, (n, *row)."""
        rows = np.ascontiguousarray(values, dtype=self.dtype)
        if rows.shape[1:] != self.row:
            raise ValueError(f"rows of shape {rows.shape[1:]} in an array of {self.row}")
        self._file.write(rows.data if rows.size else b"")
        self.rows += len(rows)

    def finish(self) -> None:
        """Write the header."""
        self._file.seek(0)
        shape = (self.rows, *self.row)
        text = f"{{'descr': {self.dtype.str!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode("latin1")
        room = _HEADER_BYTES - len(_MAGIC) - 2
        self._file.write(_MAGIC + room.to_bytes(2, "little") + text.ljust(room - 1) + b"\n")

    def close(self) -> None:
        """Close the file, whole or not."""
        self._file.close()


class SplitArrays:
    """All arrays of a split, each in its file. A context: leaving it without an exception writes the headers.

    Args:
        folder: of the split; made if it is not there.
        sizes: of the dimensions by name.

    Raises:
        InputError: on leaving or appending, where the disk is full.
    """

    def __init__(self, folder: Path, sizes: Mapping[str, int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.arrays = {
            name: GrowingArray(folder / f"{name}.npy", dtype, shape_of(sizes, name))
            for name, (dtype, _, _) in ARRAYS.items()
        }

    def append(self, values: Mapping[str, ArrayLike]) -> None:
        """Append rows to the named arrays."""
        with writing(self.folder):
            for name, rows in values.items():
                self.arrays[name].append(rows)

    def rows(self, name: str) -> int:
        """Rows of an array so far."""
        return self.arrays[name].rows

    def __enter__(self) -> SplitArrays:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with writing(self.folder):
                for array in self.arrays.values() if kind is None else ():
                    array.finish()
        finally:
            for array in self.arrays.values():
                # A full disk is told once: what the buffers still hold is of no use.
                with contextlib.suppress(OSError) if kind is not None else writing(self.folder):
                    array.close()


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn failures of the file system into one line.

    Raises:
        InputError: a full disk, a folder that is not writable.
    """
    try:
        yield
    except OSError as error:
        raise InputError(error.filename or folder, f"cannot be written ({error.strerror})") from error

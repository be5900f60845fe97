"""Opening a file for what it is, whatever its name: npz, npy, pickle or joblib, torch, MATLAB, a folder of results."""

from __future__ import annotations

import pickle
import re
import struct
import subprocess
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from ...errors import InputError
from .unpickle import load_pickle, load_stream

# How a file starts.
_MATLAB_COMPRESSED = 15  # type of a compressed element, at byte 128
_ZIP = b"PK\x03\x04"
_NPY = b"\x93NUMPY"
_MATLAB = b"MATLAB"
_TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_COMPRESSED = (b"\x1f\x8b", b"BZ", b"\xfd7zXZ", b"\x5d\x00", b"\x78", b"\x04\x22\x4d\x18", b"ZF")
# What numpy's and Python's readers raise on a damaged array or archive.
_DAMAGED_ARRAY = (
    OSError,
    EOFError,
    ValueError,
    SyntaxError,
    MemoryError,
    NotImplementedError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
_RESULT_SUFFIXES = {".npy", ".npz", ".pkl", ".pickle", ".joblib"}
_PICKLE_SUFFIXES = {".pkl", ".pickle", ".joblib", ".p"}


@dataclass(frozen=True, eq=False)
class Content:
    """What is in a file.

    Attributes:
        path: the file or folder.
        kind: ``"npz"``, ``"npy"``, ``"pickle"``, ``"torch"``, ``"matlab"`` or ``"folder"``.
        data: a mapping of arrays (npz: read when asked for), the object of a pickle, or file name -> data of a folder.
    """

    path: Path
    kind: str
    data: Any

    def has(self, *keys: str) -> bool:
        """Whether the file is a dictionary with all these keys."""
        return isinstance(self.data, Mapping) and all(key in self.data for key in keys)


class NpzData(Mapping[str, np.ndarray]):
    """Arrays of an npz file, each read when it is asked for; Python objects in it pass through `load_stream`."""

    def __init__(self, path: Path, members: list[str]) -> None:
        self.path = path
        self.members = {name.removesuffix(".npy"): name for name in members}

    def __getitem__(self, key: str) -> np.ndarray:
        member = self.members[key]
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(member) as stream:
                return read_npy(stream, self.path, key)
        except _DAMAGED_ARRAY as error:
            raise InputError(self.path, f"'{key}' cannot be read ({error})", "the file may be cut off") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, key: object) -> bool:
        return key in self.members


def read_npy(stream: BinaryIO | Any, source: Path, name: str) -> np.ndarray:
    """Read one array in numpy's format; an array of Python objects without running anything in it."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise InputError(source, f"'{name}' is an array of format {version}", "save it with numpy's version 1 or 2")
    if dtype.hasobject:
        return np.asarray(load_stream(stream, source), dtype=object)
    wanted = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    data = stream.read(wanted)
    if len(data) != wanted:
        raise EOFError(f"{wanted} bytes are announced, {len(data)} are there")
    return np.frombuffer(bytearray(data), dtype=dtype).reshape(shape, order="F" if fortran else "C")


def open_content(path: str | Path | Content) -> Content:
    """Open a file by its first bytes; what is open already is returned as it is, so that no file is read twice.

    Raises:
        InputError: missing, empty, damaged, of a kind that is not read, or asking to run something.
    """
    if isinstance(path, Content):
        return path
    source = Path(path)
    if source.is_dir():
        return Content(source, "folder", _read_folder(source))
    start = _first_bytes(source)
    if start.startswith(_ZIP):
        return _open_zip(source)
    if start.startswith(_MATLAB):
        return Content(source, "matlab", _read_matlab(source))
    if start.startswith(_TORCH_LEGACY):
        return Content(source, "torch", _read_torch(source))
    if start.startswith(_NPY):
        return Content(source, "npy", _read_npy_file(source))
    if start[:1] == b"\x80" or start.startswith(_COMPRESSED) or source.suffix.lower() in _PICKLE_SUFFIXES:
        return Content(source, "pickle", load_pickle(source))
    raise InputError(
        source, "is not a body motion that is known here", "npz, joblib or pickle, .pt and MoVi's .mat files are read"
    )


def _read_folder(source: Path) -> dict[str, Any]:
    """Data of the files of a folder, by name; of those that can be results of one image each."""
    files = sorted(path for path in source.iterdir() if path.suffix.lower() in _RESULT_SUFFIXES and path.is_file())
    if not files:
        raise InputError(source, "is a folder without results", "give a file, or a folder with one result per image")
    return {path.name: open_content(path).data for path in files}


def _first_bytes(source: Path) -> bytes:
    try:
        with source.open("rb") as file:
            start = file.read(32)
    except OSError as error:
        raise InputError(source, f"cannot be opened ({error.strerror})") from error
    if not start:
        raise InputError(source, "is empty")
    return start


def _open_zip(source: Path) -> Content:
    try:
        with zipfile.ZipFile(source) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise InputError(source, f"is not a whole npz file ({error})", "it may be cut off; copy it again") from error
    if any(name.endswith("/data.pkl") for name in names):
        return Content(source, "torch", _read_torch(source))
    if names and all(name.endswith(".npy") for name in names):
        return Content(source, "npz", NpzData(source, names))
    raise InputError(source, "is a zip file but neither npz nor .pt", "unpack it first")


def _read_npy_file(source: Path) -> Any:
    try:
        with source.open("rb") as stream:
            array = read_npy(stream, source, source.name)
    except _DAMAGED_ARRAY as error:
        raise InputError(source, f"cannot be read ({error})", "the file may be cut off") from error
    return array.item() if array.dtype == object and array.ndim == 0 else array


def _read_matlab(source: Path) -> dict[str, Any]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    _probe_matlab(source)
    try:
        return {k: v for k, v in loadmat(source, simplify_cells=True).items() if not k.startswith("__")}
    except NotImplementedError:
        raise InputError(source, "is a MATLAB 7.3 file", "save it in MATLAB with '-v7'") from None
    except (
        MatReadError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        EOFError,
        MemoryError,
        zlib.error,
        struct.error,
    ) as error:
        raise InputError(source, f"is not a whole MATLAB file ({error})", "it may be cut off; copy it again") from error


def _probe_matlab(source: Path) -> None:
    """Read an uncompressed MATLAB file in another process first: scipy 1.17 crashes Python on some damaged ones.

    In compressed files, which MATLAB writes by itself, zlib's checksums find the damage.
    """
    with source.open("rb") as file:
        header = file.read(136)
    order: Literal["little", "big"] = "big" if header[126:128] == b"MI" else "little"
    if int.from_bytes(header[128:132], order) == _MATLAB_COMPRESSED or header.startswith(b"MATLAB 7.3"):
        return
    program = "import sys, scipy.io; scipy.io.loadmat(sys.argv[1], simplify_cells=True)"
    done = subprocess.run([sys.executable, "-c", program, str(source)], capture_output=True, check=False)
    if done.returncode < 0:
        raise InputError(source, "is not a whole MATLAB file (reading it crashes)", "it is damaged; copy it again")


def _read_torch(source: Path) -> Any:
    import torch

    try:
        loaded = torch.load(source, weights_only=True, map_location="cpu")
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        text = str(error)
        if foreign := re.search(r"GLOBAL (\S+)", text):
            problem = f"asks for '{foreign[1]}', which is not data: it was refused and nothing was run"
            raise InputError(source, problem, "save tensors and dictionaries only") from None
        first = text.strip().splitlines()[0][:120] if text.strip() else type(error).__name__
        raise InputError(source, f"is not a whole .pt file ({first})", "it may be cut off; copy it again") from error
    return _as_arrays(loaded)


def _as_arrays(value: Any) -> Any:
    """Tensors as numpy arrays, at any depth of dictionaries and lists."""
    if isinstance(value, Mapping):
        return {key: _as_arrays(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_arrays(item) for item in value]
    if hasattr(value, "detach"):
        tensor = value.detach().cpu()
        return (tensor.float() if tensor.dtype.itemsize == 2 and tensor.is_floating_point() else tensor).numpy()
    return value

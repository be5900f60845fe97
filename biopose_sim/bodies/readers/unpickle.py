"""Pickles of other tools, read without running anything that is in them.

A pickle is a small program: an ordinary ``pickle.load`` calls whatever function the file names. Here only the few
names in `_allowed` exist (plain containers, and stand-ins for what rebuilds numpy's arrays: numpy's own could be made
to take bytes of the file for pointers); any other name is refused and told to the user. joblib's format, a pickle whose
arrays follow raw in the stream, is read by the same class, without joblib. Written after the layouts in
``joblib/numpy_pickle.py`` and ``numpy/lib/format.py``.
"""

from __future__ import annotations

import bz2
import collections
import datetime
import functools
import gzip
import io
import lzma
import pickle
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from ...errors import InputError

# What a damaged pickle can raise; each becomes one line for the user.
_DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NotImplementedError,
    OverflowError,
    MemoryError,
    RecursionError,
    AssertionError,
    struct.error,
    OSError,
    zlib.error,
    lzma.LZMAError,
)
_CUT = "the file may be cut off or damaged"
_LZ4 = b"\x04\x22\x4d\x18"
_DECOMPRESSORS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZ": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
    b"\x5d\x00": lzma.decompress,
    b"\x78": zlib.decompress,
}
_RECONSTRUCTORS = {("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")}
_JOBLIB_WRAPPERS = {("joblib.numpy_pickle", "NumpyArrayWrapper")}


class Inert:
    """An object of a class that is not run: only the state that the pickle gave it is kept.

    Attributes:
        class_name: the class that the file names, e.g. ``"chumpy.ch.Ch"``.
        arguments: what the class would have been called with.
        state: the state (usually the instance's dictionary) that the file stores, or None.
    """

    class_name = ""
    arguments: tuple[Any, ...] = ()
    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __repr__(self) -> str:
        return f"Inert({self.class_name})"


class _RefusedName(Exception):
    """The pickle asks for a class or function that is not allowed."""


class _Array:
    """What ``numpy.ndarray`` is here: a name. Called with a buffer, ndarray takes the file's bytes for pointers."""

    def __new__(cls, *_unused: Any) -> _Array:
        raise pickle.UnpicklingError("it makes an array in a way that no pickle of numpy does")


class _Type:
    """A dtype as the file describes it; numpy's own would believe a state that hides objects or goes beyond a row."""

    state: Any = None

    def __init__(self, text: str | bytes, *_unused: Any) -> None:
        self.text = text

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def resolved(self) -> np.dtype:
        """The dtype, made of its parts."""
        text = self.text.decode("latin1") if isinstance(self.text, bytes) else str(self.text)
        if self.state is None:
            return np.dtype(text)
        _, order, part, names, fields, size, *more = self.state
        if part is not None:
            return np.dtype((_plain_type(part[0]), part[1]))
        if names is not None:
            kinds, offsets = zip(*(fields[name][:2] for name in names))
            formats = [_plain_type(kind) for kind in kinds]
            return np.dtype({"names": list(names), "formats": formats, "offsets": list(offsets), "itemsize": size})
        if text in ("M8", "m8") and more[2:]:
            unit, count = more[2][1][:2]
            text = f"{text}[{count}{unit.decode() if isinstance(unit, bytes) else unit}]"
        return np.dtype(text).newbyteorder(order)


def _plain_type(kind: Any) -> np.dtype:
    if not isinstance(kind, _Type):
        raise pickle.UnpicklingError("an array of an unknown type")
    return kind.resolved()


def _new_array(kind: Any, *_unused: Any) -> np.ndarray:
    """``numpy.core.multiarray._reconstruct``: an empty array, whose state follows."""
    if kind is not _Array:
        raise pickle.UnpicklingError("it rebuilds an array of an unknown class")
    return np.zeros(0, np.int8)


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any) -> np.ndarray:
    """``numpy.core.numeric._frombuffer``."""
    if not isinstance(data, (bytes, bytearray)):
        raise pickle.UnpicklingError("an array over something else than bytes")
    return np.frombuffer(data, dtype=_plain_type(kind)).reshape(shape, order=order)


def _scalar(kind: Any, *data: Any) -> Any:
    """``numpy.core.multiarray.scalar``."""
    rebuild = np.float64(0).__reduce__()[0]
    return rebuild(_plain_type(kind), *data)  # type: ignore[operator]


class _JoblibArray:
    """joblib's note of an array: its shape, order and dtype; the numbers follow raw in the stream."""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.shape = tuple(int(n) for n in state["shape"])
        self.order = state["order"]
        self.dtype = _plain_type(state["dtype"])
        self.padded = state.get("numpy_array_alignment_bytes") is not None

    def read(self, unpickler: _SafeUnpickler) -> np.ndarray:
        if self.dtype.hasobject:
            return unpickler.nested().load()
        stream = unpickler.stream
        if self.padded:
            stream.read(stream.read(1)[0])
        wanted = self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))
        data = stream.read(wanted)
        if len(data) != wanted:
            raise EOFError(f"an array of {wanted} bytes ends after {len(data)}")
        flat = np.frombuffer(bytearray(data), dtype=self.dtype)
        return flat.reshape(self.shape, order=self.order if self.order == "F" else "C")


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """Python 2 strings in pickles of protocol 2; other encodings are not used by pickle."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"text in the encoding {encoding!r}")
    return text.encode("latin1")


@functools.cache
def _allowed() -> dict[tuple[str, str], Any]:
    """Names that a pickle may use, and what they stand for."""
    names: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("collections", "defaultdict"): collections.defaultdict,
        ("datetime", "datetime"): datetime.datetime,
        ("datetime", "date"): datetime.date,
        ("_codecs", "encode"): _latin1,
    }
    for kind in (dict, list, tuple, set, frozenset, complex, bytearray, slice, int, float, bool, str, bytes):
        names["builtins", kind.__name__] = kind
        names["__builtin__", kind.__name__] = kind
    names["__builtin__", "unicode"] = str
    names["__builtin__", "long"] = int
    # What rebuilds numpy's arrays, under the module names of numpy 1 and 2.
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray", "_reconstruct"] = _new_array
        names[f"{core}.multiarray", "scalar"] = _scalar
        names[f"{core}.numeric", "_frombuffer"] = _from_buffer
        names[f"{core}.memmap", "memmap"] = _Array
    names |= {("numpy", "ndarray"): _Array, ("numpy", "memmap"): _Array, ("numpy", "dtype"): _Type}
    names |= {("numpy", kind.__name__): kind for kind in np.sctypeDict.values()}
    return names


class _SafeUnpickler(pickle._Unpickler):
    """The unpickler in Python (as joblib uses it): building an object is a method here that can be kept in check."""

    dispatch: ClassVar[dict[int, Any]] = {**pickle._Unpickler.dispatch}

    def __init__(
        self, stream: BinaryIO, inert: tuple[str, ...], extra: Mapping[tuple[str, str], Any], encoding: str
    ) -> None:
        super().__init__(stream, encoding=encoding)
        self.stream = stream
        self.settings = (inert, extra, encoding)
        self.inert, self.extra = inert, extra

    def nested(self) -> _SafeUnpickler:
        return _SafeUnpickler(self.stream, *self.settings)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _JOBLIB_WRAPPERS:
            return _JoblibArray
        if (module, name) in self.extra:
            return self.extra[module, name]
        if (module, name) in _allowed():
            return _allowed()[module, name]
        if module.split(".")[0] in self.inert:
            return type(name, (Inert,), {"class_name": f"{module}.{name}"})
        if (module, name) in _RECONSTRUCTORS and self.inert:
            return _new_inert
        if (module, name) in {("__builtin__", "object"), ("builtins", "object")}:
            return object
        raise _RefusedName(f"{module}.{name}")

    def load_build(self) -> None:
        """Set the state of the object on top of the stack; of instances only, never of a class or function."""
        holder = self.stack[-2]  # type: ignore[attr-defined]
        if isinstance(holder, type) or callable(holder):
            raise pickle.UnpicklingError("it changes a class or a function")
        if isinstance(holder, np.ndarray):
            state = tuple(self.stack[-1])  # type: ignore[attr-defined]
            state = tuple(part.resolved() if isinstance(part, _Type) else part for part in state)
            self.stack[-1] = state  # type: ignore[attr-defined]
        super().load_build()  # type: ignore[misc]
        if isinstance(holder, _JoblibArray):
            self.stack[-1] = holder.read(self)  # type: ignore[attr-defined]

    dispatch[pickle.BUILD[0]] = load_build


def _new_inert(kind: Any, *_unused: Any) -> Any:
    """Python 2's way to make an instance without calling its class."""
    if not (isinstance(kind, type) and issubclass(kind, Inert)):
        raise pickle.UnpicklingError("it rebuilds an object of an unknown class")
    return kind()


def load_pickle(
    path: str | Path,
    *,
    inert: tuple[str, ...] = (),
    extra_allowed: Mapping[tuple[str, str], Any] | None = None,
    encoding: str = "ASCII",
) -> Any:
    """Read a pickle or joblib file, plain or compressed (zlib, gzip, bz2, lzma, xz, lz4); nothing in it is run.

    Args:
        path: the file.
        inert: top-level packages whose objects become `Inert` stubs that keep their state, e.g. ``("chumpy",)``.
        extra_allowed: (module, name) -> class or function that may be called besides plain containers and arrays.
        encoding: of the strings in a pickle that Python 2 wrote: ``"latin1"`` for the SMPL models.

    Raises:
        InputError: the file names a class or function that is not allowed (it is named), or is damaged.
    """
    source = Path(path)
    try:
        with source.open("rb") as file:
            stream = _decompressed(file, source)
            return load_stream(stream, source, inert=inert, extra_allowed=extra_allowed, encoding=encoding)
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(source, f"cannot be opened ({error.strerror})") from error
        what = str(error) or type(error).__name__
        raise InputError(source, f"is not a whole pickle ({what})", _CUT) from error


def load_stream(
    stream: BinaryIO,
    source: str | Path,
    *,
    inert: tuple[str, ...] = (),
    extra_allowed: Mapping[tuple[str, str], Any] | None = None,
    encoding: str = "ASCII",
) -> Any:
    """Read one pickle from an open stream, as `load_pickle` does; ``source`` is named in errors."""
    try:
        return _SafeUnpickler(stream, inert, dict(extra_allowed or {}), encoding).load()
    except _RefusedName as error:
        raise InputError(
            source,
            f"asks for '{error}', which is not data: it was refused and nothing was run",
            "only numbers, text, lists, dictionaries and numpy arrays are read; save these alone",
        ) from None
    except _DAMAGE as error:
        what = str(error) or type(error).__name__
        raise InputError(source, f"is not a whole pickle ({what})", _CUT) from error


def _decompressed(file: BinaryIO, source: Path) -> BinaryIO:
    start = file.read(5)
    file.seek(0)
    if start.startswith(_LZ4):
        return io.BytesIO(_lz4(file.read(), source))
    if start.startswith(b"ZF"):
        raise InputError(source, "is of a joblib before 0.10", "load and save it with a newer joblib")
    for magic, decompress in _DECOMPRESSORS.items():
        if start.startswith(magic):
            return io.BytesIO(decompress(file.read()))
    return file


def _lz4(data: bytes, source: Path) -> bytes:
    try:
        import lz4.frame
    except ImportError:
        raise InputError(source, "is compressed with lz4, which is not installed", "run: pip install lz4") from None
    try:
        return lz4.frame.decompress(data)
    except RuntimeError as error:
        raise InputError(source, f"cannot be decompressed ({error})") from error

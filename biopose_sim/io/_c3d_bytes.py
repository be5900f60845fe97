"""C3D files as bytes: checked before ezc3d sees them, and turned from big-endian (SGI) to Intel order.

ezc3d trusts the sizes that a file states and knows no MIPS files: a damaged file could make it read garbage
or allocate without end, so sizes are checked here first.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import InputError

BLOCK = 512
KEY = 0x50
PROCESSORS = {84: "intel", 85: "dec", 86: "mips"}
DAMAGED = "the file is damaged or cut short"
_READ = (b"POINT", b"ANALOG", b"FORCE_PLATFORM")  # groups that ezc3d interprets
_SCALARS = {  # parameters that must be one number, with its bytes
    (b"POINT", b"USED"): 2,
    (b"POINT", b"SCALE"): 4,
    (b"POINT", b"RATE"): 4,
    (b"ANALOG", b"USED"): 2,
    (b"ANALOG", b"GEN_SCALE"): 4,
    (b"ANALOG", b"RATE"): 4,
    (b"FORCE_PLATFORM", b"USED"): 2,
}
_HEADER_FLOATS = (12, 20)  # byte offsets of scale and frame rate
_EVENT_TIMES = slice(304, 376)  # bytes of 18 float times of events


@dataclass(frozen=True)
class _Field:
    """Where a group or parameter keeps its data."""

    name: bytes
    identity: int  # of a group negative, of a parameter the group's made positive
    pointer: int  # of the 16-bit offset to the next field
    offset: int
    end: int  # after its description
    data: int = 0
    size: int = 0  # bytes of one element; 1 for characters, 0 for a group
    count: int = 0


def intel_bytes(path: Path, data: bytes) -> bytes | None:
    """Check the skeleton of a C3D file; return it in Intel order if it is big-endian, else None.

    Raises:
        InputError: not a C3D file, damaged, cut short, or without points.
    """
    if len(data) < 2 * BLOCK or data[1] != KEY:
        raise InputError(path, "is not a C3D file", "its second byte must be 0x50")
    start = (data[0] - 1) * BLOCK
    if data[0] < 2 or start + 4 > len(data):
        raise InputError(path, "has no parameter section", DAMAGED)
    processor = PROCESSORS.get(data[start + 3])
    if processor is None:
        raise InputError(path, f"has an unknown processor type {data[start + 3]}", DAMAGED)
    order: Literal["<", ">"] = ">" if processor == "mips" else "<"
    fields = list(_walk(path, data, start + 4, order))
    _check_groups(path, fields)
    data_start, size = _check_data(path, data, order)
    return _swapped(data, start, fields, data_start, size) if processor == "mips" else None


def _walk(path: Path, data: bytes, position: int, order: str) -> Iterator[_Field]:
    """Yield the groups and parameters of the parameter section."""
    try:
        while True:
            length, identity = struct.unpack_from("bb", data, position)
            length = abs(length)
            if length == 0 or identity == 0:
                return
            name = data[position + 2 : position + 2 + length]
            field = _field(data, position + 2 + length, name, identity, order)
            _check_field(path, field, len(data))
            yield field
            if field.offset == 0:
                return
            position = field.pointer + field.offset
    except struct.error as error:
        raise InputError(path, "its parameter section ends too early", DAMAGED) from error


def _field(data: bytes, pointer: int, name: bytes, identity: int, order: str) -> _Field:
    """Return the field whose offset is at ``pointer``."""
    start = size = count = 0
    end = pointer + 2
    if identity > 0:
        size, n_dimensions = struct.unpack_from("bB", data, end)
        dimensions = struct.unpack_from(f"{n_dimensions}B", data, end + 2)
        start, size = end + 2 + n_dimensions, abs(size)
        count = math.prod(dimensions)
        end = start + size * count
    (offset,) = struct.unpack_from(f"{order}H", data, pointer)
    end += 1 + (data[end] if end < len(data) else 0)  # the description
    if offset != end - pointer and struct.pack("<H", offset) == struct.pack(">H", (end - pointer) & 0xFFFF):
        offset = end - pointer  # some big-endian writers left the last offset in Intel order
    return _Field(name, identity, pointer, offset, end, start, size, count)


def _check_field(path: Path, field: _Field, n_bytes: int) -> None:
    """Raise InputError unless the field is as long as it says and holds a known type."""
    name = field.name.decode("latin-1")
    if field.end > n_bytes or field.offset not in (0, field.end - field.pointer):
        raise InputError(path, f"parameter {name!r} has a wrong length", DAMAGED)
    if field.size not in (0, 1, 2, 4) or not re.fullmatch(r"[\x20-\x7e]+", name):
        raise InputError(path, f"parameter {name!r} is not of a known type", DAMAGED)


def _check_groups(path: Path, fields: list[_Field]) -> None:
    """Raise InputError unless the groups that are read, and their parameters, are there once.

    Other groups may repeat: Vicon writes PROCESSING twice.
    """
    named = [field for field in fields if field.identity < 0]
    groups = {field.identity: field.name.upper() for field in named}
    if b"POINT" not in groups.values():
        raise InputError(path, "has no POINT parameters", "export the trial with markers")
    parameters = [field for field in fields if field.identity > 0]
    names = [(groups.get(-field.identity, b""), field.name.upper()) for field in parameters]
    read = [name for name in names if name[0] in _READ]
    read_groups = [field.name.upper() for field in named if field.name.upper() in _READ]
    if len(set(read)) < len(read) or len(set(read_groups)) < len(read_groups) or len(groups) < len(named):
        raise InputError(path, "has a parameter or group twice", DAMAGED)
    if any(group == b"" for group, _ in names):
        raise InputError(path, "has a parameter without a group", DAMAGED)
    sizes = {name: field.size * field.count for name, field in zip(names, parameters)}
    for key, size in _SCALARS.items():
        if key in sizes and sizes[key] != size:
            raise InputError(path, f"{key[0].decode()}:{key[1].decode()} is not one number", DAMAGED)


def _check_data(path: Path, data: bytes, order: str) -> tuple[int, int]:
    """Return where the frames begin and the size of a number; the file must hold what its header states."""
    n_points, n_analog, first, last = struct.unpack_from(f"{order}4H", data, 2)
    (data_block,) = struct.unpack_from(f"{order}H", data, 16)
    size = 4 if _is_float(data, order) else 2
    data_start = (data_block - 1) * BLOCK
    if n_points == 0:
        raise InputError(path, "has no points", "export the trial with markers")
    if data_block < 2 or last < first:
        raise InputError(path, "its header states no frames", DAMAGED)
    stated = last - first + 1 if last < 0xFFFF else 1  # longer recordings keep the count in the parameters
    needed = data_start + stated * (4 * n_points + n_analog) * size
    if needed > len(data):
        text = f"holds {len(data)} bytes but its header states {stated} frames, {needed} bytes"
        raise InputError(path, text, DAMAGED)
    return data_start, size


def _is_float(data: bytes, order: str) -> bool:
    """Say whether the frames are floats: then the scale in the header is negative."""
    sign_byte = 12 if order == ">" else 15
    if order == "<" and data[(data[0] - 1) * BLOCK + 3] == 85:  # DEC: the words of a float are swapped
        sign_byte = 13
    return bool(data[sign_byte] & 0x80)


def _swapped(data: bytes, start: int, fields: list[_Field], data_start: int, size: int) -> bytes:
    """Return a big-endian file in Intel order."""
    out = np.frombuffer(data, dtype=np.uint8).copy()
    _swap(out, 2, 12, 2)
    _swap(out, 16, 20, 2)
    _swap(out, 24, _EVENT_TIMES.start, 2)
    for offset in _HEADER_FLOATS:
        _swap(out, offset, offset + 4, 4)
    _swap(out, _EVENT_TIMES.start, _EVENT_TIMES.stop, 4)
    out[start + 3] = 84
    for field in fields:
        out[field.pointer : field.pointer + 2] = np.frombuffer(struct.pack("<H", field.offset), np.uint8)
        if field.size > 1:
            _swap(out, field.data, field.data + field.size * field.count, field.size)
    end = data_start + (len(data) - data_start) // size * size
    _swap(out, data_start, end, size)
    return out.tobytes()


def _swap(out: np.ndarray, start: int, stop: int, size: int) -> None:
    """Reverse the bytes of each number of ``size`` bytes in ``out[start:stop]``, in place."""
    out[start:stop] = out[start:stop].reshape(-1, size)[:, ::-1].ravel()

"""The log of a training: a line of JSON per entry, and the same as a TensorBoard event file."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Mapping
from pathlib import Path

from biopose_sim.io import atomic_write


class ScalarLog:
    """Writes scalars.

    The event file has TensorFlow's record format: length, its masked CRC-32C, an Event message, its masked CRC-32C
    (tensorflow/core/lib/io/record_writer.h); of the message only wall_time (1), step (2), file_version (3) and
    summary (5) with tag and simple_value are used (tensorflow/core/util/event.proto).

    Args:
        folder: where the files go; an event file of an earlier run stays, as TensorBoard joins them.
        name: of the file with lines of JSON, which is gone on with.
        after: the step that is gone on from; lines of later ones, of a run that was killed, are left out.
    """

    def __init__(self, folder: Path, name: str, after: int | None = None) -> None:
        self._lines = folder / name
        if after is not None and self._lines.is_file():
            _cut(self._lines, after)
        now = time.time()
        self._events = folder / f"events.out.tfevents.{int(now)}.biopose"
        with open(self._events, "ab") as file:
            file.write(_record(_double(1, now) + _bytes(3, b"brain.Event:2")))

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Write scalars of a step."""
        now = time.time()
        with open(self._lines, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "time": round(now, 1), **scalars}) + "\n")
        values = b"".join(
            _bytes(1, _bytes(1, name.encode()) + _key(2, 5) + struct.pack("<f", value))
            for name, value in scalars.items()
        )
        with open(self._events, "ab") as file:
            file.write(_record(_double(1, now) + _key(2, 0) + _varint(step) + _bytes(5, values)))


def _cut(path: Path, after: int) -> None:
    """Leave out lines of later steps, and one that was not written to its end."""
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = []
    for line in lines:
        try:
            if json.loads(line)["step"] > after:
                continue
        except (ValueError, KeyError, TypeError):
            continue
        kept.append(f"{line}\n")
    if len(kept) < len(lines):
        atomic_write(path, "".join(kept))


def _record(message: bytes) -> bytes:
    length = struct.pack("<Q", len(message))
    return length + _masked(length) + message + _masked(message)


def _masked(data: bytes) -> bytes:
    crc = _crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), reflected polynomial 0x82F63B78."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def _key(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _double(number: int, value: float) -> bytes:
    return _key(number, 1) + struct.pack("<d", value)


def _bytes(number: int, value: bytes) -> bytes:
    return _key(number, 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)

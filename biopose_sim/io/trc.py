"""TRC files: markers as OpenSim reads and writes them."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import InputError, near_matches
from .atomic import atomic_write
from .digits import fixed_point_text
from .notice import listed, warn
from .text import NumberBlock, decode, line_starts, read_numbers, read_text_bytes
from .trial import Trial, first_time_fault, repeated

HEADER_KEYS = (
    "DataRate",
    "CameraRate",
    "NumFrames",
    "NumMarkers",
    "Units",
    "OrigDataRate",
    "OrigDataStartFrame",
    "OrigNumFrames",
)
METRES_PER_UNIT = {"m": 1.0, "meters": 1.0, "metres": 1.0, "mm": 1e-3, "millimeters": 1e-3, "cm": 1e-2}
DECIMALS = {"m": 8, "mm": 5}  # both 10 nm
SMALLEST_CLOUD, LARGEST_CLOUD = 0.02, 20.0  # [m], beyond which the unit of a marker cloud must be wrong


@dataclass(frozen=True)
class _Header:
    values: dict[str, str]
    metres_per_unit: float
    slots: dict[int, str]  # slot (0 is the first three columns after time) -> marker name
    first_number: int  # where the lines of numbers begin in the file
    width: int  # cells of a line


def read_trc(path: str | Path) -> Trial:
    """Read markers from a TRC file.

    Empty cells, ``NaN`` and exact (0, 0, 0) are gaps. Markers without any value are dropped, and what was
    repaired or looks odd (zeros, counts in the header) is told in a `BioposeWarning`. The frame of the file
    is kept: TRC for OpenSim is Y up.

    Returns:
        The trial: time (T,) [s], markers (T, M, 3) [m].

    Raises:
        InputError: the file is missing or no TRC; the header lacks keys; units are unknown or plainly
            untrue; markers repeat; a line is cut short or holds a word; time does not increase; there is no
            frame or no marker.
    """
    path = Path(path)
    data = read_text_bytes(path)
    header = _read_header(path, data)
    block = read_numbers(path, data, header.first_number, header.width, tabs=True)
    _check_rows(path, header, block)
    time = block.values[:, 1].copy()
    _check_time(path, block, time)
    markers = block.values[:, 2:].reshape(len(time), -1, 3) * header.metres_per_unit
    names = tuple(header.slots.values())
    if len(header.slots) != markers.shape[1]:
        markers = np.ascontiguousarray(markers[:, list(header.slots)])
    zeros_to_gaps(path, markers, names)
    _check_units(path, header.values["Units"], markers)
    markers, names = drop_empty_markers(path, markers, names)
    _check_counts(path, header, len(time))
    rate = float(header.values["DataRate"])
    trial = Trial.checked(path.stem, time, markers, names, source=path, nominal_rate=rate)
    if trial.n_frames > 2 and abs(trial.rate - rate) > 0.1 * rate:
        warn(path, f"DataRate says {rate:g} Hz but the times say {trial.rate:.4g} Hz; the times are used")
    return trial


def write_trc(path: str | Path, trial: Trial, units: Literal["m", "mm"] = "m") -> Path:
    """Write a trial as TRC that OpenSim reads, in one step; gaps become empty cells.

    Coordinates are written to 10 nm in either unit, time to 10 ns.

    Raises:
        InputError: unknown units, a marker name with a tab or line break, or a path that cannot be written.
    """
    if units not in DECIMALS:
        raise InputError(path, f"unknown units '{units}'", "write 'm' or 'mm'")
    if bad := [name for name in trial.marker_names if re.search(r"[\t\r\n]", name)]:
        raise InputError(path, f"marker name {bad[0]!r} holds a tab or a line break")
    rate = f"{trial.rate:.8g}" if np.isfinite(trial.rate) else "1"
    counts = (trial.n_frames, trial.n_markers)
    values = (rate, rate, str(counts[0]), str(counts[1]), units, rate, "1", str(counts[0]))
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{Path(path).name}",
        "\t".join(HEADER_KEYS),
        "\t".join(values),
        "Frame#\tTime\t" + "\t\t\t".join(trial.marker_names) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{i + 1}" for i in range(counts[1]) for axis in "XYZ"),
        "",
    ]
    cells = np.where(trial.missing[:, :, None], np.nan, trial.markers) / METRES_PER_UNIT[units]
    frames = np.arange(1.0, counts[0] + 1)[:, None]
    groups = [(frames, 0), (trial.time[:, None], 8), (cells.reshape(counts[0], -1), DECIMALS[units])]
    # OpenSim drops an empty cell at the end of a line; a tab behind it keeps the cell.
    rows = fixed_point_text(groups, nan="").replace("\t\n", "\t\t\n")
    return atomic_write(path, "\n".join(lines) + "\n" + rows)


def zeros_to_gaps(path: Path, markers: np.ndarray, names: tuple[str, ...]) -> None:
    """Make exact (0, 0, 0) in ``markers`` (T, M, 3) NaN, in place, and warn: exporters mark gaps so."""
    zero = ~markers.any(axis=2)  # NaN counts as true
    if zero.any():
        markers[zero] = np.nan
        touched = [names[i] for i in np.flatnonzero(zero.any(axis=0))]
        warn(path, f"exact zeros (0, 0, 0) are taken as gaps in {int(zero.sum())} places of {listed(touched)}")


def drop_empty_markers(path: Path, markers: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return markers and names without those that are never seen, with a warning that names them."""
    seen = ~np.isnan(markers).any(axis=2).all(axis=0)
    if seen.all():
        return markers, names
    if not seen.any():
        raise InputError(path, "every marker is empty in every frame", "check the export")
    empty = [name for name, there in zip(names, seen) if not there]
    warn(path, f"markers without any value are dropped: {listed(empty)}")
    return np.ascontiguousarray(markers[:, seen]), tuple(n for n, there in zip(names, seen) if there)


def _read_header(path: Path, data: bytes) -> _Header:
    starts = [*line_starts(data, 5), len(data)]
    lines = [decode(data[a:b]) for a, b in itertools.pairwise(starts[:6]) if a < b]
    if not lines[0].strip().lower().startswith("pathfiletype"):
        raise InputError(path, "is not a TRC file", "its first line must begin with 'PathFileType'")
    if len(lines) < 5:
        raise InputError(path, f"is cut short: it has {len(lines)} lines", "a TRC has 5 header lines, then frames")
    values = _read_values(path, lines[1], lines[2])
    slots, labels = _read_slots(path, lines[3])
    axes = lines[4].strip().lower()
    first_number = starts[4] if axes and not axes.startswith("x") else starts[5]
    return _Header(values, _metres_per_unit(path, values["Units"]), slots, first_number, 2 + 3 * labels)


def _read_values(path: Path, key_line: str, value_line: str) -> dict[str, str]:
    keys, cells = key_line.split(), value_line.split()
    by_lower = {key.lower(): key for key in HEADER_KEYS}
    if missing := [key for key in HEADER_KEYS if key.lower() not in map(str.lower, keys)]:
        near = near_matches(missing[0], [k for k in keys if k.lower() not in by_lower])
        remedy = f"line 2 must name {', '.join(HEADER_KEYS)}"
        raise InputError(path, f"header line 2 lacks {listed(missing)}{near}", remedy)
    if len(cells) < len(keys):
        raise InputError(path, f"header line 3 has {len(cells)} values for the {len(keys)} keys of line 2")
    values = {by_lower.get(key.lower(), key): cell for key, cell in zip(keys, cells)}
    for key in ("DataRate", "NumFrames", "NumMarkers"):
        if not _is_positive(values[key]):
            raise InputError(path, f"header line 3: {key} is {values[key]!r}", "give a positive number")
    return values


def _is_positive(word: str) -> bool:
    try:
        return 0 < float(word) < float("inf")
    except ValueError:
        return False


def _metres_per_unit(path: Path, units: str) -> float:
    if units.lower() not in METRES_PER_UNIT:
        raise InputError(path, f"unknown Units '{units}' in header line 3", "write mm or m")
    return METRES_PER_UNIT[units.lower()]


def _read_slots(path: Path, line: str) -> tuple[dict[int, str], int]:
    """Return the marker names by slot, and the number of slots up to the last name."""
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) < 2 or not cells[0].lower().startswith("frame") or not cells[1].lower().startswith("time"):
        raise InputError(path, "line 4 does not name columns", "it must begin with 'Frame#', 'Time', tab separated")
    named = {i: name for i, name in enumerate(cells[2:]) if name}
    if not named:
        raise InputError(path, "line 4 names no marker")
    if any(i % 3 for i in named):  # names without the two empty cells after each
        slots = dict(enumerate(named.values()))
    else:
        slots = {i // 3: name for i, name in named.items()}
    if twice := repeated(slots.values()):
        raise InputError(path, f"line 4 names the marker {listed(twice)} more than once", "give each its own name")
    return slots, max(slots) + 1


def _check_rows(path: Path, header: _Header, block: NumberBlock) -> None:
    if not len(block.values):
        raise InputError(path, "has no frames", "there must be lines of numbers after the header")
    short = np.flatnonzero(block.cells < header.width)
    if short.size:
        line, cells = block.lines[short[0]], block.cells[short[0]]
        wanted = f"{header.width} for {len(header.slots)} markers"
        raise InputError(path, f"line {line} is cut short: {cells} cells, not {wanted}", "separate cells by tabs")
    if block.beyond:
        warn(path, "columns without a marker name are ignored")


def _check_time(path: Path, block: NumberBlock, time: np.ndarray) -> None:
    fault = first_time_fault(time)
    if fault is None:
        return
    line = int(block.lines[fault])
    if not np.isfinite(time[fault]):
        raise InputError(path, f"line {line}: the frame has no time")
    steps = f"{time[fault]:g} s after {time[fault - 1]:g} s"
    text = f"time does not increase at frame {fault + 1} (line {line}): {steps}"
    raise InputError(path, text, "sort the frames or remove repeated ones")


def _check_units(path: Path, units: str, markers: np.ndarray) -> None:
    """Compare the extent of the marker cloud, in metres by the header, with what a person can have."""
    sample = markers[:: max(1, len(markers) // 16)]
    sample = sample[(~np.isnan(sample[:, :, 0])).sum(axis=1) >= 3]
    if not len(sample):
        return
    high, low = np.fmax.reduce(sample, axis=1), np.fmin.reduce(sample, axis=1)
    extent = float(np.median((high - low).max(axis=1)))
    if LARGEST_CLOUD < extent < np.inf:
        raise InputError(path, f"Units say '{units}', which makes the person {extent:.0f} m large", "set Units to mm")
    if 0 < extent < SMALLEST_CLOUD:
        text = f"Units say '{units}', which makes the person {1000 * extent:.2g} mm large"
        raise InputError(path, text, "set Units to m")


def _check_counts(path: Path, header: _Header, frames: int) -> None:
    for key, count in (("NumFrames", frames), ("NumMarkers", len(header.slots))):
        if float(header.values[key]) != count:
            warn(path, f"the header says {key} {header.values[key]}, the file has {count}")

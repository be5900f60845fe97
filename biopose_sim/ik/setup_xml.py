"""What the readers of OpenSim's setup files share: documents, file names, time ranges."""

from __future__ import annotations

import math
import re
from pathlib import Path

from biopose_sim.errors import InputError
from biopose_sim.io import Trial
from biopose_sim.osim.xml import Element, numbers, parse_document, read_bytes, text

TimeRange = tuple[float, float]
_UNASSIGNED = ("", "Unassigned", "NULL")
_DECLARATION = re.compile(rb"^\s*(<\?xml.*?\?>)?", re.DOTALL)


def read_setup(path: Path, *wanted: str) -> Element:
    """Return the tool's element of a setup file; documents without an ``OpenSimDocument`` root are read too.

    Raises:
        InputError: missing file, not XML, or a setup of another tool.
    """
    data = read_bytes(path)
    if b"<OpenSimDocument" not in data and b"<" in data:
        end = match.end() if (match := _DECLARATION.match(data)) else 0
        data = data[:end] + b'<OpenSimDocument Version="10000">' + data[end:] + b"</OpenSimDocument>"
    root = parse_document(data, path)
    for tag in wanted:
        element = root.find(tag)
        if element is not None:
            return element
    found = f"holds <{root[0].tag}>" if len(root) else "is empty"
    raise InputError(path, found, f"a file with <{wanted[0]}> is needed")


def file_name(element: Element, tag: str, folder: Path) -> Path | None:
    """Path in a child element, relative to the setup's folder, with either slash; None when unassigned."""
    name = text(element, tag)
    return None if name in _UNASSIGNED else folder / name.replace("\\", "/")


def require_file(path: Path, tag: str, source: Path) -> Path:
    """Return ``path``; raise InputError that names setup, element and where such a file lies instead."""
    if path.is_file():
        return path
    folder = source.parent
    inside = path.relative_to(folder) if path.is_relative_to(folder) else Path(path.name)
    places = [folder.parent / inside, folder / path.name, folder.parent / path.name]
    near = next((p for p in places if p.is_file() and p != path), None)
    remedy = f"such a file lies at {near}" if near else "paths are relative to the setup file"
    raise InputError(source, f"its <{tag}> {path} does not exist", remedy)


def time_range(element: Element, source: Path) -> TimeRange | None:
    """The <time_range>; None when it is absent or OpenSim's place holder (-1, -1)."""
    values = numbers(element, "time_range", source, unbounded=True)
    if not values or values == (-1.0, -1.0):
        return None
    if len(values) != 2 or values[1] < values[0]:
        written = text(element, "time_range")
        raise InputError(source, f"its <time_range> is {written!r}", "a start and a later end are needed")
    return values[0], values[1]


def offline_set(parent: Element, tag: str, source: Path) -> Element | None:
    """A Set that is a child element, or in the file that its ``file`` attribute (or ``<..._file>``) names."""
    element = parent.find(tag)
    if element is not None and not element.get("file"):
        return element
    named = element.get("file", "") if element is not None else text(parent, "task_set_file")
    if named in _UNASSIGNED:
        return element
    path = require_file(source.parent / named.replace("\\", "/"), tag, source)
    return read_setup(path, tag)


def required_file(path: Path | None, tag: str, source: Path) -> Path:
    """As :func:`require_file`, also where the setup names no file."""
    if path is None:
        raise InputError(source, f"names no <{tag}>", "name one in the setup, or give it yourself")
    return require_file(path, tag, source)


def clip_range(wanted: TimeRange, trial: Trial, source: Path) -> TimeRange:
    """The part of a time range [s] that the trial covers; raise InputError when there is none."""
    start, end = max(wanted[0], float(trial.time[0])), min(wanted[1], float(trial.time[-1]))
    slack = 0.51 / trial.rate if trial.n_frames > 1 else math.inf
    if start > end + slack:
        problem = f"its <time_range> {wanted[0]:g} to {wanted[1]:g} s lies outside of the trial {trial.name!r}"
        raise InputError(source, problem, f"that runs from {trial.time[0]:g} to {trial.time[-1]:g} s")
    return min(start, float(trial.time[-1])), max(end, float(trial.time[0]))

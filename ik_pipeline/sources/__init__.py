"""Data sets on disk as persons and trials: BML-MoVi, BEDLAM, AMASS, OpenCap, laboratories' markers, CMU on Anny."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from biopose_sim.errors import InputError, near_matches
from ik_pipeline.sources.options import SourceOptions, check_options

if TYPE_CHECKING:
    from ik_pipeline.types import Source

__all__ = ["SOURCES", "SourceOptions", "open_source"]

SOURCES = ("bml-movi", "bedlam", "amass", "opencap", "markers", "cmu")
# Where each is built: module and class.
_PLACES = {
    "bml-movi": ("movi", "MoviSource"),
    "bedlam": ("bedlam", "BedlamSource"),
    "amass": ("amass", "AmassSource"),
    "opencap": ("opencap", "OpenCapSource"),
    "markers": ("markers", "MarkersSource"),
    "cmu": ("cmu", "CmuSource"),
}


def open_source(name: str, folder: str | Path, options: SourceOptions | None = None) -> Source:
    """Return a data set; nothing is read yet.

    Args:
        name: one of `SOURCES`.
        folder: where it lies.
        options: what the user asks of it.

    Raises:
        InputError: an unknown name, no such folder, or an option that this source cannot use.
    """
    if name not in _PLACES:
        raise InputError("source", f"unknown '{name}'{near_matches(name, SOURCES)}", f"there are {', '.join(SOURCES)}")
    path, asked = Path(folder), options or SourceOptions()
    if not path.is_dir():
        problem = "is a file" if path.is_file() else "no such folder"
        raise InputError(path, problem, f"give the folder of the data set '{name}'")
    check_options(name, asked)
    module, kind = _PLACES[name]
    source: Source = getattr(importlib.import_module(f"ik_pipeline.sources.{module}"), kind)(path, asked)
    return source

"""Motions of another system (D3KE, OpenCap, ...), given as files, as a method of `neurik.evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.io import read_mot
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.neurik.evaluate import Answer, Array
from biopose_sim.osim.xml import Element, numbers, parse_document, read_bytes

MOT, OSIM = ".mot", ".osim"


class MotionFiles:
    """Looks coordinates up in a folder of .mot files; it answers to names (`neurik.evaluate.Named`).

    A trial's file is ``<person>/<trial>.mot`` or ``<person>_<trial>.mot``; degrees and radians are as its header
    says, and times are matched by interpolation: frames before its first and after its last are not compared. The
    person's size comes from the one ``<person>/*.osim`` or ``<person>.osim``, where there is one: the scale factors of
    its bodies' pictures, which OpenSim's ScaleTool and our export write, by those of the generic model.

    Args:
        folder: of the files.
        model: the generic model of the shards, with its file.
        note: is told of missing files and coordinates.

    Raises:
        InputError: no such folder, or one without .mot files.
    """

    def __init__(self, folder: Path, model: OsimModel, note: Callable[[str], None] = lambda text: None) -> None:
        if not folder.is_dir():
            raise InputError(folder, "is no folder", f"give the folder of the {MOT} files of the other system")
        if not any(folder.glob(f"**/*{MOT}")):
            raise InputError(folder, f"holds no {MOT} files", f"name them <person>/<trial>{MOT}")
        self.folder, self.model, self.note = folder, model, note
        self._types = dict(zip(model.coordinate_names, model.motion_types))

    def named(self, person: str, trials: Sequence[str], times: Sequence[Array]) -> Answer:
        """Return coordinates (T, n_q) of each trial at its times [s], NaN where none is known, and factors or None."""
        motions = [self._trial(person, trial, time) for trial, time in zip(trials, times)]
        return Answer(motions, self._scales(person))

    def _trial(self, person: str, trial: str, time: Array) -> Array:
        names = self.model.coordinate_names
        found = np.full((len(time), len(names)), np.nan)
        places = [self.folder / person / f"{trial}{MOT}", self.folder / f"{person}_{trial}{MOT}"]
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            self.note(f"{places[0]} is missing: the trial is left out")
            return found
        motion = read_mot(path, self._types)
        inside = (time >= motion.time[0] - _EARLY) & (time <= motion.time[-1] + _EARLY)
        if not inside.any():
            span = f"{motion.time[0]:g} to {motion.time[-1]:g} s"
            self.note(f"{path} is of {span}, the trial of {time[0]:g} to {time[-1]:g} s: the trial is left out")
            return found
        for column, name in enumerate(motion.coordinate_names):
            values = motion.coordinates[:, column]
            if self._types[name] == "rotational":
                values = np.unwrap(values)
            found[inside, names.index(name)] = np.interp(time[inside], motion.time, values)
        free = ~(self.model.tree.dependent | self.model.tree.locked)
        lost = [n for n, wanted in zip(names, free) if wanted and n not in motion.coordinate_names]
        if lost:
            shown = ", ".join(lost[:_SHOWN]) + (", ..." if len(lost) > _SHOWN else "")
            self.note(f"{self.folder}: its motions lack {len(lost)} coordinates, which are left out ({shown})")
        return found

    def _scales(self, person: str) -> Array | None:
        own = sorted((self.folder / person).glob(f"*{OSIM}"))
        beside = self.folder / f"{person}{OSIM}"
        path = beside if beside.is_file() else own[0] if len(own) == 1 else None
        if path is None or self.model.path is None:
            why = f"{len(own)} {OSIM} files" if own else f"no {OSIM} file"
            self.note(f"{self.folder / person}: {why}, so that its size is not compared")
            return None
        factors, generic = picture_factors(path), picture_factors(self.model.path)
        if lost := [name for name in self.model.body_names if name not in factors or name not in generic]:
            self.note(f"{path}: the bodies {', '.join(lost[:_SHOWN])} say no factors: its size is not compared")
            return None
        return np.array([factors[name] / generic[name] for name in self.model.body_names])


def picture_factors(path: Path) -> dict[str, Array]:
    """Return the scale factors (3,) of the first picture of each body of an .osim file that has one.

    Raises:
        InputError: not an .osim file.
    """
    root = parse_document(read_bytes(path), path)
    found = {}
    for body in root.iter("Body"):
        factors = next((numbers(mesh, "scale_factors", path, _ONES) for mesh in _meshes(body)), None)
        if factors is not None and len(factors) == 3 and min(factors) > 0.0:
            found[str(body.get("name"))] = np.array(factors)
    return found


def _meshes(body: Element) -> list[Element]:
    return [*body.iter("Mesh"), *body.iter("DisplayGeometry")]


_ONES = (1.0, 1.0, 1.0)
_EARLY = 1e-6  # [s] that a frame may lie outside of a motion
_SHOWN = 4

"""The ground's forces on their way into a simulation's folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from biopose_sim.errors import InputError, near_matches
from biopose_sim.forces.config import ESTIMATE, SimulationConfig
from biopose_sim.forces.filtering import frame_rate, lowpass
from biopose_sim.forces.setups import GRF, LOADS, write_loads
from biopose_sim.forces.types import GroundReaction, Origin
from biopose_sim.io import Motion, read_c3d, read_sto
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.xml import parse_document, read_bytes

_UNUSED = ("external_loads_model_kinematics_file", "lowpass_cutoff_frequency_for_load_kinematics")


@dataclass(frozen=True)
class Applied:
    """The external loads of a simulation.

    Attributes:
        origin: "measured" or "estimated"; None where there are none.
        source: file or method.
        start: first time of the forces [s]; None where they have none (functions of time inside the XML).
        end: last time [s].
        files: what was written, by what it holds.
        notes: what a user should know.
    """

    origin: Origin | None
    source: str | None
    start: float | None = None
    end: float | None = None
    files: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def apply_loads(config: SimulationConfig, motion: Motion, bodies: list[str], folder: Path) -> Applied:
    """Write the external loads and their forces into the folder.

    Args:
        config: names the loads.
        motion: the coordinates as they came, not filtered.
        bodies: the model's, to which loads may be applied.
        folder: gets ``external_loads.xml`` and ``grf.mot``.

    Raises:
        InputError: a file is missing, is not what it should be, or loads a body that the model does not have.
    """
    grf = config.grf
    if grf is None:
        return Applied(None, None, notes=("no ground reaction was applied: what carries the body is residual",))
    if isinstance(grf, Path) and not grf.is_file():
        raise InputError(grf, "no such file", "name external loads (.xml), a force table (.mot) or a recording (.c3d)")
    if isinstance(grf, Path) and grf.suffix.lower() == ".xml" and config.grf_filter_hz is None:
        applied = _copied(grf, bodies, folder)
        return replace(applied, notes=(*applied.notes, *_looked_at(lambda: _read_loads(grf), config, motion)))
    reaction = _filtered(_reaction(config, motion), config.grf_filter_hz)
    applied = _written(reaction, bodies, folder)
    return replace(applied, notes=(*applied.notes, *_looked_at(lambda: reaction, config, motion)))


def _looked_at(read: Callable[[], GroundReaction], config: SimulationConfig, motion: Motion) -> tuple[str, ...]:
    """What is odd about measured forces beside this motion."""
    from biopose_sim.forces.assignment import misplaced
    from biopose_sim.forces.coverage import uncovered

    try:
        reaction = read()
        if reaction.origin != "measured":
            return ()
        model = OsimModel.from_file(config.model)
        return (*misplaced(reaction, model, motion), *uncovered(reaction, model, motion))
    except InputError as error:  # loads that OpenSim takes and this look does not, e.g. in another body's axes
        return (f"the forces were not compared with the motion: {error}",)


def _reaction(config: SimulationConfig, motion: Motion) -> GroundReaction:
    grf = config.grf
    if isinstance(grf, GroundReaction):
        return grf
    if grf == ESTIMATE:
        from biopose_sim.forces.estimate import estimate_ground_reaction

        return estimate_ground_reaction(OsimModel.from_file(config.model), motion)
    assert isinstance(grf, Path)  # None was dealt with
    readers: dict[str, Callable[[], GroundReaction]] = {
        ".xml": lambda: _read_loads(grf),
        ".mot": lambda: _read_table(grf, config, motion),
        ".sto": lambda: _read_table(grf, config, motion),
        ".c3d": lambda: _read_plates(grf, config, motion),
    }
    suffix = grf.suffix.lower()
    if suffix not in readers:
        remedy = "ground reactions are read from .xml, .mot, .sto or .c3d"
        raise InputError(grf, f"unknown suffix '{suffix}'{near_matches(suffix, readers)}", remedy)
    return readers[suffix]()


def _read_loads(path: Path) -> GroundReaction:
    from biopose_sim.forces.loads import read_loads

    return read_loads(path)


def _read_table(path: Path, config: SimulationConfig, motion: Motion) -> GroundReaction:
    from biopose_sim.forces.loads import read_grf_mot

    reaction = read_grf_mot(path, OsimModel.from_file(config.model), motion)
    guess = "which columns are force, point and moment of which foot was guessed from their names"
    return replace(reaction, notes=(guess, *reaction.notes))


def _read_plates(path: Path, config: SimulationConfig, motion: Motion) -> GroundReaction:
    from biopose_sim.forces.plates import reaction_from_plates

    plates = read_c3d(path).force_plates
    if not plates:
        raise InputError(path, "holds no force plates", "name another recording, or --grf estimate")
    return replace(reaction_from_plates(plates, OsimModel.from_file(config.model), motion), source=str(path))


def _filtered(reaction: GroundReaction, cutoff_hz: float | None) -> GroundReaction:
    if cutoff_hz is None:
        return reaction
    rate = frame_rate(reaction.time)
    feet = tuple(
        replace(
            foot,
            force=lowpass(foot.force, rate, cutoff_hz),
            torque=lowpass(foot.torque, rate, cutoff_hz),
        )
        for foot in reaction.feet
    )
    return replace(reaction, feet=feet, notes=(*reaction.notes, f"forces filtered at {cutoff_hz:g} Hz"))


def _written(reaction: GroundReaction, bodies: list[str], folder: Path) -> Applied:
    from biopose_sim.forces.loads import write_ground_reaction

    for foot in reaction.feet:
        _check_body(reaction.source, foot.body, bodies)
    write_ground_reaction(reaction, folder / GRF, folder / LOADS)
    notes = reaction.notes
    if reaction.origin == "estimated":
        notes = ("the ground reaction was estimated from the motion, not measured", *notes)
    start, end = float(reaction.time[0]), float(reaction.time[-1])
    return Applied(reaction.origin, reaction.source, start, end, (("grf", GRF), ("external_loads", LOADS)), notes)


def _copied(path: Path, bodies: list[str], folder: Path) -> Applied:
    """A laboratory's external loads as they stand, with their table beside them."""
    root = parse_document(read_bytes(path), path)
    loads = root if root.tag == "ExternalLoads" else root.find("ExternalLoads")
    if loads is None:
        raise InputError(path, "holds no ExternalLoads", "name a file of external loads, or a force table (.mot)")
    for element in loads.iter():
        if element.tag in ("applied_to_body", "body"):
            _check_body(path, (element.text or "").strip().rsplit("/", 1)[-1], bodies)
    for tag in _UNUSED:
        for element in loads.findall(tag):
            loads.remove(element)
    table = loads.find("datafile")
    named = (table.text or "").strip() if table is not None else ""
    if table is None or not named or named.lower() == "unassigned":
        write_loads(folder / LOADS, root)
        return Applied("measured", str(path), files=(("external_loads", LOADS),))
    source = _datafile(path, named)
    forces = read_sto(source, unique=False)
    if not np.isfinite(forces.data).all():
        bad = [n for n, ok in zip(forces.names, np.isfinite(forces.data).all(axis=0)) if not ok]
        raise InputError(source, f"column '{bad[0]}' holds what is not a number", "fill the gaps of the forces first")
    shutil.copyfile(source, folder / GRF)
    table.text = GRF
    write_loads(folder / LOADS, root)
    files = (("grf", GRF), ("external_loads", LOADS))
    return Applied("measured", str(path), float(forces.time[0]), float(forces.time[-1]), files)


def _datafile(path: Path, named: str) -> Path:
    """The table that external loads name: beside them, as OpenSim looks for it."""
    beside = path.parent / named.replace("\\", "/")
    if not beside.is_file():
        raise InputError(path, f"names the forces '{named}', which are not there", f"put them at {beside}")
    return beside


def _check_body(source: str | Path, body: str, bodies: list[str]) -> None:
    if body and body not in (*bodies, "ground"):
        near = near_matches(body, bodies)
        raise InputError(source, f"loads the body '{body}', which the model does not have{near}", "rename it")

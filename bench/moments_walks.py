"""Walks with measured ground reactions: the laboratory's model and motion beside the default model fitted to them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.cases import Case, laboratory_cases, pipeline_cases
from bench.optical_places import opencap_places
from biopose_sim.errors import InputError
from biopose_sim.forces.types import FootForce, GroundReaction
from biopose_sim.gait.feet import feet_in_motion
from biopose_sim.ik.fit import fit
from biopose_sim.ik.solver import solve_ik
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Trial, read_sto, read_trc, write_mot
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.markerset import with_markers
from biopose_sim.osim.schema import Frame, Marker
from biopose_sim.osim.writer import export_osim
from biopose_sim.paths import default_model_path

RAJAGOPAL_MARKERS = Path(__file__).with_name("markers_rajagopal.csv")
_RAJAGOPAL_MASS = 85.0668  # [kg], of Scale/scale_setup_walk_scaleOnly.xml
_FOOT_MARKERS = {"r": ("r_calc", "r_toe", "r_5meta"), "l": ("L_calc", "L_toe", "L_5meta")}
_STILL_FRAMES = 50
_LOADED = 20.0  # [N]
_STANDS = 0.8  # [m/s]: heel, ball or toe of a foot on the floor are slower, until it has left
_DOUBTFUL = 0.06  # [s] at strike and foot-off in which force and motion may differ
_AROUND = 0.05  # [s] beside an unmeasured stance, and at the ends of a trial


@dataclass(frozen=True)
class Body:
    """A scaled model with its motion, as files."""

    model: Path
    motion: Path


@dataclass(frozen=True, eq=False)
class Walk:
    """A trial with both models.

    Attributes:
        name: of person and trial.
        mass: of the person [kg].
        laboratory: the laboratory's model, and the inverse kinematics that its setup asks for.
        ours: the default model fitted to the same markers.
        reaction: measured.
        unmeasured: spans of time [s] by side in which the foot stands on no force plate.
    """

    name: str
    mass: float
    laboratory: Body
    ours: Body
    reaction: GroundReaction
    unmeasured: dict[str, tuple[tuple[float, float], ...]]

    def measured(self, time: np.ndarray, sides: str) -> np.ndarray:
        """(T,) whether every stance of these sides is measured, away from the ends of the trial."""
        start, end = self.reaction.time[0] + _AROUND, self.reaction.time[-1] - _AROUND
        good = (time >= start) & (time <= end)
        for side in sides:
            for first, last in self.unmeasured[side]:
                good &= (time < first - _AROUND) | (time > last + _AROUND)
        return np.asarray(good)


def rajagopal_walk(data: Path, work: Path) -> list[Walk]:
    """Walking of Rajagopal et al. 2016, by the pipeline that OpenSim ships."""
    case = next(case for case in pipeline_cases(data, work) if case.name == "Rajagopal walking")
    folder = data / "pipelines" / "Rajagopal" / "ExpData"
    table = read_sto(folder / "grf_walk.mot")
    feet = tuple(
        FootForce(
            f"calcn_{side}",
            table.columns([f"ground_force_{side}_v{axis}" for axis in "xyz"]),
            table.columns([f"ground_force_{side}_p{axis}" for axis in "xyz"]),
            table.columns([f"ground_torque_{side}_{axis}" for axis in "xyz"]),
        )
        for side in "rl"
    )
    reaction = GroundReaction("walk", table.time, feet, "measured", "grf_walk.mot")
    static = _thinned(read_trc(folder / "static_walk_1.trc"))
    return _walks("Rajagopal", [case], [reaction], static, _rajagopal_markers(), _RAJAGOPAL_MASS, work)


def subject4_walks(data: Path, work: Path, names: Sequence[str] | None = None) -> list[Walk]:
    """Walking of subject 4 of the OpenCap validation study, with the hand-scaled model of the laboratory."""
    folder = data / "opencap_lab_subject4"
    cases = [case for case in laboratory_cases(data) if case.markers.stem.startswith("walking")]
    if names is not None:
        cases = [case for case in cases if case.markers.stem in names]
    reactions = [_plates(folder, case.markers.stem) for case in cases]
    static = read_trc(folder / "MarkerData" / "static1.trc")
    static = _thinned(static.crop(static.time[0], static.time[0] + 1.0))
    places = [Marker(p.name, Frame(p.segment), p.position) for p in opencap_places()]
    places += [Marker(f"{side.upper()}_HJC", Frame(f"femur_{side}"), (0.0, 0.0, 0.0)) for side in "rl"]
    model = OsimModel.from_file(folder / "Models" / "manually_scaled.osim")
    mass = sum(body.mass for body in model.model.bodies)
    return _walks("subject 4", cases, reactions, static, places, mass, work)


def _walks(
    person: str,
    cases: Sequence[Case],
    reactions: Sequence[GroundReaction],
    static: Trial,
    markers: Sequence[Marker],
    mass: float,
    work: Path,
) -> list[Walk]:
    """Solve the laboratory's inverse kinematics, fit the default model to the same trials, write both."""
    theirs = OsimModel.from_file(cases[0].model)
    trials = [case.setup.cut(read_trc(case.markers)) for case in cases]
    fitted = fit(with_markers(OsimModel.from_file(default_model_path()), markers), [static, *trials])
    stem = person.replace(" ", "")
    ours = export_osim(fitted.model, work / f"{stem}.osim", mass=mass, motions=fitted.results)
    walks = []
    for case, trial, result, reaction in zip(cases, trials, fitted.results[1:], reactions):
        laboratory = solve_ik(theirs, trial, case.setup.config(theirs, trial))
        bodies = Body(case.model, _written(laboratory, work / f"{stem}_{trial.name}_laboratory.mot"))
        own = Body(ours, _written(result, work / f"{stem}_{trial.name}_ours.mot"))
        spans = unmeasured_stances(fitted.model, result, reaction)
        walks.append(Walk(f"{person} {trial.name}", mass, bodies, own, reaction, spans))
    return walks


def _written(result: KinematicsResult, path: Path) -> Path:
    write_mot(path, result)
    return path


def unmeasured_stances(
    model: OsimModel, motion: KinematicsResult, reaction: GroundReaction
) -> dict[str, tuple[tuple[float, float], ...]]:
    """Spans of time [s] by side in which a part of the foot stands still and no force plate sees it."""
    feet = feet_in_motion(model, motion)
    assert feet is not None  # people walk on two feet
    found = {}
    for side in "rl":
        speed = np.linalg.norm(np.gradient(feet.soles[side], feet.time, axis=0), axis=2).min(axis=1)
        force = np.zeros(len(reaction.time)) if (foot := reaction.foot(side)) is None else foot.force[:, 1]
        seen = np.interp(feet.time, reaction.time, force, left=0.0, right=0.0) > _LOADED
        spans = [(feet.time[span.start], feet.time[span.stop - 1]) for span in _spans((speed < _STANDS) & ~seen)]
        found[side] = tuple((float(a), float(b)) for a, b in spans if b - a > _DOUBTFUL)
    return found


def _spans(on: np.ndarray) -> list[slice]:
    """Runs of frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(int)))
    return [slice(first, last) for first, last in zip(edges[::2], edges[1::2])]


def _plates(folder: Path, trial: str) -> GroundReaction:
    """Force plates of subject 4, each given to the foot whose markers are nearest to its centre of pressure.

    The shipped setup files give every plate to the right talus, as their README warns.
    """
    table = read_sto(folder / "ID" / f"{trial}_grf.mot")
    markers = read_trc(folder / "MarkerData" / f"{trial}.trc")
    total = {side: [np.zeros((len(table.time), 3)) for _ in range(3)] for side in "rl"}
    for plate in (k for k in range(1, 10) if f"ground_force_{k}_vy" in table.names):
        parts = [table.columns([f"ground_force_{plate}_{what}{axis}" for axis in "xyz"]) for what in "vpm"]
        vertical = parts[0][:, 1]
        for span in (span for span in _spans(vertical > 0.0) if vertical[span].max() > _LOADED):
            sums = total[_nearest_foot(markers, table.time[span], parts[1][span])]
            if (sums[0][span, 1] > 0.0).any():
                raise InputError(f"{trial}_grf.mot", "two force plates below one foot at once")
            for whole, part in zip(sums, parts):
                whole[span] = part[span]
    feet = tuple(FootForce(f"calcn_{side}", *total[side]) for side in "rl")
    return GroundReaction(trial, table.time, feet, "measured", f"{trial}_grf.mot")


def _nearest_foot(markers: Trial, time: np.ndarray, point: np.ndarray) -> str:
    distances = {}
    for side, names in _FOOT_MARKERS.items():
        places = [markers.marker_names.index(name) for name in names]
        center = np.nanmean(markers.markers[:, places], axis=1)
        there = np.stack([np.interp(time, markers.time, center[:, axis]) for axis in (0, 2)], axis=1)
        distances[side] = float(np.nanmean(np.linalg.norm(there - point[:, [0, 2]], axis=1)))
    return min(distances, key=lambda side: distances[side])


def _rajagopal_markers() -> list[Marker]:
    """The laboratory's markers on the default model; left landmarks mirror the right."""
    found = []
    with RAJAGOPAL_MARKERS.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            x, y, z = (float(row[axis]) for axis in "xyz")
            found.append(Marker(row["name"], Frame(row["segment"]), (x, y, z)))
            if row["mirrored"] == "yes":
                segment = row["segment"].removesuffix("_r") + ("_l" if row["segment"].endswith("_r") else "")
                found.append(Marker("L" + row["name"][1:], Frame(segment), (x, y, -z)))
    return found


def _thinned(trial: Trial) -> Trial:
    step = max(1, trial.n_frames // _STILL_FRAMES)
    return replace(trial, time=trial.time[::step], markers=trial.markers[::step])

"""What a simulation left in its folder, read once for the summary and the plots."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from biopose_sim.forces.actuator_kinds import Actuators, read_actuators, root_coordinates
from biopose_sim.forces.types import GRAVITY, GroundReaction, Simulation
from biopose_sim.io import Table, read_sto
from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.float64]
FRAMES = ("ground", "child", "parent")
ESTIMATED = "ground reaction estimated from motion"
NO_REACTION = "no ground reaction applied"
_GENERALISED = re.compile(r"^(?P<coordinate>.+)_(?P<kind>moment|force)$")
_LOAD = re.compile(r"^(?P<joint>.+)_on_(?P<body>.+)_in_(?P<frame>.+)_fx$")
_HALF_STEP = 1e-6  # [s]; times of files are rounded


@dataclass(frozen=True, eq=False)
class JointLoad:
    """What a joint carries.

    Attributes:
        joint: its name.
        body: on which the force acts.
        frame: "ground", "child" or "parent": in whose axes it is told.
        axes: name of the body whose axes these are.
        time: (T,) [s].
        force: (T, 3) [N].
    """

    joint: str
    body: str
    frame: str
    axes: str
    time: Array
    force: Array

    @property
    def size(self) -> Array:
        """(T,) of the force [N]."""
        return np.linalg.norm(self.force, axis=1)


@dataclass(frozen=True, eq=False)
class Results:
    """A simulation's tables, each read when it is first asked for and cut to what was simulated.

    Attributes:
        folder: where ``simulation.json`` lies.
        simulation: what it says.
    """

    folder: Path
    simulation: Simulation
    _tables: dict[str, Table | None] = field(default_factory=dict, repr=False)

    @property
    def body_weight(self) -> float:
        """[N]."""
        return self.simulation.mass * GRAVITY

    @property
    def caution(self) -> str:
        """What is to be said of all forces that rest on the ground reaction; empty where it was measured."""
        return {"estimated": ESTIMATED, None: NO_REACTION}.get(self.simulation.grf_origin, "")

    @cached_property
    def model(self) -> OsimModel:
        """The model that was simulated."""
        return OsimModel.from_file(self.folder / self.simulation.model)

    @cached_property
    def actuators(self) -> Actuators:
        """Its actuators."""
        return read_actuators(self.folder / self.simulation.model, self.model.model)

    @cached_property
    def dependent(self) -> frozenset[str]:
        """Coordinates that follow others."""
        return frozenset(coupler.dependent for coupler in self.model.model.couplers)

    @cached_property
    def root(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Rotations and translations of the floating root, in the model's order."""
        names = root_coordinates(self.model.model)
        kinds = [c for c in self.model.model.coordinates if c.name in names]
        turns = tuple(c.name for c in kinds if c.motion_type == "rotational")
        return turns, tuple(c.name for c in kinds if c.motion_type == "translational")

    def table(self, key: str) -> Table | None:
        """A file of ``simulation.files``, cut to the simulated time; None where it was not made.

        Raises:
            InputError: it is named but cannot be read.
        """
        if key not in self._tables:
            name = self.simulation.files.get(key)
            self._tables[key] = None if name is None else self._cut(read_sto(self.folder / name, unique=False))
        return self._tables[key]

    def _cut(self, table: Table) -> Table:
        start, end = self.simulation.start - _HALF_STEP, self.simulation.end + _HALF_STEP
        inside = (table.time >= start) & (table.time <= end)
        return replace(table, time=table.time[inside], data=table.data[inside]) if inside.any() else table

    @cached_property
    def moments(self) -> Table | None:
        """Generalised forces of inverse dynamics by coordinate: rotations [N m], translations [N]."""
        table = self.table("inverse_dynamics")
        if table is None:
            return None
        found = [(i, m["coordinate"]) for i, name in enumerate(table.names) if (m := _GENERALISED.match(name))]
        return _selected(table, found)

    @cached_property
    def joint_moments(self) -> Table | None:
        """Those of the joints' own rotations [N m]: neither of the root nor of coordinates that follow others."""
        if self.moments is None:
            return None
        kinds = dict(zip(self.model.coordinate_names, self.model.motion_types))
        out = {*self.root[0], *self.root[1], *self.dependent}
        names = [n for n in self.moments.names if n not in out and kinds.get(n) == "rotational"]
        return _picked(self.moments, names)

    @cached_property
    def muscle_forces(self) -> Table | None:
        """Of the muscles alone [N]."""
        return _picked(self.table("muscle_force"), self.actuators.muscles)

    @cached_property
    def activations(self) -> Table | None:
        """Of the muscles alone, 0 to 1."""
        return _picked(self.table("activation"), self.actuators.muscles)

    @cached_property
    def reserves(self) -> Table | None:
        """What actuators add to the muscles, by coordinate [N m | N]; several of one coordinate are summed."""
        return self._by_coordinate(self.actuators.reserves)

    @cached_property
    def motors(self) -> Table | None:
        """What actuators do at coordinates that no muscle moves, by coordinate [N m | N]."""
        return self._by_coordinate(self.actuators.motors)

    def _by_coordinate(self, coordinates: dict[str, str]) -> Table | None:
        table = self.table("muscle_force")
        if table is None:
            return None
        names = [name for name in coordinates if name in table.names]
        wanted = tuple(dict.fromkeys(coordinates[name] for name in names))
        data = np.zeros((len(table.time), len(wanted)))
        for name in names:
            data[:, wanted.index(coordinates[name])] += table.column(name)
        return replace(table, names=wanted, data=data)

    @cached_property
    def reaction(self) -> GroundReaction | None:
        """The ground's forces on the feet, cut to what was simulated; None where none was applied."""
        from biopose_sim.forces.loads import read_loads

        name = self.simulation.files.get("external_loads")
        origin = self.simulation.grf_origin
        if name is None or origin is None:
            return None
        whole = read_loads(self.folder / name)
        start, end = self.simulation.start - _HALF_STEP, self.simulation.end + _HALF_STEP
        inside = (whole.time >= start) & (whole.time <= end)
        feet = tuple(
            replace(f, force=f.force[inside], point=f.point[inside], torque=f.torque[inside]) for f in whole.feet
        )
        return replace(whole, time=whole.time[inside], feet=feet, origin=origin)

    def joint_loads(self, frame: str) -> list[JointLoad]:
        """What the joints carry, in the axes of a frame of :data:`FRAMES`."""
        table = self.table(f"joint_reaction_{frame}")
        found = []
        for i, name in enumerate(() if table is None else table.names):
            if match := _LOAD.match(name):
                force = table.data[:, i : i + 3]  # type: ignore[union-attr]
                found.append(JointLoad(match["joint"], match["body"], frame, match["frame"], table.time, force))  # type: ignore[union-attr]
        return found


def side_of(name: str) -> str:
    """ "r", "l" or "" of a coordinate, muscle, joint or body."""
    parts = name.split("_")
    return next((part for part in reversed(parts) if part in ("r", "l")), "")


def _selected(table: Table, found: list[tuple[int, str]]) -> Table:
    return replace(table, names=tuple(name for _, name in found), data=table.data[:, [i for i, _ in found]])


def _picked(table: Table | None, names: list[str] | tuple[str, ...]) -> Table | None:
    if table is None:
        return None
    return _selected(table, [(table.names.index(name), name) for name in names if name in table.names])

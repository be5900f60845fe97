"""What a static optimization needs of each frame, from OpenSim itself; see ``_opensim_process.py``.

OpenSim's own tool asks for one acceleration of the whole model per actuator and frame. The same linear equations
follow from one acceleration, the mass matrix and the generalized forces of a unit force in each actuator: with M
the mass matrix, G the constraints' matrix and N spanning its null space (unit rows for the unconstrained
coordinates), ``N' R f = N' M N (target - idle)``, where R f are the generalized forces of the actuators and "idle"
the accelerations of the unconstrained coordinates without any actuator.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

UNSUITED = "unsuited"


def work(opensim: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Write the terms of the frames to a file of arrays, or say why this model needs OpenSim's own tool."""
    os.chdir(job["folder"])
    with np.load(job["states"]) as given:
        time, q, u, target = (given[name] for name in ("time", "q", "u", "acceleration"))
    terms = Terms(opensim, job)
    if terms.unsuited:
        return {UNSUITED: terms.unsuited}
    rows = [terms.frame(*frame) for frame in zip(time, q, u, target)]
    names = ("matrix", "demand", "strength", "length", "fibre")
    arrays: dict[str, Any] = {name: np.array(values) for name, values in zip(names, zip(*rows))}
    np.savez(job["results"], **arrays)
    return {"muscles": [m.getName() for m in terms.muscles], "free": terms.free_names}


class Terms:
    """A model with its loads, asked frame by frame."""

    def __init__(self, opensim: Any, job: dict[str, Any]) -> None:
        self.opensim = opensim
        self.model = opensim.Model(job["model"])
        if job["loads"] is not None:
            loads = opensim.ExternalLoads(job["loads"], True)
            self.model.addModelComponent(loads)
            loads.thisown = False
        self.state = self.model.initSystem()
        self.physiology = job["physiology"]
        self.matter = self.model.getMatterSubsystem()
        self.unsuited = self._order(job["coordinates"])
        if not self.unsuited:
            self._actuators(job["actuators"])

    def _order(self, names: list[str]) -> str:
        """Find each coordinate's place among OpenSim's speeds; returns why that cannot be done, or nothing."""
        state, coordinates = self.state, self.model.getCoordinateSet()
        self.n = state.getNU()
        if state.getNQ() != self.n or self.n != len(names):
            return "its coordinates are not its speeds"
        self.place = []
        for name in names:
            state.setU(self.opensim.Vector(self.n, 0.0))
            coordinates.get(name).setSpeedValue(state, 1.0)
            self.place.append(int(np.argmax(np.abs(state.getU().to_numpy()))))
        if sorted(self.place) != list(range(self.n)):
            return "its coordinates are not its speeds"
        constrained = [coordinates.get(name).isConstrained(state) for name in names]
        self.free = [place for place, bound in zip(self.place, constrained) if not bound]
        self.free_names = [name for name, bound in zip(names, constrained) if not bound]
        self.bound = [place for place, bound in zip(self.place, constrained) if bound]
        self.model.realizeVelocity(state)
        rows = self.opensim.Matrix()
        self.matter.calcG(state, rows)
        if rows.nrow() != len(self.bound):
            return "constraints close loops in it"
        return ""

    def _actuators(self, names: list[str]) -> None:
        """Sort the actuators: muscles and other paths, forces on coordinates, others; all are overridden."""
        opensim, forces = self.opensim, self.model.getForceSet()
        self.paths, self.muscles, self.direct, self.others = [], [], [], []
        self.acting = [opensim.ScalarActuator.safeDownCast(forces.get(name)) for name in names]
        for k, name in enumerate(names):
            force = forces.get(name)
            self.acting[k].overrideActuation(self.state, True)
            self.acting[k].setOverrideActuation(self.state, 0.0)
            path = opensim.PathActuator.safeDownCast(force)
            lever = opensim.CoordinateActuator.safeDownCast(force)
            if path is not None:
                self.paths.append((k, path, opensim.Muscle.safeDownCast(force)))
            elif lever is not None:
                self.direct.append((k, lever.get_coordinate()))
            else:
                self.others.append(k)
        self.muscles = [muscle for _, _, muscle in self.paths if muscle is not None]
        self.places = {name: self.place[i] for i, name in enumerate(self._names())}

    def _names(self) -> list[str]:
        coordinates = self.model.getCoordinateSet()
        return [coordinates.get(i).getName() for i in range(coordinates.getSize())]

    def set(self, time: float, q: np.ndarray, u: np.ndarray) -> None:
        """Put the model into a state; q and u in the order of the model's coordinates."""
        self.state.setTime(float(time))
        self.state.setQ(self.vector(q))
        self.state.setU(self.vector(u))
        self.model.realizeVelocity(self.state)

    def vector(self, values: np.ndarray) -> Any:
        """OpenSim's vector in the order of its speeds."""
        ordered = np.empty(self.n)
        ordered[self.place] = values
        return self.opensim.Vector.createFromMat(ordered)

    def arms(self) -> np.ndarray:
        """Generalized force of a unit force in each path, (n_paths, n) in the order of speeds [m | 1].

        From the forces that OpenSim applies, not from the change of length: where a path wraps, its length does
        not always change as its forces work (gastrocnemius of Rajagopal2016: 2 mm apart).
        """
        bodies, still = self.opensim.VectorOfSpatialVec(), self.opensim.Vector(self.n, 0.0)
        mobility, through = self.opensim.Vector(self.n, 0.0), self.opensim.Vector()
        result = np.zeros((len(self.paths), self.n))
        for row, (_, path, _) in zip(result, self.paths):
            self.matter.multiplyBySystemJacobian(self.state, still, bodies)  # a zero for each body
            mobility.setToZero()
            path.getGeometryPath().addInEquivalentForces(self.state, 1.0, bodies, mobility)
            self.matter.multiplyBySystemJacobianTranspose(self.state, bodies, through)
            row[:] = through.to_numpy() + mobility.to_numpy()
        return result

    def frame(self, time: float, q: np.ndarray, u: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, ...]:
        """Matrix and right-hand side of the equations of motion, strengths, lengths of a frame."""
        self.set(time, q, u)
        arms = self.arms()
        lengths = [[m.getLength(self.state), *self.fibre(m)] for m in self.muscles]
        strength = self.strengths()
        self.model.realizeAcceleration(self.state)
        idle = self.state.getUDot().to_numpy().copy()
        mass, null = self.mass_matrix(), self.null_space()
        generalized = null.T @ mass @ null
        matrix = np.zeros((len(self.free), len(self.acting)))
        matrix[:, [k for k, _, _ in self.paths]] = (arms @ null).T
        for k, name in self.direct:
            matrix[:, k] = null[self.places[name]]
        for k in self.others:
            matrix[:, k] = generalized @ (self.accelerations_of(k) - idle)[self.free]
        ordered = np.empty(self.n)
        ordered[self.place] = target
        demand = generalized @ (ordered - idle)[self.free]
        lengths_array = np.array(lengths).reshape(-1, 2)
        return matrix, demand, strength, lengths_array[:, 0], lengths_array[:, 1]

    def fibre(self, muscle: Any) -> tuple[float]:
        """Length of the fibres where the tendon keeps its slack length, as static optimization takes it [m]."""
        width = muscle.getOptimalFiberLength() * np.sin(muscle.getPennationAngleAtOptimalFiberLength())
        along = muscle.getLength(self.state) - muscle.getTendonSlackLength()
        return (float(np.hypot(max(along, 0.0), width)),)

    def strengths(self) -> np.ndarray:
        """Force of each actuator at full control [N | N m]; of muscles as OpenSim's tool takes it."""
        values = np.array([a.getOptimalForce() for a in self.acting], dtype=float)
        for k, _, muscle in self.paths:
            if muscle is not None and self.physiology:
                values[k] = muscle.calcInextensibleTendonActiveFiberForce(self.state, 1.0)
            elif muscle is not None:
                values[k] = muscle.getMaxIsometricForce()
        return values

    def mass_matrix(self) -> np.ndarray:
        """(n, n)."""
        matrix = self.opensim.Matrix()
        self.matter.calcM(self.state, matrix)
        return matrix.to_numpy()

    def null_space(self) -> np.ndarray:
        """(n, n_free): how all coordinates move when one unconstrained does."""
        null = np.zeros((self.n, len(self.free)))
        null[self.free, np.arange(len(self.free))] = 1.0
        if self.bound:
            rows = self.opensim.Matrix()
            self.matter.calcG(self.state, rows)
            given = rows.to_numpy()
            null[self.bound] = -np.linalg.solve(given[:, self.bound], given[:, self.free])
        return null

    def accelerations_of(self, actuator: int) -> np.ndarray:
        """(n,) accelerations with a unit force of one actuator."""
        self.acting[actuator].setOverrideActuation(self.state, 1.0)
        self.model.realizeAcceleration(self.state)
        values = self.state.getUDot().to_numpy().copy()
        self.acting[actuator].setOverrideActuation(self.state, 0.0)
        return values

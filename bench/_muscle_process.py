"""The OpenSim side of ``muscles.py``: lengths and moment arms of a model's muscles; see ``osim/process.py``."""

from __future__ import annotations

from typing import Any

STILL = 1e-7  # [m]; a muscle whose length varies by less over a sweep does not cross the joint


def work(opensim: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Sweep coordinates one by one from the neutral pose, then go through whole poses.

    The job: ``model`` (file), ``sweeps`` (coordinate: values [rad]), ``poses`` (list of coordinate: value [rad]; others
    are zero), ``coupled`` (coordinate: those that take its value). Returns ``muscles`` (name: maximum isometric
    force [N]), ``sweeps`` (coordinate: muscle: [lengths, moment arms]) of the muscles that cross, and ``poses``
    (coordinate: muscle: [lengths, moment arms]) of the same, in m.
    """
    model = Posed(opensim, job["model"], job["coupled"])
    sweeps: dict[str, Any] = {}
    for name, values in job["sweeps"].items():
        poses = [{name: value} for value in values]
        lengths = model.lengths(poses)
        crossing = [muscle for muscle, found in lengths.items() if max(found) - min(found) > STILL]
        arms = model.moment_arms(poses, name, crossing)
        sweeps[name] = {muscle: [lengths[muscle], arms[muscle]] for muscle in crossing}
    posed: dict[str, Any] = {}
    lengths = model.lengths(job["poses"])
    for name, found in sweeps.items():
        arms = model.moment_arms(job["poses"], name, list(found))
        posed[name] = {muscle: [lengths[muscle], arms[muscle]] for muscle in found}
    return {"muscles": model.forces(), "sweeps": sweeps, "poses": posed}


class Posed:
    """A model that is put into poses given by name; coordinates that are not named are zero."""

    def __init__(self, opensim: Any, path: str, coupled: dict[str, list[str]]) -> None:
        self.model = opensim.Model(path)
        for coordinate in self.model.getCoordinateSet():
            coordinate.set_locked(False)
        self.state = self.model.initSystem()
        self.coupled = coupled
        self.coordinates = {c.getName(): c for c in self.model.getCoordinateSet()}
        self.muscles = {m.getName(): m for m in self.model.getMuscles()}

    def forces(self) -> dict[str, float]:
        """Maximum isometric force of each muscle [N]."""
        return {name: muscle.getMaxIsometricForce() for name, muscle in self.muscles.items()}

    def pose(self, values: dict[str, float]) -> None:
        """Set every coordinate [rad]."""
        all_values = dict(values)
        for name, followers in self.coupled.items():
            all_values |= {follower: values.get(name, 0.0) for follower in followers}
        for name, coordinate in self.coordinates.items():
            coordinate.setValue(self.state, all_values.get(name, 0.0), False)
        self.model.realizePosition(self.state)

    def lengths(self, poses: list[dict[str, float]]) -> dict[str, list[float]]:
        """Lengths of all muscles with their tendons in the poses [m]."""
        found: dict[str, list[float]] = {name: [] for name in self.muscles}
        for values in poses:
            self.pose(values)
            for name, muscle in self.muscles.items():
                found[name].append(muscle.getLength(self.state))
        return found

    def moment_arms(self, poses: list[dict[str, float]], about: str, muscles: list[str]) -> dict[str, list[float]]:
        """Moment arms of some muscles about a coordinate in the poses [m]."""
        found: dict[str, list[float]] = {name: [] for name in muscles}
        for values in poses:
            self.pose(values)
            for name in muscles:
                found[name].append(self.muscles[name].computeMomentArm(self.state, self.coordinates[about]))
        return found

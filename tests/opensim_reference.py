"""What OpenSim itself computes: the reference that our kinematics is compared with."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

opensim = pytest.importorskip("opensim", reason="OpenSim is the reference of this test")
opensim.Logger.setLevelString("Critical")
opensim.Logger.removeFileSink()

Array = np.ndarray
LOOP_CONSTRAINTS = (
    "WeldConstraint",
    "PointConstraint",
    "PointOnLineConstraint",
    "ConstantDistanceConstraint",
)


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Run with another working folder: OpenSim resolves and writes files there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@dataclass(frozen=True)
class ReferencePoses:
    """Rotations (n, n_bodies, 3, 3) and positions (n, rows, 3) of bodies, markers and joint centres."""

    rotations: Array
    positions: Array
    markers: Array
    joint_centers: Array


class Reference:
    """An OpenSim model with its loop constraints switched off."""

    def __init__(self, path: str | Path) -> None:
        self.model = opensim.Model(str(path))
        constraints = self.model.updConstraintSet()
        for i in range(constraints.getSize()):
            if constraints.get(i).getConcreteClassName() in LOOP_CONSTRAINTS:
                constraints.get(i).set_isEnforced(False)
        self.state = self.model.initSystem()

    def scale(self, body_names: Sequence[str], factors: Array) -> None:
        """Let OpenSim scale the model; factors (n_bodies, 3)."""
        scale_set = opensim.ScaleSet()
        for name, row in zip(body_names, factors):
            scale = opensim.Scale()
            scale.setSegmentName(name)
            scale.setScaleFactors(opensim.Vec3(*map(float, row)))
            scale.setApply(True)
            scale_set.cloneAndAppend(scale)
        self.model.scale(self.state, scale_set, False, -1.0)
        self.state = self.model.initSystem()

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        coordinates = self.model.getCoordinateSet()
        return tuple(coordinates.get(i).getName() for i in range(coordinates.getSize()))

    @property
    def motion_types(self) -> dict[str, str]:
        kinds = {0: "undefined", 1: "rotational", 2: "translational", 3: "coupled"}
        coordinates = self.model.getCoordinateSet()
        return {name: kinds[coordinates.get(name).getMotionType()] for name in self.coordinate_names}

    def poses(
        self, names: Sequence[str], values: Array, bodies: Sequence[str], markers: Sequence[str]
    ) -> ReferencePoses:
        """Poses for coordinate values (n, n_q), which satisfy the couplers; locked ones are left alone."""
        model, state = self.model, self.state
        coordinates = [model.getCoordinateSet().get(name) for name in names]
        free = [i for i, c in enumerate(coordinates) if not c.getLocked(state)]
        body_list = [model.getBodySet().get(name) for name in bodies]
        marker_list = [model.getMarkerSet().get(name) for name in markers]
        joints = model.getJointSet()
        frames = [joints.get(i).getChildFrame() for i in range(joints.getSize())]
        rotations, positions, points, centers = [], [], [], []
        for row in values:
            for i in free:
                coordinates[i].setValue(state, float(row[i]), False)
            model.realizePosition(state)
            transforms = [body.getTransformInGround(state) for body in body_list]
            rotations.append([_matrix(t.R()) for t in transforms])
            positions.append([t.p().to_numpy() for t in transforms])
            points.append([m.getLocationInGround(state).to_numpy() for m in marker_list])
            centers.append([f.getPositionInGround(state).to_numpy() for f in frames])
        n = len(values)
        return ReferencePoses(
            np.array(rotations).reshape(n, -1, 3, 3),
            np.array(positions).reshape(n, -1, 3),
            np.array(points).reshape(n, -1, 3),
            np.array(centers).reshape(n, -1, 3),
        )


def _matrix(rotation: opensim.Rotation) -> list[list[float]]:
    return [[rotation.get(i, j) for j in range(3)] for i in range(3)]


def random_coordinates(model, rng: np.random.Generator, count: int, widen: float = 0.0) -> Array:
    """Random coordinates (count, n_q) in their ranges (at most +-10), or beyond by a fraction."""
    low, high = np.clip(model.tree.ranges, -10.0, 10.0).T
    margin = widen * (high - low)
    values = rng.uniform(low - margin, high + margin, (count, len(low)))
    return np.where(model.tree.locked, model.tree.defaults, values)


def differences(path: str | Path, count: int, scales: str = "", seed: int = 0, widen: float = 0.0) -> dict[str, float]:
    """Largest differences between our kinematics and OpenSim's for random coordinates.

    Args:
        path: the model file.
        count: number of poses.
        scales: "" unscaled, "random" factors 0.8-1.25 per body and axis, "uniform" one factor per body.
        seed: of the random numbers.
        widen: how far beyond its range a coordinate may be, as a fraction of the range.

    Returns:
        The largest difference of "rotation" entries, "position" [m], "marker" [m], "joint_center" [m].
    """
    import torch

    from biopose_sim.kinematics.model import OsimModel

    rng = np.random.default_rng(seed)
    ours, reference = OsimModel.from_file(path), Reference(path)
    assert ours.coordinate_names == reference.coordinate_names
    assert dict(zip(ours.coordinate_names, ours.motion_types)) == reference.motion_types
    factors = None
    if scales:
        shape = (len(ours.body_names), 3 if scales == "random" else 1)
        drawn = rng.uniform(0.8, 1.25, shape if scales == "random" else (1, 1))
        drawn = np.broadcast_to(drawn, (len(ours.body_names), 3)).copy()
        reference.scale(ours.body_names, drawn)
        factors = torch.from_numpy(drawn)
    out = ours(torch.from_numpy(random_coordinates(ours, rng, count, widen)), scales=factors)
    expected = reference.poses(ours.coordinate_names, out.coordinates.numpy(), ours.body_names, ours.marker_names)
    found = {
        "rotation": (out.transforms[..., :3, :3], expected.rotations),
        "position": (out.transforms[..., :3, 3], expected.positions),
        "marker": (out.markers, expected.markers),
        "joint_center": (out.joint_centers, expected.joint_centers),
    }
    return {what: float(np.abs(a.numpy() - b).max(initial=0.0)) for what, (a, b) in found.items()}

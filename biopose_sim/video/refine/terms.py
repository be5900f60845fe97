"""What joint refinement makes small: how far the picture, the start, smooth motion and standing feet are from the body.

Every term is a negative log-likelihood (times two): residuals over their standard deviations. What is known of the
motion without the picture is in `refine.motion`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from ...ik.groups import SizePrior
from ...io.camera import Camera
from ..points.keypoints import Array
from .banded import Bordered
from .body import Placed, PointBody
from .motion import Process, Roughness, posture_process, start_process
from .posture import usual_posture

NEAREST = 0.2  # m in front of the camera
_CAMERA = 3  # shared unknowns of the camera: logarithmic focal length, tilt about ground's X and Z


@dataclass(frozen=True)
class JointConfig:
    """How to refine; deviations are standard deviations.

    Attributes:
        pixel_sd: of a key point of full confidence, as a share of the person's box, beside its constant offset:
            smallest and largest; between them it is estimated from what the first round leaves
            (`refine.guards.picture_noise`), for frames as if they were independent.
        outlier: deviations at which a key point counts a quarter (Geman and McClure).
        start_sd: of the start's joint angles where the estimate does not say it [rad].
        start_share: of the deviations that the estimate says, what is taken. On clips of validation people the lifter's
            half gives 0.1 degrees less than all of it, and no clip becomes worse than its start.
        start_root_sd: of the start's root: turned [rad] and placed [m].
        start_constant: share of the variance of the start's errors that is there for good; like the posture below, only
            of starts that do not say their deviations: the lifter knows already what is usual (with both, two
            validation clips became worse by 0.1 degrees and 2 mm).
        start_time: over which the rest of them is alike [s].
        posture_factor: times the deviations of ``joint_posture.csv`` (`refine.posture`); 0: all postures are alike.
        posture_sd: beside these, of what is held and of what is moved [rad]: all people of the table have the skeleton
            of one body model, and others may hold a joint as none of them does.
        posture_time: over which joints move together [s].
        acceleration_sd: of joints [rad/s^2] and of the root [m/s^2], white noise at 30 Hz.
        stature_sd: of the logarithm of the stature, where it is known and where it is not.
        size: how proportions vary beside it.
        offset_factor: times the deviations of ``keypoints.csv``; 0 takes no constant offsets of key points.
        estimate_focal: of one camera, beside the motion.
        focal_sd: of its logarithm.
        tilt_sd: of the vertical against the camera of a single view [rad]; 0 takes it for known.
        contact: whether standing feet stay and lie on a floor.
        contact_speed_sd: of a standing sole [m/s].
        floor_sd: of a standing sole's height [m].
        enough: share of the key points below which a frame is carried by its neighbours.
        repair_sides: exchange left and right in frames where the body says so.
        iterations: at most, of each of the rounds.
    """

    pixel_sd: tuple[float, float] = (0.01, 0.06)
    outlier: float = 4.0
    start_sd: float = 0.17
    start_share: float = 0.5
    start_root_sd: tuple[float, float] = (0.2, 0.3)
    start_constant: float = 1.0 / 3.0
    start_time: float = 0.3
    posture_factor: float = 1.5
    posture_sd: tuple[float, float] = (0.14, 0.02)
    posture_time: float = 0.5
    acceleration_sd: tuple[float, float] = (80.0, 20.0)
    stature_sd: tuple[float, float] = (0.01, 0.08)
    size: SizePrior = field(default_factory=lambda: SizePrior(part=0.04, dimension=0.04))
    offset_factor: float = 1.0
    estimate_focal: bool = False
    focal_sd: float = 0.15
    tilt_sd: float = 0.0
    contact: bool = True
    contact_speed_sd: float = 0.15
    floor_sd: float = 0.03
    enough: float = 0.5
    repair_sides: bool = True
    iterations: int = 12


@dataclass(frozen=True, eq=False)
class State:
    """Where the search is.

    Attributes:
        q: (T, n_q) [rad | m].
        shared: (P,): size, offsets, camera (focal, tilts), height of the floor; for good: errors of the start, posture.
    """

    q: Array
    shared: Array


@dataclass(frozen=True, eq=False)
class Seen:
    """What one camera sees.

    Attributes:
        camera: ideal.
        target: (T, 23, 2) [px]; zero where not seen.
        weight: (T, 23) confidence over variance [1/px^2]; zero where not seen.
        box: (T,) of the person [px].
    """

    camera: Camera
    target: Array
    weight: Array
    box: Array


class JointTerms:
    """Cost and normal equations of all frames.

    Args:
        body: whose points are seen.
        time: (T,) [s].
        start: (T, n_q) where the search begins and what it is drawn to.
        start_sd: (T, n) or (n,) deviations of the free coordinates.
        trusted: (T,) frames of which the start knows anything.
        seen: by each camera.
        config: deviations.
        size_known: whether the stature is.

    Attributes:
        standing: (T, S) which points of the soles stand; set between rounds.
    """

    def __init__(
        self,
        body: PointBody,
        time: Array,
        start: Array,
        start_sd: Array,
        trusted: NDArray[np.bool_],
        seen: tuple[Seen, ...],
        config: JointConfig,
        size_known: bool,
    ) -> None:
        self.body, self.config, self.seen, self.start = body, config, seen, start[:, body.free]
        self.step = np.diff(time)
        self.standing = np.zeros((len(time), body.n_soles), dtype=bool)
        size, offsets = body.n_size, body.n_offsets
        self.sizes, self.marks = slice(0, size), slice(size, size + offsets)
        self.lens = slice(size + offsets, size + offsets + _CAMERA)
        self.floor = self.lens.stop
        self.n_seen = self.floor + 1  # of the shared unknowns, those that move points
        joint, root = config.acceleration_sd
        self.roughness = Roughness(self.step, np.where(body.root & body.translational, root, joint))
        self.processes = self._processes(np.broadcast_to(start_sd, self.start.shape), trusted)
        ends = np.cumsum([self.n_seen, *(len(p.columns) for p in self.processes)])
        self.constants = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self.n_shared = int(ends[-1])
        self._priors(size_known)

    def _priors(self, size_known: bool) -> None:
        """Precision of the shared unknowns, about zero, and which of them move."""
        config, body = self.config, self.body
        precision = np.zeros((self.n_seen, self.n_seen))
        stature = config.stature_sd[0 if size_known else 1]
        precision[self.sizes, self.sizes] = body.size_precision(stature, config.size)
        active = np.ones(self.n_shared, dtype=bool)
        active[self.marks] = config.offset_factor > 0.0
        single = len(self.seen) == 1
        active[self.lens] = [single and config.estimate_focal, *2 * [single and config.tilt_sd > 0.0]]
        active[self.floor] = config.contact and body.n_soles > 0
        active[self.constants[0]] = config.start_constant > 0.0
        offset_sd = body.offset_sd * max(config.offset_factor, 1e-3)
        deviations = [*offset_sd, config.focal_sd, *2 * [config.tilt_sd or 1.0]]
        inside = np.arange(self.marks.start, self.floor)
        precision[inside, inside] = np.array(deviations) ** -2.0
        precision[self.floor, self.floor] = 1e-4
        self.precision, self.active = precision, np.flatnonzero(active)

    def _processes(self, sd: Array, trusted: NDArray[np.bool_]) -> list[Process]:
        """The start's errors, and how joints depart from their usual angles."""
        config = self.config
        found = [start_process(self.start, sd, trusted, self.step, config.start_time, config.start_constant)]
        if config.posture_factor > 0.0:
            names = self.body.coordinate_names
            posture = usual_posture().of(names)
            columns = np.array([names.index(name) for name in posture.names], dtype=int)
            held, moved = (
                config.posture_factor**2 * table + sd**2 * np.eye(len(columns))
                for table, sd in zip((posture.held, posture.moved), config.posture_sd, strict=True)
            )
            found.append(posture_process(columns, posture.usual, held, moved, self.step, config.posture_time))
        return found

    # What is computed at a state.

    def begin(self) -> State:
        """Return the start, within the ranges of its coordinates."""
        return State(self.full(np.clip(self.start, self.body.low, self.body.high)), np.zeros(self.n_shared))

    def full(self, free: Array) -> Array:
        """All coordinates (T, n_q) of the free ones (T, n); dependent ones are computed by whoever needs them."""
        q = np.zeros((len(free), len(self.body.model.coordinate_names)))
        q[:] = self.body.model.default_coordinates.numpy()
        q[:, self.body.free] = free
        return q

    def place(self, state: State, derive: bool = False) -> Placed:
        """Place the body's points."""
        return self.body.place(state.q, state.shared[self.sizes], state.shared[self.marks], derive)

    def camera(self, state: State, view: int = 0) -> Camera:
        """Return a view's camera as the state has it."""
        growth, *tilt = state.shared[self.lens]
        camera = self.seen[view].camera
        turn = _tilted(tilt).as_matrix()
        fx, fy = camera.focal
        factor = float(np.exp(growth))
        return replace(camera, rotation=camera.rotation @ turn, focal=(fx * factor, fy * factor))

    def cost(self, state: State, placed: Placed, cut: float) -> float:
        """Twice the negative log-likelihood; infinite where a seen point is behind a camera."""
        total = 0.0
        for view, seen in enumerate(self.seen):
            projected = self.camera(state, view).project(placed.points[:, :23])
            if (projected[..., 2][seen.weight > 0.0] < NEAREST).any():
                return np.inf
            off = np.where(seen.weight > 0.0, ((projected[..., :2] - seen.target) ** 2).sum(-1), 0.0)
            total += float((seen.weight * off * _shrunk(seen.weight * off, cut)).sum())
        q, shared = state.q[:, self.body.free], state.shared[: self.n_seen]
        total += self.roughness.cost(q) + float(shared @ self.precision @ shared)
        for process, where in zip(self.processes, self.constants, strict=True):
            total += process.cost(q, state.shared[where])
        slip, above = self._feet(state, placed)
        return total + float((slip**2).sum() + (above**2).sum())

    def _feet(self, state: State, placed: Placed) -> tuple[Array, Array]:
        """Residuals of standing feet: motion (T - 1, S, 3) and height (T, S), zero where they do not stand."""
        soles = placed.points[:, 23:]
        both = (self.standing[1:] & self.standing[:-1])[..., None]
        slip = both * np.diff(soles, axis=0) / (self.config.contact_speed_sd * self.step[:, None, None])
        # A standing foot says the same in every frame of a step: they share one vote of about a second.
        above = self.standing * (soles[..., 1] - state.shared[self.floor]) * self._floor_weight
        return slip, above

    @property
    def _floor_weight(self) -> float:
        return float(np.sqrt(min(self.step.mean() / 0.1, 1.0)) / self.config.floor_sd)

    def system(self, state: State, placed: Placed, by_size: Array, cut: float) -> Bordered:
        """Gauss-Newton's normal equations for a step that goes down (right-hand side: minus half the gradient)."""
        frames, n = self.start.shape
        system = Bordered.zeros(frames, n, self.n_shared)
        by_pose = placed.by_pose
        assert by_pose is not None
        by_shared = np.zeros((*placed.points.shape, self.n_seen))
        by_shared[..., self.sizes] = by_size
        by_shared[:, :23, :, self.marks] = self.body.by_offsets(placed.rotations)
        for view in range(len(self.seen)):
            self._add_view(system, state, placed, view, by_shared[:, :23], cut)
        self._add_feet(system, state, placed, by_shared[:, 23:])
        q, seen = state.q[:, self.body.free], slice(self.n_seen)
        self.roughness.add(system, q)
        for process, where in zip(self.processes, self.constants, strict=True):
            process.add(system, q, state.shared[where], where)
        system.corner[seen, seen] += self.precision
        system.right_shared[seen] -= self.precision @ state.shared[seen]
        keep = self.active
        return replace(
            system,
            border=np.ascontiguousarray(system.border[..., keep]),
            corner=system.corner[np.ix_(keep, keep)],
            right_shared=system.right_shared[keep],
        )

    def _add_view(
        self, system: Bordered, state: State, placed: Placed, view: int, by_shared: Array, cut: float
    ) -> None:
        seen, camera = self.seen[view], self.camera(state, view)
        points = placed.points[:, :23]
        x = camera.to_camera(points)
        flat = x[..., :2] / x[..., 2:]
        focal = np.array(camera.focal)
        off = np.where((seen.weight > 0.0)[..., None], flat * focal + camera.centre - seen.target, 0.0)
        squared = seen.weight * (off**2).sum(-1)
        root = np.sqrt(seen.weight) * _shrunk(squared, cut)  # the derivative of s k/(k + s) is its square
        along = np.zeros((*flat.shape, 3))
        along[..., 0, 0], along[..., 1, 1] = focal[0], focal[1]
        along[..., 2] = -flat * focal
        by_point = along / x[..., 2, None, None] @ camera.rotation
        by_lens = np.zeros((*flat.shape, _CAMERA))
        by_lens[..., 0] = flat * focal
        arm = points - camera.position
        # The tilt turns about Z first, then about X.
        turned = _tilted(state.shared[self.lens][1:]).apply(arm.reshape(-1, 3)).reshape(arm.shape)
        straight = along / x[..., 2, None, None] @ seen.camera.rotation
        by_lens[..., 1] = (straight @ np.cross([1.0, 0.0, 0.0], turned)[..., None])[..., 0]
        by_lens[..., 2] = (by_point @ np.cross([0.0, 0.0, 1.0], arm)[..., None])[..., 0]
        shared = by_point @ by_shared
        shared[..., self.lens] += by_lens
        rows = (root[..., None, None] * (by_point @ placed.by_pose[:, :23])).reshape(len(x), -1, system.right.shape[1])  # type: ignore[index]
        shared = (root[..., None, None] * shared).reshape(len(x), -1, self.n_seen)
        _add_rows(system, rows, shared, (root[..., None] * off).reshape(len(x), -1))

    def _add_feet(self, system: Bordered, state: State, placed: Placed, by_shared: Array) -> None:
        if not self.standing.any():
            return
        frames, n = system.right.shape
        slip, above = self._feet(state, placed)
        by_pose = placed.by_pose[:, 23:]  # type: ignore[index]
        up = (self.standing * self._floor_weight)[..., None]
        shared = up * by_shared[:, :, 1]
        shared[..., self.floor] -= up[..., 0]
        _add_rows(system, up * by_pose[:, :, 1], shared, above)
        both = (self.standing[1:] & self.standing[:-1])[..., None, None]
        weight = both / (self.config.contact_speed_sd * self.step[:, None, None, None])
        after = (weight * by_pose[1:]).reshape(frames - 1, -1, n)
        before = (-weight * by_pose[:-1]).reshape(frames - 1, -1, n)
        common = (weight * np.diff(by_shared, axis=0)).reshape(frames - 1, -1, self.n_seen)
        residual = slip.reshape(frames - 1, -1)
        system.own[1:] += after.transpose(0, 2, 1) @ after
        system.own[:-1] += before.transpose(0, 2, 1) @ before
        system.next[:] += after.transpose(0, 2, 1) @ before
        for part, rows in ((slice(1, None), after), (slice(None, -1), before)):
            system.border[part, :, : self.n_seen] += rows.transpose(0, 2, 1) @ common
            system.right[part] -= (rows.transpose(0, 2, 1) @ residual[..., None])[..., 0]
        flat = common.reshape(-1, self.n_seen)
        system.corner[: self.n_seen, : self.n_seen] += flat.T @ flat
        system.right_shared[: self.n_seen] -= flat.T @ residual.ravel()


def _tilted(tilt: ArrayLike) -> Rotation:
    """Turn about ground's X after one about its Z."""
    return Rotation.from_euler("XZ", tilt)


def _shrunk(squared: Array, cut: float) -> Array:
    """Share of a squared residual (in variances) that counts: Geman and McClure's k / (k + s), k = cut^2."""
    return np.asarray(cut**2 / (cut**2 + squared))


def _add_rows(system: Bordered, rows: Array, shared: Array, residual: Array) -> None:
    """Add residuals (T, R) with derivatives (T, R, n) and, by the first P shared unknowns, (T, R, P)."""
    seen = slice(shared.shape[-1])
    turned = rows.transpose(0, 2, 1)
    system.own[:] += turned @ rows
    system.border[..., seen] += turned @ shared
    system.right[:] -= (turned @ residual[..., None])[..., 0]
    flat = shared.reshape(-1, shared.shape[-1])
    system.corner[seen, seen] += flat.T @ flat
    system.right_shared[seen] -= flat.T @ residual.ravel()

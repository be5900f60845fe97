"""Joint refinement: all frames of a trial together, in the coordinates, limits and size of the OpenSim model.

Gauss-Newton with Levenberg's damping on the terms of `refine.terms`; the matrix is banded over the frames with a border
of what all frames share (size, constant offsets of the key points, camera, floor), so that the cost grows with the
number of frames only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...kinematics.model import OsimModel
from ..points.keypoints import Array
from ..types import Estimate, View
from .body import Placed, PointBody
from .guards import (
    exchanged_sides,
    exchanged_view,
    frame_flags,
    picture_noise,
    place_root,
    reprojection,
    see,
    standing_soles,
)
from .terms import JointConfig, JointTerms, State

__all__ = ["JointConfig", "Refined", "refine_joint"]

_DAMPING, _MOST_DAMPING = 1e-3, 1e5
_LARGEST = 0.5  # rad | m, of one step
_SMALL = 1e-4  # share by which the cost falls at the end
_SMALLEST_SD = 1e-3  # rad | m; an estimate that is surer of a coordinate does not know it


@dataclass(frozen=True, eq=False)
class Refined:
    """A refined estimate.

    Attributes:
        estimate: with the person's model as it was found, all coordinates, cameras as found and sides as repaired.
        flags: one for each frame: ``ok``, ``few_points`` (carried by its neighbours), ``outside_picture``,
            ``far_from_start``, ``at_limits``; ``unrefined`` in all where refinement would have made it worse.
        before: (V, T) mean distance of the seen key points in each view at the start [px], NaN where none is seen.
        after: (V, T) the same of the result.
        focal: of the first camera as found [px].
        offsets: (23, 3) constant offsets of the key points in their segments [m].
        exchanged: (V, T, 23) key points taken from the other side.
        iterations: steps accepted.
        notes: what a user should know.
    """

    estimate: Estimate
    flags: tuple[str, ...]
    before: Array
    after: Array
    focal: float
    offsets: Array
    exchanged: NDArray[np.bool_]
    iterations: int
    notes: tuple[str, ...]


def refine_joint(estimate: Estimate, config: JointConfig | None = None) -> Refined:
    """Refine a motion by the 2D key points of its views.

    Args:
        estimate: to start from; its ``coordinate_sd``, where it has one, says how far to trust it.
        config: deviations and what is estimated.

    Raises:
        InputError: no view, or views of other frames.
    """
    from threadpoolctl import threadpool_limits

    if not estimate.views:
        raise InputError(estimate.name, "has no view", "refinement needs 2D key points and a camera")
    for view in estimate.views:
        if view.key_points.points.shape[:2] != (len(estimate.time), 23):
            shape = view.key_points.points.shape[:2]
            raise InputError(estimate.name, f"a view has {shape} frames and points", "give `KeyPoints.common`")
    # The matrices are small: threads of a BLAS wait for each other longer than they compute.
    with threadpool_limits(limits=1, user_api="blas"):
        return _Refinement(estimate, config or JointConfig()).run()


class _Refinement:
    """One trial being refined."""

    def __init__(self, estimate: Estimate, config: JointConfig) -> None:
        if estimate.coordinate_sd is not None:  # whoever says these has weighed what is usual
            config = replace(config, start_constant=0.0, posture_factor=0.0)
        self.given, self.config = estimate, config
        self.body = PointBody(estimate.model)
        self.views: tuple[View, ...] = estimate.views
        self.noise = sum(config.pixel_sd) / 2.0
        seen = tuple(see(view, self.noise) for view in self.views)
        self.counts = np.max([(s.weight > 0.0).sum(1) for s in seen], axis=0)
        self.exchanged = np.zeros((len(self.views), len(estimate.time), 23), dtype=bool)
        start = self._placed(estimate.coordinates)
        self.terms = JointTerms(
            self.body,
            estimate.time,
            start,
            self._deviations(estimate.coordinate_sd),
            estimate.seen,
            seen,
            config,
            estimate.size_known,
        )
        self.iterations = 0

    def _placed(self, q: Array) -> Array:
        """The start where the cameras see it: shifted, if that fits better."""
        q = np.array(q, dtype=float)
        turns = self.body.free[self.body.root & ~self.body.translational]
        q[:, turns] = np.unwrap(q[:, turns], axis=0)
        shifted = place_root(self.body, q, self.views)
        return shifted if self._error(shifted) < self._error(q) else q

    def _error(self, q: Array) -> float:
        return _mean(self._errors(q))

    def _errors(self, q: Array) -> Array:
        points = self.body.place(q, np.zeros(self.body.n_size), np.zeros(self.body.n_offsets)).points
        return np.stack([reprojection(v.camera.ideal, points, see(v, 1.0)) for v in self.views])

    def _deviations(self, given: Array | None) -> Array:
        turned, placed = self.config.start_root_sd
        own = np.full(len(self.body.free), self.config.start_sd)
        own[self.body.root] = np.where(self.body.translational[self.body.root], placed, turned)
        if given is None:
            return own
        said = self.config.start_share * np.broadcast_to(given, self.given.coordinates.shape)[:, self.body.free]
        return np.where(np.isfinite(said) & (said > _SMALLEST_SD), said, own)

    def run(self) -> Refined:
        """Refine, check sides and feet, refine again."""
        before = self._errors(self.given.coordinates)
        state = self._minimise(self.terms.begin(), coarse=True)
        if self.config.repair_sides and self._repair(state):
            state = self._minimise(state, coarse=True)
        placed = self.terms.place(state)
        self._weigh(state, placed)
        if self.config.contact:
            self.terms.standing = standing_soles(self.terms, state, placed.points, self.given.time)
            state = self._on_floor(state, placed)
        state = self._minimise(state, coarse=False)
        return self._result(state, before)

    def _weigh(self, state: State, placed: Placed) -> None:
        """Trust the key points as far as they agree with a body that moves smoothly."""
        seen = enumerate(self.terms.seen)
        rate, limits = 1.0 / float(np.median(self.terms.step)), self.config.pixel_sd
        found = [picture_noise(self.terms.camera(state, i), placed.points, s, limits, rate) for i, s in seen]
        self.noise = max(found)
        self.terms.seen = tuple(see(view, self.noise) for view in self.views)

    def _on_floor(self, state: State, placed: Placed) -> State:
        standing = self.terms.standing
        if not standing.any():
            return state
        shared = state.shared.copy()
        shared[self.terms.floor] = np.median(placed.points[:, 23:, 1][standing])
        return State(state.q, shared)

    def _repair(self, state: State) -> bool:
        """Exchange left and right where the body says so."""
        points = self.terms.place(state).points
        for i, view in enumerate(self.given.views):
            self.exchanged[i] = exchanged_sides(self.terms.camera(state, i), points, see(view, 1.0))
        if not self.exchanged.any():
            return False
        self.views = tuple(exchanged_view(v, e) for v, e in zip(self.given.views, self.exchanged, strict=True))
        self.terms.seen = tuple(see(view, self.noise) for view in self.views)
        return True

    def _minimise(self, state: State, coarse: bool) -> State:
        """Go down; ``coarse`` begins with a wide cut for outliers and narrows it."""
        damping = _DAMPING
        placed = self.terms.place(state, derive=True)
        for step in range(self.config.iterations):
            cut = self.config.outlier * (max(1.0, 8.0 * 0.5**step) if coarse else 1.0)
            cost = self.terms.cost(state, placed, cut)
            found = self._step(state, placed, cost, cut, damping)
            if found is None:
                break
            state, new, damping = found
            self.iterations += 1
            if cost - new < _SMALL * cost and (not coarse or step >= 3):
                break
            placed = self.terms.place(state, derive=True)
        return state

    def _step(
        self, state: State, placed: Placed, cost: float, cut: float, damping: float
    ) -> tuple[State, float, float] | None:
        """A step that makes the cost less: the state, its cost and the damping for the next; None if there is none."""
        terms, body = self.terms, self.body
        by_size = body.by_size(state.q, state.shared[terms.sizes], state.shared[terms.marks], placed.points)
        system = terms.system(state, placed, by_size, cut)
        q = state.q[:, body.free]
        system.hold(((q <= body.low) & (system.right < 0.0)) | ((q >= body.high) & (system.right > 0.0)))
        while damping < _MOST_DAMPING:
            try:
                by_frame, by_shared = system.solve(damping)
            except np.linalg.LinAlgError:
                damping *= 10.0
                continue
            moved = np.clip(q + np.clip(by_frame, -_LARGEST, _LARGEST), body.low, body.high)
            shared = state.shared.copy()
            shared[terms.active] += by_shared
            new = State(terms.full(moved), shared)
            value = terms.cost(new, terms.place(new), cut)
            if value < cost:
                return new, value, max(damping / 5.0, 1e-6)
            damping *= 10.0
        return None

    def _result(self, state: State, before: Array) -> Refined:
        import torch

        terms, given = self.terms, self.given
        points = terms.place(state).points
        after = np.stack([reprojection(terms.camera(state, i), points, s) for i, s in enumerate(terms.seen)])
        offsets = self.body.offsets(state.shared[terms.marks])
        notes = list(self._notes(state))
        flags = frame_flags(terms, state, points, self.counts)
        if not _mean(after) <= _mean(before):
            note = "Refinement did not bring the body nearer to the key points; the motion is as it was."
            unrefined = ("unrefined",) * len(given.time)
            focal = float(given.views[0].camera.focal[0])
            exchanged = np.zeros_like(self.exchanged)
            return Refined(given, unrefined, before, before, focal, 0.0 * offsets, exchanged, self.iterations, (note,))
        model: OsimModel = given.model.scale(self.body.scales(state.shared[terms.sizes]))
        with torch.no_grad():
            q = model(torch.from_numpy(state.q)).coordinates.numpy()
        cameras = [terms.camera(state, i) for i in range(len(self.views))]
        views = tuple(
            View(replace(c, distortion=v.camera.distortion), v.key_points)
            for c, v in zip(cameras, self.views, strict=True)
        )
        refined = replace(given, model=model, coordinates=q, views=views, notes=(*given.notes, *notes))
        focal = float(cameras[0].focal[0])
        return Refined(refined, flags, before, after, focal, offsets, self.exchanged, self.iterations, tuple(notes))

    def _notes(self, state: State) -> list[str]:
        notes = []
        if self.exchanged.any():
            frames = int(self.exchanged.any((0, 2)).sum())
            notes.append(f"Left and right were exchanged back in {frames} frames, where the body said so.")
        growth, *tilt = state.shared[self.terms.lens]
        if self.config.estimate_focal and len(self.views) == 1:
            focal = self.terms.camera(state).focal[0]
            notes.append(f"The focal length was estimated with the motion: {focal:.0f} px (x {np.exp(growth):.2f}).")
        if np.any(tilt):
            notes.append(
                f"The camera was tilted by {np.degrees(np.linalg.norm(tilt)):.1f} degrees against the vertical."
            )
        few = int((self.counts < self.config.enough * 23).sum())
        if few:
            notes.append(f"{few} frames show fewer than half of the key points; their neighbours carry them.")
        return notes


def _mean(errors: Array) -> float:
    """Mean of what is known; NaN if nothing is."""
    known = errors[np.isfinite(errors)]
    return float(known.mean()) if known.size else float("nan")

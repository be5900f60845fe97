"""From a stored trial to the frames of a shard: inputs, targets, masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import ForwardKinematics, OsimModel
from ik_pipeline.quality import landmark_mask
from ik_pipeline.shards.resample import Grid, interpolate, interpolate_angles, resampling_grid
from ik_pipeline.shards.types import Arrays, ShardConfig
from ik_pipeline.store import StoredScaling, StoredTrial

# Frames computed at once: what bounds the memory besides a trial itself.
_BLOCK = 4096
# A pause this much longer than the usual distance of frames is a hole: windows must not reach over it.
_LONGEST_STEP = 1.5
# Further than this the model, the scaling and a result are not of one run [m]; results keep single precision.
_SAME_PLACE = 1e-4


@dataclass(frozen=True, eq=False)
class TrialFrames:
    """A trial at the wanted rate.

    Attributes:
        model: the generic model.
        scaling: of the person.
        stored: the result.
        grid: the instants.
        landmarks: names of the markers on bony landmarks.
        limit: a landmark further from the model's than this is masked [m].
    """

    model: OsimModel
    scaling: StoredScaling
    stored: StoredTrial
    grid: Grid
    landmarks: tuple[str, ...]
    limit: float

    def blocks(self) -> Iterator[Arrays]:
        """Yield the per-frame arrays, a stretch of frames after the other."""
        for first in range(0, len(self.grid), _BLOCK):
            yield self._block(self.grid.part(first, first + _BLOCK))

    def _block(self, grid: Grid) -> Arrays:
        q, steady = self.stored.coordinates[grid.before], np.ones(len(grid), dtype=bool)
        converged = self.stored.converged[grid.before] & self.stored.converged[grid.after]
        if grid.is_whole:
            markers = self._all_markers(self.stored.markers[grid.before])
        else:
            markers = self._all_markers(interpolate(self.stored.markers, grid))
            turning = np.array([kind == "rotational" for kind in self.model.motion_types])
            q, steady = interpolate_angles(self.stored.coordinates, turning, grid)
        pose = posed(self.model, self.scaling, q)
        model_markers = np.ascontiguousarray(pose.markers.numpy(), dtype=np.float32)
        away = markers - model_markers
        errors = np.sqrt(np.einsum("tmk,tmk->tm", away, away))
        kept = landmark_mask(errors, self.model.marker_names, self.landmarks, self.limit)
        return {
            "markers": markers,
            "markers_seen": np.isfinite(errors),
            "markers_kept": kept,
            "coordinates": q if grid.is_whole else pose.coordinates.numpy(),
            "joint_centers": pose.joint_centers.numpy(),
            "model_markers": model_markers,
            "converged": converged & steady,
        }

    def _all_markers(self, markers: NDArray[np.floating]) -> NDArray[np.float32]:
        """The model's markers in its order; NaN where the trial has none."""
        names = self.model.marker_names
        if self.stored.marker_names == names:
            return markers.astype(np.float32, copy=False)
        found = np.full((len(markers), len(names), 3), np.nan, dtype=np.float32)
        found[:, [names.index(name) for name in self.stored.marker_names]] = markers
        return found


def trial_frames(
    file: Path,
    stored: StoredTrial,
    model: OsimModel,
    scaling: StoredScaling,
    landmarks: tuple[str, ...],
    config: ShardConfig,
) -> TrialFrames | str:
    """Return the frames of a trial, or why it is left out.

    Raises:
        InputError: a result that is not one of this model.
    """
    if (reason := _unfit(stored)) is not None:
        return reason
    grid = resampling_grid(stored.time, config.rate)
    if len(grid) < config.window and not config.pad:
        return f"shorter than a window of {config.window} frames"
    check_result(file, stored, model, scaling)
    return TrialFrames(model, scaling, stored, grid, landmarks, config.landmark_limit)


def posed(model: OsimModel, scaling: StoredScaling, coordinates: NDArray[np.float64]) -> ForwardKinematics:
    """Return forward kinematics of a scaled person for coordinates (T, n_q) [rad | m]."""
    q, scales, offsets = (
        torch.from_numpy(np.ascontiguousarray(a, dtype=float))
        for a in (coordinates, scaling.scales, scaling.marker_offsets)
    )
    return model(q, scales=scales, marker_offsets=offsets)


def check_scaling(file: Path, scaling: StoredScaling, model: OsimModel) -> None:
    """Raise an InputError unless the scaling is one of the model."""
    if scaling.body_names != model.body_names or scaling.marker_names != model.marker_names:
        raise InputError(file, "is the scaling of another model", "run 'biopose groundtruth' again")


def settled(
    scaling: StoredScaling, stored: StoredTrial, model: OsimModel, changed_over: tuple[str, ...]
) -> StoredScaling:
    """Return the scaling with the places of markers that changed over to another body after scaling.

    OpenSim places these in the person's static pose; where they are on their new body is seen from any result.

    Args:
        scaling: as stored.
        stored: a result of the person.
        model: the generic model.
        changed_over: names of these markers.
    """
    rows = _some_frames(stored)
    found = posed(model, scaling, stored.coordinates[rows])
    offsets = np.array(scaling.marker_offsets)
    for name in set(changed_over) & set(stored.marker_names) & set(model.marker_names):
        i = model.marker_names.index(name)
        away = stored.model_markers[rows, stored.marker_names.index(name)] - found.markers[:, i].numpy()
        if np.abs(away).max() > _SAME_PLACE:
            turns = found.transforms[:, model.tree.marker_body[i], :3, :3].numpy()
            offsets[i] += np.einsum("tji,tj->ti", turns, away).mean(axis=0)
    return replace(scaling, marker_offsets=offsets)


def check_result(file: Path, stored: StoredTrial, model: OsimModel, scaling: StoredScaling) -> None:
    """Raise an InputError unless model, scaling and result belong together."""
    unknown = set(stored.marker_names) - set(model.marker_names)
    if stored.coordinate_names != model.coordinate_names or unknown:
        raise InputError(file, "is the result of another model", "run 'biopose groundtruth' again")
    rows = _some_frames(stored)
    columns = [model.marker_names.index(name) for name in stored.marker_names]
    found = posed(model, scaling, stored.coordinates[rows]).markers.numpy()[:, columns]
    distance = float(np.abs(found - stored.model_markers[rows]).max(initial=0.0))
    if not distance <= _SAME_PLACE:
        problem = f"its model markers lie up to {1e3 * distance:.2g} mm from where model and scaling put them"
        raise InputError(file, problem, "results of different runs were mixed: run 'biopose groundtruth' again")


def _some_frames(stored: StoredTrial) -> NDArray[np.int64]:
    return np.linspace(0, len(stored.time) - 1, 8).astype(np.int64)


def _unfit(stored: StoredTrial) -> str | None:
    if len(stored.time) < 2:
        return "fewer than two frames"
    steps = np.diff(stored.time)
    if not (np.isfinite(steps).all() and steps.min() > 0):
        return "time that does not increase"
    if steps.max() > _LONGEST_STEP * np.median(steps):
        return "a hole in its time"
    if not np.isfinite(stored.coordinates).all():
        return "coordinates that are no numbers"
    return None

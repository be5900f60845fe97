"""From 2D key points of one view to a motion of the OpenSim model: the temporal lifter with its shipped weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import InputError
from ...io.camera import Camera
from ...kinematics.model import OsimModel
from ...neurik.limits import within_ranges
from ...neurik.sampling import SAME_RATE, between, bridged, reach, sampled
from ...neurik.windows import faded, pose_of, window_starts
from ..points.body_points import body_points
from ..points.keypoints import Array, KeyPoints
from ..types import Estimate, View
from .input import RATE, framed
from .mirror import both_sides
from .network import LifterNetwork
from .place import floor_height, ground_axes, mean_direction, place_by_rays
from .weights import load_lifter, stature_of

FEWEST_POINTS = 6  # with fewer, a person is not seen
_BATCH = 32
_OFF_FRAME = 0.05  # of a frame, that times may be off those of a clip of the network's own rate
_SMALLEST, _TALLEST = 0.5, 2.6  # m
# Spread of gravity over a clip from where on a user should know [degrees].
_UNSURE_UP = 8.0


@dataclass(frozen=True, eq=False)
class Raw:
    """What the network says of a clip at its own rate, windows faded into each other.

    Attributes:
        rotation: (N, 3, 3) camera <- root body.
        joints: (N, J) as `neurik.skeleton.Pose.joints`.
        place: (N, 3) of the root in the camera's axes [m].
        up: (N, 3) in the camera's axes.
        sizes: (n_sizes,) logarithmic factors.
        log_sd: (N, 3 + J), see `Lifted`.
    """

    rotation: Array
    joints: Array
    place: Array
    up: Array
    sizes: Array
    log_sd: Array


class Lifter:
    """Lifts key points to motions.

    Args:
        network: trained.
        stature: constant and slope (n_sizes,) that say a person's stature, see `stature_of`.
    """

    def __init__(self, network: LifterNetwork, stature: tuple[float, Array] | None = None) -> None:
        self.network = network.eval()
        self.skeleton = network.skeleton
        self._stature = stature
        self.matrix = body_points().matrix(self.skeleton.model.marker_names)

    @classmethod
    def from_pretrained(cls, name: str | Path = "lifter-base") -> Lifter:
        """Load trained weights: a folder, or the name of shipped ones.

        Raises:
            InputError: no such weights, or files that do not belong together.
        """
        return cls(load_lifter(name), stature_of(name))

    def lift(
        self, key_points: KeyPoints, camera: Camera, *, stature: float | None = None, up: Array | None = None
    ) -> Estimate:
        """Estimate motion and size of a person.

        Args:
            key_points: of one person, any layout, any frame rate; gaps are NaN.
            camera: that saw them; of it the lens counts, not where it stands.
            stature: of the person [m], which sets the scale; None: the network guesses it.
            up: (3,) the upward direction in the camera's axes (right, down, forward); None: the network says it.

        Returns:
            The motion in a ground frame with Y up, the camera at x = z = 0 and the soles of the feet at y = 0, and the
            view from there. Frames without the person are interpolated.

        Raises:
            InputError: no frame with the person, a picture of another size than the camera's, or a stature or upward
                direction that is none.
        """
        common = key_points.common()
        self._check(common, camera, stature, up)
        flat = camera.rays(common.points)[..., :2]
        flat = np.where(common.seen[..., None], flat, np.nan)
        seen: NDArray[np.bool_] = common.seen.sum(1) >= FEWEST_POINTS
        slow, confidence, places = _resampled(flat, common.confidence, common.time)
        known = np.isfinite(slow).all(-1).sum(1) >= FEWEST_POINTS
        raw = self.raw(slow, confidence)
        sizes, size_known = raw.sizes, stature is not None
        if stature is not None and self._stature is not None:
            constant, slope = self._stature
            sizes = sizes + np.log(stature) - (constant + slope @ sizes)
        notes = [] if size_known else ["the person's size is a guess from proportions: give the stature"]
        if up is None:
            up, spread = mean_direction(raw.up, known.astype(float))
            notes.append("the direction of gravity is the network's estimate")
            if spread > _UNSURE_UP:
                notes.append(f"gravity is unsure: {spread:.0f} degrees apart over the clip, or the camera moved")
        to_camera = ground_axes(np.asarray(up, dtype=float))
        position = self._placed(raw, sizes, slow, confidence, known, rescaled=sizes - raw.sizes)
        rows = np.concatenate(
            [(to_camera.T @ raw.rotation).reshape(len(position), 9), position @ to_camera, raw.joints, raw.log_sd],
            axis=-1,
        )
        given = torch.from_numpy(rows)
        given = between(bridged(given, torch.from_numpy(known)), torch.from_numpy(places))
        count = 12 + len(self.skeleton.joint_names)
        coordinates = self._coordinates(given[:, :count])
        model = self._model(sizes)
        with torch.no_grad():
            transforms = model(torch.from_numpy(coordinates)).transforms.numpy()
        floor = floor_height(model, transforms, seen)
        coordinates[:, self._height] -= floor
        return Estimate(
            name=common.name,
            time=common.time,
            model=model,
            coordinates=coordinates,
            views=(View(replace(camera, rotation=to_camera, position=np.array([0.0, -floor, 0.0])), common),),
            seen=seen,
            size_known=size_known,
            source="lifter",
            notes=tuple(notes),
            coordinate_sd=self._spread(given[:, count:].numpy(), coordinates),
        )

    @torch.no_grad()
    def raw(self, flat: Array, confidence: Array) -> Raw:
        """Return what the network says of a clip at its own rate.

        Args:
            flat: (N, 23, 2) rays at one metre, NaN where not seen.
            confidence: (N, 23).
        """
        length = self.network.config.window
        overlap = length // 2
        starts = window_starts(len(flat), length, length - overlap)
        frames = (starts[:, None] + torch.arange(length)).numpy()
        inside = frames < len(flat)
        weights = faded(length, overlap).double().numpy() * inside + 1e-6 * inside
        # A clip that is too short goes to and fro.
        last = max(len(flat) - 1, 1)
        frames = np.minimum(last - np.abs(last - frames % (2 * last)), len(flat) - 1)
        count = self.network.n_joints
        sums = np.zeros((len(flat), 9 + 3 + 3 + 2 * count + 3))
        totals, sizes, counts = np.zeros(len(flat)), [], []
        for first in range(0, len(frames), _BATCH):
            rows = frames[first : first + _BATCH]
            found, size = self._windows(flat[rows], confidence[rows])
            w = weights[first : first + _BATCH]
            np.add.at(totals, rows.ravel(), w.ravel())
            np.add.at(sums, rows.ravel(), (found * w[..., None]).reshape(-1, found.shape[-1]))
            sizes.append(size)
            counts.append(np.isfinite(flat[rows]).all(-1).sum((1, 2)))
        mean = sums / totals[:, None]
        rotation, place, up, joints, log_sd = np.split(mean, [9, 12, 15, 15 + count], axis=-1)
        pose = pose_of(torch.from_numpy(np.concatenate([rotation, place, joints], axis=-1)))
        share = np.concatenate(counts) + 1e-6
        size = share @ np.concatenate(sizes) / share.sum()
        up = up / np.linalg.norm(up, axis=-1, keepdims=True)
        return Raw(pose.root_rotation.numpy(), joints, place, up, size, log_sd)

    def _windows(self, points: Array, confidence: Array) -> tuple[Array, Array]:
        """Numbers of windows (B, T, ...) in the camera's axes, and sizes (B, n_sizes)."""
        frame = framed(points, confidence)
        lifted = both_sides(self.network, torch.from_numpy(frame.features).float())
        rotation, joints, place, up, sizes, log_sd = (
            x.double().numpy()
            for x in (lifted.rotation, lifted.joints, lifted.place, lifted.up, lifted.sizes, lifted.log_sd)
        )
        distance = np.exp(np.clip(place[..., 2], -4.0, 4.0)) / frame.size
        across = place[..., :2] * (frame.size * distance)[..., None]
        root = np.concatenate([across, distance[..., None]], axis=-1)
        back = np.swapaxes(frame.turn, -1, -2)
        parts = [
            (back @ rotation).reshape(*rotation.shape[:2], 9),
            np.einsum("btij,btj->bti", back, root),
            np.einsum("btij,btj->bti", back, up),
            joints,
            log_sd,
        ]
        return np.concatenate(parts, axis=-1), sizes

    @torch.no_grad()
    def _placed(
        self, raw: Raw, sizes: Array, flat: Array, confidence: Array, known: NDArray[np.bool_], rescaled: Array
    ) -> Array:
        """Where the root is in the camera's axes (N, 3) [m], by the rays of the points."""
        markers, _ = self.network.root_relative(
            torch.from_numpy(raw.joints).float()[None], torch.from_numpy(sizes).float()[None]
        )
        points = self.matrix @ markers[0].double().numpy() @ np.swapaxes(raw.rotation, -1, -2)
        weights = np.where(known[:, None], np.clip(confidence, 0.0, 1.0) ** 2, 0.0)
        return place_by_rays(points, flat, weights, raw.place * float(np.exp(rescaled.mean())), RATE)

    def _coordinates(self, rows: torch.Tensor) -> Array:
        coordinates = within_ranges(self.skeleton, self.skeleton.decode(pose_of(rows)).numpy())
        turns = list(self.skeleton.root_angles)
        coordinates[:, turns] = np.unwrap(coordinates[:, turns], axis=0)
        return coordinates

    @property
    def _height(self) -> int:
        """Column of the root's height."""
        return self.skeleton.root_coordinates[1]

    def _model(self, sizes: Array) -> OsimModel:
        given = torch.from_numpy(sizes)
        with torch.no_grad():
            offsets = self.network.marker_offsets(given.float()).double().numpy()
        return self.skeleton.model.scale(self.skeleton.scales(given).numpy(), offsets)

    def _spread(self, log_sd: Array, coordinates: Array) -> Array:
        """Standard deviations (T, n_q) [rad | m] of what the network says of them (T, 3 + J)."""
        columns = self.skeleton.of_joints(torch.arange(coordinates.shape[1])).numpy()
        found = np.zeros_like(coordinates)
        found[:, columns] = np.exp(log_sd[:, 3:])
        # About which of the camera's axes is not told apart for successive angles.
        turned = np.sqrt(np.exp(2.0 * log_sd[:, :3]).mean(axis=1, keepdims=True))
        found[:, list(self.skeleton.root_angles)] = turned
        moved = [c for c in self.skeleton.root_coordinates if c not in self.skeleton.root_angles]
        found[:, moved] = np.inf
        return found

    def _check(self, key_points: KeyPoints, camera: Camera, stature: float | None, up: Array | None) -> None:
        source = key_points.source or key_points.name
        if not (key_points.seen.sum(1) >= FEWEST_POINTS).any():
            problem = f"has no frame with {FEWEST_POINTS} key points or more of the person"
            raise InputError(source, problem, "film the whole person, or take another detector's key points")
        if key_points.size is not None and key_points.size != (camera.width, camera.height):
            problem = f"has pictures of {key_points.size[0]}x{key_points.size[1]} pixels"
            raise InputError(source, problem, f"its camera is given for {camera.width}x{camera.height}")
        if stature is not None and not _SMALLEST <= stature <= _TALLEST:
            raise InputError("stature", f"is {stature} m", f"give {_SMALLEST} to {_TALLEST} m")
        if stature is not None and self._stature is None:
            raise InputError("stature", "means nothing to these weights", "take weights whose card knows statures")
        if up is not None and not (np.shape(up) == (3,) and np.isfinite(up).all() and np.linalg.norm(up) > 0.0):
            raise InputError("up", f"is {up}", "give three numbers, a direction in the camera's axes")


def _resampled(flat: Array, confidence: Array, time: Array) -> tuple[Array, Array, Array]:
    """Rays (N, 23, 2) and confidences (N, 23) at the network's rate, and where the clip's frames are in them (T,)."""
    frames = len(time)
    places = (time - time[0]) * RATE
    if frames < 2 or np.abs(places - np.arange(frames)).max() <= max(_OFF_FRAME, SAME_RATE * frames):
        steps = np.diff(places)
        if frames < 2 or np.abs(steps - steps.mean()).max() < 0.5:
            return flat, confidence, np.arange(frames, dtype=float)
    count = int(places[-1] + 1e-6) + 1
    # Frames of a clip may be unevenly spaced.
    wanted = np.interp(np.arange(count), places, np.arange(frames))
    both = torch.from_numpy(np.concatenate([flat, confidence[..., None]], axis=-1))
    found = sampled(both, torch.from_numpy(wanted), reach((frames - 1) / places[-1] * RATE, RATE)).numpy()
    return found[..., :2], np.clip(np.nan_to_num(found[..., 2]), 0.0, 1.0), places

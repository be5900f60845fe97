"""Windows for training the lifter: people of the shards before chance cameras, their key points disturbed."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ik_pipeline.shards.types import Arrays

from ...errors import InputError
from ...neurik.batches import ahead
from ...neurik.skeleton import Skeleton
from ..points.body_points import BodyPoints, body_points
from ..points.keypoints import LAYOUTS, Array
from ..points.noise import TRAINING, NoiseConfig, disturbed
from .cameras import CameraConfig, draw_cameras
from .input import RATE, Framed, framed, turns
from .poses import OtherPoses

_MIRROR = np.diag([1.0, 1.0, -1.0])
# Coordinates of the middle of the body that change their sign in a mirror.
_SIDEWAYS = ("_bending", "_rotation")
_CHUNK = 8192
_MOST_OUT = 0.5  # share of the key points of a clip outside the picture


@dataclass(frozen=True)
class DataConfig:
    """How windows are made of the shards.

    Attributes:
        camera: what cameras are drawn.
        noise: of the key points.
        offsets: how far a detector's points lie off ours for good, times `BodyPoints.offset_sd`.
        slow: share of windows of clips at half the network's rate.
        mirror: share of windows that are mirrored.
        straight: share of windows whose legs are straightened (`lifter_poses`): recordings brought to bodies of other
            proportions stand and walk with bent knees.
        bent: share of windows whose joints are bent by chance, all of them.
        mixed: chance of each limb of a window to come from another one.
        bend: standard deviation of how far they are bent, on average over windows [degrees].
        balance: how far long recordings, and people of whom there are many, are held back: 0 takes all windows alike
            often, 1 all people, and of each all recordings.
    """

    camera: CameraConfig = field(default_factory=CameraConfig)
    noise: NoiseConfig = TRAINING
    offsets: float = 1.0
    slow: float = 0.15
    mirror: float = 0.5
    straight: float = 0.0
    bent: float = 0.0
    mixed: float = 0.0
    bend: float = 10.0
    balance: float = 0.0


@dataclass(frozen=True)
class LifterBatch:
    """Windows and what the network should say of them, all in the axes of the turned camera.

    Attributes:
        features: (B, T, N_FEATURES).
        rotation: (B, T, 3, 3) turned camera <- root body.
        joints: (B, T, J) as `neurik.skeleton.Pose.joints`.
        place: (B, T, 3), see `Lifted`.
        up: (B, T, 3).
        sizes: (B, n_sizes).
        points: (B, T, 23, 3) key points of the body from the root, without noise and offset [m].
        valid: (B, T) frames that count.
        free: (B, J) joints that were solved for.
    """

    features: Tensor
    rotation: Tensor
    joints: Tensor
    place: Tensor
    up: Tensor
    sizes: Tensor
    points: Tensor
    valid: Tensor
    free: Tensor


class LifterData:
    """Windows of one split of the shards.

    Args:
        folder: of the shards.
        split: ``"train"``, ``"val"`` or ``"test"``.
        skeleton: of the shards' model.
        window: frames.
        config: how they are disturbed.
        stride: frames from window to window.

    Raises:
        InputError: no shards there, no window in them, or markers are missing that key points are made of.
    """

    def __init__(
        self, folder: Path, split: str, skeleton: Skeleton, window: int, config: DataConfig, stride: int | None = None
    ) -> None:
        from ik_pipeline.shards import ShardData

        self.shards = ShardData(folder, split, window=window, stride=stride, quantities=("coordinates",))
        if not len(self.shards):
            problem = f"its split {split!r} has no window of {window} frames"
            raise InputError(folder, problem, "give shards of more persons or longer trials")
        self.skeleton, self.config = skeleton, config
        self.body: BodyPoints = body_points()
        self.matrix = self.body.matrix(skeleton.model.marker_names)
        bodies = skeleton.model.body_names
        self._segments = [bodies.index(name) for name in self.body.segments]
        self._twins, self._signs = mirror_of_joints(skeleton.joint_names)
        self._poses = OtherPoses(skeleton)
        self._points = _key_points(self.matrix, self.shards.arrays)

    def __len__(self) -> int:
        return len(self.shards)

    def disturbed_as(self, config: DataConfig) -> LifterData:
        """Return the same windows, made otherwise; the shards are not read again."""
        other = copy(self)
        other.config = config
        return other

    def batches(self, size: int, seed: int, first: int = 0, length: int | None = None) -> Iterator[LifterBatch]:
        """Yield chance batches for ever, made ahead in a thread; each by seed and number alone.

        Args:
            size: windows of a batch.
            seed: of order and chance.
            first: number of the first batch.
            length: see `batch`.
        """

        def made() -> Iterator[LifterBatch]:
            number = first
            per_epoch = max(1, len(self) // size)
            while True:
                epoch, k = divmod(number, per_epoch)
                order = self._order(np.random.default_rng((seed, epoch)))
                rows = np.sort(order[k * size : (k + 1) * size])
                yield self.batch(rows, np.random.default_rng((seed, epoch, k)), length)
                number += 1

        return ahead(made())

    def _order(self, random: np.random.Generator) -> NDArray[np.int64]:
        """Rows of an epoch: each once, or by chance as `DataConfig.balance` says."""
        if not self.config.balance:
            return random.permutation(len(self))
        takes = np.array([str(trial["name"]) for trial in self.shards.trials])[self.shards.window_trial]
        return random.choice(len(self), len(self), p=balanced(takes, self.config.balance))

    def batch(self, rows: NDArray[np.int64], random: np.random.Generator, length: int | None = None) -> LifterBatch:
        """Return windows by number, seen by cameras and disturbed as the configuration says.

        Args:
            rows: numbers of the windows, (B,).
            random: source of chance.
            length: frames of a piece of each window, a chance one; None: all.
        """
        frames, valid, trials = self._frames(rows, length, random)
        arrays = self.shards.arrays
        clips = len(frames)
        scales = torch.from_numpy(arrays["scales"][arrays["trial_person"][trials]]).float()
        coordinates = torch.from_numpy(arrays["coordinates"][frames]).float()
        sizes = self.skeleton.sizes(scales)
        points = self._points[frames].astype(np.float64)
        chances = (self.config.straight, self.config.bent, self.config.mixed)
        if any(chances):
            other = self._poses(coordinates, *chances, random, self.config.bend)
            offsets = torch.from_numpy(arrays["marker_offsets"][arrays["trial_person"][trials]]).float()
            points += self._moved(coordinates, other, scales, offsets)
            coordinates = other
        axis, origin = torch.zeros(clips, 1, 2), torch.zeros(3)
        axis[..., 0] = 1.0
        pose = self.skeleton.encode(coordinates, axis, origin)
        rotation, place, joints = (x.double().numpy() for x in (pose.root_rotation, pose.root_position, pose.joints))
        marked = points + self._offsets(coordinates, scales, random)
        if self.config.mirror > 0.0:
            flip = random.random(clips) < self.config.mirror
            mirror = LAYOUTS["anny23"].mirror
            which = flip[:, None, None, None]
            rotation = np.where(which, _MIRROR @ rotation @ _MIRROR, rotation)
            place = np.where(flip[:, None, None], place @ _MIRROR, place)
            joints = np.where(flip[:, None, None], self._signs * joints[..., self._twins], joints)
            points = np.where(which, points[:, :, mirror] @ _MIRROR, points)
            marked = np.where(which, marked[:, :, mirror] @ _MIRROR, marked)
        camera, eye, pan = draw_cameras(points, self.config.camera, random)
        # Axes of the camera at each moment: right, down, forward.
        axes = pan @ camera[:, None]
        points, place, marked = (
            np.einsum("btij,bt...j->bt...i", axes, x - eye.reshape(clips, *[1] * (x.ndim - 2), 3))
            for x in (points, place, marked)
        )
        frame, error = self._seen(marked, valid, random)
        # What the person looks like does not change with what is taken for granted of the lens.
        turn = _turn_by(frame, error)
        turned = np.einsum("btij,btj->bti", turn, place)
        size = frame.size[..., None]
        at = np.concatenate([turned[..., :2] / turned[..., 2:] / size, np.log(turned[..., 2:] * size)], axis=-1)
        apart = np.einsum("btij,btkj->btki", turn, points - place[:, :, None])

        def tensor(values: Array) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).float()

        return LifterBatch(
            features=tensor(frame.features),
            rotation=tensor(turn @ axes @ rotation),
            joints=tensor(joints),
            place=tensor(at),
            up=tensor((turn @ axes)[..., 1]),
            sizes=sizes,
            points=tensor(apart),
            valid=torch.from_numpy(valid),
            free=self.skeleton.of_joints(torch.from_numpy(arrays["coordinates_free"][trials])),
        )

    def _frames(
        self, rows: NDArray[np.int64], length: int | None, random: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
        """Frames of windows (B, T), which of them are the trial's, (B, T), and rows of the trials (B,)."""
        shards = self.shards
        starts, trials = shards.window_start[rows], shards.window_trial[rows]
        ends = shards.arrays["trial_start"][trials] + shards.arrays["trial_frames"][trials]
        count = shards.length if length is None else length
        # A piece begins where it fits, in what the trial has of the window.
        room = np.maximum(np.minimum(ends - starts, shards.length) - count, 0)
        frames = (starts + random.integers(0, room + 1))[:, None] + np.arange(count)
        return np.minimum(frames, ends[:, None] - 1), frames < ends[:, None], trials

    def _moved(self, before: Tensor, after: Tensor, scales: Tensor, offsets: Tensor) -> Array:
        """How key points move from coordinates (B, T, n_q) to others, (B, T, 23, 3) [m]."""
        count = before.shape[1]
        size, place = (x[:, None].expand(-1, count, -1, -1) for x in (scales, offsets))
        with torch.no_grad():
            markers = [self.skeleton.model(q, size, place).markers.numpy() for q in (before, after)]
        moved: Array = self.matrix.astype(np.float32) @ (markers[1] - markers[0])
        return moved

    def _offsets(self, coordinates: Tensor, scales: Tensor, random: np.random.Generator) -> Array:
        """How far the points that a detector marks lie off ours, fixed to their segments, (B, T, 23, 3) [m]."""
        clips, frames = coordinates.shape[:2]
        if not self.config.offsets:
            return np.zeros((clips, 1, len(self._segments), 3))
        kinematics = self.skeleton.model(coordinates, scales[:, None].expand(-1, frames, -1, -1))
        axes = kinematics.transforms[..., self._segments, :3, :3].numpy()
        drawn = random.standard_normal((clips, len(self._segments), 3))
        # Some detectors are nearer to our points than others.
        amount = self.config.offsets * random.uniform(0.0, 1.5, (clips, 1, 1))
        local = amount * self.body.offset_sd[:, None] * drawn
        return np.einsum("btkij,bkj->btki", axes, local)

    def _seen(self, marked: Array, valid: NDArray[np.bool_], random: np.random.Generator) -> tuple[Framed, Array]:
        """What the network sees of points in the camera's axes, and how wrong the focal length is, (B,)."""
        config = self.config.camera
        clips = len(marked)
        flat = marked[..., :2] / np.maximum(marked[..., 2:], 0.2)
        shown, confidence = disturbed(flat, RATE, self.config.noise, random, depth=marked[..., 2])
        if config.truncated:
            half = np.tan(0.5 * np.radians(random.uniform(config.narrowest, config.widest, (clips, 1, 1, 1))))
            tall = random.random((clips, 1, 1)) < 0.5
            sides = np.stack([np.where(tall, 0.5625, 1.0), np.where(tall, 1.0, 0.5625)], axis=-1) * half
            ends = random.random((clips, 1, 1)) < config.truncated
            out = ends & (np.abs(shown) > sides).any(-1)
            # Who is hardly in the picture is nobody's subject.
            out &= out.mean(axis=(1, 2), keepdims=True) < _MOST_OUT
            shown, confidence = np.where(out[..., None], np.nan, shown), np.where(out, 0.0, confidence)
        slow = random.random(clips) < self.config.slow
        if slow.any():
            shown[slow], confidence[slow] = _halved(shown[slow], confidence[slow])
        shown = np.where(valid[:, :, None, None], shown, np.nan)
        error = np.exp(config.focal_error * random.standard_normal(clips))
        return framed(shown * error[:, None, None, None], confidence), error


def mirror_of_joints(names: tuple[str, ...]) -> tuple[list[int], Array]:
    """Return for each joint coordinate its twin of the other side, and the sign that it gets in a mirror."""
    twins, signs = [], []
    for name in names:
        side = name[-2:]
        other = {"_r": "_l", "_l": "_r"}.get(side)
        twins.append(names.index(name[:-2] + other) if other else names.index(name))
        signs.append(-1.0 if other is None and name.endswith(_SIDEWAYS) else 1.0)
    return twins, np.array(signs)


def balanced(takes: NDArray[np.str_], amount: float) -> Array:
    """Return how often windows are taken (N,), by the names of their recordings (N,); see `DataConfig.balance`.

    CMU's recordings are called by their person and a number, as 02_01.
    """
    people = np.array([take.split("_")[0] for take in takes])
    share: Array = np.ones(len(takes))
    for names in (takes, people):
        _, which = np.unique(names, return_inverse=True)
        share /= np.bincount(which, share)[which] ** amount
    return share / share.sum()


def exact(config: DataConfig, noise: NoiseConfig) -> DataConfig:
    """Return how windows are made for tests: known lenses, points as ours, all of the picture, this noise."""
    camera = replace(config.camera, truncated=0.0, focal_error=0.0)
    as_is = dict.fromkeys(("offsets", "slow", "mirror", "straight", "bent", "mixed"), 0.0)
    return replace(config, camera=camera, noise=noise, **as_is)


def _key_points(matrix: Array, arrays: Arrays) -> NDArray[np.float32]:
    """Key points (N, 23, 3) of all frames [m], once for all; the model's markers stand in where one was not seen."""
    markers, own = arrays["markers"], arrays["model_markers"]
    found = np.empty((len(markers), len(matrix), 3), dtype=np.float32)
    for start in range(0, len(markers), _CHUNK):
        part = markers[start : start + _CHUNK]
        if not (known := np.isfinite(part)).all():
            part = np.where(known, part, own[start : start + _CHUNK])
        found[start : start + _CHUNK] = matrix.astype(np.float32) @ part
    return found


def _turn_by(frame: Framed, error: Array) -> Array:
    """The turns of the camera if the focal length had been right, (B, T, 3, 3)."""
    centre = frame.features[..., -2:] / error[:, None, None]
    return turns(centre)


def _halved(shown: Array, confidence: Array) -> tuple[Array, Array]:
    """Clips of half the rate: every second frame lies between its neighbours."""
    shown, confidence = shown.copy(), confidence.copy()
    shown[:, 1:-1:2] = 0.5 * (shown[:, :-2:2] + shown[:, 2::2])
    confidence[:, 1:-1:2] = 0.5 * (confidence[:, :-2:2] + confidence[:, 2::2])
    missing = ~np.isfinite(shown).all(-1)
    return shown, np.where(missing, 0.0, confidence)

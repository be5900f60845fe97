"""The lifter: a transformer over time from key points to poses of the OpenSim model, as a camera sees the person."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ...neurik.skeleton import Skeleton
from ..points.body_points import body_points
from .input import N_FEATURES, seen_points

_LARGEST_SIZE = 0.5  # logarithm of the largest factor
_ROOT = 12  # numbers of the root: two columns of its rotation, its place, the upward direction
_FAR = 8.0  # standard deviations that a feature may be off
_SPREAD = 3  # angles of the root whose uncertainty is told
_ROBUST = 0.3  # sizes of the person, from where on a point off its place counts as less and less (Geman & McClure)
_NEAREST = 0.1  # of the person's distance, that no point is thought nearer to the camera
_OFF_SCALE, _SLOPE_SCALE = 5.0, 3.0  # bring what a correction looks at to about one


@dataclass(frozen=True)
class LifterConfig:
    """Sizes of the network.

    Attributes:
        window: frames that it sees at once.
        joined: successive frames that make one token.
        width: of a token.
        heads: of its attention.
        layers: of the transformer.
        hidden: width of the layers between.
        corrections: how often the network looks at where the key points of its pose would be seen, and how the pose
            should change to bring them to where they are, before another layer (as Song et al. 2020, ECCV, feed the
            slope of the fit to a network); at most one before each layer but the first.
    """

    window: int = 64
    joined: int = 4
    width: int = 320
    heads: int = 8
    layers: int = 4
    hidden: int = 896
    corrections: int = 0


@dataclass(frozen=True)
class Lifted:
    """What the network says of windows, in the axes of the turned camera (`lifter_input`): right, down, forward.

    Attributes:
        rotation: (B, T, 3, 3) turned camera <- root body.
        joints: (B, T, J) as `neurik.skeleton.Pose.joints`.
        place: (B, T, 3) of the root: across and down [sizes of the person], logarithm of distance times size.
        up: (B, T, 3) the upward direction, length 1.
        sizes: (B, n_sizes) logarithmic factors.
        log_sd: (B, T, 3 + J) logarithms of standard deviations: of the root's rotation about the camera's axes, of
            the joints [rad].
        earlier: what was said before each correction, for training.
    """

    rotation: Tensor
    joints: Tensor
    place: Tensor
    up: Tensor
    sizes: Tensor
    log_sd: Tensor
    earlier: tuple[Lifted, ...] = ()


class LifterNetwork(nn.Module):
    """Frames are joined into tokens, tokens see each other, each says its frames' poses.

    Args:
        skeleton: what is predicted; its model has all virtual markers.
        config: sizes.
    """

    feature_mean: Tensor
    feature_sd: Tensor
    mean: Tensor
    sd: Tensor
    size_mean: Tensor
    size_sd: Tensor
    offset_base: Tensor
    offset_slope: Tensor
    matrix: Tensor

    def __init__(self, skeleton: Skeleton, config: LifterConfig) -> None:
        super().__init__()
        self.skeleton, self.config = skeleton, config
        self.n_joints = len(skeleton.joint_names)
        self._root = torch.tensor(skeleton.root_coordinates)
        n_markers = len(skeleton.model.marker_names)
        self.n_pose, self.n_spread = _ROOT + self.n_joints, _SPREAD + self.n_joints
        # Of the training set, so that zero is the mean pose and person and one is a standard deviation.
        self.register_buffer("feature_mean", torch.zeros(N_FEATURES))
        self.register_buffer("feature_sd", torch.ones(N_FEATURES))
        self.register_buffer("mean", torch.zeros(self.n_pose))
        self.register_buffer("sd", torch.ones(self.n_pose))
        self.register_buffer("size_mean", torch.zeros(skeleton.n_sizes))
        self.register_buffer("size_sd", torch.full((skeleton.n_sizes,), 0.1))
        # Where markers lie off the scaled model, as far as sizes say it (`neurik.placement`).
        self.register_buffer("offset_base", torch.zeros(n_markers, 3))
        self.register_buffer("offset_slope", torch.zeros(skeleton.n_sizes, 3 * n_markers))
        width, hidden = config.width, config.hidden
        self.first = nn.Sequential(nn.Linear(config.joined * N_FEATURES, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.positions = nn.Parameter(0.02 * torch.randn(config.window // config.joined, width))
        layer = nn.TransformerEncoderLayer(
            width, config.heads, hidden, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, config.layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.pose_head = nn.Linear(width, config.joined * self.n_pose)
        self.size_head = nn.Linear(width, skeleton.n_sizes)
        self.spread_head = nn.Linear(width, config.joined * self.n_spread)
        matrix = torch.tensor(body_points().matrix(skeleton.model.marker_names), dtype=torch.float32)
        self.register_buffer("matrix", matrix, persistent=False)
        if config.corrections:
            looked_at = 2 * len(matrix) + 2 * self.n_pose
            self.correction = nn.Linear(config.joined * looked_at, width)
            nn.init.normal_(self.correction.weight, std=0.01)
        for head in (self.pose_head, self.size_head, self.spread_head):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)

    def forward(self, features: Tensor) -> Lifted:
        """Return what is said of windows of features (B, T, N_FEATURES).

        Training begins with windows shorter than ``config.window``: they lie anywhere in it.
        """
        joined = self.config.joined
        count = features.shape[1] // joined
        room = self.config.window // joined - count
        start = int(torch.randint(room + 1, ())) if self.training and room else 0
        given = ((features - self.feature_mean) / self.feature_sd).clamp(-_FAR, _FAR)
        h = self.first(given.unflatten(1, (-1, joined)).flatten(2)) + self.positions[start : start + count]
        earlier: list[Lifted] = []
        uncorrected = len(self.layers.layers) - self.config.corrections
        for k, layer in enumerate(self.layers.layers):
            if k >= uncorrected:
                numbers, said = self._said(h)
                earlier.append(said)
                looked_at = self._misfit(features, numbers, said.sizes)
                h = h + self.correction(looked_at.unflatten(1, (-1, joined)).flatten(2))
            h = layer(h)
        return replace(self._said(h)[1], earlier=tuple(earlier))

    def _said(self, h: Tensor) -> tuple[Tensor, Lifted]:
        """Numbers of the pose (B, T, n_pose), in standard deviations, and what they mean, of tokens (B, T / 4, C)."""
        joined = self.config.joined
        h = h if self.layers.norm is None else self.layers.norm(h)
        numbers = self.pose_head(h).unflatten(-1, (joined, -1)).flatten(1, 2)
        values = self.mean + self.sd * numbers
        sizes = self.size_mean + self.size_sd * self.size_head(h).mean(dim=1)
        spread = self.spread_head(h.detach()).unflatten(-1, (joined, -1)).flatten(1, 2) - 2.0
        return numbers, Lifted(
            rotation_of(values[..., :6]),
            values[..., _ROOT:],
            values[..., 6:9],
            nn.functional.normalize(values[..., 9:_ROOT], dim=-1, eps=1e-6),
            _LARGEST_SIZE * torch.tanh(sizes / _LARGEST_SIZE),
            spread.clamp(-6.0, 1.0),
        )

    def _misfit(self, features: Tensor, numbers: Tensor, sizes: Tensor) -> Tensor:
        """What a correction looks at (B, T, ...): how far points are off, the pose, the slope of the misfit by it."""
        shown, weight, size = seen_points(features)
        with torch.enable_grad():
            pose = numbers.detach().requires_grad_()
            values = self.mean + self.sd * pose
            away = values[..., 8:9].clamp(-4.0, 4.0).exp()
            root = torch.cat([values[..., 6:8] * away, away / size], dim=-1)
            markers, _ = self.root_relative(values[..., _ROOT:], sizes.detach())
            points = self.of_markers(markers) @ rotation_of(values[..., :6]).transpose(-1, -2) + root[..., None, :]
            depth = torch.maximum(points[..., 2:], _NEAREST * root[..., None, 2:])
            off = (points[..., :2] / depth / size[..., None] - shown) * weight[..., None]
            square = off.square().sum(dim=-1)
            (slope,) = torch.autograd.grad((square / (1.0 + square / _ROBUST**2)).sum(), pose)
        off, slope = _OFF_SCALE * off.detach().flatten(-2), _SLOPE_SCALE * slope
        return torch.cat([off, pose.detach(), slope], dim=-1).clamp(-_FAR, _FAR)

    def of_markers(self, markers: Tensor) -> Tensor:
        """Return the key points (..., 23, 3) of markers (..., M, 3)."""
        # One large product is several times as fast as a small one for each frame.
        return (markers.transpose(-1, -2) @ self.matrix.T).transpose(-1, -2)

    def marker_offsets(self, sizes: Tensor) -> Tensor:
        """Return where the markers of persons of sizes (..., n_sizes) lie off the scaled model, body axes [m]."""
        return self.offset_base + (sizes @ self.offset_slope).unflatten(-1, (-1, 3))

    def set_statistics(
        self, features: Tensor, rotation: Tensor, place: Tensor, up: Tensor, joints: Tensor, sizes: Tensor
    ) -> None:
        """Take mean and spread of frames (N, ...) and persons (K, n_sizes) of the training set."""
        self.feature_mean.copy_(features.mean(dim=0))
        self.feature_sd.copy_(features.std(dim=0).clamp_min(0.1))
        values = torch.cat([columns(rotation), place, up, joints.clamp(-1.0, 1.0)], dim=-1)
        self.mean.copy_(values.mean(dim=0))
        self.sd.copy_(values.std(dim=0).clamp_min(0.02))
        self.size_mean.copy_(sizes.mean(dim=0))
        self.size_sd.copy_(sizes.std(dim=0).clamp_min(0.01))

    def root_relative(self, joints: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """Return markers (B, T, M, 3) and joint centres (B, T, n_joints, 3) in the axes of the root body [m].

        Args:
            joints: (B, T, J) as the network gives them.
            sizes: (B, n_sizes).
        """
        known = self.skeleton
        frames = joints.shape[1]
        origin = known.model.default_coordinates.to(joints).index_fill(0, self._root, 0.0)
        coordinates = known.with_joints(origin.expand(*joints.shape[:-1], -1), lambda _: joints.clamp(-1.0, 1.0))
        scales = known.scales(sizes)[:, None].expand(-1, frames, -1, -1)
        offsets = self.marker_offsets(sizes)[:, None].expand(-1, frames, -1, -1)
        kinematics = known.model(coordinates, scales, offsets)
        return kinematics.markers, kinematics.joint_centers


def columns(rotation: Tensor) -> Tensor:
    """Return the first two columns (..., 6) of rotations (..., 3, 3)."""
    return rotation[..., :2].transpose(-1, -2).flatten(-2)


def rotation_of(six: Tensor) -> Tensor:
    """(..., 3, 3) whose first two columns are nearest to the six numbers (Zhou et al. 2019, CVPR, sec. 4)."""
    a, b = six[..., :3], six[..., 3:]
    x = nn.functional.normalize(a, dim=-1, eps=1e-6)
    y = nn.functional.normalize(b - (x * b).sum(dim=-1, keepdim=True) * x, dim=-1, eps=1e-6)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)

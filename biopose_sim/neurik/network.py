"""The networks: ``paper``, as BioPose describes NeurIK, and ``base``, which measures better.

Both take windows of markers and give the same `Estimate`: poses of the model and logarithmic factors of its size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from biopose_sim.neurik.engine_step import SMOOTHED, EngineStep, smoothed
from biopose_sim.neurik.frame import Framed, in_window, moved
from biopose_sim.neurik.network_config import NetworkConfig
from biopose_sim.neurik.skeleton import Pose, Skeleton

_ROOT = 9  # numbers of the root's pose: two columns of its rotation, its position
_LARGEST_SIZE = 0.5  # logarithm of the largest factor


@dataclass(frozen=True)
class Estimate:
    """What a network says of windows.

    Attributes:
        pose: (B, T, ...) in the frame of the markers; T is 1 where only the last frame is asked for.
        sizes: (B, n_sizes) logarithmic factors of the whole window.
    """

    pose: Pose
    sizes: Tensor


class _Residual(nn.Module):
    """x + MLP(norm(x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(nn.functional.gelu(self.inner(self.norm(x))))


class _Temporal(nn.Module):
    """Learned positions and a transformer over the frames of a window."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.positions = nn.Parameter(0.02 * torch.randn(config.window, config.width))
        layer = nn.TransformerEncoderLayer(
            config.width,
            config.heads,
            2 * config.width,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(
            layer, config.layers, norm=nn.LayerNorm(config.width), enable_nested_tensor=False
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layers(x + self.positions[: x.shape[1]])
        return found


class NeurIKNetwork(nn.Module):
    """What both networks share: how numbers become poses and sizes.

    Args:
        skeleton: what is predicted.
        config: sizes.
    """

    pose_mean: Tensor
    pose_sd: Tensor
    size_mean: Tensor
    size_sd: Tensor
    offset_base: Tensor
    offset_slope: Tensor

    def __init__(self, skeleton: Skeleton, config: NetworkConfig) -> None:
        super().__init__()
        self.skeleton, self.config = skeleton, config
        self.n_markers = len(skeleton.model.marker_names)
        self.n_pose = _ROOT + len(skeleton.joint_names)
        # Of the training set, so that zero is the mean pose and person and one is a standard deviation.
        self.register_buffer("pose_mean", torch.zeros(self.n_pose))
        self.register_buffer("pose_sd", torch.ones(self.n_pose))
        self.register_buffer("size_mean", torch.zeros(skeleton.n_sizes))
        self.register_buffer("size_sd", torch.full((skeleton.n_sizes,), 0.1))
        # Of the training set's persons: where markers lie off the scaled model, as far as sizes say it.
        self.register_buffer("offset_base", torch.zeros(self.n_markers, 3))
        self.register_buffer("offset_slope", torch.zeros(skeleton.n_sizes, 3 * self.n_markers))

    def forward(self, framed: Framed) -> list[Estimate]:
        """Return estimates, each better than the one before, in the frame of the markers."""
        seen = self.seen(framed)
        found = self.estimates(seen)
        if seen is framed:
            return found
        return [Estimate(moved(e.pose, seen, framed), e.sizes) for e in found]

    def seen(self, framed: Framed) -> Framed:
        """Return the markers in the frame that the network works in."""
        return in_window(framed) if self.config.frame == "window" else framed

    def estimates(self, framed: Framed) -> list[Estimate]:
        """Return estimates in the frame that the network works in."""
        raise NotImplementedError

    def set_statistics(self, pose: Pose, sizes: Tensor) -> None:
        """Take mean and spread of poses (N, ...), in its own frame, and sizes (K, n_sizes) of the training set."""
        numbers = torch.cat([_columns(pose.root_rotation), pose.root_position, pose.joints.clamp(-1, 1)], dim=-1)
        self.pose_mean.copy_(numbers.mean(dim=0))
        self.pose_sd.copy_(numbers.std(dim=0).clamp_min(0.02))
        self.size_mean.copy_(sizes.mean(dim=0))
        self.size_sd.copy_(sizes.std(dim=0).clamp_min(0.01))

    def numbers(self, pose: Pose) -> Tensor:
        """Return what :meth:`estimate` makes a pose of, (B, T, n_pose)."""
        values = torch.cat([_columns(pose.root_rotation), pose.root_position, pose.joints], dim=-1)
        return (values - self.pose_mean) / self.pose_sd

    def set_offsets(self, base: Tensor, slope: Tensor) -> None:
        """Take how markers lie off the scaled model: (M, 3) and (n_sizes, 3 M), see `placement.fit_offsets`."""
        self.offset_base.copy_(base)
        self.offset_slope.copy_(slope)

    def marker_offsets(self, sizes: Tensor) -> Tensor:
        """Return where the markers of persons of sizes (..., n_sizes) lie off the scaled model, body axes [m]."""
        return self.offset_base + (sizes @ self.offset_slope).unflatten(-1, (-1, 3))

    def estimate(self, numbers: Tensor, sizes: Tensor) -> Estimate:
        """Return the estimate of normalised numbers (B, T, n_pose) and sizes (B, n_sizes)."""
        values = self.pose_mean + self.pose_sd * numbers
        logs = self.size_mean + self.size_sd * sizes
        pose = Pose(_rotation(values[..., :6]), values[..., 6:9], values[..., _ROOT:])
        return Estimate(pose, _LARGEST_SIZE * torch.tanh(logs / _LARGEST_SIZE))


class PaperNetwork(NeurIKNetwork):
    """NeurIK as published: embedded markers, convolutions over them, a transformer over the frames."""

    def __init__(self, skeleton: Skeleton, config: NetworkConfig) -> None:
        super().__init__(skeleton, config)
        c = config.marker_width
        self.embedding = nn.Linear(3, c)
        convolutions: list[nn.Module] = []
        for _ in range(config.convolutions):
            convolutions += [nn.Conv1d(c, c, 3, padding=1), nn.ReLU()]
        self.spatial = nn.Sequential(*convolutions)
        self.flat = nn.Linear(c * self.n_markers, config.width)
        self.temporal = _Temporal(config)
        self.pose_head = nn.Linear(config.width, self.n_pose)
        self.size_head = nn.Linear(config.width, skeleton.n_sizes)

    def estimates(self, framed: Framed) -> list[Estimate]:
        """Return one estimate of the window."""
        batch, frames = framed.markers.shape[:2]
        x = exact(self.embedding, framed.markers).flatten(0, 1).transpose(1, 2)
        h = self.temporal(self.flat(self.spatial(x).flatten(1)).unflatten(0, (batch, frames)))
        sizes = exact(self.size_head, h.mean(dim=1))
        return [self.estimate(exact(self.pose_head, h if self.config.output == "all" else h[:, -1:]), sizes)]


class BaseNetwork(NeurIKNetwork):
    """Frames are encoded one by one, smoothed over time, and corrected by where their model's markers are off.

    The correction sees the distances of measured and model markers in the axes of their segments, as a Gauss-Newton
    step would, and learns how far to trust them.
    """

    marker_mean: Tensor
    marker_body: Tensor

    def __init__(self, skeleton: Skeleton, config: NetworkConfig) -> None:
        super().__init__(skeleton, config)
        hidden, width, n = config.hidden, config.width, self.n_pose
        self.register_buffer("marker_mean", torch.zeros(self.n_markers, 3))
        self.first = nn.Linear(4 * self.n_markers, hidden)
        self.blocks = nn.Sequential(*(_Residual(hidden) for _ in range(config.blocks)))
        self.to_time = nn.Linear(hidden, width)
        self.temporal = _Temporal(config)
        self.pose_head = nn.Sequential(nn.Linear(hidden + width, hidden), nn.GELU(), nn.Linear(hidden, n))
        self.size_head = nn.Sequential(
            nn.Linear(hidden + width, hidden), nn.GELU(), nn.Linear(hidden, skeleton.n_sizes)
        )
        steps, off = config.refinements, 4 * self.n_markers
        self.engine = EngineStep(skeleton) if config.correction == "gauss-newton" else None
        if self.engine is not None:
            off += 2 * n + 2
            self.off_gate = nn.ModuleList(nn.Linear(hidden, _GATES * n) for _ in range(steps))
        self.off_in = nn.ModuleList(nn.Linear(off + n + width, hidden) for _ in range(steps))
        self.off_mean_in = nn.ModuleList(nn.Linear(3 * self.n_markers, hidden, bias=False) for _ in range(steps))
        self.off_blocks = nn.ModuleList(_Residual(hidden) for _ in range(steps))
        self.off_pose = nn.ModuleList(nn.Linear(hidden, n) for _ in range(steps))
        self.off_size = nn.ModuleList(nn.Linear(hidden, skeleton.n_sizes) for _ in range(steps))
        for layer in (*self.off_pose, *self.off_size, *(self.off_gate if self.engine is not None else ())):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.register_buffer("marker_body", skeleton.marker_body(), persistent=False)

    def estimates(self, framed: Framed) -> list[Estimate]:
        """Return the first estimate and each correction of it."""
        seen = framed.seen[..., None].to(framed.markers)
        x = torch.cat([(framed.markers - self.marker_mean) * seen * _PER_METRE, seen], dim=-1).flatten(-2)
        h = self.blocks(exact(self.first, x))
        t = self.temporal(self.to_time(h))
        both = torch.cat([h, t], dim=-1)
        numbers, sizes = exact(self.pose_head, both), exact(self.size_head, both).mean(dim=1)
        found = [self.estimate(numbers, sizes)]
        for k in range(self.config.refinements):
            with torch.autocast(numbers.device.type, enabled=False):
                off, mean, steps = self._off(framed, found[-1], numbers, _STEPS if k == 0 else 1)
            features = torch.cat([off, *steps[:2], numbers.detach(), t], dim=-1)
            x = self.off_in[k](features) + self.off_mean_in[k](mean)[:, None]
            r = self.off_blocks[k](nn.functional.gelu(x))
            numbers = numbers.detach() + exact(self.off_pose[k], r)
            if steps:
                numbers = numbers + _gated(exact(self.off_gate[k], r), steps)
            sizes = sizes.detach() + exact(self.off_size[k], r).mean(dim=1)
            found.append(self.estimate(numbers, sizes))
        if self.config.output == "last":
            return [Estimate(_last(e.pose), e.sizes) for e in found]
        return found

    @torch.no_grad()
    def _off(
        self, framed: Framed, estimate: Estimate, numbers: Tensor, count: int
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Measured minus model markers in the axes of their segments, and which were seen, (B, T, 4 M).

        And their mean over the window, (B, 3 M): what is off for good, as it is where a size is. And, where the engine
        is asked, what so many of its steps make of the numbers, as they are and smoothed, each (B, T, n_pose).
        """
        coordinates = self.skeleton.decode(estimate.pose)
        scales, offsets = self.skeleton.scales(estimate.sizes), self.marker_offsets(estimate.sizes)
        seen = framed.seen[..., None].to(coordinates)
        extra, steps = [], []
        if self.engine is None:
            local = self._apart(framed, coordinates, scales, offsets)
        else:
            poses, local = self.engine(framed, coordinates, scales, offsets, count)
            for pose, deviations in zip(poses, SMOOTHED):
                stepped = self.numbers(pose)
                steps += [(smoothed(stepped, d) if d else stepped) - numbers for d in deviations]
            extra = [_roughness(local, seen)]
        # Large errors say less by their size than by their direction.
        size = local.norm(dim=-1, keepdim=True)
        local = local * (_PER_OFF / (1.0 + _PER_OFF * size / 4.0)) * seen
        mean = local.sum(dim=1) / seen.sum(dim=1).clamp_min(1.0)
        off = torch.cat([local, seen], dim=-1).flatten(-2)
        return torch.cat([off, *extra], dim=-1), mean.flatten(-2), steps

    def _apart(self, framed: Framed, coordinates: Tensor, scales: Tensor, offsets: Tensor) -> Tensor:
        """Measured minus model markers in the axes of their segments, (B, T, M, 3) [m]."""
        frames = coordinates.shape[1]
        kinematics = self.skeleton.model(
            coordinates,
            scales[:, None].expand(-1, frames, -1, -1),
            offsets[:, None].expand(-1, frames, -1, -1),
        )
        turned = kinematics.transforms[..., :3, :3][..., self.marker_body, :, :]
        return torch.einsum("btmji,btmj->btmi", turned, framed.markers - kinematics.markers)


_PER_METRE, _PER_OFF = 3.0, 30.0
_STEPS = 2  # of the engine in the first correction: poses of training data are so exact after two
_GATES = 1 + sum(map(len, SMOOTHED))  # how much of a step, and shares of the steps as they are and smoothed
_UNSMOOTHED = 2.0  # by so much the step as it is is preferred at first, before a softmax
_LEAST_ROUGH = 1e-3  # [m]


def _gated(gates: Tensor, steps: list[Tensor]) -> Tensor:
    """How much of which steps (B, T, n) is taken, by gates (B, T, _GATES n); gates of zero take nearly a whole step."""
    rows = gates.unflatten(-1, (_GATES, -1))
    preferred = gates.new_zeros(_GATES - 1, 1)
    preferred[0] = _UNSMOOTHED
    shares = (rows[..., 1:, :] + preferred).softmax(dim=-2)
    return 2.0 * rows[..., 0, :].sigmoid() * (shares * torch.stack(steps, dim=-2)).sum(dim=-2)


def _roughness(local: Tensor, seen: Tensor) -> Tensor:
    """Logarithms of what markers are off in each frame, root mean square, and of its change over frames, (B, T, 2)."""
    size = (local.square() * seen).sum(dim=(-1, -2)) / seen.sum(dim=(-1, -2)).clamp_min(1.0)
    both = seen[:, 1:] * seen[:, :-1]
    change = (local[:, 1:] - local[:, :-1]).square() * both
    change = change.sum(dim=(1, 2, 3)) / both.sum(dim=(1, 2, 3)).clamp_min(1.0)
    logs = [size, change[:, None].expand_as(size)]
    return torch.stack([0.5 * torch.log(x + _LEAST_ROUGH**2) + 4.0 for x in logs], dim=-1)


def make_network(skeleton: Skeleton, config: NetworkConfig) -> NeurIKNetwork:
    """Return a network with random weights."""
    return BaseNetwork(skeleton, config) if config.kind == "base" else PaperNetwork(skeleton, config)


def exact(layer: nn.Module, x: Tensor) -> Tensor:
    """Return a layer's result in single precision, where half would round metres and radians too far."""
    with torch.autocast(x.device.type, enabled=False):
        found: Tensor = layer(x.float())
    return found


def _columns(rotation: Tensor) -> Tensor:
    return rotation[..., :2].transpose(-1, -2).flatten(-2)


def _rotation(six: Tensor) -> Tensor:
    """(..., 3, 3) whose first two columns are nearest to the six numbers (Zhou et al. 2019, CVPR, sec. 4)."""
    a, b = six[..., :3], six[..., 3:]
    x = nn.functional.normalize(a, dim=-1, eps=1e-6)
    y = nn.functional.normalize(b - (x * b).sum(dim=-1, keepdim=True) * x, dim=-1, eps=1e-6)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)


def _last(pose: Pose) -> Pose:
    return Pose(pose.root_rotation[:, -1:], pose.root_position[:, -1:], pose.joints[:, -1:])

"""The paper's refinement: gradient steps on a network's tokens, or any others, that make key points fit the picture.

Each item (a frame, a crop) is refined by itself: L = |Pi(K(J')) - J2D|^2 + lambda |theta' - theta_0|^2, key points in
units of the person's box and weighted by the detector's confidence. Where the paper is silent: the length of the first
step is given and the rate it implies is kept; a step that makes the objective worse is taken back and the rate halved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from biopose_sim.errors import InputError, near_matches

if TYPE_CHECKING:
    from torch import Tensor

    from biopose_sim.io.camera import Camera

    Decode = Callable[[Tensor], tuple[Tensor, Tensor]]

Method = Literal["gradient", "adam", "lbfgs"]
METHODS: tuple[Method, ...] = ("gradient", "adam", "lbfgs")
_NEAREST = 0.05  # m in front of the camera; what is nearer cannot be projected
_MEMORY = 6  # pairs that L-BFGS keeps
_BETAS, _TINY = (0.9, 0.999), 1e-12


@dataclass(frozen=True)
class PaperConfig:
    """How to refine.

    Attributes:
        iterations: gradient steps, as published; one pass forward and back each.
        method: ``"gradient"``: plain descent, as published; ``"adam"``, ``"lbfgs"``: each item by itself.
        first_step: root mean square change of the tokens by the first step, in their units.
        pose_weight: lambda, for the pose in units of its elements (rotation matrices, radians) and key points in boxes.
        enough: share of the key points below which an item stays as it is.
    """

    iterations: int = 10
    method: Method = "gradient"
    first_step: float = 0.02
    pose_weight: float = 0.02
    enough: float = 0.5


@dataclass(frozen=True, eq=False)
class Pinhole:
    """An ideal camera for each item, looking along +z of the axes that the key points are given in.

    Attributes:
        focal: (B, 2) or (2,) [px].
        centre: (B, 2) or (2,) [px].
    """

    focal: Tensor
    centre: Tensor

    @classmethod
    def of(cls, camera: Camera, like: Tensor) -> Pinhole:
        """Return what the camera's lens would be without distortion (`Camera.undistorted` brings key points there).

        Args:
            camera: the same for all items.
            like: gives number type and device.
        """
        return cls(like.new_tensor(camera.focal), like.new_tensor(camera.centre))

    def project(self, points: Tensor) -> Tensor:
        """Return points (B, K, 3), right, down, forward [m], as pixels (B, K, 2)."""
        flat = points[..., :2] / points[..., 2:].clamp_min(_NEAREST)
        return flat * self.focal.reshape(-1, 1, 2) + self.centre.reshape(-1, 1, 2)


@dataclass(frozen=True, eq=False)
class PaperRefined:
    """Refined tokens.

    Attributes:
        tokens: (B, N, D), never of a worse objective than those given.
        flags: for each item ``"ok"``, ``"few_points"`` (too few key points: left as it was), ``"no_better"`` (no step
            made it better) or ``"behind"`` (part of it behind the camera from the start: left).
        before: (B,) mean distance of the seen key points before, by confidence [px]; NaN where none is seen.
        after: (B,) the same after.
        objective_before: (B,) of the tokens given.
        objective: (B,) of the tokens returned.
    """

    tokens: Tensor
    flags: tuple[str, ...]
    before: Tensor
    after: Tensor
    objective_before: Tensor
    objective: Tensor


def refine_paper(
    decode: Decode,
    tokens: Tensor,
    target_px: Tensor,
    confidence: Tensor,
    camera: Pinhole,
    config: PaperConfig = PaperConfig(),
    box: Tensor | None = None,
) -> PaperRefined:
    """Refine each item's tokens by its 2D key points.

    Args:
        decode: tokens (B, N, D) -> key points (B, K, 3) in the camera's axes (right, down, forward) [m], and the pose,
            (B, J, 3, 3) or any other shape (B, ...), from which the refined one should not stray. Item by item: what
            one item's tokens are must not touch another's result.
        tokens: (B, N, D) to start from.
        target_px: (B, K, 2) [px]; NaN where not seen.
        confidence: (B, K) from 0 to 1.
        camera: the intrinsics of each item: real ones, where they are known.
        config: how.
        box: (B,) size of each person in the picture [px]; the larger side of the box around the seen key points if
            not given.

    Raises:
        InputError: shapes that do not fit each other, or an unknown method.
    """
    if config.method not in METHODS:
        problem = f"{config.method!r} is unknown{near_matches(config.method, METHODS)}"
        raise InputError("method", problem, f"give {', '.join(METHODS)}")
    objective = _Objective(decode, tokens, target_px, confidence, camera, config, box)
    return _descend(objective, tokens.detach(), config)


class _Objective:
    """Value and gradient for each item."""

    def __init__(
        self,
        decode: Decode,
        tokens: Tensor,
        target_px: Tensor,
        confidence: Tensor,
        camera: Pinhole,
        config: PaperConfig,
        box: Tensor | None,
    ) -> None:
        import torch

        self.decode, self.camera, self.weight = decode, camera, config.pose_weight
        with torch.no_grad():
            points, self.pose = decode(tokens)
        if points.shape != (*target_px.shape[:2], 3) or confidence.shape != target_px.shape[:2]:
            shapes = f"{tuple(target_px.shape)} with confidence {tuple(confidence.shape)}"
            raise InputError("key points", f"are {shapes}, and the body has {tuple(points.shape)}", "give as many")
        seen = target_px.isfinite().all(-1) & (confidence > 0.0)
        self.target = torch.where(seen[..., None], target_px, 0.0).to(points)
        shares = torch.where(seen, confidence, 0.0).to(points)
        self.shares = shares / shares.sum(1, keepdim=True).clamp_min(_TINY)
        self.enough = seen.sum(1) >= config.enough * seen.shape[1]
        self.any = seen.any(1)
        self.in_front = (points[..., 2] > _NEAREST).all(1)
        self.box = (_box(self.target, seen) if box is None else box).to(points).clamp_min(1.0)

    def distance(self, tokens: Tensor) -> Tensor:
        """Mean distance of the key points by confidence, (B,) [px]."""
        import torch

        with torch.no_grad():
            off = (self.camera.project(self.decode(tokens)[0]) - self.target).norm(dim=-1)
        return torch.where(self.any, (self.shares * off).sum(1), torch.nan)

    def __call__(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Objective (B,), infinite where something is behind the camera or no number, and gradient (B, N, D)."""
        import torch

        with torch.enable_grad():
            tokens = tokens.requires_grad_()
            points, pose = self.decode(tokens)
            off = (self.camera.project(points) - self.target) / self.box[:, None, None]
            picture = (self.shares * (off**2).sum(-1)).sum(1)
            departure = ((pose - self.pose) ** 2).flatten(1).mean(1)
            values = picture + self.weight * departure
            (gradient,) = torch.autograd.grad(values.sum(), tokens)
        good = (points[..., 2] > _NEAREST).all(1) & values.isfinite() & gradient.isfinite().all((1, 2))
        values = torch.where(good, values, torch.inf).detach()
        return values, torch.where(good[:, None, None], gradient, 0.0)


def _box(target: Tensor, seen: Tensor) -> Tensor:
    """Larger side of the box around the seen points, (B,) [px]."""
    import torch

    low = torch.where(seen[..., None], target, torch.inf).amin(1)
    high = torch.where(seen[..., None], target, -torch.inf).amax(1)
    return torch.where(seen.any(1), (high - low).amax(1), 1.0)


def _descend(objective: _Objective, tokens: Tensor, config: PaperConfig) -> PaperRefined:
    import torch

    at, start = tokens.clone(), tokens
    value, gradient = objective(at.clone())
    first = value
    free = objective.enough & objective.in_front
    steps = {"gradient": _Plain, "adam": _Adam, "lbfgs": _Lbfgs}[config.method](config.first_step)
    rate = torch.ones_like(value)
    for _ in range(config.iterations):
        candidate = at - rate[:, None, None] * steps(gradient)
        new, new_gradient = objective(candidate.clone())
        better = free & (new < value)
        rate = torch.where(better, rate, 0.5 * rate)
        steps.moved(better, candidate - at, new_gradient - gradient)
        at = torch.where(better[:, None, None], candidate, at)
        gradient = torch.where(better[:, None, None], new_gradient, gradient)
        value = torch.where(better, new, value)
    return PaperRefined(
        at.detach(),
        _flags(objective, (value < first).tolist()),
        objective.distance(start),
        objective.distance(at),
        first,
        value,
    )


def _flags(objective: _Objective, better: list[bool]) -> tuple[str, ...]:
    pairs = zip(objective.enough.tolist(), objective.in_front.tolist(), better, strict=True)
    return tuple("few_points" if not e else "behind" if not f else "ok" if b else "no_better" for e, f, b in pairs)


class _Plain:
    """The gradient times the rate that makes the first step as long as asked for."""

    def __init__(self, first: float) -> None:
        self.first = first
        self.length: Tensor | None = None

    def __call__(self, gradient: Tensor) -> Tensor:
        if self.length is None:
            self.length = self.first / (gradient**2).mean((1, 2), keepdim=True).sqrt().clamp_min(_TINY)
        return self.length * gradient

    def moved(self, accepted: Tensor, step: Tensor, change: Tensor) -> None:
        """Nothing to remember."""


class _Adam(_Plain):
    """Kingma and Ba, ICLR 2015; every element's first step has the length asked for."""

    def __init__(self, first: float) -> None:
        super().__init__(first)
        self.count = 0
        self.mean: Tensor | float = 0.0
        self.square: Tensor | float = 0.0

    def __call__(self, gradient: Tensor) -> Tensor:
        self.count += 1
        one, two = _BETAS
        self.mean = one * self.mean + (1.0 - one) * gradient
        self.square = two * self.square + (1.0 - two) * gradient**2
        root = (self.square / (1.0 - two**self.count)).sqrt()
        return self.first * self.mean / (1.0 - one**self.count) / (root + _TINY)


class _Lbfgs(_Plain):
    """Limited-memory BFGS (Nocedal and Wright, 2006, algorithm 7.4), each item with its own memory."""

    def __init__(self, first: float) -> None:
        super().__init__(first)
        self.steps: list[Tensor] = []
        self.changes: list[Tensor] = []
        self.inverse: list[Tensor] = []

    def __call__(self, gradient: Tensor) -> Tensor:
        import torch

        plain = super().__call__(gradient)
        q, scale = gradient.flatten(1), torch.ones_like(gradient[:, 0, 0])
        known = scale < 0.0
        alphas = []
        for s, y, r in zip(reversed(self.steps), reversed(self.changes), reversed(self.inverse), strict=True):
            alphas.append(r * (s * q).sum(1))
            q = q - alphas[-1][:, None] * y
        for s, y, r in zip(self.steps, self.changes, self.inverse, strict=True):
            known = known | (r > 0.0)
            scale = torch.where(r > 0.0, (s * y).sum(1) / (y * y).sum(1).clamp_min(_TINY**2), scale)
        q = scale[:, None] * q
        for s, y, r, a in zip(self.steps, self.changes, self.inverse, reversed(alphas), strict=True):
            q = q + (a - r * (y * q).sum(1))[:, None] * s
        return torch.where(known[:, None, None], q.view_as(gradient), plain)

    def moved(self, accepted: Tensor, step: Tensor, change: Tensor) -> None:
        """Remember the pair of each item that moved and curved the right way; a zero pair changes nothing."""
        import torch

        s, y = step.flatten(1), change.flatten(1)
        product = (s * y).sum(1)
        use = accepted & (product > _TINY**2)
        self.steps.append(torch.where(use[:, None], s, 0.0))
        self.changes.append(torch.where(use[:, None], y, 0.0))
        self.inverse.append(torch.where(use, 1.0 / product.clamp_min(_TINY**2), 0.0))
        for memory in (self.steps, self.changes, self.inverse):
            del memory[:-_MEMORY]

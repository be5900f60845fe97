"""Markers as a network sees them: round an origin near the pelvis, facing forward, what is missing at the origin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from biopose_sim.neurik.skeleton import Skeleton, marker_pairs, turn_back

# Markers count for origin and heading by their segment: the pelvis first, others where it is not seen.
_OF_ROOT, _OF_NEIGHBOURS, _OF_OTHERS = 1.0, 1e-2, 1e-4
_SMOOTHED = 9  # frames over which origin and heading are averaged, against noise


@dataclass(frozen=True)
class Framed:
    """Markers of windows in a frame that goes along with the person.

    Attributes:
        markers: (B, T, M, 3) [m]; zero where not seen.
        seen: (B, T, M).
        heading: (B, T, 2) cosine and sine of the angle about the vertical that was taken off.
        origin: (B, T, 3) of the frame, in ground [m].
    """

    markers: Tensor
    seen: Tensor
    heading: Tensor
    origin: Tensor


class Framer:
    """Brings markers into a frame that goes along.

    Args:
        skeleton: whose markers they are.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        tree = skeleton.model.tree
        root = 0
        parents = {int(body): int(tree.nodes[int(node)].parent) for body, node in enumerate(tree.body_node)}
        bodies = skeleton.marker_body()
        weights = torch.full((len(bodies),), _OF_OTHERS)
        root_node = int(tree.body_node[root])
        for row, body in enumerate(bodies.tolist()):
            if body == root:
                weights[row] = _OF_ROOT
            elif parents.get(body) == root_node:
                weights[row] = _OF_NEIGHBOURS
        pairs = marker_pairs(skeleton.model.marker_names)
        self._weights = weights
        self._right = torch.tensor([r for r, _ in pairs], dtype=torch.long)
        self._left = torch.tensor([left for _, left in pairs], dtype=torch.long)

    def __call__(self, markers: Tensor) -> Framed:
        """Bring markers (B, T, M, 3) [m], NaN where not seen, into the frame."""
        seen = torch.isfinite(markers).all(dim=-1)
        filled = torch.where(seen[..., None], markers, torch.zeros_like(markers))
        weights = self._weights.to(filled) * seen
        total = weights.sum(dim=-1, keepdim=True)
        origin = _averaged((weights[..., None] * filled).sum(dim=-2), total)
        both = seen[..., self._right] & seen[..., self._left]
        across = filled[..., self._right, :] - filled[..., self._left, :]
        share = self._weights.to(filled)[self._right] * both
        right = _averaged((share[..., None] * across).sum(dim=-2), share.sum(dim=-1, keepdim=True))
        # In the model the right is along z: a turn by the heading takes z there.
        level = torch.stack([right[..., 2], right[..., 0]], dim=-1)
        ahead = level.new_tensor([1.0, 0.0]).expand_as(level)
        length = level.norm(dim=-1, keepdim=True)
        heading = torch.where(length > 1e-6, level / length.clamp_min(1e-6), ahead)
        local = turn_back(heading, filled - origin[..., None, :])
        return Framed(torch.where(seen[..., None], local, torch.zeros_like(local)), seen, heading, origin)


def _averaged(sums: Tensor, weights: Tensor) -> Tensor:
    """Mean of sums (B, T, 3) by weights (B, T, 1) over neighbouring frames; over the window where none is near."""
    both = torch.cat([sums, weights], dim=-1).transpose(1, 2)
    near = functional.avg_pool1d(both, _SMOOTHED, stride=1, padding=_SMOOTHED // 2).transpose(1, 2)
    whole = both.mean(dim=-1)[:, None]
    chosen = torch.where(near[..., -1:] > 1e-9, near, whole)
    return chosen[..., :-1] / chosen[..., -1:].clamp_min(1e-12)

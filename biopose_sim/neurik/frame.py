"""Markers as a network sees them: round an origin near the pelvis, facing forward, what is missing at the origin.

A network that keeps the heading sees them in one frame for the whole window instead; it says its poses in the frame
that goes along all the same, so that nobody else need know.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from biopose_sim.neurik.constants import Constants
from biopose_sim.neurik.skeleton import Pose, Skeleton, marker_pairs, turn, turn_back

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
        centre: (B, 3) where a network that keeps the heading puts its origin, in ground [m]; None: at the height of
            ground, below the origin of the middle frame.
    """

    markers: Tensor
    seen: Tensor
    heading: Tensor
    origin: Tensor
    centre: Tensor | None = None


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
        self._constants = Constants(
            weights=weights,
            right=torch.tensor([r for r, _ in pairs], dtype=torch.long),
            left=torch.tensor([left for _, left in pairs], dtype=torch.long),
        )

    def __call__(self, markers: Tensor) -> Framed:
        """Bring markers (B, T, M, 3) [m], NaN where not seen, into the frame."""
        seen = torch.isfinite(markers).all(dim=-1)
        filled = torch.where(seen[..., None], markers, torch.zeros_like(markers))
        of_marker = self._constants.like("weights", filled)
        weights = of_marker * seen
        total = weights.sum(dim=-1, keepdim=True)
        origin = _averaged((weights[..., None] * filled).sum(dim=-2), total)
        rows, twins = self._constants.like("right", filled), self._constants.like("left", filled)
        both = seen[..., rows] & seen[..., twins]
        across = filled[..., rows, :] - filled[..., twins, :]
        share = of_marker[rows] * both
        right = _averaged((share[..., None] * across).sum(dim=-2), share.sum(dim=-1, keepdim=True))
        # In the model the right is along z: a turn by the heading takes z there.
        level = torch.stack([right[..., 2], right[..., 0]], dim=-1)
        length = level.norm(dim=-1, keepdim=True)
        heading = torch.where(length > 1e-6, level / length.clamp_min(1e-6), _ahead(level))
        local = turn_back(heading, filled - origin[..., None, :])
        return Framed(torch.where(seen[..., None], local, torch.zeros_like(local)), seen, heading, origin)


def in_window(framed: Framed) -> Framed:
    """Return the markers in one frame for the whole window, the heading kept."""
    centre = below_middle(framed) if framed.centre is None else framed.centre
    origin = centre[:, None].expand_as(framed.origin)
    ground = turn(framed.heading, framed.markers) + framed.origin[..., None, :]
    local = torch.where(framed.seen[..., None], ground - origin[..., None, :], torch.zeros_like(ground))
    return Framed(local, framed.seen, _ahead(framed.heading), origin)


def below_middle(framed: Framed) -> Tensor:
    """Return the place of ground (B, 3) [m] below the person in the middle of each window."""
    x, y, z = framed.origin[:, framed.origin.shape[1] // 2].unbind(-1)
    return torch.stack([x, torch.zeros_like(y), z], dim=-1)


def moved(pose: Pose, from_frame: Framed, to_frame: Framed) -> Pose:
    """Return poses, said in one frame, as another says them; poses of fewer frames are those of the last ones."""
    of = slice(from_frame.heading.shape[1] - pose.joints.shape[1], None)
    heading, other = from_frame.heading[:, of], to_frame.heading[:, of]
    columns = turn_back(other, turn(heading, pose.root_rotation.transpose(-1, -2)))
    place = turn(heading, pose.root_position) + from_frame.origin[:, of]
    return Pose(columns.transpose(-1, -2), turn_back(other, place - to_frame.origin[:, of]), pose.joints)


def _ahead(heading: Tensor) -> Tensor:
    """No heading, as many as given."""
    return torch.stack([torch.ones_like(heading[..., 0]), torch.zeros_like(heading[..., 1])], dim=-1)


def _averaged(sums: Tensor, weights: Tensor) -> Tensor:
    """Mean of sums (B, T, 3) by weights (B, T, 1) over neighbouring frames; over the window where none is near."""
    both = torch.cat([sums, weights], dim=-1).transpose(1, 2)
    near = functional.avg_pool1d(both, _SMOOTHED, stride=1, padding=_SMOOTHED // 2).transpose(1, 2)
    whole = both.mean(dim=-1)[:, None]
    chosen = torch.where(near[..., -1:] > 1e-9, near, whole)
    return chosen[..., :-1] / chosen[..., -1:].clamp_min(1e-12)

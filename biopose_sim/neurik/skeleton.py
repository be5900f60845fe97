"""What NeurIK predicts of a model: the root's pose, joint coordinates within their ranges, factors of size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from biopose_sim.errors import InputError
from biopose_sim.ik.groups import ScaleGroups, make_groups, split_side
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.kinematics.tree import ROTATION, TRANSLATION, Operation
from biopose_sim.neurik.constants import Constants

# So far from a joint's middle a value may be [half ranges] where its range is not finite.
_WIDE = float(np.pi)


@dataclass(frozen=True)
class Pose:
    """Poses of a model, in the frame that the markers were brought to (`neurik.frame`).

    Attributes:
        root_rotation: (..., 3, 3) ground <- root body.
        root_position: (..., 3) of the root body [m].
        joints: (..., J) the other free coordinates, 0 in the middle of their range and -1, 1 at its ends; a prediction
            may lie beyond before it is decoded.
    """

    root_rotation: Tensor
    root_position: Tensor
    joints: Tensor


class Skeleton:
    """The coordinates of a model as a network predicts them.

    Attributes:
        model: the generic model, with the markers that are the network's input.
        groups: bodies that share factors of size.
        joint_names: names of the coordinates of `Pose.joints`, length J.
        n_sizes: number of logarithmic factors, three for each group.

    Args:
        model: its first joint must leave the root free: three translations along the axes of ground, then three
            rotations about them in any order.

    Raises:
        InputError: another kind of first joint.
    """

    def __init__(self, model: OsimModel) -> None:
        self.model = model
        self.groups: ScaleGroups = make_groups(model.body_names)
        self.n_sizes = 3 * len(self.groups.names)
        self._translations, self._rotations, self._axes = _root(model)
        tree = model.tree
        dependent = {d.coordinate for d in tree.dependences}
        root = {*self._translations, *self._rotations}
        self._joints = [
            k
            for k, c in enumerate(model.model.coordinates)
            if not (c.locked or k in dependent or k in root) and c.motion_type != "coupled"
        ]
        self.joint_names = tuple(model.coordinate_names[k] for k in self._joints)
        low, high = np.clip(tree.ranges[self._joints], -_WIDE, _WIDE).T
        group = torch.tensor(self.groups.group)
        self._constants = Constants(
            middle=torch.tensor(0.5 * (low + high), dtype=torch.float32),
            half=torch.tensor(0.5 * (high - low), dtype=torch.float32),
            defaults=torch.tensor(tree.defaults, dtype=torch.float32),
            translations=torch.tensor(self._translations),
            rotations=torch.tensor(self._rotations),
            joints=torch.tensor(self._joints),
            group=group,
            **{f"group {g}": torch.nonzero(group == g).flatten() for g in range(len(self.groups.names))},
        )

    def encode(self, coordinates: Tensor, heading: Tensor, origin: Tensor) -> Pose:
        """Return a motion of the model as it is predicted.

        Args:
            coordinates: (..., n_q) [rad | m], in ground.
            heading: (..., 2) cosine and sine of the angle about the vertical that is taken off.
            origin: (..., 3) point of ground that becomes the origin [m].
        """
        known = self._constants
        angles = coordinates[..., known.like("rotations", coordinates)]
        rotation = turn_back(heading, euler_matrix(angles, self._axes).transpose(-1, -2)).transpose(-1, -2)
        position = turn_back(heading, coordinates[..., known.like("translations", coordinates)] - origin)
        joints = self.of_joints(coordinates) - known.like("middle", coordinates)
        return Pose(rotation, position, joints / known.like("half", coordinates))

    def decode(self, pose: Pose, heading: Tensor | None = None, origin: Tensor | None = None) -> Tensor:
        """Return coordinates (..., n_q) [rad | m]: in ground, or without heading and origin in the pose's own frame.

        Joints end at their ranges; locked coordinates have their defaults, dependent ones are left to the model.
        """
        rotation, position = pose.root_rotation, pose.root_position
        if heading is not None and origin is not None:
            rotation = turn(heading, rotation.transpose(-1, -2)).transpose(-1, -2)
            position = turn(heading, position) + origin
        like, known = pose.joints, self._constants
        coordinates = known.like("defaults", like).expand(*like.shape[:-1], -1).clone()
        middle, half = known.like("middle", like), known.like("half", like)
        coordinates[..., known.like("joints", like)] = middle + half * like.clamp(-1.0, 1.0)
        coordinates[..., known.like("translations", like)] = position
        coordinates[..., known.like("rotations", like)] = matrix_euler(rotation, self._axes)
        return coordinates

    def sizes(self, scales: Tensor) -> Tensor:
        """Return logarithmic factors (..., n_sizes) of factors (..., n_bodies, 3): the means of the groups."""
        logs = scales.log()
        rows = [self._constants.like(f"group {g}", logs) for g in range(len(self.groups.names))]
        return torch.cat([logs[..., own, :].mean(dim=-2) for own in rows], dim=-1)

    def scales(self, sizes: Tensor) -> Tensor:
        """Return factors (..., n_bodies, 3) of logarithmic factors (..., n_sizes)."""
        return sizes.unflatten(-1, (-1, 3)).exp()[..., self._constants.like("group", sizes), :]

    def of_joints(self, per_coordinate: Tensor) -> Tensor:
        """Return the columns (..., J) of the joints of something (..., n_q)."""
        return per_coordinate[..., self._constants.like("joints", per_coordinate)]

    def with_joints(self, coordinates: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        """Return coordinates (..., n_q) with joints changed, which ``change`` takes and gives as `Pose.joints`."""
        known = self._constants
        middle, half = known.like("middle", coordinates), known.like("half", coordinates)
        result = coordinates.clone()
        result[..., known.like("joints", result)] = middle + half * change((self.of_joints(result) - middle) / half)
        return result

    def resized(self, coordinates: Tensor, factor: Tensor) -> Tensor:
        """Return the coordinates (B, T, n_q) of persons (B,) times as large in a world as large."""
        result = coordinates.clone()
        result[..., self._constants.like("translations", result)] *= factor[:, None, None]
        return result

    @property
    def root_angles(self) -> tuple[int, ...]:
        """Columns of the root's rotations in the coordinates."""
        return tuple(self._rotations)

    @property
    def root_coordinates(self) -> tuple[int, ...]:
        """Columns of the root's translations and rotations in the coordinates."""
        return (*self._translations, *self._rotations)

    def half_ranges_like(self, values: Tensor) -> Tensor:
        """Half the range of each joint, (J,) [rad | m], where the values are."""
        return self._constants.like("half", values)

    def marker_body(self) -> Tensor:
        """Row of each marker's body in ``transforms``, (M,)."""
        return torch.tensor(np.asarray(self.model.tree.marker_body), dtype=torch.long)


def euler_matrix(angles: Tensor, axes: tuple[int, int, int]) -> Tensor:
    """Return (..., 3, 3) of successive body-fixed rotations by angles (..., 3) [rad] about three different axes."""
    c, s = angles.cos(), angles.sin()
    result = None
    for k, axis in enumerate(axes):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        matrix = angles.new_zeros(*angles.shape[:-1], 3, 3)
        matrix[..., axis, axis] = 1.0
        matrix[..., i, i] = matrix[..., j, j] = c[..., k]
        matrix[..., i, j], matrix[..., j, i] = -s[..., k], s[..., k]
        result = matrix if result is None else result @ matrix
    assert result is not None  # there are three axes
    return result


def matrix_euler(rotation: Tensor, axes: tuple[int, int, int]) -> Tensor:
    """Return the angles (..., 3) [rad] of :func:`euler_matrix`, the second within a quarter turn."""
    i, j, k = axes
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    # Its slope is infinite where the second angle is a quarter turn.
    middle = (sign * rotation[..., i, k]).clamp(-0.999999, 0.999999).asin()
    first = torch.atan2(-sign * rotation[..., j, k], rotation[..., k, k])
    third = torch.atan2(-sign * rotation[..., i, j], rotation[..., i, i])
    return torch.stack([first, middle, third], dim=-1)


def turn(heading: Tensor, vectors: Tensor) -> Tensor:
    """Turn vectors (..., [n,] 3) about the vertical by an angle of cosine and sine (..., 2)."""
    c, s = heading[..., 0], heading[..., 1]
    if vectors.dim() > heading.dim():
        c, s = c[..., None], s[..., None]
    x, y, z = vectors.unbind(-1)
    return torch.stack([c * x + s * z, y, c * z - s * x], dim=-1)


def turn_back(heading: Tensor, vectors: Tensor) -> Tensor:
    """Turn vectors (..., [n,] 3) about the vertical the other way."""
    return turn(torch.stack([heading[..., 0], -heading[..., 1]], dim=-1), vectors)


def marker_pairs(names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return rows of right markers with those of their left twins."""
    rows = {name: k for k, name in enumerate(names)}
    pairs = []
    for name, row in rows.items():
        base, side = split_side(name)
        twin = rows.get(f"L{name[1:]}") if name[:1] == "R" else None
        if side == "r":
            twin = rows.get(f"{base}_l", rows.get(f"l_{base}"))
        if twin is not None:
            pairs.append((row, twin))
    return pairs


def _root(model: OsimModel) -> tuple[list[int], list[int], tuple[int, int, int]]:
    """Coordinates of the root along x, y, z, those of its rotations in their order, and the rotations' axes."""
    operations: tuple[Operation, ...] = model.tree.nodes[0].operations
    along: dict[int, int] = {}
    about: list[tuple[int, int]] = []
    for operation in operations:
        axis = int(np.argmax(operation.axis))
        single = len(operation.argument) == 1 and operation.argument[0][1] == 1.0
        plain = single and np.allclose(operation.axis, np.eye(3)[axis]) and operation.function.is_linear
        if not plain or (operation.kind == TRANSLATION and about):
            break
        if operation.kind == ROTATION:
            about.append((operation.argument[0][0], axis))
        else:
            along[axis] = operation.argument[0][0]
    if len(operations) != 6 or sorted(along) != [0, 1, 2] or sorted(a for _, a in about) != [0, 1, 2]:
        problem = f"its first joint does not leave '{model.body_names[0]}' free along and about the axes of ground"
        raise InputError(model.path or model.name, problem, "NeurIK needs a pelvis with six coordinates")
    axes = tuple(axis for _, axis in about)
    return [along[k] for k in range(3)], [c for c, _ in about], (axes[0], axes[1], axes[2])

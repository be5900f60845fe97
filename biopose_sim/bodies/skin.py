"""Linear blend skinning of chosen points of a body model: batched, differentiable, made for long recordings.

A body model of 10,000 vertices needs a millisecond a frame; a set of markers touches a hundred of them. A
`PointTable` holds what those points need and `evaluate` skins them for any number of frames at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError

# SMPL family: each joint's rotation relative to its parent, the translation added to every point.
# Anny: each bone's rotation relative to rest in the axes of the world, the translation that of the root's head.
Convention = Literal["parent", "world"]
# Frames that are skinned together: their intermediate arrays stay in the cache of a processor core.
CHUNK = 256
# Numbers of the intermediate arrays of a chunk, so that whole meshes do not fill the memory.
_CHUNK_NUMBERS = 4_000_000


@dataclass(frozen=True, eq=False)
class PointTable:
    """What P points of a body model need, over the Q vertices that they are made of and all J joints.

    Coordinates come first, so that a frame's points are rows of one matrix product.

    Attributes:
        convention: what the rotations and the translation mean, ``"parent"`` (SMPL family) or ``"world"`` (Anny).
        rest: (3, Q) vertices of the mean shape at rest [m].
        shape_directions: (3, Q, S) their change per unit of each shape coefficient [m].
        pose_directions: (3, Q, 9 (J - 1)) their change per element of the joints' rotation matrices minus the
            identity, row by row, without the root (Loper et al. 2015 ACM TOG 34(6):248, eq. 9); None: no change.
        weights: (K, Q) skinning weights over the joints of ``skin_joints``; each column sums to 1.
        skin_joints: (K,) indices of the joints that have a weight.
        combine: (Q, P) weights of the vertices in each point; None: the points are the vertices.
        rest_joints: (3, J) joints of the mean shape at rest [m].
        joint_directions: (3, J, S) their change per unit of each shape coefficient [m].
        parents: J indices; -1 for the root, which comes first; parents come before their children.
        joint_names: J names.
    """

    convention: Convention
    rest: Tensor
    shape_directions: Tensor
    pose_directions: Tensor | None
    weights: Tensor
    skin_joints: Tensor
    combine: Tensor | None
    rest_joints: Tensor
    joint_directions: Tensor
    parents: tuple[int, ...]
    joint_names: tuple[str, ...]

    @property
    def n_points(self) -> int:
        """Number of points P."""
        return self.rest.shape[1] if self.combine is None else self.combine.shape[1]

    @property
    def n_joints(self) -> int:
        """Number of joints J."""
        return len(self.parents)

    @property
    def n_shape(self) -> int:
        """Number of shape coefficients S."""
        return self.shape_directions.shape[2]

    @property
    def dtype(self) -> torch.dtype:
        """Type of all numbers, in and out."""
        return self.rest.dtype

    def to(self, target: torch.dtype | torch.device) -> PointTable:
        """Return the table in another floating-point type or on another device."""
        onto_device = isinstance(target, torch.device)
        return replace(
            self,
            rest=self.rest.to(target),
            shape_directions=self.shape_directions.to(target),
            pose_directions=None if self.pose_directions is None else self.pose_directions.to(target),
            weights=self.weights.to(target),
            skin_joints=self.skin_joints.to(target) if onto_device else self.skin_joints,
            combine=None if self.combine is None else self.combine.to(target),
            rest_joints=self.rest_joints.to(target),
            joint_directions=self.joint_directions.to(target),
        )

    @cached_property
    def levels(self) -> tuple[tuple[tuple[int, ...], Tensor], ...]:
        """For each depth below the root: its joints, ascending, and where their parents stand in the depth above."""
        depth: list[int] = []
        for parent in self.parents:
            depth.append(0 if parent < 0 else depth[parent] + 1)
        rows = [tuple(j for j, d in enumerate(depth) if d == level) for level in range(max(depth) + 1)]
        return tuple((row, self._index([above.index(self.parents[j]) for j in row])) for above, row in pairwise(rows))

    @cached_property
    def joint_order(self) -> Tensor:
        """(J,) where each joint stands in the joints listed depth by depth."""
        listed = [0] + [joint for row, _ in self.levels for joint in row]
        return self._index(sorted(range(len(listed)), key=listed.__getitem__))

    @cached_property
    def parent_index(self) -> Tensor:
        """(J,) parents; the root's own index for the root."""
        return self._index([max(parent, 0) for parent in self.parents])

    def _index(self, numbers: Sequence[int]) -> Tensor:
        return torch.tensor(numbers, dtype=torch.int64, device=self.rest.device)

    @cached_property
    def ancestors(self) -> Tensor:
        """(J, J) one where the row's joint is the column's or lies above it."""
        matrix = torch.eye(self.n_joints, dtype=self.dtype)
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                matrix[:, joint] += matrix[:, parent]
        return matrix.to(self.rest.device)


def evaluate(table: PointTable, rotations: Tensor, translation: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    """Points and joints of a body in many poses; differentiable in all three inputs.

    Args:
        table: the points; rotations, translation and shape are of its type.
        rotations: (..., J', 3, 3) as the table's convention says. Where it is ``"parent"``, J' may be less than
            the number of joints: the others are at rest.
        translation: (..., 3) [m].
        shape: (S',) or (..., S') with S' at most the table's S; the coefficients left out are zero. One shape
            for all poses is faster.

    Returns:
        Points (..., P, 3) and joints (..., J, 3) [m], in the axes of the rotations.

    Raises:
        InputError: shapes that do not fit.
    """
    batch = _checked_batch(table, rotations, translation, shape)
    flat_rotations = rotations.expand(*batch, *rotations.shape[-3:]).reshape(-1, *rotations.shape[-3:])
    flat_translation = translation.expand(*batch, 3).reshape(-1, 3)
    one_shape = shape.numel() == shape.shape[-1]
    count = shape.shape[-1]
    flat_shape = shape.reshape(1, -1) if one_shape else shape.expand(*batch, count).reshape(-1, count)
    # The matrix of one shape pays off once there are more frames than vertices.
    worthwhile = len(flat_rotations) >= table.rest.shape[1]
    ready = _shaped(table, flat_shape, worthwhile) if one_shape else None
    size = max(1, min(CHUNK, _CHUNK_NUMBERS // (12 * max(table.rest.shape[1], 1))))
    parts = [
        _evaluate_chunk(
            table,
            flat_rotations[start : start + size].contiguous(),
            flat_translation[start : start + size],
            ready if ready is not None else _shaped(table, flat_shape[start : start + size]),
        )
        for start in range(0, len(flat_rotations), size)
    ]
    points = torch.cat([part[0] for part in parts]) if parts else flat_translation.new_zeros(0, table.n_points, 3)
    joints = torch.cat([part[1] for part in parts]) if parts else flat_translation.new_zeros(0, table.n_joints, 3)
    return points.reshape(*batch, table.n_points, 3), joints.reshape(*batch, table.n_joints, 3)


@dataclass(frozen=True)
class _Shaped:
    """A body's shape, or those of as many frames: vertices (T | 1, 3, Q), joints (T | 1, 3, J)."""

    vertices: Tensor
    joints: Tensor
    # (4K, P) from the skinning joints' rotations and positions straight to the points, where a single shape
    # without pose directions makes that one matrix.
    skin: Tensor | None


def _shaped(table: PointTable, shape: Tensor, worthwhile: bool = False) -> _Shaped:
    count = shape.shape[1]
    vertices = table.rest + _along(table.shape_directions[:, :, :count], shape)
    joints = table.rest_joints + _along(table.joint_directions[:, :, :count], shape)
    fixed = worthwhile and table.pose_directions is None
    return _Shaped(vertices, joints, _skin_matrix(table, vertices[0], joints[0]) if fixed else None)


def _along(directions: Tensor, coefficients: Tensor) -> Tensor:
    """(T, 3, N) sum of the directions (3, N, S) times the coefficients (T, S)."""
    rows = directions.shape[:2]
    return (coefficients @ directions.reshape(-1, directions.shape[2]).T).reshape(-1, *rows)


def _skin_matrix(table: PointTable, vertices: Tensor, joints: Tensor) -> Tensor:
    """(4K, P): rows of the K joints' rotation columns x, y, z, then of their positions."""
    arms = vertices[:, None] - joints.index_select(1, table.skin_joints)[:, :, None]
    matrix = torch.cat([arms * table.weights, table.weights[None]]).reshape(-1, vertices.shape[1])
    return matrix if table.combine is None else matrix @ table.combine


def _evaluate_chunk(
    table: PointTable, rotations: Tensor, translation: Tensor, shaped: _Shaped
) -> tuple[Tensor, Tensor]:
    world = rotations if table.convention == "world" else _along_tree(table, rotations)
    # (T, 3 rows, 3 columns, J): joints last, as the points are below.
    columns = world.permute(0, 2, 3, 1).contiguous()
    joints = _joint_positions(table, columns, translation, shaped.joints)
    turned = columns.index_select(3, table.skin_joints)
    placed = joints.index_select(2, table.skin_joints)
    if shaped.skin is not None:
        rows = torch.cat([turned, placed[:, :, None]], dim=2)
        points = (rows.reshape(-1, shaped.skin.shape[0]) @ shaped.skin).reshape(len(rotations), 3, -1)
    else:
        vertices = shaped.vertices
        if table.pose_directions is not None and rotations.shape[1] > 1:
            vertices = vertices + _pose_change(table, rotations)
        points = _skin(table, turned, placed, shaped.joints.index_select(2, table.skin_joints), vertices)
        if table.combine is not None:
            points = points @ table.combine
    return points.transpose(1, 2), joints.transpose(1, 2)


def _along_tree(table: PointTable, rotations: Tensor) -> Tensor:
    """(T, J, 3, 3) world rotations of all joints from those relative to the parents; joints left out are at rest."""
    given = rotations.shape[1]
    above = rotations[:, :1]
    levels = [above]
    for row, parents in table.levels:
        above = above.index_select(1, parents)
        # Joints ascend within a level, so that those left out come last.
        moving = [joint for joint in row if joint < given]
        if moving:
            own = rotations.index_select(1, torch.tensor(moving, device=rotations.device))
            turned = above[:, : len(moving)] @ own
            above = turned if len(moving) == len(row) else torch.cat([turned, above[:, len(moving) :]], dim=1)
        levels.append(above)
    return torch.cat(levels, dim=1).index_select(1, table.joint_order)


def _joint_positions(table: PointTable, world: Tensor, translation: Tensor, rest: Tensor) -> Tensor:
    """(T, 3, J) the root's position plus the turned offsets down the tree; ``world`` is (T, 3, 3, J)."""
    root = translation if table.convention == "world" else translation + rest[:, :, 0]
    steps = _turn(world.index_select(3, table.parent_index), rest - rest.index_select(2, table.parent_index))
    steps = torch.cat([root[:, :, None], steps[:, :, 1:]], dim=2)
    return (steps.reshape(-1, table.n_joints) @ table.ancestors).reshape(steps.shape)


def _turn(rotations: Tensor, vectors: Tensor) -> Tensor:
    """(T, 3, N) the vectors (T | 1, 3, N) under the rotations (T, 3, 3, N)."""
    x, y, z = vectors[:, None].unbind(2)
    by_x, by_y, by_z = rotations.unbind(2)
    return torch.addcmul(torch.addcmul(by_x * x, by_y, y), by_z, z)


def _pose_change(table: PointTable, rotations: Tensor) -> Tensor:
    """(T, 3, Q) pose-corrective displacement of the vertices."""
    assert table.pose_directions is not None
    identity = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    feature = (rotations[:, 1:] - identity).flatten(1)
    return _along(table.pose_directions[:, :, : feature.shape[1]], feature)


def _skin(table: PointTable, turned: Tensor, placed: Tensor, rest: Tensor, vertices: Tensor) -> Tensor:
    """(T, 3, Q) vertices under the weighted sum of their joints' transforms."""
    shift = placed - _turn(turned, rest)
    transforms = torch.cat([turned, shift[:, :, None]], dim=2)
    blended = (transforms.reshape(-1, transforms.shape[3]) @ table.weights).reshape(len(turned), 3, 4, -1)
    return _turn(blended[:, :, :3], vertices) + blended[:, :, 3]


def _checked_batch(table: PointTable, rotations: Tensor, translation: Tensor, shape: Tensor) -> torch.Size:
    where, count = "body model", table.n_joints
    if rotations.dim() < 3 or rotations.shape[-2:] != (3, 3):
        raise InputError(where, f"rotations have shape {tuple(rotations.shape)}", "give (..., joints, 3, 3)")
    given = rotations.shape[-3]
    if given > count or given < 1 or (given < count and table.convention == "world"):
        raise InputError(where, f"rotations of {given} joints are given, the model has {count}")
    if translation.dim() < 1 or translation.shape[-1] != 3:
        raise InputError(where, f"the translation has shape {tuple(translation.shape)}", "give (..., 3)")
    if shape.dim() < 1 or not 1 <= shape.shape[-1] <= table.n_shape:
        raise InputError(where, f"the shape has shape {tuple(shape.shape)}", f"give (..., 1 to {table.n_shape})")
    leading = rotations.shape[:-3], translation.shape[:-1], shape.shape[:-1]
    try:
        return torch.broadcast_shapes(*leading)
    except RuntimeError:
        sizes = " and ".join(str(tuple(size)) for size in leading)
        raise InputError(where, f"poses, translations and shapes of {sizes} frames do not go together") from None


def combination(
    points: Sequence[Sequence[int]], weights: Sequence[Sequence[float]] | None, n_vertices: int, where: str
) -> tuple[list[int], NDArray[np.float64] | None]:
    """Vertices that points are made of, and the weights of each vertex in each point.

    Args:
        points: the vertex indices of each point: one, or several that are mixed.
        weights: as many weights of each point, which sum to 1; may be left out where each point is one vertex.
        n_vertices: number of vertices of the mesh.
        where: named in errors.

    Returns:
        Q vertices and a (Q, P) matrix; None in its place where the points are the vertices themselves.

    Raises:
        InputError: a vertex that the mesh has not, or weights that do not fit.
    """
    beyond = [vertex for point in points for vertex in point if not 0 <= vertex < n_vertices]
    if beyond or not points:
        problem = f"has no vertex {beyond[0]}" if beyond else "no points are asked for"
        raise InputError(where, problem, f"its vertices are 0 to {n_vertices - 1}")
    if all(len(point) == 1 for point in points):
        return [point[0] for point in points], None
    shares = weights if weights is not None else []
    if [len(point) for point in points] != [len(share) for share in shares]:
        raise InputError(where, "points of several vertices need as many weights")
    vertices = sorted({vertex for point in points for vertex in point})
    rows = {vertex: row for row, vertex in enumerate(vertices)}
    matrix = np.zeros((len(vertices), len(points)))
    for column, (point, share) in enumerate(zip(points, shares)):
        np.add.at(matrix, ([rows[vertex] for vertex in point], column), share)
    if np.abs(matrix.sum(axis=0) - 1.0).max() > 1e-4:
        worst = int(np.abs(matrix.sum(axis=0) - 1.0).argmax())
        raise InputError(where, f"the weights of point {worst + 1} do not sum to 1")
    return vertices, matrix

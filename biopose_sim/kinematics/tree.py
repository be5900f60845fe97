"""The kinematic tree of a model as plain arrays: what every forward-kinematics kernel reads.

A joint is a node: a fixed transform in the parent body (``pre``), a chain of elementary motions along fixed
axes (``operations``), and a fixed transform into the child body (``post``):

    ground<-child = ground<-parent . pre . op_1 . op_2 ... . post

A rotation operation turns about its axis by f(q), a translation moves along it by f(q). All joint types of
OpenSim are such chains (an ellipsoid's surface point is a sum of sines), also when a joint runs backwards.
Fixed translations are linear in the scale factors of one body: t = matrix @ scales[body].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from biopose_sim.osim.functions import ScalarFunction
from biopose_sim.osim.schema import Model

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
UNSCALED = -1
ROTATION, TRANSLATION = 0, 1


@dataclass(frozen=True, eq=False)
class FixedTransform:
    """Rotation (3, 3) and a translation that is ``matrix @ scales[body]`` (ones for ``UNSCALED``) [m]."""

    rotation: Array
    matrix: Array
    body: int

    def translation(self, scales: Array) -> Array:
        """Translation [m], shape (3,), for scales of shape (n_bodies, 3)."""
        return self.matrix @ (np.ones(3) if self.body == UNSCALED else scales[self.body])


@dataclass(frozen=True, eq=False)
class Operation:
    """A rotation about, or translation along, the unit axis by ``function`` of the coordinates.

    ``argument`` holds (coordinate index, weight) pairs. A translation is multiplied by
    ``sum(scale_weights * scales[scale_body])`` unless ``scale_body`` is ``UNSCALED``.
    """

    kind: int
    axis: Array
    function: ScalarFunction
    argument: tuple[tuple[int, float], ...]
    scale_body: int = UNSCALED
    scale_weights: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def scale(self, scales: Array) -> float:
        """Factor of the operation's value for scales of shape (n_bodies, 3)."""
        return 1.0 if self.scale_body == UNSCALED else float(np.dot(self.scale_weights, scales[self.scale_body]))


@dataclass(frozen=True, eq=False)
class Node:
    """A joint of the tree; ``parent``: index of an earlier node, -1 for ground; ``body`` -1: virtual."""

    name: str
    parent: int
    body: int
    pre: FixedTransform
    operations: tuple[Operation, ...]
    post: FixedTransform


@dataclass(frozen=True, eq=False)
class Dependence:
    """A dependent coordinate: ``coordinate`` = function(sum of argument).

    A dependent translation grows with its joint's parent body (OpenSim scales the coupler, and only
    uniformly; here the factor is weighted with the axis along which the coordinate moves).
    """

    coordinate: int
    function: ScalarFunction
    argument: tuple[tuple[int, float], ...]
    scale_body: int = UNSCALED
    scale_weights: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def scale(self, scales: Array) -> float:
        """Factor of the value for scales of shape (n_bodies, 3)."""
        return 1.0 if self.scale_body == UNSCALED else float(np.dot(self.scale_weights, scales[self.scale_body]))


@dataclass(frozen=True, eq=False)
class KinematicTree:
    """All that forward kinematics needs. Nodes are ordered parents first.

    ``marker_matrix`` (n_markers, 3, 3): location in body axes [m] = matrix @ scales[marker_body].
    ``dependences`` are ordered so that each uses only coordinates that are known before it.
    ``joint_body`` and ``joint_matrix`` place the origin of each joint's child frame likewise.
    Within a node translations come before rotations (a joint that does otherwise has virtual nodes).
    """

    model: Model
    nodes: tuple[Node, ...]
    body_node: IntArray
    dependences: tuple[Dependence, ...]
    marker_body: IntArray
    marker_matrix: Array
    joint_body: IntArray
    joint_matrix: Array

    @cached_property
    def body_names(self) -> tuple[str, ...]:
        """Names of the bodies in the model's order."""
        return tuple(body.name for body in self.model.bodies)

    @cached_property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of the coordinates in the model's order."""
        return tuple(c.name for c in self.model.coordinates)

    @cached_property
    def marker_names(self) -> tuple[str, ...]:
        """Names of the markers in the model's order."""
        return tuple(m.name for m in self.model.markers)

    @cached_property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the joints in the model's order."""
        return tuple(j.name for j in self.model.joints)

    @property
    def defaults(self) -> Array:
        """Default values of the coordinates, shape (n_q,) [rad | m]."""
        return np.array([c.default for c in self.model.coordinates], dtype=float)

    @property
    def ranges(self) -> Array:
        """Ranges of the coordinates, shape (n_q, 2) [rad | m]."""
        return np.array([c.range for c in self.model.coordinates], dtype=float).reshape(-1, 2)

    @property
    def locked(self) -> NDArray[np.bool_]:
        """Which coordinates are locked, shape (n_q,)."""
        return np.array([c.locked for c in self.model.coordinates], dtype=bool)

    @property
    def clamped(self) -> NDArray[np.bool_]:
        """Which coordinates are clamped to their range, shape (n_q,)."""
        return np.array([c.clamped for c in self.model.coordinates], dtype=bool)

    @property
    def dependent(self) -> NDArray[np.bool_]:
        """Which coordinates a coupler computes, shape (n_q,)."""
        flags = np.zeros(len(self.model.coordinates), dtype=bool)
        for dependence in self.dependences:
            flags[dependence.coordinate] = True
        return flags

    def scaled(self, scales: Array, marker_offsets: Array | None = None) -> KinematicTree:
        """Return the tree of the model scaled as OpenSim's ``Model.scale`` does it.

        Args:
            scales: factors, shape (n_bodies, 3).
            marker_offsets: added to the scaled marker locations, in body axes [m], shape (n_markers, 3).
        """
        s = np.asarray(scales, dtype=float)

        def fixed(f: FixedTransform) -> FixedTransform:
            return replace(f, matrix=_scaled_columns(f.matrix, f.body, s))

        nodes = tuple(
            replace(
                n,
                pre=fixed(n.pre),
                post=fixed(n.post),
                operations=tuple(replace(op, function=op.function.scaled(op.scale(s))) for op in n.operations),
            )
            for n in self.nodes
        )
        markers = [_scaled_columns(m, b, s) for m, b in zip(self.marker_matrix, self.marker_body)]
        marker_matrix = np.array(markers).reshape(-1, 3, 3)
        if marker_offsets is not None:
            marker_matrix = marker_matrix + np.asarray(marker_offsets, dtype=float)[:, :, None] * np.eye(3)
        joints = [_scaled_columns(m, b, s) for m, b in zip(self.joint_matrix, self.joint_body)]
        return replace(
            self,
            nodes=nodes,
            dependences=tuple(replace(d, function=d.function.scaled(d.scale(s))) for d in self.dependences),
            marker_matrix=marker_matrix,
            joint_matrix=np.array(joints).reshape(-1, 3, 3),
        )


def _scaled_columns(matrix: Array, body: int, scales: Array) -> Array:
    return matrix if body == UNSCALED else matrix * scales[body]

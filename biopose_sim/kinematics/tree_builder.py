"""From the parsed model to its :class:`KinematicTree`."""

from __future__ import annotations

import math

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.kinematics.tree import (
    ROTATION,
    TRANSLATION,
    UNSCALED,
    Array,
    Dependence,
    FixedTransform,
    KinematicTree,
    Node,
    Operation,
)
from biopose_sim.osim import schema
from biopose_sim.osim.functions import sine_function, to_scalar_function

_EYE = np.eye(3)
_ZERO = np.zeros((3, 3))
_NOTHING = FixedTransform(_EYE, _ZERO, UNSCALED)
_HALF_PI = np.pi / 2.0


def body_fixed_xyz_to_matrix(angles: schema.Vec3) -> Array:
    """Rotation matrix (3, 3), Rx @ Ry @ Rz, of body-fixed X-Y-Z angles [rad]."""
    if not any(angles):
        return _EYE
    (sx, sy, sz), (cx, cy, cz) = map(math.sin, angles), map(math.cos, angles)
    return np.array(
        [
            [cy * cz, -cy * sz, sy],
            [cx * sz + sx * sy * cz, cx * cz - sx * sy * sz, -sx * cy],
            [sx * sz - cx * sy * cz, sx * cz + cx * sy * sz, cx * cy],
        ]
    )


def axis_rotation(axis: Array, angle: float) -> Array:
    """Rotation matrix (3, 3) about a unit axis by ``angle`` [rad] (Rodrigues)."""
    k = cross_matrix(axis)
    return _EYE + np.sin(angle) * k + (1.0 - np.cos(angle)) * (k @ k)


def cross_matrix(v: Array) -> Array:
    """The matrix K of a vector v with K @ x = v x x."""
    return np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])


def build_tree(model: schema.Model) -> KinematicTree:
    """Build the tree of a model.

    Raises:
        InputError: bodies that no joint holds, a joint that closes a loop, couplers that form a circle.
    """
    return _Builder(model).build()


class _Builder:
    def __init__(self, model: schema.Model) -> None:
        self.model = model
        self.source = model.path or model.name
        self.body_index = {body.name: i for i, body in enumerate(model.bodies)}
        self.coordinate_index = {c.name: i for i, c in enumerate(model.coordinates)}
        self.frames: dict[schema.Frame, FixedTransform] = {}
        self.nodes: list[Node] = []
        self.node_of_body: dict[str, int] = {schema.GROUND: -1}

    def build(self) -> KinematicTree:
        waiting = list(self.model.joints)
        while waiting:
            left = [joint for joint in waiting if not self._place(joint)]
            if len(left) == len(waiting):
                self._refuse_unconnected(waiting)
            waiting = left
        loose = [b.name for b in self.model.bodies if b.name not in self.node_of_body]
        if loose:
            raise InputError(self.source, f"no joint holds the body {loose[0]!r}", "connect every body by a joint")
        n_markers = len(self.model.markers)
        fixed = [self._frame(m.frame, m.location) for m in self.model.markers]
        centers = [self._frame(j.child) for j in self.model.joints]
        return KinematicTree(
            model=self.model,
            nodes=tuple(self.nodes),
            body_node=np.array([self.node_of_body[b.name] for b in self.model.bodies], dtype=np.int64),
            dependences=self._dependences(),
            marker_body=np.array([f.body for f in fixed], dtype=np.int64),
            marker_matrix=np.array([f.matrix for f in fixed]).reshape(n_markers, 3, 3),
            joint_body=np.array([c.body for c in centers], dtype=np.int64),
            joint_matrix=np.array([c.matrix for c in centers]).reshape(-1, 3, 3),
        )

    def _refuse_unconnected(self, joints: list[schema.Joint]) -> None:
        names = ", ".join(repr(j.name) for j in joints[:3])
        raise InputError(self.source, f"the joints {names} are not connected to ground", "a tree is needed")

    def _place(self, joint: schema.Joint) -> bool:
        """Append the joint's nodes when one of its bodies is already in the tree."""
        forward, backward = joint.parent.body in self.node_of_body, joint.child.body in self.node_of_body
        if forward and backward:
            raise InputError(
                self.source,
                f"joint {joint.name!r} closes a loop between {joint.parent.body!r} and {joint.child.body!r}",
                "forward kinematics needs a tree; make one joint of the loop a constraint",
            )
        if not (forward or backward):
            return False
        parent, child = self._frame(joint.parent), self._frame(joint.child)
        inboard = joint.parent.body if forward else joint.child.body
        outboard = joint.child.body if forward else joint.parent.body
        links = self._links(joint, parent, child)
        if not forward:
            links = [_reversed_link(link) for link in reversed(links)]
        links = [part for link in links for part in _translations_first(link)]
        previous = self.node_of_body[inboard]
        for i, (pre, operations, post) in enumerate(links):
            last = i == len(links) - 1
            body = self.body_index[outboard] if last else UNSCALED
            self.nodes.append(Node(joint.name, previous, body, pre, tuple(operations), post))
            previous = len(self.nodes) - 1
        self.node_of_body[outboard] = previous
        return True

    def _frame(self, frame: schema.Frame, location: schema.Vec3 | None = None) -> FixedTransform:
        """Pose of a frame (or of a point in it) in its body; offsets scale component-wise with the body."""
        found = self.frames.get(frame)
        if found is None:
            rotation, matrix = _EYE, _ZERO
            for translation, orientation in frame.offsets:
                matrix = matrix + rotation * translation
                rotation = rotation @ body_fixed_xyz_to_matrix(orientation)
            found = self.frames[frame] = FixedTransform(rotation, matrix, self._body(frame.body))
        if location is None:
            return found
        return FixedTransform(found.rotation, found.matrix + found.rotation * location, found.body)

    def _body(self, name: str) -> int:
        return UNSCALED if name == schema.GROUND else self.body_index[name]

    def _links(self, joint: schema.Joint, parent: FixedTransform, child: FixedTransform) -> list[_Link]:
        inverse_child = _inverse(child)
        if joint.type == "ScapulothoracicJoint":
            return self._scapulothoracic(joint, parent, inverse_child)
        operations = [self._operation(TRANSLATION, axis, parent.body) for axis in joint.translations]
        if joint.type == "EllipsoidJoint":
            operations += self._ellipsoid(joint.radii or (0.0, 0.0, 0.0), joint.coordinates, parent.body, (0, 1, 2))
        operations += [self._operation(ROTATION, axis, UNSCALED) for axis in joint.rotations]
        return [(parent, [op for op in operations if not _is_nothing(op)], inverse_child)]

    def _operation(self, kind: int, axis: schema.TransformAxis, body: int) -> Operation:
        direction = np.array(axis.axis) / math.hypot(*axis.axis)
        owner = f"{self.source}: axis of {', '.join(axis.coordinates) or 'a joint'}"
        function = to_scalar_function(axis.function, owner)
        scale_body = body if kind == TRANSLATION and axis.scales else UNSCALED
        # OpenSim weighs the factors with the axis as it stands in the file (SpatialTransform::scale).
        weights = tuple(abs(a) for a in axis.axis)
        return Operation(
            kind,
            direction,
            function,
            self._argument(axis.coordinates, function.weights),
            scale_body,
            weights,  # type: ignore[arg-type]
        )

    def _argument(self, names: tuple[str, ...], weights: tuple[float, ...]) -> tuple[tuple[int, float], ...]:
        return tuple((self.coordinate_index[n], w) for n, w in zip(names, weights))

    def _ellipsoid(
        self, radii: schema.Vec3, names: tuple[str, ...], body: int, radius_axis: tuple[int, int, int]
    ) -> list[Operation]:
        """Surface point of an ellipsoid as sines: n = (sin y, -sin x cos y, cos x cos y) times the radii.

        ``radius_axis[i]`` is the axis of the parent body along which radius i of the joint frame scales.
        """
        x, y = self.coordinate_index[names[0]], self.coordinate_index[names[1]]
        terms = (
            (0, 1.0, ((y, 1.0),), 0.0),
            (1, -0.5, ((x, 1.0), (y, 1.0)), 0.0),
            (1, -0.5, ((x, 1.0), (y, -1.0)), 0.0),
            (2, 0.5, ((x, 1.0), (y, 1.0)), _HALF_PI),
            (2, 0.5, ((x, 1.0), (y, -1.0)), _HALF_PI),
        )
        operations = []
        for axis, factor, argument, phase in terms:
            function = sine_function(tuple(w for _, w in argument), factor * radii[axis], 1.0, phase)
            a, b, c = (float(i == radius_axis[axis]) for i in range(3))
            operations.append(Operation(TRANSLATION, _EYE[axis], function, argument, body, (a, b, c)))
        return operations

    def _scapulothoracic(
        self, joint: schema.Joint, parent: FixedTransform, inverse_child: FixedTransform
    ) -> list[_Link]:
        """Ellipsoid turned 90 degrees about z, then winging about an axis in the scapula's joint frame.

        Source: OpenSim, Simulation/SimbodyEngine/ScapulothoracicJoint.cpp.
        """
        turn = axis_rotation(_EYE[2], _HALF_PI)
        rx, ry, rz = joint.radii or (0.0, 0.0, 0.0)
        surface = self._ellipsoid((ry, rx, rz), joint.coordinates, parent.body, (1, 0, 2))
        *spin, winging = (self._operation(ROTATION, axis, UNSCALED) for axis in joint.rotations)
        on_thorax = FixedTransform(parent.rotation @ turn, parent.matrix, parent.body)
        x, y, direction = joint.winging or (0.0, 0.0, 0.0)
        origin = np.diag([x, y, 0.0])
        wing_axis = np.array([-np.sin(direction), np.cos(direction), 0.0])
        wing = Operation(ROTATION, wing_axis, winging.function, winging.argument)
        # OpenSim scales the winging origin with the scapula, but only where the thorax has factors.
        body = UNSCALED if parent.body == UNSCALED else inverse_child.body
        return [
            (on_thorax, [*surface, *spin], FixedTransform(turn.T, np.zeros((3, 3)), UNSCALED)),
            (FixedTransform(_EYE, origin, body), [wing], FixedTransform(_EYE, -origin, body)),
            (inverse_child, [], _NOTHING),
        ]

    def _dependences(self) -> tuple[Dependence, ...]:
        waiting = {self.coordinate_index[c.dependent]: c for c in self.model.couplers}
        if len(waiting) != len(self.model.couplers):
            raise InputError(self.source, "two couplers compute the same coordinate")
        ordered: list[Dependence] = []
        while waiting:
            ready = [
                i for i, c in waiting.items() if not any(self.coordinate_index[n] in waiting for n in c.independents)
            ]
            if not ready:
                names = ", ".join(repr(c.name) for c in list(waiting.values())[:3])
                raise InputError(self.source, f"the couplers {names} depend on each other in a circle")
            for index in ready:
                coupler = waiting.pop(index)
                function = to_scalar_function(coupler.function, f"{self.source}: coupler {coupler.name!r}")
                argument = self._argument(coupler.independents, function.weights)
                growth = self._growth(coupler.dependent)
                ordered.append(Dependence(index, function.scaled(coupler.scale), argument, *growth))
        return tuple(ordered)

    def _growth(self, coordinate: str) -> tuple[int, tuple[float, float, float]]:
        """Body and weights with which the coupler of a dependent translation scales."""
        info = self.model.coordinates[self.coordinate_index[coordinate]]
        if info.motion_type != "translational":
            return UNSCALED, (0.0, 0.0, 0.0)
        joint = next(j for j in self.model.joints if j.name == info.joint)
        axis = next(a.axis for a in joint.translations if coordinate in a.coordinates)
        weights = np.abs(axis) / np.sum(np.abs(axis))
        return self._body(joint.parent.body), (float(weights[0]), float(weights[1]), float(weights[2]))


_Link = tuple[FixedTransform, list[Operation], FixedTransform]


def _inverse(fixed: FixedTransform) -> FixedTransform:
    return FixedTransform(fixed.rotation.T, -fixed.rotation.T @ fixed.matrix, fixed.body)


def _reversed_link(link: _Link) -> _Link:
    pre, operations, post = link
    backwards = [
        Operation(op.kind, -op.axis, op.function, op.argument, op.scale_body, op.scale_weights)
        for op in reversed(operations)
    ]
    return _inverse(post), backwards, _inverse(pre)


def _translations_first(link: _Link) -> list[_Link]:
    """Cut a link wherever a translation follows a rotation, so that each part translates, then rotates."""
    pre, operations, post = link
    groups: list[list[Operation]] = [[]]
    for operation in operations:
        if operation.kind == TRANSLATION and groups[-1] and groups[-1][-1].kind == ROTATION:
            groups.append([])
        groups[-1].append(operation)
    last = len(groups) - 1
    return [(pre if i == 0 else _NOTHING, group, post if i == last else _NOTHING) for i, group in enumerate(groups)]


def _is_nothing(operation: Operation) -> bool:
    """A constant displacement of zero."""
    return operation.function.is_constant and float(operation.function.coefficients[0, 0]) == 0.0

"""The rows of the full-body model's tables of muscles and torque actuators, in metres, newtons and radians."""

from __future__ import annotations

from dataclasses import dataclass

from biopose_sim.osim.build_rows import Vec3

WRAP_TYPES = ("WrapCylinder",)
# A quadrant along z would change its sign in the mirror; no muscle needs one.
QUADRANTS = ("all", "x", "-x", "y", "-y")
WRAP_METHODS = ("hybrid", "midpoint", "axial")
# The parts of a muscle that are alike in all of them: what belongs to the muscle itself, and its curves.
MUSCLE = "muscle"
MUSCLE_PARTS = (MUSCLE, "ActiveForceLengthCurve", "ForceVelocityCurve", "FiberForceLengthCurve")


@dataclass(frozen=True)
class MuscleRow:
    """A muscle: what is its own.

    Attributes:
        force: maximum isometric force [N].
        fiber: optimal fibre length [m].
        tendon: tendon slack length [m].
        pennation: angle of the fibres at their optimal length [rad].
        velocity: maximum contraction velocity [optimal fibre lengths / s].
        rigid_tendon: whether the tendon's stretch is neglected.
        groups: names of the groups it belongs to, without the side, e.g. ``hip_flex``.
    """

    name: str
    force: float
    fiber: float
    tendon: float
    pennation: float
    velocity: float
    rigid_tendon: bool
    groups: tuple[str, ...]


@dataclass(frozen=True)
class PointRow:
    """A point of a muscle's path, fixed at ``place`` [m] in the frame of ``body``; points from origin to insertion."""

    muscle: str
    body: str
    place: Vec3


@dataclass(frozen=True)
class WrapRow:
    """A cylinder about its own z that muscles wrap over: place [m], orientation [rad], radius and length [m].

    ``quadrant`` is the side of it that paths may touch, ``all`` if either.
    """

    name: str
    body: str
    type: str
    place: Vec3
    turn: Vec3
    radius: float
    length: float
    quadrant: str


@dataclass(frozen=True)
class MuscleWrapRow:
    """A muscle's use of a wrapping surface between its path points ``first`` and ``last``, from 1 (-1: the end)."""

    muscle: str
    wrap: str
    method: str
    first: int
    last: int


@dataclass(frozen=True)
class PropertyRow:
    """A property that all muscles share, of the muscle itself or of one of its curves (``part``)."""

    part: str
    name: str
    value: float


@dataclass(frozen=True)
class ActuatorRow:
    """A torque at a coordinate; ``optimal_force`` [N·m] is its torque at a control of one, which is no limit."""

    coordinate: str
    optimal_force: float


@dataclass(frozen=True)
class Forces:
    """All rows of a model's muscles and actuators."""

    muscles: tuple[MuscleRow, ...]
    points: tuple[PointRow, ...]
    wraps: tuple[WrapRow, ...]
    muscle_wraps: tuple[MuscleWrapRow, ...]
    properties: tuple[PropertyRow, ...]
    actuators: tuple[ActuatorRow, ...]

"""The rows of the full-body model's tables, in metres, kilograms, kg·m² and radians."""

from __future__ import annotations

from dataclasses import dataclass

Vec3 = tuple[float, float, float]
AXIS_NAMES = ("rotation1", "rotation2", "rotation3", "translation1", "translation2", "translation3")
JOINT_TYPES = ("CustomJoint", "PinJoint", "WeldJoint")


@dataclass(frozen=True)
class Segment:
    """A body: mass [kg], centre of mass [m] and inertia about it (xx, yy, zz, xy, xz, yz) [kg·m²]."""

    name: str
    mass: float
    com: Vec3
    inertia: tuple[float, ...]


@dataclass(frozen=True)
class JointRow:
    """A joint: places [m] and body-fixed X-Y-Z orientations [rad] of its frames on parent and child."""

    name: str
    type: str
    parent: str
    child: str
    parent_place: Vec3
    parent_turn: Vec3
    child_place: Vec3
    child_turn: Vec3


@dataclass(frozen=True)
class CoordinateRow:
    """A coordinate of a joint: default and range [rad | m]."""

    name: str
    joint: str
    default: float
    low: float
    high: float
    clamped: bool
    locked: bool


@dataclass(frozen=True)
class AxisRow:
    """One of the six axes of a CustomJoint.

    ``function`` is ``linear`` (argument: slope), ``constant`` (argument: value [rad | m]) or ``spline``
    (argument: its name). A mirrored axis keeps its function: ``direction`` carries the sign.
    """

    joint: str
    axis: str
    direction: Vec3
    coordinate: str
    function: str
    argument: str


@dataclass(frozen=True)
class CouplerRow:
    """``dependent = scale · independent``."""

    name: str
    independent: str
    dependent: str
    scale: float


@dataclass(frozen=True)
class MeshRow:
    """A bone mesh (bare file name) with its place [m], orientation [rad] and scale factors on a body."""

    body: str
    mesh: str
    place: Vec3
    turn: Vec3
    scale: Vec3


@dataclass(frozen=True)
class MarkerRow:
    """A marker at ``location`` [m] in the frame of ``body``; ``kind`` is ``landmark`` or ``tracking``."""

    name: str
    body: str
    location: Vec3
    kind: str
    weight: float


@dataclass(frozen=True)
class Tables:
    """All rows of a model; ``splines`` maps a name to its (x, y) knots."""

    segments: tuple[Segment, ...]
    joints: tuple[JointRow, ...]
    coordinates: tuple[CoordinateRow, ...]
    axes: tuple[AxisRow, ...]
    couplers: tuple[CouplerRow, ...]
    meshes: tuple[MeshRow, ...]
    markers: tuple[MarkerRow, ...]
    splines: dict[str, tuple[tuple[float, float], ...]]

"""What an .osim file says about kinematics, as frozen dataclasses (no maths here).

Units are OpenSim's own: metres, radians, kilograms. Frames: ground is Y up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Vec3 = tuple[float, float, float]
MotionType = Literal["rotational", "translational", "coupled"]
GROUND = "ground"


@dataclass(frozen=True)
class Constant:
    """f = value."""

    value: float


@dataclass(frozen=True)
class LinearFunction:
    """f = sum(coefficients[i] * x[i]) + coefficients[-1] (one slope per coordinate, then the intercept)."""

    coefficients: tuple[float, ...]


@dataclass(frozen=True)
class PolynomialFunction:
    """Coefficients from the highest to the lowest order."""

    coefficients: tuple[float, ...]


@dataclass(frozen=True)
class SimmSpline:
    """Cubic spline with OpenSim's Forsythe-Malcolm-Moler end conditions; linear outside."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class PiecewiseLinearFunction:
    """Linear between the points and, with the slopes of the ends, outside them."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class PiecewiseConstantFunction:
    """y[k] on (x[k], x[k+1]] as OpenSim evaluates it; constant outside."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class GCVSpline:
    """Natural spline of odd degree ``2 * half_order - 1`` fitted by generalised cross-validation."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    half_order: int
    error_variance: float = 0.0


@dataclass(frozen=True)
class Sine:
    """f = amplitude * sin(omega * x + phase) + offset."""

    amplitude: float
    omega: float
    phase: float
    offset: float = 0.0


@dataclass(frozen=True)
class StepFunction:
    """Quintic step from start_value at start to end_value at end; constant outside."""

    start: float
    end: float
    start_value: float
    end_value: float


@dataclass(frozen=True)
class MultiplierFunction:
    """f = scale * function."""

    scale: float
    function: Function


Function = (
    Constant
    | LinearFunction
    | PolynomialFunction
    | SimmSpline
    | PiecewiseLinearFunction
    | PiecewiseConstantFunction
    | GCVSpline
    | Sine
    | StepFunction
    | MultiplierFunction
)


@dataclass(frozen=True)
class Frame:
    """A frame fixed to a body: offsets applied one after the other from the body outwards.

    ``offsets`` holds (translation [m], orientation [rad, body-fixed X-Y-Z]) per nested offset frame.
    """

    body: str
    offsets: tuple[tuple[Vec3, Vec3], ...] = ()


@dataclass(frozen=True)
class Body:
    """A rigid body; mass centre [m] and inertia about it (xx yy zz xy xz yz) [kg m^2] in body axes."""

    name: str
    mass: float
    mass_center: Vec3
    inertia: tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Coordinate:
    """A generalised coordinate; values in rad or m (raw unit when ``motion_type`` is "coupled")."""

    name: str
    joint: str
    motion_type: MotionType
    default: float
    range: tuple[float, float]
    clamped: bool
    locked: bool
    prescribed: bool


@dataclass(frozen=True)
class TransformAxis:
    """One axis of a spatial transform: unit-length not required in the file; function of coordinates."""

    axis: Vec3
    coordinates: tuple[str, ...]
    function: Function
    scales: bool = True


@dataclass(frozen=True)
class Joint:
    """A joint between two frames.

    ``rotations`` are successive body-fixed rotations, ``translations`` are expressed in the parent joint
    frame. ``winging`` is set on a ScapulothoracicJoint only: origin (x, y) [m] and direction [rad] of the
    winging axis in the joint frame.
    """

    name: str
    type: str
    parent: Frame
    child: Frame
    coordinates: tuple[str, ...]
    rotations: tuple[TransformAxis, ...] = ()
    translations: tuple[TransformAxis, ...] = ()
    radii: Vec3 | None = None
    winging: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class CoordinateCoupler:
    """dependent = scale * function(independents), when enforced."""

    name: str
    dependent: str
    independents: tuple[str, ...]
    function: Function
    scale: float


@dataclass(frozen=True)
class Marker:
    """A marker at ``location`` [m] in ``frame``."""

    name: str
    frame: Frame
    location: Vec3
    fixed: bool = False


@dataclass(frozen=True)
class Model:
    """The kinematic content of an .osim file, in the file's order.

    Attributes:
        station_frames: path and body of each StationDefinedFrame in use. Their orientation is that of the unscaled
            body; OpenSim turns them where the factors of the body's axes differ.
        notes: what a user should know of how the file was read.
    """

    name: str
    path: Path | None
    version: int
    bodies: tuple[Body, ...]
    joints: tuple[Joint, ...]
    coordinates: tuple[Coordinate, ...]
    couplers: tuple[CoordinateCoupler, ...]
    markers: tuple[Marker, ...]
    loop_constraints: tuple[tuple[str, str], ...] = ()
    off_constraints: tuple[tuple[str, str], ...] = ()
    station_frames: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

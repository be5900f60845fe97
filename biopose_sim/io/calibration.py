"""Calibrated cameras: read from the files of many programs, brought to the ground frame and to the size of a clip."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .atomic import atomic_write
from .axes import ground_from_up
from .calibration_files import FORMATS, FoundCamera, content_of_json, find_cameras
from .camera import Camera

Array = NDArray[np.float64]
Up = Literal["auto", "x", "y", "z", "-x", "-y", "-z"]
OWN_FORMAT = "biopose cameras 1"
_UPS = ("auto", "x", "y", "z", "-x", "-y", "-z")
_ORTHONORMAL, _EXACT = 1e-2, 1e-9
_SAME_SHAPE = 0.01  # of the ratio of width and height, which rounding changes
_PADDING = 16  # pixels to whose multiples codecs and sensors are rounded
# A lens is judged on this inner share of the picture: what goes there and back must come so near, of its diagonal.
_LENS_REACH, _LENS_EXACT = 0.6, 0.01
_TILTED = 30.0  # degrees by which the cameras' own up may depart from the axis taken for up


@dataclass(frozen=True, eq=False)
class Calibration:
    """The cameras of a file, in the ground frame (Y up, metres).

    Attributes:
        cameras: in the file's order.
        placed: whether the file says where the cameras stand; if not, each is at the origin and looks along -Z.
        notes: what was taken for granted, a sentence each.
        source: the file.
    """

    cameras: tuple[Camera, ...]
    placed: bool
    notes: tuple[str, ...]
    source: Path

    def __iter__(self) -> Iterator[Camera]:
        return iter(self.cameras)

    def __len__(self) -> int:
        return len(self.cameras)


def read_calibration(path: str | Path, up: str = "auto") -> Calibration:
    """Read cameras: Qualisys ``.qca.txt``, Pose2Sim or anipose TOML, OpenCV YAML, XML or JSON, our ``cameras.json``.

    Args:
        path: the file.
        up: which axis of the file's world points up: ``"x"``, ``"y"``, ``"z"``, one of these with ``"-"``, or
            ``"auto"``: Z for Qualisys, Y for our own, else the axis that is nearest to the cameras' own up. The world
            is turned about its X axis (for X up: axes are exchanged in turn), so that X stays as it was.

    Raises:
        InputError: no such file, another format, no camera, a singular matrix, a number that is none, an unknown lens.
    """
    path = Path(path)
    if up not in _UPS:
        raise InputError("up", f"is '{up}'", f"give one of {', '.join(_UPS)}")
    content = content_of_json(path)
    if isinstance(content, Mapping) and str(content.get("format", "")).startswith("biopose cameras"):
        return _own(path, content)
    found, kind, notes = find_cameras(path)
    cameras = [_checked(path, camera) for camera in found]
    placed = all(camera.position is not None for camera in found)
    if not placed:
        unplaced = "The calibration says nothing of where the camera stands: it is taken to be level, at the origin."
        return Calibration(tuple(_unplaced(c) for c in cameras), False, (*notes, unplaced), path)
    axis, told = ("z", "") if kind == "qualisys" and up == "auto" else _upward(cameras, up)
    turned = tuple(_turned_world(camera, _ground_from(axis)) for camera in cameras)
    if axis != "y":
        notes = (*notes, f"{axis.upper()} of the calibration points up; it became Y, and X stayed.")
    return Calibration(turned, True, (*notes, *([told] if told else []), *_leaning(turned)), path)


def write_cameras(path: str | Path, cameras: Sequence[Camera]) -> Path:
    """Write cameras as ``cameras.json``, every number to its last bit, and return the path.

    Raises:
        InputError: the folder is missing or not writable.
    """
    rows = [
        {
            "name": c.name,
            "width": c.width,
            "height": c.height,
            "focal": [float(v) for v in c.focal],
            "centre": [float(v) for v in c.centre],
            "distortion": [float(v) for v in c.distortion],
            "rotation": np.asarray(c.rotation, dtype=float).tolist(),
            "position": np.asarray(c.position, dtype=float).tolist(),
        }
        for c in cameras
    ]
    content = {
        "format": OWN_FORMAT,
        "units": "pixels from the upper left corner of the picture; metres; rotation: world to right, down, forward",
        "world": "X forward, Y up, Z right",
        "cameras": rows,
    }
    return atomic_write(path, json.dumps(content, indent=1) + "\n")


def for_clip(
    cameras: Sequence[Camera] | Calibration, name: str, size: tuple[int, int] | None, order: int | None = None
) -> tuple[Camera, tuple[str, ...]]:
    """Return the camera of a clip, for pictures of its size, and what was taken for granted.

    Args:
        cameras: of a calibration.
        name: of the clip, with or without a suffix; a camera whose name it is or holds is meant, else the one at
            ``order``, else the only one.
        size: width and height of the clip [pixel]; None if unknown. A picture turned by a quarter, scaled, or with a
            border of less than 16 pixels cut off or added at the right or below is still the camera's.
        order: number of the clip among those given, from 0.

    Raises:
        InputError: no camera of that name or place, a clip of another shape.
    """
    every = tuple(cameras)
    camera, notes = _of_name(every, Path(name).stem if Path(name).suffix else name, order)
    if size is None or (camera.width, camera.height) == tuple(size):
        return camera, notes
    if 0 in (camera.width, camera.height):
        return replace(camera, width=size[0], height=size[1]), notes
    if (camera.width > camera.height) != (size[0] > size[1]) and camera.width != camera.height:
        camera, turning = _upright(camera)
        notes = (*notes, turning)
    found = _resized(camera, size)
    if found is None:
        problem = f"has {size[0]} x {size[1]} pixels, its camera '{camera.name}' {camera.width} x {camera.height}"
        raise InputError(name, problem, "calibrate with pictures of the same shape, or give the camera's own clip")
    resized, told = found
    return resized, (*notes, *([f"{name}: {told}"] if told else []))


def _of_name(cameras: tuple[Camera, ...], name: str, order: int | None) -> tuple[Camera, tuple[str, ...]]:
    lower = name.lower()
    exact = [c for c in cameras if c.name and c.name.lower() == lower]
    within = [c for c in cameras if c.name and _holds(lower, c.name.lower())]
    longest = max((len(c.name) for c in within), default=0)
    for chosen in (exact, [c for c in within if len(c.name) == longest]):
        if len(chosen) == 1:
            return chosen[0], ()
    if len(cameras) == 1:
        return cameras[0], ()
    if order is not None and 0 <= order < len(cameras):
        camera = cameras[order]
        return camera, (f"{name}: taken for camera '{camera.name}' by the order of the clips.",)
    names = ", ".join(f"'{c.name}'" for c in cameras)
    raise InputError(name, f"is no camera of the calibration, which has {names}", "name clips like their cameras")


def _holds(name: str, part: str) -> bool:
    """Whether the name of a clip holds that of a camera: not "cam1" in "cam10", but "1" in "cam01"."""
    return (
        re.search(rf"(?<!\d)0*{re.escape(part)}(?!\d)" if part[0].isdigit() else rf"{re.escape(part)}(?!\d)", name)
        is not None
    )


def _upright(camera: Camera) -> tuple[Camera, str]:
    """The camera for pictures that were turned by a quarter, whichever way has the world upright."""
    clockwise, counter = turned(camera, True), turned(camera, False)
    rise = [-float(c.rotation[1, 1]) for c in (clockwise, counter)]
    if abs(rise[0] - rise[1]) < 0.2:
        return replace(clockwise, rotation=camera.rotation), "The clip is turned against the calibration: by a quarter."
    which, way = (clockwise, "clockwise") if rise[0] > rise[1] else (counter, "counterclockwise")
    return which, f"The clip is turned against the calibration of '{camera.name}': by a quarter, {way}."


def turned(camera: Camera, clockwise: bool) -> Camera:
    """Return the camera whose pictures are this one's, turned by a quarter."""
    right, down, forward = camera.rotation
    (fx, fy), (cx, cy), (k1, k2, p1, p2, k3) = camera.focal, camera.centre, camera.distortion
    if clockwise:
        axes, centre, lens = (-down, right, forward), (camera.height - cy, cx), (k1, k2, p2, -p1, k3)
    else:
        axes, centre, lens = (down, -right, forward), (cy, camera.width - cx), (k1, k2, -p2, p1, k3)
    return replace(
        camera,
        rotation=np.stack(axes),
        focal=(fy, fx),
        centre=centre,
        width=camera.height,
        height=camera.width,
        distortion=lens,
    )


def _resized(camera: Camera, size: tuple[int, int]) -> tuple[Camera, str] | None:
    """The camera for pictures of another size, and what was assumed; None if they have another shape."""
    width, height = size
    if abs(width - camera.width) < _PADDING and abs(height - camera.height) < _PADDING:
        told = (
            f"{camera.width} x {camera.height} pixels calibrated, {width} x {height} in the clip: taken for a border."
        )
        return replace(camera, width=width, height=height), "" if (camera.width, camera.height) == size else told
    across, down = width / camera.width, height / camera.height
    if abs(across / down - 1.0) > _SAME_SHAPE:
        return None
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    scaled = replace(
        camera, focal=(fx * across, fy * down), centre=(cx * across, cy * down), width=width, height=height
    )
    return scaled, f"calibrated at {camera.width} x {camera.height} pixels, scaled to {width} x {height}."


def _checked(path: Path, found: FoundCamera) -> Camera:
    """The camera in our conventions: the middle of the first pixel at (0.5, 0.5)."""
    where = f"camera '{found.name}'" if found.name else "the camera"
    k = found.matrix
    if not (k[0, 0] > 0.0 and k[1, 1] > 0.0) or abs(np.linalg.det(k)) < 1e-9 * k[0, 0] * k[1, 1]:
        raise InputError(path, f"the matrix of {where} is singular", "it should be fx 0 cx, 0 fy cy, 0 0 1")
    if abs(k[0, 1]) > 0.01 * k[0, 0] or np.abs(k[[1, 2, 2], [0, 0, 1]]).max() > 1e-9 or abs(k[2, 2] - 1.0) > 1e-9:
        raise InputError(path, f"the matrix of {where} is no camera's", "it should be fx 0 cx, 0 fy cy, 0 0 1")
    rotation = np.diag([1.0, -1.0, -1.0]) if found.rotation is None else found.rotation
    if _check_rotation(path, rotation, where) > _EXACT:
        left, _, right = np.linalg.svd(rotation)
        rotation = left @ right
    position = np.zeros(3) if found.position is None else found.position
    focal, centre = (float(k[0, 0]), float(k[1, 1])), (float(k[0, 2]) + 0.5, float(k[1, 2]) + 0.5)
    camera = Camera(rotation, position, focal, centre, *found.size, found.distortion, found.name)
    _check_lens(path, camera)
    return camera


def _check_rotation(path: Path, rotation: Array, where: str) -> float:
    """How far the matrix is from orthonormal.

    Raises:
        InputError: too far, or left-handed.
    """
    off = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if off > _ORTHONORMAL or np.linalg.det(rotation) < 0.0:
        raise InputError(path, f"the rotation of {where} is none", "it should be orthonormal and right-handed")
    return off


def _check_lens(path: Path, camera: Camera) -> None:
    """Complain of a size that is none, and of a lens that shows the inner part of the picture nowhere or twice."""
    where = f"camera '{camera.name}'" if camera.name else "the camera"
    if min(camera.width, camera.height) < 0:
        raise InputError(path, f"the size of {where} is {camera.width} x {camera.height}", "give width and height [px]")
    reach = _LENS_REACH * np.array([camera.width or 2.0 * camera.centre[0], camera.height or 2.0 * camera.centre[1]])
    corners = camera.centre + reach * [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]
    with np.errstate(all="ignore"):
        again = camera.project(camera.to_world(camera.rays(corners)))[:, :2]
    if not np.abs(again - corners).max() < _LENS_EXACT * np.linalg.norm(reach):
        lens = ", ".join(f"{k:.3g}" for k in camera.distortion)
        raise InputError(
            path, f"the lens of {where} ({lens}) is none", "it should be k1, k2, p1, p2, k3 as OpenCV has them"
        )


def _unplaced(camera: Camera) -> Camera:
    return replace(camera, rotation=np.diag([1.0, -1.0, -1.0]), position=np.zeros(3))


def _upward(cameras: Sequence[Camera], up: str) -> tuple[str, str]:
    """The axis that points up, and what a user should know of the choice."""
    if up != "auto":
        return up, ""
    mean = np.mean([-c.rotation[1] for c in cameras], axis=0)
    axis = int(np.abs(mean).argmax())
    name = ("-" if mean[axis] < 0.0 else "") + "xyz"[axis]
    return name, f"{name.upper()} was taken for up: it is nearest to the cameras' own up."


def _ground_from(axis: str) -> Array:
    """Rows: X, Y, Z of the ground frame in the file's axes."""
    if not axis.startswith("-"):
        return ground_from_up(axis)  # type: ignore[arg-type]
    # Half a turn about an axis that is level.
    half = {"x": np.diag([-1.0, -1.0, 1.0]), "y": np.diag([1.0, -1.0, -1.0]), "z": np.diag([1.0, -1.0, -1.0])}
    return np.asarray(ground_from_up(axis[1:]) @ half[axis[1:]])  # type: ignore[arg-type]


def _turned_world(camera: Camera, ground: Array) -> Camera:
    return replace(camera, rotation=camera.rotation @ ground.T, position=ground @ camera.position)


def _leaning(cameras: Sequence[Camera]) -> tuple[str, ...]:
    """Whether the cameras' own up is far from the ground's."""
    mean = np.mean([-c.rotation[1] for c in cameras], axis=0)
    angle = float(np.degrees(np.arccos(np.clip(mean[1] / max(float(np.linalg.norm(mean)), 1e-9), -1.0, 1.0))))
    if angle < _TILTED:
        return ()
    return (f"The cameras together lean by {angle:.0f} degrees: check which axis points up.",)


def _own(path: Path, content: Mapping[str, Any]) -> Calibration:
    rows = content.get("cameras")
    if not isinstance(rows, list) or not rows:
        raise InputError(path, "holds no cameras", f"known are {FORMATS}")
    try:
        cameras = tuple(_own_camera(row) for row in rows)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(path, f"a camera lacks something ({error})", "write it again") from None
    for camera in cameras:
        values = [*camera.rotation.ravel(), *camera.position, *camera.focal, *camera.centre, *camera.distortion]
        if not np.isfinite(values).all() or min(camera.focal) <= 0.0:
            raise InputError(path, f"camera '{camera.name}' holds a number that is none", "write it again")
        _check_rotation(path, camera.rotation, f"camera '{camera.name}'")
        _check_lens(path, camera)
    alone = len(cameras) == 1 and not cameras[0].position.any()
    return Calibration(cameras, not alone, (), path)


def _own_camera(row: Mapping[str, Any]) -> Camera:
    rotation = np.array(row["rotation"], dtype=float).reshape(3, 3)
    position = np.array(row["position"], dtype=float).reshape(3)
    (fx, fy), (cx, cy) = row["focal"], row["centre"]
    k1, k2, p1, p2, k3 = (float(v) for v in row["distortion"])
    size, name = (int(row["width"]), int(row["height"])), str(row["name"])
    return Camera(rotation, position, (float(fx), float(fy)), (float(cx), float(cy)), *size, (k1, k2, p1, p2, k3), name)

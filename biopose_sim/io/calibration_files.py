"""What calibration files hold: Qualisys' XML; TOML, YAML, XML and JSON as Pose2Sim, anipose and OpenCV write them."""

from __future__ import annotations

import json
import re
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .text import read_text_bytes

Array = NDArray[np.float64]
FORMATS = "Qualisys .qca.txt, Pose2Sim or anipose .toml, OpenCV .yml/.xml/.json, cameras.json"
# What the same thing is called in the files (compared without case, "_" and "-").
_KEYS = {
    "matrix": ("matrix", "cameramatrix", "k", "intrinsicmatrix", "intrinsics", "m", "intrinsicmat", "mtx"),
    "distortion": ("distortions", "distortion", "distortioncoefficients", "distcoeffs", "dist", "d", "distcoef"),
    "rotation": ("rotation", "r", "rvec", "rotationvector", "rotationmatrix", "rot", "rvecs"),
    "translation": ("translation", "t", "tvec", "translationvector", "tvecs"),
    "size": ("size", "imagesize", "resolution"),
    "width": ("imagewidth", "width"),
    "height": ("imageheight", "height"),
}
# Of a camera that stands further off than this the unit is millimetres.
_FARTHEST = 100.0
_VIDEO = ("video", "hybrid", "none")  # models of Qualisys cameras that film


@dataclass(frozen=True)
class FoundCamera:
    """A camera as a file has it, in OpenCV's conventions: the middle of the first pixel lies at (0, 0).

    Attributes:
        name: of the camera.
        matrix: (3, 3) [pixel].
        distortion: five numbers k1, k2, p1, p2, k3.
        rotation: (3, 3) world to camera; None where the file has no pose.
        position: (3,) of the pinhole in the world [m]; None where the file has no pose.
        size: width and height [pixel]; (0, 0) where the file does not say it.
    """

    name: str
    matrix: Array
    distortion: tuple[float, float, float, float, float]
    rotation: Array | None
    position: Array | None
    size: tuple[int, int]


def find_cameras(path: Path) -> tuple[list[FoundCamera], str, tuple[str, ...]]:
    """Return the cameras of a file, its kind (``"qualisys"`` or ``"opencv"``) and what was taken for granted.

    Raises:
        InputError: no camera, not one of the formats, numbers that make no sense.
    """
    text = read_text_bytes(path).decode("utf-8", "replace").strip()
    notes: tuple[str, ...] = ()
    if text.startswith("<"):
        root = _parsed(path, "XML", lambda: ET.fromstring(text), ET.ParseError)
        if root.tag == "calibration":
            return _qualisys(path, root)
        content: Any = _xml_content(root)
    elif path.suffix.lower() == ".toml":
        content = _parsed(path, "TOML", lambda: tomllib.loads(text), tomllib.TOMLDecodeError)
    elif text.startswith(("{", "[")):
        content = _parsed(path, "JSON", lambda: json.loads(text), json.JSONDecodeError)
    else:
        content = _yaml_content(path, text)
    entries = _entries(content)
    if not entries:
        raise InputError(path, "holds no camera matrix", f"known are {FORMATS}")
    found = [_camera(path, name, entry) for name, entry in entries]
    places = [c.position for c in found if c.position is not None]
    if places and float(np.median(np.linalg.norm(places, axis=-1))) > _FARTHEST:
        found = [_in_metres(camera) for camera in found]
        notes = ("The cameras' places were taken for millimetres.",)
    return found, "opencv", notes


def content_of_json(path: Path) -> Any:
    """Return what a JSON file with an object holds; None if it is no such file.

    Raises:
        InputError: the file is missing, empty or no text.
    """
    data = read_text_bytes(path)
    if not data.lstrip().startswith(b"{"):
        return None
    return _parsed(path, "JSON", lambda: json.loads(data), ValueError)


def _parsed(path: Path, kind: str, read: Callable[[], Any], error: type[Exception]) -> Any:
    try:
        return read()
    except error as problem:
        raise InputError(path, f"is not {kind} ({problem})", f"known are {FORMATS}") from None


def _yaml_content(path: Path, text: str) -> Any:
    """OpenCV's YAML has a header and a tag that other readers refuse."""
    import yaml

    text = re.sub(r"^%YAML.*$", "", text, flags=re.MULTILINE).replace("!!opencv-matrix", "")
    return _parsed(path, "YAML", lambda: yaml.safe_load(text), yaml.YAMLError)


def _xml_content(element: ET.Element) -> Any:
    children = list(element)
    if children:
        if all(child.tag == "_" for child in children):
            return [_xml_content(child) for child in children]
        return {child.tag: _xml_content(child) for child in children}
    words = (element.text or "").split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return " ".join(words).strip('"')
    return numbers[0] if len(numbers) == 1 else numbers


def _entries(content: Any) -> list[tuple[str, dict[str, Any]]]:
    """Names and entries of the cameras: one, a list, one per name, or keys that end in the name."""
    if isinstance(content, list):
        content = {str(i): entry for i, entry in enumerate(content, 1)}
    if not isinstance(content, Mapping):
        return []
    own = _named(content)
    if "matrix" in own:
        return [(str(content.get("name", content.get("camera_name", ""))), own)]
    if isinstance(content.get("names"), list):
        suffixed = [
            (str(n), _named({k.removesuffix(f"_{n}"): v for k, v in content.items()})) for n in content["names"]
        ]
        return [(name, entry) for name, entry in suffixed if "matrix" in entry]
    found = []
    for key, entry in content.items():
        if isinstance(entry, Mapping) and "matrix" in (named := _named(entry)):
            found.append((str(entry.get("name", key)), named))
        elif key in ("cameras", "calibration"):
            found += _entries(entry)
    return found


def _named(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry by our names for what it holds."""
    plain = {re.sub(r"[_\- ]", "", str(key)).lower(): value for key, value in entry.items()}
    found = {ours: next((plain[t] for t in theirs if t in plain), None) for ours, theirs in _KEYS.items()}
    found["fisheye"] = plain.get("fisheye") or plain.get("distortionmodel") in ("fisheye", "equidistant")
    return {key: value for key, value in found.items() if value is not None}


def _camera(path: Path, name: str, entry: Mapping[str, Any]) -> FoundCamera:
    where = f"camera '{name}'" if name else "the camera"
    if entry.get("fisheye"):
        raise InputError(path, f"{where} has a fisheye lens", "undistort the clip first; lenses are k1, k2, p1, p2, k3")
    matrix = _numbers(path, where, "matrix", entry["matrix"], (9,)).reshape(3, 3)
    lens = _numbers(path, where, "distortion", entry.get("distortion", []), None)
    if np.any(lens[5:]):
        raise InputError(path, f"{where} has {len(lens)} lens coefficients", "calibrate with k1, k2, p1, p2, k3 only")
    rotation = position = None
    if "rotation" in entry and "translation" in entry:
        from scipy.spatial.transform import Rotation

        turn = _numbers(path, where, "rotation", entry["rotation"], (3, 9))
        rotation = Rotation.from_rotvec(turn).as_matrix() if len(turn) == 3 else turn.reshape(3, 3)
        position = -rotation.T @ _numbers(path, where, "translation", entry["translation"], (3,))
    size = entry.get("size", (entry.get("width", 0), entry.get("height", 0)))
    width, height = _numbers(path, where, "size", size, (2,))
    return FoundCamera(name, matrix, _five(lens), rotation, position, (round(width), round(height)))


def _numbers(path: Path, where: str, what: str, value: Any, counts: tuple[int, ...] | None) -> Array:
    """The numbers of a list, of lists, or of an OpenCV matrix (rows, cols, data)."""
    try:
        data = value["data"] if isinstance(value, Mapping) else value
        found = np.asarray(data, dtype=float).ravel()
    except (TypeError, ValueError, KeyError):
        raise InputError(path, f"{what} of {where} is {str(value)[:60]}", "give numbers") from None
    if not np.isfinite(found).all():
        raise InputError(path, f"{what} of {where} holds a number that is none (NaN)", "calibrate again")
    if counts is not None and len(found) not in counts:
        wanted = " or ".join(map(str, counts))
        raise InputError(path, f"{what} of {where} has {len(found)} numbers", f"it should have {wanted}")
    return found


def _five(lens: Array) -> tuple[float, float, float, float, float]:
    k1, k2, p1, p2, k3 = (float(v) for v in np.concatenate([lens, np.zeros(5)])[:5])
    return k1, k2, p1, p2, k3


def _in_metres(camera: FoundCamera) -> FoundCamera:
    position = None if camera.position is None else 1e-3 * camera.position
    return FoundCamera(camera.name, camera.matrix, camera.distortion, camera.rotation, position, camera.size)


def _qualisys(path: Path, root: ET.Element) -> tuple[list[FoundCamera], str, tuple[str, ...]]:
    """Cameras of Qualisys Track Manager that film.

    Focal lengths and centres are in 1/64 pixel, places in mm, Z up. The columns r11, r12, r13 of the file are the
    camera's right, up and backward in the world (Pose2Sim's reader says the same; it also divides the lens
    coefficients by 64, which have no unit: undivided they fit its own clips better).
    """
    every = [c for c in root.iter("camera") if c.find("intrinsic") is not None and c.find("transform") is not None]
    filming = [c for c in every if any(word in c.get("model", "none").lower() for word in _VIDEO)]
    found = [_qualisys_camera(path, camera) for camera in filming or every]
    if not found:
        raise InputError(path, "holds no camera with an <intrinsic> and a <transform>", "export the calibration again")
    turned = [c.get("serial", "") for c in filming if c.get("viewrotation", "0").strip() not in ("", "0", "none")]
    notes = (f"{', '.join(turned)}: turned for viewing in Qualisys; the clips decide.",) if turned else ()
    return found, "qualisys", notes


def _qualisys_camera(path: Path, camera: ET.Element) -> FoundCamera:
    name = camera.get("serial", "")

    def numbers(tag: str, keys: str) -> Array:
        element = camera.find(tag)
        values = [None if element is None else element.get(key) for key in keys.split()]
        return _numbers(path, f"camera '{name}'", f"<{tag}>", values, None)

    lens = "radialDistortion1 radialDistortion2 tangentalDistortion1 tangentalDistortion2 radialDistortion3"
    fx, fy, cx, cy = numbers("intrinsic", "focalLengthU focalLengthV centerPointU centerPointV") / 64.0
    left, top, right, bottom = numbers("fov_video", "left top right bottom")
    matrix = np.array([[fx, 0.0, cx - left], [0.0, fy, cy - top], [0.0, 0.0, 1.0]])
    axes = numbers("transform", "r11 r12 r13 r21 r22 r23 r31 r32 r33").reshape(3, 3)
    rotation = np.diag([1.0, -1.0, -1.0]) @ axes
    size = (round(right - left) + 1, round(bottom - top) + 1)
    return FoundCamera(
        name, matrix, _five(numbers("intrinsic", lens)), rotation, 1e-3 * numbers("transform", "x y z"), size
    )

"""Key-point files of OpenPose, COCO, AlphaPose and MediaPipe, as `Detections`. Pixels, everyone who was found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...io.text import read_bytes
from .array_files import read_arrays
from .keypoints import Array, Detections, find_layout
from .mediapipe_files import mediapipe_csv, mediapipe_json
from .pixels import in_pixels
from .rows import KNOWN, MOST_FRAMES, Rows, load_json, whole_number

_USUAL_FPS = 30.0
_LOWEST_FPS, _HIGHEST_FPS = 1.0, 2000.0
_ABOVE_ONE = 1.5  # confidence; OpenPose's may be a little more than 1


def read_detections(
    path: str | Path,
    *,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    layout: str | None = None,
) -> Detections:
    """Read 2D key points of all frames and people.

    Args:
        path: a folder of OpenPose JSON files (one a frame; missing numbers are frames in which nobody is seen); a JSON
            file of COCO annotations or results or of AlphaPose; MediaPipe's landmarks as CSV (a line for each frame,
            or for each landmark) or JSON (a list of frames, each a list of ``{x, y, visibility}``); an ``.npz`` with
            ``keypoints`` (T, K, 3), (T, P, K, 3), or (N, K, 3) with ``image_id`` (N,) and perhaps ``track_id``.
        fps: frame rate [Hz]; else what the file says, else 30 (said in ``assumptions``).
        size: width and height of the picture [px]; needed where a file holds shares of them (MediaPipe).
        layout: name in `LAYOUTS`; else told by the number of points.

    Raises:
        InputError: not one of these; damaged; key points of an unknown layout; nobody in it; no size though needed.
    """
    path = Path(path)
    rows = _read(path)
    if not rows.frames:
        raise InputError(path, "holds no person", "give key points of a clip in which somebody is seen")
    if rows.count > MOST_FRAMES:
        raise InputError(path, f"frame number {rows.count - 1} is too high", "number the frames of the clip from 0")
    known = find_layout(path, len(rows.values[0]), layout or rows.layout)
    values = _stacked(path, rows.values)
    confidence = _confidence(values, rows.notes)
    points = in_pixels(path, np.concatenate([values[..., :2], confidence[..., None]], axis=-1), rows, size)
    # OpenPose and others write x = y = 0 for a point that they did not find.
    lost = (confidence <= 0.0) | ~np.isfinite(points).all(-1) | (points == 0.0).all(-1)
    points[lost], confidence[lost] = np.nan, 0.0
    keep = np.flatnonzero((~lost).sum(1) >= 2)
    if not len(keep):
        raise InputError(path, "holds no person: no point was found", "give key points of a clip with somebody in it")
    keep = keep[np.argsort(np.array(rows.frames)[keep], kind="stable")]
    rate = _rate(path, fps if fps is not None else rows.fps, rows.notes)
    tracks = None if any(t is None for t in rows.tracks) else np.array(rows.tracks, dtype=np.intp)[keep]
    return Detections(
        path.stem,
        np.arange(rows.count) / rate,
        np.array(rows.frames, dtype=np.intp)[keep],
        points[keep],
        confidence[keep],
        known.name,
        tracks,
        rows.size,
        rate,
        str(path),
        tuple(rows.notes),
        rows.first,
    )


def _read(path: Path) -> Rows:
    if path.is_dir():
        return _openpose_folder(path)
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _json_file(path)
    if suffix == ".npz":
        return read_arrays(path)
    if suffix == ".csv":
        return mediapipe_csv(path)
    read_bytes(path)
    raise InputError(path, f"is no key-point file that is known (suffix '{suffix}')", f"known: {KNOWN}")


def _stacked(path: Path, values: Sequence[Any]) -> Array:
    counts = sorted({len(v) for v in values})
    if len(counts) > 1:
        raise InputError(path, f"people have {counts[0]} and {counts[-1]} key points", "use one detector for a clip")
    return np.array(values, dtype=np.float64)


def _confidence(values: Array, notes: list[str]) -> Array:
    """Confidences (N, K) from 0 to 1."""
    given = np.nan_to_num(values[..., 2], posinf=1.0, neginf=0.0)
    if float(given.max(initial=0.0)) > _ABOVE_ONE:
        notes.append(f"Confidences go up to {given.max():.3g}: those above 1 were taken for 1.")
    return np.clip(given, 0.0, 1.0)


def _rate(path: Path, fps: float | None, notes: list[str]) -> float:
    if fps is None:
        notes.append(f"No frame rate in the file: {_USUAL_FPS:g} frames per second are assumed.")
        return _USUAL_FPS
    if not _LOWEST_FPS <= fps <= _HIGHEST_FPS:
        raise InputError(path, f"frame rate is {fps:g} Hz", f"give one from {_LOWEST_FPS:g} to {_HIGHEST_FPS:g} Hz")
    return float(fps)


def _triples(path: Path, flat: Any) -> Array:
    """(K, 3) from x, y, confidence, x, y, ...

    Raises:
        InputError: not numbers, or not three for each point.
    """
    try:
        numbers = np.array(flat, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise InputError(path, "key points are not numbers", "each point is x, y, confidence") from None
    if not numbers.size or numbers.size % 3:
        raise InputError(path, f"a person has {numbers.size} numbers", "each point is x, y, confidence")
    return numbers.reshape(-1, 3)


def _last_number(path: Path, name: str) -> int:
    numbers = re.findall(r"\d+", Path(name).stem)
    if not numbers:
        raise InputError(path, f"no frame number in the name '{name}'", "names end in a number, clip_000012_...json")
    return int(numbers[-1])


def _openpose_folder(folder: Path) -> Rows:
    files = sorted(p for p in folder.glob("*.json") if not p.name.startswith("."))
    if not files:
        raise InputError(folder, "no .json files in this folder", f"known: {KNOWN}")
    numbers = [_last_number(folder, p.name) for p in files]
    double = next((n for n in numbers if numbers.count(n) > 1), None) if len(set(numbers)) < len(numbers) else None
    if double is not None:
        raise InputError(folder, f"has two files of frame {double}", "keep the files of one clip in a folder")
    rows = Rows(count=max(numbers) - min(numbers) + 1, first=min(numbers))
    if rows.count > len(files):
        rows.notes.append(f"{rows.count - len(files)} frame numbers have no file: nobody is seen in them.")
    for path, number in zip(files, numbers, strict=True):
        content = load_json(path)
        found = content.get("people") if isinstance(content, dict) else None
        if not isinstance(found, list):
            raise InputError(path, "is not a frame of OpenPose (no list 'people')", f"known: {KNOWN}")
        for person in found:
            flat = person.get("pose_keypoints_2d") if isinstance(person, dict) else None
            if flat is None:
                raise InputError(path, "a person has no 'pose_keypoints_2d'", "export OpenPose's body key points")
            rows.add(number - min(numbers), _triples(path, flat))
    return rows


def _json_file(path: Path) -> Rows:
    content = load_json(path)
    if isinstance(content, dict) and isinstance(content.get("people"), list):
        raise InputError(path, "is one frame of OpenPose", "give the folder that holds all frames")
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        return _coco(path, content["annotations"], content)
    if isinstance(content, dict) and isinstance(content.get("frames"), list):
        return mediapipe_json(path, content["frames"], content)
    if isinstance(content, list) and content:
        if isinstance(content[0], dict) and "keypoints" in content[0] and "image_id" in content[0]:
            return _coco(path, content, {})
        return mediapipe_json(path, content, {})
    raise InputError(path, "is no key-point file that is known", f"known: {KNOWN}")


def _coco(path: Path, annotations: list[Any], content: dict[str, Any]) -> Rows:
    """COCO annotations or results, and AlphaPose's (``image_id`` a file name, ``idx`` the person)."""
    rows, images = Rows(), [i for i in content.get("images") or [] if isinstance(i, dict)]
    categories = [c for c in content.get("categories") or [] if isinstance(c, dict)]
    person = next((c.get("id") for c in categories if c.get("name") == "person"), 1)
    order = _image_frames(path, images, [a.get("image_id") for a in annotations if isinstance(a, dict)], rows)
    for one in annotations:
        if not isinstance(one, dict) or "image_id" not in one or one.get("category_id", person) != person:
            continue
        if not one.get("keypoints"):
            continue
        values = _triples(path, one["keypoints"])
        if content and set(np.unique(values[:, 2])) <= {0.0, 1.0, 2.0}:
            values[:, 2] /= 2.0  # COCO's visibility: 0 not marked, 1 marked but hidden, 2 visible
        key = one.get("track_id", one.get("idx"))
        key = key[0] if isinstance(key, list) and key else key
        track = None if key is None or isinstance(key, list) else whole_number(path, key, "the number of a person")
        image = one["image_id"]
        if not isinstance(image, (int, str)) or image not in order:
            raise InputError(path, f"key points of an image {str(image)[:60]!r} not listed in it", "list all images")
        rows.add(order[image], values, track)
    return rows


def _image_frames(path: Path, images: list[dict[str, Any]], ids: list[Any], rows: Rows) -> dict[Any, int]:
    """Frame of each image: the listed images in order of their names or numbers; else by the number in the id."""
    if images:
        ordered = sorted(images, key=lambda i: (_number_or(i.get("file_name"), 0), _number_or(i.get("id"), 0)))
        if isinstance(images[0].get("width"), int) and isinstance(images[0].get("height"), int):
            rows.size = (images[0]["width"], images[0]["height"])
        rows.count = len(ordered)
        return {i["id"]: frame for frame, i in enumerate(ordered) if isinstance(i.get("id"), (int, str))}
    numbers = {i: _last_number(path, str(i)) for i in ids if isinstance(i, (int, str))}
    if len(numbers) < len({str(i) for i in ids}):
        raise InputError(path, "an 'image_id' is neither a number nor a name", "give the number or name of the frame")
    rows.first = min(numbers.values(), default=0)
    return {i: number - rows.first for i, number in numbers.items()}


def _number_or(value: Any, other: int) -> int:
    found = re.findall(r"\d+", Path(str(value)).stem)
    return int(found[-1]) if found else other

"""BVH files (Biovision hierarchy): a skeleton of joints and their angles over time.

The format has no standard body; the rules kept here are those of the usual exporters:

- the rotation of a joint is the product of its rotation channels in the order in which they are listed, each about
  an axis of the frame that the ones before have turned (``Zrotation Xrotation Yrotation``: R = Rz Rx Ry), in degrees;
- a position channel takes the place of that component of OFFSET, of the root and of any other joint (as MotionBuilder
  writes it and Blender reads it);
- lengths have no unit, and the vertical is not stated (Y by habit).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError, near_matches
from .notice import listed
from .text import NumberBlock, decode, line_starts, read_numbers, read_text_bytes

_CHANNELS = {f"{axis}{kind}".lower(): f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}


@dataclass(frozen=True, eq=False)
class Bvh:
    """A BVH file as it stands: lengths in the unit of the file, angles in degrees.

    Attributes:
        name: name of the file without suffix.
        joint_names: J names, each parent before its children.
        parents: (J,) index of the parent; -1 for the root.
        offsets: (J, 3) OFFSET of each joint, in the frame of its parent.
        channels: for each joint its channels in order, e.g. ``("Zrotation", "Xrotation", "Yrotation")``.
        end_sites: (joint index, offset (3,)) of each End Site.
        values: (T, C) all channels of all joints, in order.
        frame_time: time between frames [s].
        source: the file.
    """

    name: str
    joint_names: tuple[str, ...]
    parents: np.ndarray
    offsets: np.ndarray
    channels: tuple[tuple[str, ...], ...]
    end_sites: tuple[tuple[int, np.ndarray], ...]
    values: np.ndarray
    frame_time: float
    source: Path | None = None

    @property
    def n_frames(self) -> int:
        """Number of frames T."""
        return len(self.values)

    @property
    def rate(self) -> float:
        """Frames per second [Hz]."""
        return 1.0 / self.frame_time

    def index(self, name: str) -> int:
        """Return the index of a joint.

        Raises:
            InputError: there is no such joint; lists near names.
        """
        if name not in self.joint_names:
            near = near_matches(name, self.joint_names) or f"; it has {listed(self.joint_names)}"
            raise InputError(self.source or self.name, f"has no joint '{name}'{near}")
        return self.joint_names.index(name)

    def end_offset(self, joint: int) -> np.ndarray | None:
        """Return the offset (3,) of the first End Site of a joint, or None."""
        return next((offset for owner, offset in self.end_sites if owner == joint), None)

    def local_rotations(self, frames: slice = slice(None)) -> np.ndarray:
        """Return the rotation of each joint relative to its parent, (T, J, 3, 3)."""
        from scipy.spatial.transform import Rotation

        values = self.values[frames]
        local = np.broadcast_to(np.eye(3), (len(values), len(self.joint_names), 3, 3)).copy()
        groups: dict[str, list[tuple[int, list[int]]]] = {}
        for joint, columns in enumerate(self._columns()):
            turns = [(name[0], column) for name, column in columns if name.endswith("rotation")]
            if turns:
                order = "".join(axis for axis, _ in turns)
                groups.setdefault(order, []).append((joint, [column for _, column in turns]))
        for order, members in groups.items():
            angles = values[:, [column for _, chosen in members for column in chosen]].reshape(-1, len(order))
            turned = Rotation.from_euler(order, angles, degrees=True).as_matrix()
            local[:, [joint for joint, _ in members]] = turned.reshape(len(values), len(members), 3, 3)
        return local

    def local_translations(self, frames: slice = slice(None)) -> np.ndarray:
        """Return the place of each joint in the frame of its parent, (T, J, 3) [unit of the file]."""
        values = self.values[frames]
        local = np.broadcast_to(self.offsets, (len(values), *self.offsets.shape)).copy()
        for joint, columns in enumerate(self._columns()):
            for name, column in columns:
                if name.endswith("position"):
                    local[:, joint, "XYZ".index(name[0])] = values[:, column]
        return local

    def world(self, frames: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Return rotations (T, J, 3, 3) and places (T, J, 3) of the joints in the axes of the file."""
        return chain(self.parents, self.local_rotations(frames), self.local_translations(frames))

    def zero_pose(self) -> np.ndarray:
        """Return the joints' places (J, 3) with all channels at zero: the pose that the OFFSETs draw."""
        still = np.broadcast_to(np.eye(3), (1, len(self.joint_names), 3, 3))
        return chain(self.parents, still, self.offsets[None])[1][0]

    def _columns(self) -> list[list[tuple[str, int]]]:
        column = 0
        result = []
        for names in self.channels:
            result.append([(name, column + k) for k, name in enumerate(names)])
            column += len(names)
        return result


def chain(parents: np.ndarray, rotations: np.ndarray, translations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Chain local rotations (T, J, 3, 3) and places (T, J, 3) along the parents (J,) into the root's axes."""
    turned, placed = rotations.copy(), translations.copy()
    for joint, parent in enumerate(parents):
        if parent >= 0:
            turned[:, joint] = turned[:, parent] @ rotations[:, joint]
            placed[:, joint] = placed[:, parent] + (turned[:, parent] @ translations[:, joint, :, None])[..., 0]
    return turned, placed


def read_bvh(path: str | Path) -> Bvh:
    """Read a BVH file: any names, any rotation orders, joints with or without positions, End Sites or none.

    Raises:
        InputError: the file is missing, not text, truncated or malformed; names the line.
    """
    path = Path(path)
    data = read_text_bytes(path)
    skeleton, motion_line = _read_hierarchy(path, data)
    n_frames, frame_time, start = _read_motion_header(path, data, motion_line)
    width = sum(len(names) for names in skeleton.channels)
    block = read_numbers(path, data, start, width, tabs=False)
    _check_motion(path, block, n_frames, width)
    return Bvh(
        path.stem,
        tuple(skeleton.names),
        np.array(skeleton.parents),
        np.array(skeleton.offsets),
        tuple(skeleton.channels),
        tuple(skeleton.end_sites),
        np.ascontiguousarray(block.values),
        frame_time,
        path,
    )


@dataclass
class _Skeleton:
    """The hierarchy while it is read."""

    names: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[np.ndarray | None] = field(default_factory=list)
    channels: list[tuple[str, ...]] = field(default_factory=list)
    end_sites: list[tuple[int, np.ndarray]] = field(default_factory=list)


def _statements(data: bytes) -> Iterator[tuple[int, str]]:
    """Line number and text of each statement of the file; a brace is a statement of its own."""
    start, number = 0, 0
    while start < len(data):
        stop = data.find(b"\n", start)
        stop = len(data) if stop < 0 else stop
        number += 1
        for part in re.findall(r"[{}]|[^{}]+", decode(data[start:stop])):
            if part.strip():
                yield number, part.strip()
        start = stop + 1


def _read_hierarchy(path: Path, data: bytes) -> tuple[_Skeleton, int]:
    """Read up to the line MOTION; return the skeleton and the number of that line, from 1."""
    statements = _statements(data)
    number, text = next(statements, (1, ""))
    if text.upper() != "HIERARCHY":
        raise InputError(path, f"line {number}: is not a BVH file (begins with {text[:30]!r})", "begin with HIERARCHY")
    skeleton = _Skeleton()
    open_joints: list[int] = []  # indices of joints, -1 for an End Site
    awaited: int | None = None  # the joint, or End Site (-1), whose brace comes next
    for number, text in statements:
        word, *rest = text.split(maxsplit=1)
        key, said = word.upper(), "".join(rest)
        if awaited is not None and text != "{":
            raise InputError(path, f"line {number}: expected '{{' but found {text[:30]!r}")
        if key == "MOTION":
            _check_skeleton(path, skeleton, open_joints, number)
            return skeleton, number
        if text == "{":
            if awaited is None:
                raise InputError(path, f"line {number}: a '{{' that opens no joint")
            open_joints.append(awaited)
            awaited = None
        elif text == "}":
            if not open_joints:
                raise InputError(path, f"line {number}: a '}}' that closes nothing")
            open_joints.pop()
        elif key in ("ROOT", "JOINT", "END"):
            awaited = _begin(path, skeleton, open_joints, number, key, said)
        elif key in ("OFFSET", "CHANNELS") and open_joints:
            _fill(path, skeleton, open_joints, number, key, said.split())
        else:
            raise InputError(path, f"line {number}: unexpected {text[:30]!r}")
    raise InputError(path, f"line {number}: the file ends before MOTION", "it is truncated; export it again")


def _begin(path: Path, skeleton: _Skeleton, open_joints: list[int], number: int, key: str, name: str) -> int:
    parent = open_joints[-1] if open_joints else None
    if key == "ROOT" and (skeleton.names or parent is not None):
        raise InputError(path, f"line {number}: a second ROOT", "one skeleton in a file is read; split the file")
    if key != "ROOT" and (parent is None or parent < 0):
        raise InputError(path, f"line {number}: {key} outside of a joint")
    if key == "END":
        return -1
    if not name:
        raise InputError(path, f"line {number}: a {key} without a name")
    if name in skeleton.names:
        raise InputError(path, f"line {number}: joint {name!r} occurs twice", "give each joint its own name")
    skeleton.names.append(name)
    skeleton.lines.append(number)
    skeleton.parents.append(-1 if parent is None else parent)
    skeleton.offsets.append(None)
    skeleton.channels.append(())
    return len(skeleton.names) - 1


def _fill(path: Path, skeleton: _Skeleton, open_joints: list[int], number: int, key: str, words: list[str]) -> None:
    joint = open_joints[-1]
    if key == "OFFSET":
        offset = _three_numbers(path, number, words)
        if joint < 0:
            skeleton.end_sites.append((open_joints[-2], offset))
        else:
            skeleton.offsets[joint] = offset
        return
    if joint < 0:
        raise InputError(path, f"line {number}: CHANNELS in an End Site")
    if not words or not words[0].isdigit() or int(words[0]) != len(words) - 1:
        raise InputError(path, f"line {number}: CHANNELS says {' '.join(words[:1])!r} but names {len(words[1:])}")
    names = tuple(_CHANNELS.get(word.lower(), "") for word in words[1:])
    if "" in names:
        bad = words[1 + names.index("")]
        raise InputError(path, f"line {number}: unknown channel {bad!r}", "channels are Xposition ... Zrotation")
    turns = [name for name in names if name.endswith("rotation")]
    if len(set(names)) < len(names) or len(turns) > 3:
        raise InputError(path, f"line {number}: a channel occurs twice")
    skeleton.channels[joint] = names


def _three_numbers(path: Path, number: int, words: list[str]) -> np.ndarray:
    try:
        offset = np.array([float(word) for word in words])
    except ValueError as error:
        raise InputError(path, f"line {number}: OFFSET {' '.join(words)[:40]!r} is not three numbers") from error
    if offset.shape != (3,) or not np.isfinite(offset).all():
        raise InputError(path, f"line {number}: OFFSET {' '.join(words)[:40]!r} is not three numbers")
    return offset


def _check_skeleton(path: Path, skeleton: _Skeleton, open_joints: list[int], number: int) -> None:
    if open_joints:
        raise InputError(path, f"line {number}: MOTION before {len(open_joints)} joint(s) are closed", "'}' is missing")
    if not skeleton.names:
        raise InputError(path, f"line {number}: MOTION before any ROOT")
    for name, line, offset in zip(skeleton.names, skeleton.lines, skeleton.offsets):
        if offset is None:
            raise InputError(path, f"line {line}: joint {name!r} has no OFFSET")
    if not any(skeleton.channels):
        raise InputError(path, f"line {number}: no joint has CHANNELS")


def _read_motion_header(path: Path, data: bytes, motion_line: int) -> tuple[int, float, int]:
    """Read ``Frames:`` and ``Frame Time:``; return both and where the numbers begin."""
    starts = line_starts(data, motion_line + 8)
    found: dict[str, float] = {}
    for line in range(motion_line, min(motion_line + 8, len(starts) - 1)):
        text = decode(data[starts[line] : starts[line + 1]]).strip()
        match = re.fullmatch(r"(frames|frame\s*time)\s*:\s*(\S+)", text, re.IGNORECASE)
        if not match:
            if text:
                raise InputError(path, f"line {line + 1}: expected 'Frames:' or 'Frame Time:', found {text[:30]!r}")
            continue
        key = "frames" if match[1].lower() == "frames" else "time"
        found[key] = _positive(path, line + 1, match[1], match[2])
        if len(found) == 2:
            if found["frames"] != int(found["frames"]):
                raise InputError(path, f"line {line + 1}: Frames is not a whole number")
            return int(found["frames"]), found["time"], starts[line + 1]
    raise InputError(path, f"line {motion_line}: no 'Frames:' and 'Frame Time:' with a line of numbers below MOTION")


def _positive(path: Path, line: int, what: str, word: str) -> float:
    try:
        value = float(word)
    except ValueError as error:
        raise InputError(path, f"line {line}: {what} {word!r} is not a number") from error
    if not (value > 0 and np.isfinite(value)):
        raise InputError(path, f"line {line}: {what} is {word}", "it must be above zero")
    return value


def _check_motion(path: Path, block: NumberBlock, n_frames: int, width: int) -> None:
    wrong = np.flatnonzero((block.cells != width) | block.beyond & (block.cells > width))
    if len(wrong):
        line, cells = int(block.lines[wrong[0]]), int(block.cells[wrong[0]])
        hint = "the file is truncated" if wrong[0] == len(block.values) - 1 and cells < width else ""
        raise InputError(path, f"line {line}: has {cells} numbers where the channels need {width}", hint)
    if len(block.values) != n_frames:
        last = int(block.lines[-1]) if len(block.lines) else 0
        hint = "the file is truncated" if len(block.values) < n_frames else ""
        raise InputError(path, f"line {last}: has {len(block.values)} frames where 'Frames:' says {n_frames}", hint)
    bad = np.argwhere(~np.isfinite(block.values))
    if len(bad):
        row, column = (int(k) for k in bad[0])
        raise InputError(path, f"line {int(block.lines[row])}, column {column + 1}: is not a finite number")

"""2D key points of people in a clip: the layouts of the detectors, the key points of one person, those of all."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, near_matches

Array = NDArray[np.float64]

_SIDES = {"left": "right", "right": "left"}
_COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
)
_TOES = "left_big_toe right_big_toe left_small_toe right_small_toe left_heel right_heel"
# The common set: what detectors mark and Anny has as points of its mesh.
COMMON = (*_COCO.split(), *_TOES.split())
_BODY_25 = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip right_hip "
    "right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe "
    "left_small_toe left_heel right_big_toe right_small_toe right_heel"
)
_MEDIAPIPE_33 = (
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
    "mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
    "right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle left_heel right_heel left_foot_index right_foot_index"
)
_SMPL_24 = (
    "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot "
    "right_foot neck left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hand right_hand"
)


@dataclass(frozen=True)
class Layout:
    """Which key points a detector finds, in the order of its files.

    Attributes:
        name: the short name, as in `LAYOUTS`.
        title: whose it is, for people.
        points: K names; those of a side hold the word ``left`` or ``right``.
        aliases: points that stand for a point of `COMMON` of another name (MediaPipe's foot index: the big toe).
        surface_hips: whether the hips are points that people marked on the surface of the body, as in COCO. They lie
            centimetres from the joint centres: use them with a learnt offset or not at all.
        guessed: whether a file of K points without a name is taken for this layout.
    """

    name: str
    title: str
    points: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...] = ()
    surface_hips: bool = True
    guessed: bool = True

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Numbers of the (left, right) points that mirror each other."""
        return tuple((i, self.points.index(_mirrored(p))) for i, p in enumerate(self.points) if "left" in p)

    @cached_property
    def mirror(self) -> NDArray[np.intp]:
        """(K,) which point each becomes when left and right are exchanged."""
        order = np.arange(len(self.points))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return order

    @cached_property
    def surface(self) -> NDArray[np.bool_]:
        """(K,) the points that are marks on the surface where a joint centre would be expected: the hips."""
        return np.array([self.surface_hips and p in {"left_hip", "right_hip", "mid_hip"} for p in self.points])

    @cached_property
    def common(self) -> NDArray[np.intp]:
        """(23,) number of each point of `COMMON` in this layout, -1 where it has none."""
        names = list(self.points)
        for own, common in self.aliases:
            names[names.index(own)] = common
        return np.array([names.index(p) if p in names else -1 for p in COMMON])


def _mirrored(name: str) -> str:
    return next(name.replace(side, other) for side, other in _SIDES.items() if side in name)


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("coco17", "COCO", tuple(_COCO.split())),
        Layout("body25", "OpenPose BODY_25", tuple(_BODY_25.split())),
        Layout(
            "halpe26", "Halpe, of AlphaPose and RTMPose", (*_COCO.split(), "head", "neck", "mid_hip", *_TOES.split())
        ),
        Layout(
            "mediapipe33",
            "MediaPipe (BlazePose)",
            tuple(_MEDIAPIPE_33.split()),
            aliases=(("left_foot_index", "left_big_toe"), ("right_foot_index", "right_big_toe")),
        ),
        Layout("smpl24", "joints of SMPL", tuple(_SMPL_24.split()), surface_hips=False, guessed=False),
        Layout("anny23", "COCO and feet, as Anny has them", COMMON, guessed=False),
    )
}


def known_layouts() -> str:
    """Return the layouts for a message: ``coco17 (17 points, COCO), ...``."""
    return ", ".join(f"{n} ({len(la.points)} points, {la.title})" for n, la in LAYOUTS.items())


def find_layout(source: object, count: int, name: str | None = None) -> Layout:
    """Return the layout of a file with ``count`` key points, by name, else by the number of points.

    Raises:
        InputError: no layout has this name or (without a name) this number of points, or the two disagree.
    """
    if name is not None:
        if name not in LAYOUTS:
            raise InputError(str(source), f"unknown layout '{name}'{near_matches(name, LAYOUTS)}", known_layouts())
        layout = LAYOUTS[name]
        if len(layout.points) != count:
            problem = f"has {count} key points, and {name} has {len(layout.points)}"
            raise InputError(str(source), problem, f"known layouts: {known_layouts()}")
        return layout
    for layout in LAYOUTS.values():
        if layout.guessed and len(layout.points) == count:
            return layout
    same = [n for n, layout in LAYOUTS.items() if len(layout.points) == count]
    remedy = f"say layout={same[0]!r} if it is that; " if same else ""
    raise InputError(str(source), f"has {count} key points, of no detector known", f"{remedy}known: {known_layouts()}")


@dataclass(frozen=True, eq=False)
class KeyPoints:
    """2D key points of one person through a clip.

    Attributes:
        name: name of the clip.
        time: (T,) strictly increasing [s].
        points: (T, K, 2) [px], x to the right, y down, from the upper left corner; NaN where a point was not found.
        confidence: (T, K) from 0 (not found) to 1, as the detector gave it.
        layout: name in `LAYOUTS`.
        size: width and height of the picture [px], None where no file says it.
        fps: frame rate [Hz].
        source: the file or folder, or what made them.
        assumptions: what was taken for granted while reading, a sentence each.
    """

    name: str
    time: Array
    points: Array
    confidence: Array
    layout: str
    size: tuple[int, int] | None = None
    fps: float = 30.0
    source: str = ""
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        frames, count = (
            len(self.time),
            len(find_layout(self.source or self.name, self.points.shape[1], self.layout).points),
        )
        if self.points.shape != (frames, count, 2) or self.confidence.shape != (frames, count):
            shapes = f"points {self.points.shape}, confidence {self.confidence.shape}, time {self.time.shape}"
            raise InputError(self.source or self.name, shapes, f"should be (T, {count}, 2), (T, {count}) and (T,)")

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(T, K) where a point was found."""
        return np.asarray(np.isfinite(self.points).all(-1))

    def common(self) -> KeyPoints:
        """Return the points of `COMMON`, as layout ``anny23``; NaN of confidence 0 where the layout lacks one."""
        index = LAYOUTS[self.layout].common
        absent = index < 0
        points, confidence = self.points[:, index].copy(), self.confidence[:, index].copy()
        points[:, absent], confidence[:, absent] = np.nan, 0.0
        return replace(self, points=points, confidence=confidence, layout="anny23")


@dataclass(frozen=True, eq=False)
class Detections:
    """2D key points of everyone whom a detector found in a clip, one row a person and frame.

    Attributes:
        name, size, fps, source, assumptions, layout: see `KeyPoints`.
        time: (T,) strictly increasing [s], all frames, also those without anyone.
        frame: (N,) number of the frame of each row, not decreasing.
        points: (N, K, 2) [px]; NaN where not found.
        confidence: (N, K).
        track: (N,) number of the person, if the file follows people itself; else None.
        first: number of frame 0 in the file, where that numbers its frames; None where it lists all, one after another.
    """

    name: str
    time: Array
    frame: NDArray[np.intp]
    points: Array
    confidence: Array
    layout: str
    track: NDArray[np.intp] | None = None
    size: tuple[int, int] | None = None
    fps: float = 30.0
    source: str = ""
    assumptions: tuple[str, ...] = field(default=())
    first: int | None = None

    def rows(self, rows: NDArray[np.intp]) -> KeyPoints:
        """Return the rows, at most one a frame, as the key points of one person (NaN in the other frames)."""
        shape = (len(self.time), self.points.shape[1])
        points, confidence = np.full((*shape, 2), np.nan), np.zeros(shape)
        points[self.frame[rows]] = self.points[rows]
        confidence[self.frame[rows]] = self.confidence[rows]
        return KeyPoints(
            self.name, self.time, points, confidence, self.layout, self.size, self.fps, self.source, self.assumptions
        )

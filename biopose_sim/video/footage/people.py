"""Who is in a clip: a look at a few frames, and the choice of one person among several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..points.keypoints import LAYOUTS, Array
from .clip import Clip, Picture
from .detector_link import ALONE, Detector

# MediaPipe finds no new points in more than that; smaller pictures cost accuracy (see `detector`).
LONGEST = 1920
_LOOKS = 8
_MOST_PEOPLE = 5
# Smaller ones are people in the background, by height.
_LEAST_SHARE = 1.0 / 3.0
# MediaPipe "finds" people in furniture, sure of each point. Such are not found again in the mirrored picture, or
# elsewhere: on the clip of four cameras, people deviate by at most 0.05 of their height (96 looks), furniture by 0.12
# or is not found at all (8 of 8).
_MIRRORED, _SURROUNDINGS, _LEAST_HEIGHT = 0.08, 0.5, 0.08
_MIRROR = LAYOUTS["mediapipe33"].mirror
# Beyond the key points there is more of a person: the top of the head, hands and toes (of the height).
_CROWN, _FLESH = 0.1, 0.03
_PADDING = 0.15  # of the height, around somebody who is blanked out
_SAME = 0.5  # of the smaller box, that two people do not share

Box = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Crowd:
    """The people in the frame of a clip in which most are seen.

    Attributes:
        frame: number of that frame.
        boxes: (N, 4) x, y, width, height [px] around each person, the tallest first.
        share: in how many of the frames looked at there is more than one person, 0 to 1; those in the background, less
            than a third as tall as the tallest, do not count.
        looks: how many frames were looked at.
    """

    frame: int
    boxes: Array
    share: float
    looks: int

    @property
    def several(self) -> bool:
        """Whether somebody should say who is meant: more than one person in half of the frames."""
        return len(self.boxes) > 1 and self.share >= 0.5

    def choose(self, clip: Clip, person: str | None) -> int:
        """Return the number of a person in `boxes`.

        Args:
            clip: named in errors.
            person: ``"1"``, ``"2"``, ... (of the picture), ``"largest"``, ``"left"``, ``"right"``, a point ``"x,y"``
                or a box ``"x,y,width,height"`` in the picture of `frame` [px]; the largest if none is given.

        Raises:
            InputError: nobody is there, or another word.
        """
        if not len(self.boxes):
            raise InputError(clip.path, "nobody is found", "give a clip in which a person is seen whole")
        middle = self.boxes[:, 0] + 0.5 * self.boxes[:, 2]
        word = (person or "largest").strip().lower()
        if word in {"largest", "left", "right"}:
            return {"largest": 0, "left": int(np.argmin(middle)), "right": int(np.argmax(middle))}[word]
        if word.isdecimal() and 1 <= int(word) <= len(self.boxes):
            return int(word) - 1
        try:
            numbers = [float(part) for part in word.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) not in (2, 4):
            known = f"1 to {len(self.boxes)}, largest, left, right, or a point x,y in frame {self.frame}"
            raise InputError(clip.path, f"no person '{person}'; there are {self}", f"choose {known}")
        return self._at(clip, np.array(numbers))

    def _at(self, clip: Clip, place: Array) -> int:
        point = place[:2] + (0.5 * place[2:] if len(place) == 4 else 0.0)
        low, high = self.boxes[:, :2], self.boxes[:, :2] + self.boxes[:, 2:]
        outside = np.maximum(np.maximum(low - point, point - high), 0.0)
        distance = np.linalg.norm(outside, axis=1) + 1e-3 * np.linalg.norm(0.5 * (low + high) - point, axis=1)
        best = int(np.argmin(distance))
        if distance[best] > 0.5 * self.boxes[best, 3]:
            problem = f"nobody is near {point[0]:.0f},{point[1]:.0f} in frame {self.frame}"
            raise InputError(clip.path, problem, f"there are {self}")
        return best

    def __str__(self) -> str:
        """Return ``1 (about x 500, y 700, 900 px tall); 2 ...``."""
        return "; ".join(
            f"{number} (about x {x + width / 2:.0f}, y {y + height / 2:.0f}, {height:.0f} px tall)"
            for number, (x, y, width, height) in enumerate(self.boxes, 1)
        )


def find_people(clip: Clip, detector: Detector | None = None) -> Crowd:
    """Look for people in a few frames, spread over a clip.

    MediaPipe finds one person; so who was found is blanked out, and it is asked again.

    Args:
        clip: to look at.
        detector: a running one; else one is started.

    Raises:
        InputError: MediaPipe is not installed.
    """
    if detector is None:
        with Detector(clip.path) as own:
            return find_people(clip, own)
    frames = np.unique(np.linspace(0, clip.n_frames - 1, min(_LOOKS + 2, clip.n_frames)).astype(int))
    frames = frames[1:-1] if len(frames) > _LOOKS else frames
    looks = [
        (number, _people_in(picture, clip, detector)) for number, picture in clip.picked(list(frames), longest=LONGEST)
    ]
    seen = [boxes for _, boxes in looks]
    counts = [len(boxes) for boxes in seen]
    best = max(range(len(looks)), key=lambda k: (counts[k], seen[k][:, 3].sum()))
    return Crowd(int(looks[best][0]), seen[best], float(np.mean([count > 1 for count in counts])), len(looks))


def box_of(landmarks: Array, size: tuple[int, int]) -> Box:
    """Return x, y, width, height [px] around the part of a person (33, 6) inside of the picture."""
    points = landmarks[:, :2] * size
    low, high = points.min(axis=0), points.max(axis=0)
    tall = max(high - low)
    low, high = low - tall * np.array([_FLESH, _CROWN]), high + tall * _FLESH
    low, high = np.clip(low, 0.0, size), np.clip(high, 0.0, size)
    return np.concatenate([low, high - low])


def _people_in(picture: Picture, clip: Clip, detector: Detector) -> Array:
    """Boxes (N, 4) of the people in one picture, the tallest first."""
    boxes: list[Box] = []
    scale = clip.size[0] / picture.shape[1]
    picture = picture.copy()
    while len(boxes) < _MOST_PEOPLE:
        landmarks = detector.find(picture, ALONE)
        if not is_person(picture, landmarks, detector):
            break
        box = box_of(landmarks, clip.size)
        if any(_shared(box, other) > _SAME for other in boxes):
            break
        boxes.append(box)
        blank(picture, box / scale)
    boxes.sort(key=lambda box: -box[3])
    return np.array([box for box in boxes if box[3] >= _LEAST_SHARE * boxes[0][3]]).reshape(-1, 4)


def is_person(picture: Picture, landmarks: Array, detector: Detector) -> bool:
    """Whether the landmarks (33, 6) are found again in the mirrored surroundings: not those of furniture."""
    if not np.isfinite(landmarks).all() or np.ptp(np.clip(landmarks[:, 1], 0.0, 1.0)) < _LEAST_HEIGHT:
        return False
    size = np.array(picture.shape[1::-1])
    points = landmarks[:, :2] * size
    tall = float(np.ptp(points, axis=0).max())
    low = np.maximum(points.min(axis=0) - _SURROUNDINGS * tall, 0.0).astype(int)
    high = np.minimum(points.max(axis=0) + _SURROUNDINGS * tall, size).astype(int)
    if (high - low < 2).any():
        return False
    shares = detector.find(picture[low[1] : high[1], low[0] : high[0]][:, ::-1], ALONE)[:, :2]
    again = low + (shares * (-1.0, 1.0) + (1.0, 0.0)) * (high - low)
    # Left and right may be taken for each other without being furniture.
    apart = min(np.median(np.linalg.norm(found - points, axis=1)) for found in (again, again[_MIRROR]))
    return bool(apart <= _MIRRORED * tall)


def _shared(one: Box, other: Box) -> float:
    """Share of the smaller box that both have in common."""
    low = np.maximum(one[:2], other[:2])
    high = np.minimum(one[:2] + one[2:], other[:2] + other[2:])
    common = np.prod(np.maximum(high - low, 0.0))
    return float(common / max(min(np.prod(one[2:]), np.prod(other[2:])), 1.0))


def blank(picture: Picture, box: Box) -> None:
    """Fill a person's box and a margin with the mean colour around it, in place."""
    height, width = picture.shape[:2]
    margin = _PADDING * box[3]
    x0, y0 = np.floor(np.maximum(box[:2] - margin, 0.0)).astype(int)
    x1, y1 = np.ceil(np.minimum(box[:2] + box[2:] + margin, (width, height))).astype(int)
    edge = max(int(margin), 2)
    around = picture[max(y0 - edge, 0) : y1 + edge, max(x0 - edge, 0) : x1 + edge].reshape(-1, 3)
    inside = picture[y0:y1, x0:x1].reshape(-1, 3)
    count = max(len(around) - len(inside), 1)
    colour = (around.sum(axis=0, dtype=np.int64) - inside.sum(axis=0, dtype=np.int64)) / count
    picture[y0:y1, x0:x1] = (colour if len(around) > len(inside) else around.mean(axis=0)).astype(np.uint8)

"""2D key points of a clip by MediaPipe: of the only person, or of one among several."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..points.keypoints import Array, Detections
from .clip import Clip, Picture
from .detector_link import FIRST, NEXT, Detector
from .people import LONGEST, Crowd, box_of, find_people, is_person

__all__ = ["Detected", "detect", "find_people"]

# A point outside of the picture is a guess: below what `following.follow` takes for seen.
_OUTSIDE = 0.1
_CHECKS = 6  # frames in which a person is looked at again where few were found
_AHEAD = 2  # pictures that are decoded while MediaPipe works
_CHUNK = 32  # pictures held in memory where a clip is gone through backwards
# Around a followed person, in heights: what MediaPipe sees of the picture, and the window that it is shown, which moves
# seldom, since it then has to look for the person anew.
_MARGIN, _WINDOW = 0.3, 1.0
_GROWTH = 1.15  # of the margin, for each frame in which the person was not found
# Somebody found farther off, in body sizes, or of another size is another person; more after a gap [1/s].
_STEP, _STEP_PER_SECOND, _FARTHEST, _SCALE = 0.35, 1.0, 0.7, 1.6
_TRUNK = [11, 12, 23, 24]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Detected:
    """What MediaPipe found of one person.

    Attributes:
        detections: layout ``mediapipe33``, at most one row a frame, [px] of the clip.
        world: (T, 33, 3) its own guess in 3D [m], about the middle of the hips, to the right, down and away from
            the camera; NaN where the person was not found. For comparison.
        crowd: who else is in the clip.
        number: of the person in ``crowd.boxes``.
    """

    detections: Detections
    world: Array
    crowd: Crowd
    number: int


def detect(
    clip: Clip,
    *,
    person: str | None = None,
    crowd: Crowd | None = None,
    smooth: bool = False,
    progress: Progress | None = None,
) -> Detected:
    """Find the key points of one person in all frames of a clip.

    MediaPipe runs in a process of its own. Confidence is its visibility (the probability that a point is in the picture
    and not hidden); points that it places outside of the picture are kept, with a confidence of at most 0.1. Nothing is
    smoothed over time unless wanted: smoothing lags, and later steps smooth without a lag. Pictures longer than 1920 px
    are made smaller. The same clip gives the same points.

    Measured on the clip of four calibrated cameras (person 730 px tall of 1920): the key points miss their own
    triangulation by 13.3 px (median; left and right repaired), at 960 px by 14.0 px for the same time, with MediaPipe's
    smoothing by 14.2 px. 30 ms of processor time a frame, and 11 ms to read it (1080 x 1920).

    Args:
        clip: the clip.
        person: whom to follow, see `Crowd.choose`; the largest if nobody is chosen.
        crowd: what `find_people` returned; else it is asked.
        smooth: let MediaPipe smooth over time, as it does by itself.
        progress: called with the number of frames that are done, and of all.

    Raises:
        InputError: MediaPipe is not installed, nobody is found, no such person.
        DetectorError: MediaPipe failed.
    """
    with Detector(clip.path, smooth=smooth) as detector:
        crowd = find_people(clip, detector) if crowd is None else crowd
        tell = _Count(progress, clip.n_frames)
        number = crowd.choose(clip, person) if len(crowd.boxes) or person is not None else 0
        if len(crowd.boxes) > 1:
            landmarks = _one_of_several(clip, detector, crowd.frame, crowd.boxes[number], tell)
        else:
            landmarks = _whole_picture(clip, detector, tell)
            if not len(crowd.boxes) and not _somebody(clip, detector, landmarks):
                landmarks[:] = np.nan
    found = np.isfinite(landmarks[:, 0, 0])
    if not found.any():
        problem = f"no person is found in its {clip.n_frames} frames"
        raise InputError(clip.path, problem, "a person should be seen whole and at least a tenth of the picture tall")
    return Detected(_detections(clip, landmarks, found), landmarks[..., 3:], crowd, number)


@dataclass
class _Count:
    """Counts frames for whoever shows progress."""

    progress: Progress | None
    total: int
    done: int = 0

    def __call__(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)


def _whole_picture(clip: Clip, detector: Detector, tell: _Count) -> Array:
    """Landmarks (T, 33, 6) of the person whom MediaPipe follows by itself."""
    landmarks = np.full((clip.n_frames, 33, 6), np.nan)
    waiting: deque[int] = deque()

    def take() -> None:
        landmarks[waiting.popleft()] = detector.receive()
        tell()

    how = FIRST
    for number, picture in clip.numbered(longest=LONGEST):
        detector.send(picture, how)
        waiting.append(number)
        how = NEXT
        if len(waiting) > _AHEAD:
            take()
    while waiting:
        take()
    return landmarks


def _somebody(clip: Clip, detector: Detector, landmarks: Array) -> bool:
    """Whether what was found is a person in at least one of a few frames."""
    found = np.flatnonzero(np.isfinite(landmarks[:, 0, 0]))
    some = np.unique(found[np.linspace(0, len(found) - 1, min(_CHECKS, len(found))).astype(int)])
    return any(is_person(picture, landmarks[k], detector) for k, picture in clip.picked(some.tolist(), longest=LONGEST))


def _one_of_several(clip: Clip, detector: Detector, frame: int, box: Array, tell: _Count) -> Array:
    """Landmarks (T, 33, 6) of the person who is in ``box`` [px] in a frame, followed from there both ways."""
    landmarks = np.full((clip.n_frames, 33, 6), np.nan)
    for pictures in (clip.numbered(frame, longest=LONGEST), _backwards(clip, frame)):
        follower = _Follower(detector, clip, box)
        for number, picture in pictures:
            landmarks[number] = follower.step(picture, float(clip.time[number]))
            tell()
    return landmarks


def _backwards(clip: Clip, stop: int) -> Iterator[tuple[int, Picture]]:
    """Frames before ``stop``, the last one first."""
    for end in range(stop, 0, -_CHUNK):
        yield from reversed(list(clip.numbered(max(end - _CHUNK, 0), end, longest=LONGEST)))


class _Follower:
    """Follows one person: MediaPipe is shown the surroundings of the last place only, the rest is blanked out."""

    def __init__(self, detector: Detector, clip: Clip, box: Array) -> None:
        self._detector, self._size = detector, np.array(clip.size, dtype=float)
        self._box = box
        self._height = float(max(box[2:]))
        self._centre: Array | None = None
        self._window: NDArray[np.intp] | None = None
        self._seen: float | None = None
        self._lost = 0
        self._anew = True

    def step(self, picture: Picture, time: float) -> Array:
        """Return the landmarks (33, 6) in the next frame, in shares of the whole picture; NaN where not found."""
        scale = picture.shape[1] / self._size[0]
        region = self._around(_MARGIN * _GROWTH**self._lost) * scale
        if self._window is None or (region[:2] < self._window[:2]).any() or (region[2:] > self._window[2:]).any():
            self._window = np.rint(self._around(max(_WINDOW, 2.0 * _MARGIN * _GROWTH**self._lost)) * scale).astype(int)
            self._anew = True
        landmarks = self._detector.find(_masked(picture, self._window, region), FIRST if self._anew else NEXT)
        low, high = self._window[:2], self._window[2:]
        landmarks[:, :2] = (low + landmarks[:, :2] * (high - low)) / (scale * self._size)
        found = bool(np.isfinite(landmarks).all())
        same = found and self._is_same(landmarks, time)
        # Whoever else was found must not be followed.
        self._anew = found and not same
        if not same:
            self._lost = min(self._lost + 1, 100)
            return np.full_like(landmarks, np.nan)
        self._keep(landmarks, time)
        return landmarks

    def _around(self, margin: float) -> Array:
        """Corners x0, y0, x1, y1 [px] about the last box, within the picture."""
        grow = margin * self._height
        low, high = self._box[:2] - grow, self._box[:2] + self._box[2:] + grow
        return np.concatenate([np.maximum(low, 0.0), np.minimum(high, self._size)])

    def _measure(self, landmarks: Array) -> tuple[Array, float]:
        points = landmarks[:, :2] * self._size
        return points[_TRUNK].mean(axis=0), float(np.ptp(points, axis=0).max())

    def _is_same(self, landmarks: Array, time: float) -> bool:
        centre, height = self._measure(landmarks)
        if self._centre is None or self._seen is None:
            # The first box was found without knowledge of the frame before: the two agree but roughly.
            low, high = self._box[:2], self._box[:2] + self._box[2:]
            return bool((centre >= low).all() and (centre <= high).all())
        gap = abs(time - self._seen) if self._lost else 0.0
        reach = min(_STEP + _STEP_PER_SECOND * gap, _FARTHEST) * self._height
        near = float(np.linalg.norm(centre - self._centre)) <= reach
        return near and abs(np.log(height / self._height)) <= np.log(_SCALE)

    def _keep(self, landmarks: Array, time: float) -> None:
        self._centre, self._height = self._measure(landmarks)
        self._box = box_of(landmarks, (int(self._size[0]), int(self._size[1])))
        self._seen, self._lost = time, 0


def _masked(picture: Picture, window: NDArray[np.intp], region: Array) -> Picture:
    """Return the window of a picture; what lies outside of the region has its mean colour."""
    x0, y0, x1, y1 = window
    shown = picture[y0:y1, x0:x1]
    masked = np.empty_like(shown)
    masked[:] = shown[::8, ::8].reshape(-1, 3).mean(axis=0)
    left, top, right, bottom = np.rint(region).astype(int) - (x0, y0, x0, y0)
    masked[top:bottom, left:right] = shown[top:bottom, left:right]
    return masked


def _detections(clip: Clip, landmarks: Array, found: NDArray[np.bool_]) -> Detections:
    frame = np.flatnonzero(found)
    shares, visibility = landmarks[frame, :, :2], np.clip(landmarks[frame, :, 2], 0.0, 1.0)
    outside = ((shares < 0.0) | (shares > 1.0)).any(axis=-1)
    notes = ["key points by MediaPipe (BlazePose); their confidence is its visibility"]
    if lost := clip.n_frames - len(frame):
        first, last = np.flatnonzero(~found)[[0, -1]]
        notes.append(f"nobody was found in {lost} of {clip.n_frames} frames (between {first} and {last})")
    return Detections(
        name=clip.name,
        time=clip.time,
        frame=frame,
        points=shares * np.array(clip.size, dtype=float),
        confidence=np.where(outside, np.minimum(visibility, _OUTSIDE), visibility),
        layout="mediapipe33",
        track=np.zeros(len(frame), dtype=np.intp),
        size=clip.size,
        fps=clip.fps,
        source=str(clip.path),
        assumptions=tuple(notes),
    )

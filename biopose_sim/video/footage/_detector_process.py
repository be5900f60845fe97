"""The process that runs MediaPipe: pictures come on standard input, landmarks go to standard output.

MediaPipe prints logs of its own from native code, keeps memory, and pulls in libraries for drawing and sound; here it
can do so without harm. It ends when its standard input ends, and so with its parent.
"""

from __future__ import annotations

import os
import struct
import sys
import types
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from biopose_sim.osim._opensim_process import end_with_parent

# Height, width, and how to look at the picture that follows (RGB, a byte each).
HEAD = struct.Struct("<IIB")
ALONE, NEXT, FIRST = 0, 1, 2
# 33 landmarks: x, y (shares of width and height), visibility; x, y, z about the middle of the hips [m].
SHAPE = (33, 6)
BYTES = 4 * SHAPE[0] * SHAPE[1]
MISSING = 3  # exit code
_EMPTY = 3
# What MediaPipe imports for drawing and sound: a second of start, and libraries of the desktop that servers lack.
_UNUSED = ("cv2", "matplotlib", "matplotlib.pyplot", "sounddevice")


class Finder:
    """MediaPipe's pose solution, with and without memory of the frame before."""

    def __init__(self, pose: Any, smooth: bool) -> None:
        self._pose, self._smooth = pose, smooth

    # The other models are not in the wheel. Each costs half a second, and not everyone needs both.
    @cached_property
    def _alone(self) -> Any:
        return self._pose.Pose(static_image_mode=True, model_complexity=1)

    @cached_property
    def _next(self) -> Any:
        return self._pose.Pose(static_image_mode=False, model_complexity=1, smooth_landmarks=self._smooth)

    def __call__(self, picture: NDArray[np.uint8], how: int) -> NDArray[np.float32]:
        """Return the landmarks, NaN where there is nobody."""
        if how == FIRST:
            self._forget(picture.shape)
        result = (self._alone if how == ALONE else self._next).process(picture)
        if not result.pose_landmarks or not result.pose_world_landmarks:
            return np.full(SHAPE, np.nan, dtype=np.float32)
        flat, world = result.pose_landmarks.landmark, result.pose_world_landmarks.landmark
        rows = [(a.x, a.y, a.visibility, b.x, b.y, b.z) for a, b in zip(flat, world, strict=True)]
        return np.array(rows, dtype=np.float32)

    def _forget(self, shape: tuple[int, ...]) -> None:
        """Show empty pictures until nobody is followed: 20 ms, where a new start of MediaPipe takes half a second."""
        if "_next" not in self.__dict__:
            return
        empty = np.full(shape, 128, dtype=np.uint8)
        for _ in range(_EMPTY):
            if not self._next.process(empty).pose_landmarks:
                return
        self._next.reset()


def main(smooth: bool) -> None:
    """Answer pictures until there are no more."""
    end_with_parent()
    # What native code prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    for name in _UNUSED:
        sys.modules[name] = types.ModuleType(name)
    try:
        from mediapipe.python.solutions import pose
    except (ImportError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(MISSING)
    serve(Finder(pose, smooth), sys.stdin.buffer, answers)


def serve(find: Finder, pictures: BinaryIO, answers: Any) -> None:
    """Answer each picture with its landmarks."""
    while len(head := pictures.read(HEAD.size)) == HEAD.size:
        height, width, how = HEAD.unpack(head)
        data = pictures.read(3 * height * width)
        answers.write(find(np.frombuffer(data, np.uint8).reshape(height, width, 3), how).tobytes())


if __name__ == "__main__":
    main("smooth" in sys.argv[1:])

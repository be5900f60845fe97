"""MediaPipe in a process of its own, asked picture by picture."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BioposeError, InputError
from ._detector_process import ALONE, BYTES, FIRST, HEAD, MISSING, NEXT, SHAPE
from .clip import Picture

__all__ = ["ALONE", "FIRST", "NEXT", "Detector", "DetectorError"]

_PROCESS = f"{__package__}._detector_process"
_START, _ANSWER = 180.0, 60.0  # s until a process that says nothing is ended; a picture takes 0.03
_CHATTER = ("INFO:", "WARNING:", "W0000", "I0000")  # of TensorFlow Lite and MediaPipe when all is well
_FILES = "--key-points FILE (OpenPose, AlphaPose, COCO or MediaPipe: JSON, CSV or a folder of JSON files)"


class DetectorError(BioposeError):
    """MediaPipe ended, or did not answer."""


class Detector:
    """MediaPipe's pose solution (BlazePose, Apache-2.0), the model that its wheel carries (``model_complexity=1``).

    Use it as a context manager; pictures may be sent ahead of the answers, which come in the same order.
    """

    def __init__(self, source: str | Path, *, smooth: bool = False) -> None:
        """Prepare it.

        Args:
            source: the clip, named in errors.
            smooth: let MediaPipe smooth over time, as it does for live pictures; this lags behind.
        """
        self._source, self._smooth = source, smooth
        self._process: subprocess.Popen[bytes] | None = None
        self._silence = _START
        self._late = False

    def __enter__(self) -> Detector:
        """Start the process.

        Raises:
            InputError: MediaPipe is not installed.
        """
        if importlib.util.find_spec("mediapipe") is None:
            raise InputError(self._source, "finding people needs MediaPipe, which is not installed", _remedy())
        self._log = tempfile.TemporaryFile()
        command = [sys.executable, "-P", "-m", _PROCESS, *(["smooth"] if self._smooth else [])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(place or os.getcwd() for place in sys.path)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=environment
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._log.close()

    def find(self, picture: Picture, how: int = ALONE) -> NDArray[np.float64]:
        """Return the landmarks of a picture; see `send` and `receive`."""
        self.send(picture, how)
        return self.receive()

    def send(self, picture: Picture, how: int) -> None:
        """Hand over a picture.

        Args:
            picture: (H, W, 3) uint8, RGB.
            how: `ALONE`, `NEXT` (of the picture sent before as `NEXT` or `FIRST`), or `FIRST` of a new row.
        """
        pipe: Any = self._running().stdin
        with self._limit():
            try:
                pipe.write(HEAD.pack(*picture.shape[:2], how))
                pipe.write(np.ascontiguousarray(picture).data)
                pipe.flush()
            except OSError:
                self._fail()

    def receive(self) -> NDArray[np.float64]:
        """Return the landmarks of the oldest picture without answer.

        Returns:
            (33, 6): x, y (shares of width and height), visibility, and x, y, z about the middle of the hips [m], to the
            right, down and away from the camera; NaN if nobody is found.
        """
        pipe: Any = self._running().stdout
        with self._limit():
            data: bytes = pipe.read(BYTES)
        if len(data) < BYTES:
            self._fail()
        self._silence = _ANSWER
        return np.frombuffer(data, np.float32).reshape(SHAPE).astype(np.float64)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise DetectorError(f"{self._source}: the detector was not started")
        return self._process

    @contextmanager
    def _limit(self) -> Iterator[None]:
        """End the process if it does not take or give data in time; reading and writing then fail at once."""
        watch = threading.Timer(self._silence, self._end)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()

    def _end(self) -> None:
        self._late = True
        self._running().kill()

    def _fail(self) -> None:
        """Say why there is no answer."""
        process = self._running()
        code = process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        spoken = [line.strip() for line in lines if line.strip() and not line.startswith(_CHATTER)]
        said = spoken[-1] if spoken else "it said nothing"
        if code == MISSING:
            raise InputError(self._source, f"MediaPipe cannot be started ({said})", _remedy())
        if self._late:
            reason = f"did not answer within {self._silence:g} s"
        elif code < 0:
            reason = f"was ended from outside (signal {-code}), as systems do that run out of memory"
        else:
            reason = f"ended with code {code} ({said})"
        raise DetectorError(f"{self._source}: MediaPipe {reason}; run the command again")


def _remedy() -> str:
    if sys.version_info >= (3, 13):
        return f"MediaPipe has no wheels for Python 3.13: use Python 3.11 or 3.12, or give {_FILES}"
    return f'pip install "biopose-sim[video]", or give {_FILES}'

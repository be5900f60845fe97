"""Clips of real people, put together from the recording of four cameras."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clip_files import write_clip

from biopose_sim.video.footage.clip import open_clip


def need_mediapipe() -> None:
    """Skip where MediaPipe is not installed; in CI that is a failure."""
    if importlib.util.find_spec("mediapipe") is not None:
        return
    reason = "MediaPipe is not installed (extra video)"
    if os.environ.get("CI") == "true" and sys.version_info < (3, 13):
        pytest.fail(reason)
    pytest.skip(reason)


def pictures(test_data: Path, camera: int, count: int, longest: int = 960) -> list[np.ndarray]:
    """The first pictures that a camera took, (960, 540 or 544, 3)."""
    clip = open_clip(test_data / "video" / f"cam0{camera}.mp4")
    return list(clip.frames(0, count, longest=longest))


def side_by_side(path: Path, *rows: list[np.ndarray]) -> Path:
    """A clip in which several people are seen, from left to right."""
    together = (np.concatenate([p[:960, :540] for p in row], axis=1) for row in zip(*rows, strict=True))
    return write_clip(path, together, fps=60)


def walking_out(path: Path, row: list[np.ndarray], step: int) -> Path:
    """The person moves to the right by ``step`` pixels a frame, out of the picture."""

    def moved() -> Iterator[np.ndarray]:
        for number, picture in enumerate(row):
            shift = number * step
            edge = np.repeat(picture[:, :1], shift, axis=1)
            yield np.concatenate([edge, picture], axis=1)[:, : picture.shape[1]]

    return write_clip(path, moved(), fps=60)

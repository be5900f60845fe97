from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from biopose_sim.errors import InputError
from biopose_sim.viz.people import people_picture


def drawn(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture).astype(int)


def test_boxes_are_drawn_around_the_people_and_the_rest_is_darker(tmp_path: Path):
    frame = np.full((300, 500, 3), 200, dtype=np.uint8)
    pixels = drawn(people_picture(frame, [[50, 40, 100, 200], [300, 60, 80, 180]], ["1", 7], tmp_path / "p.png"))
    assert pixels.shape == frame.shape
    assert (pixels[140, 100] == 200).all()
    assert (pixels[140, 340] == 200).all()
    assert (pixels[140, 230] < 130).all()
    left, right = pixels[140, 50], pixels[140, 300]
    assert np.ptp(left) > 50
    assert np.abs(left - right).max() > 50  # colours of their own
    assert (pixels[40:60, 50:80] == 255).all(axis=2).any()  # white letters of the name


def test_large_frames_become_smaller_and_boxes_outside_are_cut_off(tmp_path: Path):
    frame = np.full((1080, 1920, 3), 200, dtype=np.uint8)
    boxes = [[-50, -40, 300, 2000], [np.nan, 0, 10, 10], [-50, -40, 320, 2000]]
    pixels = drawn(people_picture(frame, boxes, ["1", "2", "3"], tmp_path / "p.png"))
    assert pixels.shape == (720, 1280, 3)
    assert (pixels[300, 100] == 200).all()
    badges = pixels[:150, :40]
    assert (np.ptp(badges, axis=2) > 60).any(axis=1).sum() > 70  # two names below each other, not on top


def test_what_does_not_fit_is_said(tmp_path: Path):
    frame = np.zeros((10, 10, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="1 boxes but 2 names"):
        people_picture(frame, [[0, 0, 5, 5]], ["1", "2"], tmp_path / "p.png")
    with pytest.raises(InputError, match="does not exist"):
        people_picture(frame, [[0, 0, 5, 5]], ["1"], tmp_path / "none" / "p.png")

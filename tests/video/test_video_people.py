from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.video.footage.people import Crowd, blank, box_of

CLIP = SimpleNamespace(path="clip.mp4")
CROWD = Crowd(
    7, np.array([[500.0, 100.0, 200.0, 600.0], [50.0, 200.0, 100.0, 400.0], [900.0, 300.0, 90.0, 250.0]]), 0.75, 8
)


@pytest.mark.parametrize(
    ("word", "number"),
    [
        (None, 0),
        ("largest", 0),
        ("left", 1),
        (" Right ", 2),
        ("2", 1),
        ("100,300", 1),
        ("890, 500", 2),
        ("40,190,120,420", 1),
    ],
)
def test_a_person_is_chosen(word, number):
    assert CROWD.choose(CLIP, word) == number


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("4", r"no person '4'; there are 1 \(about x 600, y 400, 600 px tall\); 2 .*; choose 1 to 3, largest"),
        ("bob", "no person 'bob'"),
        ("1,2,3", "no person"),
        ("1900,50", "nobody is near 1900,50 in frame 7"),
    ],
)
def test_a_choice_that_is_none(word, message):
    with pytest.raises(InputError, match=message):
        CROWD.choose(CLIP, word)


def test_several_means_in_half_of_the_frames():
    assert CROWD.several
    assert not Crowd(0, CROWD.boxes, 0.375, 8).several
    assert not Crowd(0, CROWD.boxes[:1], 1.0, 8).several


def test_boxes_hold_what_lies_in_the_picture():
    landmarks = np.zeros((33, 6))
    landmarks[:, :2] = np.linspace((-0.2, 0.2), (0.5, 0.9), 33)
    # 140 x 70 px; a tenth of the larger side for the crown, 3 % all around.
    np.testing.assert_allclose(box_of(landmarks, (200, 100)), [0.0, 6.0, 104.2, 88.2])


def test_blanked_out_with_the_colour_around():
    picture = np.full((200, 200, 3), (10, 20, 30), dtype=np.uint8)
    picture[60:140, 80:120] = 255
    blank(picture, np.array([80.0, 60.0, 40.0, 80.0]))
    assert (picture == (10, 20, 30)).all()
    whole = np.full((50, 40, 3), 99, dtype=np.uint8)
    blank(whole, np.array([0.0, 0.0, 40.0, 50.0]))
    assert (whole == 99).all()

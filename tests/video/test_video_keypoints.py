"""Layouts of key points: order, sides, the common set."""

from __future__ import annotations

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.video.points.keypoints import COMMON, LAYOUTS, KeyPoints, find_layout


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_mirroring_twice_changes_nothing_and_pairs_are_sides(layout):
    assert np.array_equal(layout.mirror[layout.mirror], np.arange(len(layout.points)))
    for left, right in layout.pairs:
        assert layout.points[left].replace("left", "right") == layout.points[right]
    assert 2 * len(layout.pairs) == sum("left" in p or "right" in p for p in layout.points)


def test_known_places_in_the_layouts():
    # As published: OpenPose's output.md, MediaPipe's pose landmarks, COCO, Halpe, SMPL.
    for name, count, places in [
        ("coco17", 17, {5: "left_shoulder", 16: "right_ankle"}),
        (
            "body25",
            25,
            {1: "neck", 4: "right_wrist", 8: "mid_hip", 12: "left_hip", 19: "left_big_toe", 24: "right_heel"},
        ),
        ("halpe26", 26, {17: "head", 19: "mid_hip", 20: "left_big_toe", 25: "right_heel"}),
        ("mediapipe33", 33, {11: "left_shoulder", 23: "left_hip", 29: "left_heel", 32: "right_foot_index"}),
        ("smpl24", 24, {1: "left_hip", 8: "right_ankle", 15: "head", 21: "right_wrist"}),
        ("anny23", 23, {17: "left_big_toe", 22: "right_heel"}),
    ]:
        points = LAYOUTS[name].points
        assert len(points) == len(set(points)) == count
        assert all(points[i] == p for i, p in places.items())


def test_hips_are_marked_as_surface_points_where_they_are():
    hips = {n: [p for p, s in zip(la.points, la.surface, strict=True) if s] for n, la in LAYOUTS.items()}
    assert hips["coco17"] == ["left_hip", "right_hip"]
    assert hips["body25"] == ["mid_hip", "right_hip", "left_hip"]
    assert hips["smpl24"] == []


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_common_points_come_from_those_of_the_same_meaning(layout):
    count = len(layout.points)
    values = np.arange(2.0 * count).reshape(1, count, 2)
    common = KeyPoints("c", np.zeros(1), values, np.ones((1, count)), layout.name).common()
    assert common.layout == "anny23"
    for k, name in enumerate(COMMON):
        own = {v: n for n, v in layout.aliases}.get(name, name)
        if own in layout.points:
            assert np.array_equal(common.points[0, k], values[0, layout.points.index(own)])
        else:
            assert np.isnan(common.points[0, k]).all()
            assert common.confidence[0, k] == 0.0
    if layout.name == "coco17":
        assert common.seen.sum() == 17
    if layout.name == "mediapipe33":
        assert common.seen.sum() == 21  # no small toes


def test_another_number_of_points_names_the_layouts():
    with pytest.raises(InputError, match=r"18 key points.*coco17 \(17 points, COCO\).*body25"):
        find_layout("a.json", 18)
    with pytest.raises(InputError, match="layout='smpl24'"):
        find_layout("a.json", 24)
    with pytest.raises(InputError, match="did you mean 'coco17'"):
        find_layout("a.json", 17, "coco")
    with pytest.raises(InputError, match="has 25 key points, and coco17 has 17"):
        find_layout("a.json", 25, "coco17")
    assert find_layout("a.json", 25).name == "body25"


def test_shapes_are_checked():
    with pytest.raises(InputError, match=r"should be \(T, 17, 2\)"):
        KeyPoints("c", np.zeros(3), np.zeros((3, 17, 2)), np.ones((2, 17)), "coco17")

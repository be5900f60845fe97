"""One person among several, left and right exchanged and put right, gaps."""

from __future__ import annotations

import numpy as np
import pytest
from walking_clips import clip, exchange, height_of, seen_from, two_people, walk_3d

from biopose_sim.errors import InputError
from biopose_sim.video.points.following import drop_uncertain, fill_gaps, follow, people
from biopose_sim.video.points.keypoints import LAYOUTS
from biopose_sim.video.points.swaps import _settled, repair_swaps

LEGS, ARMS = ("knee", "ankle", "heel", "toe"), ("elbow", "wrist")
VIEWS = (0, 45, 90, 180)


@pytest.fixture(scope="module")
def walk():
    return walk_3d()


@pytest.mark.parametrize("degrees", VIEWS)
@pytest.mark.parametrize("layout", ["anny23", "coco17"])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_clean_walking_is_left_alone(walk, degrees, layout, noise):
    points = seen_from(walk, degrees, 8.0)
    # In the side view legs and arms pass one another.
    if degrees == 0:
        knees = points[:, 13, 0] - points[:, 14, 0]
        assert np.count_nonzero(np.diff(np.sign(knees))) >= 6
    points = points + np.random.default_rng(1).normal(0.0, noise * height_of(points), points.shape)
    key_points = clip(points, layout=layout)
    repaired, repairs = repair_swaps(key_points)
    assert repairs == ()
    assert np.array_equal(repaired.points, key_points.points)


@pytest.mark.parametrize("degrees", VIEWS)
@pytest.mark.parametrize(("parts", "words"), [("whole body", ("left",)), ("legs", LEGS), ("arms", ARMS)])
def test_exchanges_are_found_and_put_right(walk, degrees, parts, words):
    # Exact points: every exchanged point that lies 8 % of the height or more from its mirror image comes back.
    clean = seen_from(walk, degrees, 8.0)
    layout, far = LAYOUTS["anny23"], 0.08 * height_of(clean)
    broken = clean
    runs = [(20, 21), (45, 47), (70, 82)]
    for first, end in runs:
        broken = exchange(broken, slice(first, end), words)
    repaired, repairs = repair_swaps(clip(broken))
    wrong = (repaired.points != clean).any(-1)
    apart = np.linalg.norm(clean - clean[:, layout.mirror], axis=-1) > far
    assert not (wrong & apart).any()
    frames = {f for first, end in runs for f in range(first, end)}
    assert {f for r in repairs for f in range(r.first, r.last + 1)} <= {f + d for f in frames for d in (-1, 0, 1)}
    if parts == "whole body":
        assert [r.parts for r in repairs] == [parts] * 3


def test_exchanges_in_noise_and_across_missing_frames(walk):
    clean = seen_from(walk, 45)
    noisy = clean + np.random.default_rng(2).normal(0.0, 0.02 * height_of(clean), clean.shape)
    broken = exchange(noisy, slice(30, 42))
    broken[34:37] = np.nan
    repaired, repairs = repair_swaps(clip(broken))
    assert [(r.first, r.last, r.parts) for r in repairs] == [(30, 41, "whole body")]
    np.testing.assert_array_equal(np.delete(repaired.points, range(34, 37), 0), np.delete(noisy, range(34, 37), 0))


def two(walk, noise=0.02):
    first = seen_from(walk, 0)
    turned = walk[:, LAYOUTS["anny23"].mirror] * (-1.0, 1.0, -1.0)
    turned += (2.0 * walk[:, :, 0].mean(), 0.0, -1.0)
    second = seen_from(turned, 0, 6.0)
    return (first, *two_people(first, second, np.random.default_rng(4), noise))


def test_both_people_keep_their_identity_when_they_cross(walk):
    _, detections, who = two(walk)
    hidden = len(walk) - np.count_nonzero(who == 1)
    assert hidden > 5
    found = people(detections)
    assert [p.key for p in found] == ["1", "2"]
    for person in found:
        assert len(set(who[person.rows])) == 1
    assert sorted(len(p.rows) for p in found) == [len(walk) - hidden, len(walk)]


def test_several_people_are_asked_for_and_chosen(walk):
    first, detections, who = two(walk, 0.0)
    with pytest.raises(
        InputError, match=r"2 people are seen for long; choose one with --person.*1 \(121 frames from 0"
    ):
        follow(detections)
    with pytest.raises(InputError, match=r"no person '7'; there are: 1 \("):
        follow(detections, 7)
    chosen = follow(detections, "largest")
    np.testing.assert_array_equal(chosen.key_points.points, first)
    other = follow(detections, "2")
    assert set(who[other.person.rows]) == {1}
    assert np.isnan(other.key_points.points).any()


def test_people_are_chosen_by_their_place(walk):
    _, detections, _ = two(walk, 0.0)
    from dataclasses import replace

    apart = np.where((detections.points[:, :1, :1] > 0.0) & (two(walk, 0.0)[2] == 0)[:, None, None], 2000.0, 0.0)
    detections = replace(detections, points=detections.points + apart * (1.0, 0.0))
    left, right = follow(detections, "left").person, follow(detections, "right").person
    assert left.box[0] < right.box[0]
    x, y = right.box[0] + 0.5 * right.box[2], right.box[1] + 0.5 * right.box[3]
    assert follow(detections, f"{x:.0f},{y:.0f}").person.key == right.key
    with pytest.raises(InputError, match=r"no person '-9000,0'"):
        follow(detections, "-9000,0")


def test_numbers_of_the_file_are_believed_and_passers_by_need_no_choice(walk):
    from dataclasses import replace

    first, detections, who = two(walk, 0.0)
    numbered = replace(detections, track=np.where(who == 0, 12, 5))
    np.testing.assert_array_equal(follow(numbered, 12).key_points.points, first)
    few = np.flatnonzero((who == 0) | (detections.frame < 10))
    parts = {name: getattr(detections, name)[few] for name in ("frame", "points", "confidence")}
    assert follow(replace(detections, **parts)).person.key == "1"


def test_uncertain_points_become_gaps_that_are_filled_only_when_asked(walk):
    clean = seen_from(walk, 30)
    key_points = clip(clean)
    key_points.confidence[10:14, 9] = 0.1
    key_points.confidence[40:60, 9] = 0.1
    key_points.confidence[-3:, 9] = 0.1
    certain = drop_uncertain(key_points, 0.2)
    assert (~certain.seen).sum() == 4 + 20 + 3
    filled = fill_gaps(certain, 4 / 30)
    assert (~filled.seen).sum() == 20 + 3
    assert np.linalg.norm(filled.points[10:14, 9] - clean[10:14, 9], axis=-1).max() < 0.01 * height_of(clean)
    assert (filled.confidence[10:14, 9] == 0.5).all()
    assert (fill_gaps(certain, 3 / 30).seen == certain.seen).all()


def test_many_changes_in_a_short_time_do_not_leave_the_trunk_turned_around():
    # As in the clip of the data, by MediaPipe: the path ends exchanged although the hips face as they did before.
    time, trunk = np.arange(60) / 60, np.tile([40.0, 5.0], (60, 2, 1))
    labels = np.zeros(60, dtype=int)
    labels[[30, 31, 34, 36]] = 1
    labels[40:] = 1
    settled = _settled(labels, trunk, np.array([1, 4]), time, 500.0)
    assert not settled[40:].any()
    assert np.array_equal(settled[:40], labels[:40])
    # An exchange that lasts is no such case: the detector's side turned around with it.
    trunk[40:] *= -1.0
    assert np.array_equal(_settled(labels, trunk, np.array([1, 4]), time, 500.0), labels)

"""Scores: of the truth itself, of known errors, of answers that say only a part; and which trials are judged."""

from __future__ import annotations

import numpy as np
import pytest
import shard_runs as runs
import torch

from biopose_sim.errors import InputError
from biopose_sim.neurik.evaluate import by, choose_persons, evaluate, network_method, score
from biopose_sim.neurik.metrics import Scores, body_errors, orientation_errors, together
from biopose_sim.neurik.network import make_network
from biopose_sim.neurik.network_config import NetworkConfig
from biopose_sim.neurik.predict import Predictor
from biopose_sim.neurik.skeleton import Skeleton
from ik_pipeline.shards import ShardData, load_model, write_shards


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    run = runs.write_run(
        tmp_path_factory.mktemp("run"), groups=("02", "03"), lengths=(70, 90), rate=30.0, splits=["train", "test"]
    )
    return write_shards(run).folder


def scored(data, model, change=lambda q, scales: (q, scales)):
    trial = data.trial(0)
    q, scales = (np.array(trial[key], dtype=float) for key in ("coordinates", "scales"))
    return score(data.card.content, model, trial, *change(q, scales))


def test_the_truth_has_no_error(data, model):
    found = scored(data, model)
    assert found.frames == 70
    assert found.mean_angle == found.orientation == found.body == found.beyond == 0.0
    # The landmarks of the truth lie off the scaled model's, 1 cm per axis in these shards.
    assert 10.0 < found.landmarks < 25.0
    # A dependent coordinate and a translation do not count.
    said = {name for name, value in zip(found.names, found.angle) if np.isfinite(value)}
    assert "knee_angle_r_beta" not in said
    assert "pelvis_tx" not in said
    assert "pelvis_tilt" in said


def test_a_known_error_of_an_angle_is_found_the_short_way_round(data, model):
    knee = data.card.names["coordinates"].index("knee_angle_r")

    def change(q, scales):
        q[:, knee] += np.radians(10.0) + 2.0 * np.pi
        return q, scales

    found = scored(data, model, change)
    assert found.angle[knee] == pytest.approx(10.0, abs=1e-4)
    assert np.nansum(found.angle) == pytest.approx(10.0, abs=1e-4)
    # Tibia, talus, calcaneus and toes are turned by it: four of the 24 segments with markers.
    bodies = len({marker["body"] for marker in data.card.content["model"]["markers"]})
    assert found.orientation == pytest.approx(4 * 10.0 / bodies, rel=0.02)
    assert found.beyond > 180.0


def test_another_way_to_write_a_rotation_is_no_error_of_orientation(data, model):
    def change(q, scales):
        names = data.card.names["coordinates"]
        tilt, tip, turn = (names.index(n) for n in ("pelvis_tilt", "pelvis_list", "pelvis_rotation"))
        q[:, tilt], q[:, tip], q[:, turn] = q[:, tilt] + np.pi, np.pi - q[:, tip], q[:, turn] + np.pi
        return q, scales

    found = scored(data, model, change)
    assert found.mean_angle > 5.0
    assert found.orientation < 1e-4


def test_sizes_count_along_the_longest_axis(data, model):
    bodies = data.card.names["bodies"]
    length = next(b["size"][1] for b in data.card.content["model"]["bodies"] if b["name"] == "femur_r")

    def change(q, scales):
        scales[bodies.index("femur_r")] += [0.5, 0.1, 0.5]  # depth and width of a thigh do not count
        return q, scales

    found = scored(data, model, change)
    counted = sum(
        bool(s > 0) for b in data.card.content["model"]["bodies"] for a, s in zip("xyz", b["size"])
        if a in b["size_axes"]
    )  # fmt: skip
    assert found.body == pytest.approx(1e3 * 0.1 * length / counted, rel=1e-3)
    sizes = {"a": (0.0, 0.4, 0.0)}
    np.testing.assert_allclose(body_errors(np.full((1, 3), 1.1), np.ones((1, 3)), sizes, ["a"]), [40.0])


def test_what_is_not_said_is_not_judged(data, model):
    def change(q, scales):
        q[40:] = np.nan
        q[:, data.card.names["coordinates"].index("wrist_dev_l")] = np.nan
        return q, None

    found = scored(data, model, change)
    assert found.frames == 40
    assert found.mean_angle == 0.0
    assert np.isnan([found.body, found.landmarks, found.orientation]).all()


def test_small_rotations_lose_no_digits():
    angle = np.array([1e-7, 0.3, np.pi])
    turned = np.array([[[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]] for a in angle])
    np.testing.assert_allclose(orientation_errors(turned, np.eye(3)[None]), np.degrees(angle), rtol=1e-6)


def test_trials_count_by_their_frames_and_by_what_they_say():
    one = Scores(10, np.array([1.0, np.nan]), ("a", "b"), 5.0, np.nan, np.array([np.nan, np.nan]), 1.0, 0.0)
    two = Scores(30, np.array([3.0, 7.0]), ("a", "b"), 9.0, 4.0, np.array([3.0, np.nan]), 2.0, 0.5)
    both = together([one, two])
    np.testing.assert_allclose(both.angle, [2.5, 7.0])
    assert (both.frames, both.landmarks, both.body, both.orientation, both.beyond) == (40, 8.0, 4.0, 1.75, 0.5)
    assert both.mean_angle == 4.75
    assert both.mean_angle_determined == 3.0


def test_persons_are_spread_over_the_split(data):
    assert [len(rows) for _, rows in choose_persons(data)] == [2, 2]
    assert [(p, len(rows)) for p, rows in choose_persons(data, 1, 1)] == [("03_0", 1)]


def test_a_network_is_judged_on_the_markers_it_knows(data, model):
    torch.manual_seed(0)
    config = NetworkConfig(hidden=16, width=16, heads=2, layers=1, blocks=1, refinements=1, window=32)
    predictor = Predictor(make_network(Skeleton(model), config))
    names = data.card.names["markers"]
    found = evaluate(data, model, network_method(predictor, names), most_trials=1)
    assert [entry.person for entry in found] == ["03_0", "03_1"]
    assert all(entry.seconds > 0 for entry in found)
    assert set(by(found, "action")) == {"walk"}
    assert by(found, "all")["all"].beyond == 0.0
    backwards = network_method(predictor, names[::-1])
    turned = evaluate(data, model, lambda m, r: backwards([x[:, ::-1] for x in m], r), most_trials=1)
    assert by(turned, "all")["all"].mean_angle == by(found, "all")["all"].mean_angle
    with pytest.raises(InputError, match="lack 1 of the network's 142 markers"):
        network_method(predictor, names[1:])


def test_a_network_that_gives_no_numbers_is_refused(data, model):
    torch.manual_seed(0)
    network = make_network(Skeleton(model), NetworkConfig(kind="paper", width=16, heads=2, layers=1, window=32))
    with torch.no_grad():
        network.pose_head.bias.fill_(np.nan)
    with pytest.raises(InputError, match="no numbers"):
        evaluate(data, model, network_method(Predictor(network)), most_trials=1, most_persons=1)


def test_splits_without_trials_and_trials_without_markers_are_refused(tmp_path):
    folder = write_shards(runs.write_run(tmp_path, groups=("03",), lengths=(70,), splits=["test"])).folder
    model = load_model(folder)
    with pytest.raises(InputError, match="its split 'val' has no trials"):
        evaluate(ShardData(folder, "val"), model, lambda m, r: ([], None))
    # In place, so that the file stays as large as the card says.
    np.load(folder / "test" / "markers.npy", mmap_mode="r+")[:] = np.nan
    with pytest.raises(InputError, match="trial take0 of 03_0 has no frame with ten markers"):
        evaluate(ShardData(folder, "test"), model, lambda m, r: ([], None))

"""Baselines: the engine's cold start, the mean person, motions of other systems in files."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
import shard_runs as runs

from biopose_sim.errors import InputError
from biopose_sim.io import Motion, write_mot
from biopose_sim.neurik.baselines import engine_method, make_baseline, mean_method, shard_choice
from biopose_sim.neurik.evaluate import by, evaluate
from biopose_sim.neurik.other_systems import MotionFiles
from biopose_sim.osim.process import OpenSimError
from biopose_sim.paths import default_model_path
from ik_pipeline.shards import write_shards


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    run = runs.write_run(
        tmp_path_factory.mktemp("run"), groups=("02", "03"), lengths=(70, 64), rate=30.0, splits=["train", "test"]
    )
    return write_shards(run).folder


def test_the_mean_person_is_where_the_markers_are(data, model):
    mean = mean_method(data, model)
    markers = np.array(data.trial(0)["markers"])
    (q,), scales, _ = mean([markers], [30.0])
    turn = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # a quarter turn about the vertical
    (other,), *_ = mean([(markers @ turn.T + [2.0, 0.0, 1.0]).astype(np.float32)], [30.0])
    np.testing.assert_allclose(scales, np.array(data.card.content["statistics"]["scales"]["mean"]))
    np.testing.assert_allclose(other[:, 6:], q[:, 6:], atol=1e-6)
    np.testing.assert_allclose(q[:, 6:] - q[:1, 6:], 0.0, atol=1e-6)
    pelvis = slice(3, 6)
    np.testing.assert_allclose(other[:, pelvis], q[:, pelvis] @ turn.T + [2.0, 0.0, 1.0], atol=1e-4)
    found = by(evaluate(data, model, mean), "all")["all"]
    assert found.frames == 2 * (70 + 64)
    assert 5.0 < found.mean_angle < 60.0


def test_shards_of_the_default_model_without_its_muscles_are_fitted_as_the_default_model(data, tmp_path):
    text = default_model_path().read_text(encoding="utf-8")
    start, end = text.index("<ForceSet"), text.index("</ForceSet>") + len("</ForceSet>")
    model = {**data.card.content["model"], "file": "model.osim"}
    (tmp_path / "markers.csv").write_bytes((data.folder / "markers.csv").read_bytes())
    card = SimpleNamespace(content={"model": model}, names=data.card.names)
    (tmp_path / "model.osim").write_text(text[:start] + text[end:], encoding="utf-8")
    assert shard_choice(SimpleNamespace(card=card, folder=tmp_path)).path == default_model_path()
    (tmp_path / "model.osim").write_text(text.replace("<mass>11.777", "<mass>11.9", 1), encoding="utf-8")
    assert shard_choice(SimpleNamespace(card=card, folder=tmp_path)).path == tmp_path / "model.osim"


def test_the_engine_finds_the_motion_from_a_cold_start(data, model):
    fit = make_baseline("fit", data, model)
    found = by(evaluate(data, model, fit, most_persons=1, most_trials=1), "all")["all"]
    assert found.mean_angle < 5.0
    assert found.landmarks < 40.0


class HalfAnEngine:
    """Solves what it is given, but for the second trial."""

    name = "half"

    def __init__(self, model):
        self.model, self.solved = model, []

    def scale(self, person, trials, folder):
        assert folder.is_dir()
        assert len(trials) == 2
        return SimpleNamespace(scales=np.ones((len(self.model.body_names), 3)), marker_offsets=None)

    def solve(self, person, trial):
        if self.solved:
            raise OpenSimError("trial1", "solving", "it fell over")
        self.solved.append(trial)
        names = self.model.coordinate_names[::-1]
        return SimpleNamespace(coordinate_names=names, coordinates=np.tile(np.arange(len(names)), (trial.n_frames, 1)))


def test_frames_that_an_engine_did_not_solve_are_not_numbers(data, model):
    notes: list[str] = []
    engine = HalfAnEngine(model)
    solve = engine_method(engine, model, most_frames=5, note=notes.append)
    (first, second), *_ = solve([np.array(data.trial(k)["markers"]) for k in (0, 1)], [30.0, 30.0])
    assert engine.solved[0].n_frames == 5
    assert np.isfinite(first[:5]).all()
    assert np.isnan(first[5:]).all()
    assert np.isnan(second).all()
    np.testing.assert_array_equal(first[0], np.arange(first.shape[1])[::-1])
    assert len(notes) == 1
    assert "it fell over" in notes[0]


def test_an_unknown_baseline_is_refused(data, model):
    with pytest.raises(InputError, match="no 'opensin' \\(did you mean 'opensim'"):
        make_baseline("opensin", data, model)


@pytest.fixture
def others(tmp_path, data, model):
    """Motions of another system: at twice the rate, without a wrist, in both ways to be named; one trial is missing."""
    keep = [k for k, name in enumerate(model.coordinate_names) if name != "wrist_dev_l"]
    for row, name in ((0, "03_0/take0.mot"), (2, "03_1_take0.mot")):
        trial, entry = data.trial(row), data.trials[row]
        q = np.array(trial["coordinates"], dtype=float)
        time = entry["start_s"] + np.arange(len(q)) / 30.0
        fine = np.arange(time[0], time[-4] + 1e-9, 1.0 / 60.0)  # it ends three frames early
        values = np.stack([np.interp(fine, time, column) for column in q.T], axis=1)
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        names, types = ([of[k] for k in keep] for of in (model.coordinate_names, model.motion_types))
        write_mot(path, Motion("other", fine, values[:, keep], tuple(names), tuple(types)))
    return tmp_path


def test_motions_of_another_system_are_matched_by_name_and_time(others, data, model):
    notes: list[str] = []
    found = evaluate(data, model, MotionFiles(others, model, notes.append))
    assert [(t.person, t.trial, t.scores.frames) for t in found] == [("03_0", "take0", 67), ("03_1", "take0", 67)]
    whole = by(found, "all")["all"]
    assert whole.mean_angle < 1e-3
    assert np.isnan(whole.body)
    assert np.isnan(whole.landmarks)
    assert np.isnan(whole.angle[whole.names.index("wrist_dev_l")])
    told = "\n".join(notes)
    assert "take1.mot is missing" in told
    assert "lack 1 coordinates" in told
    assert "no .osim file" in told


def test_the_size_of_another_system_comes_from_its_model(others, data, model):
    text = model.path.read_text()

    def grown(match):
        return f"<scale_factors>{' '.join(repr(1.1 * float(v)) for v in match[1].split())}</scale_factors>"

    scaled = re.sub("<scale_factors>(.*?)</scale_factors>", grown, text)
    (others / "03_0" / "scaled.osim").write_text(scaled)
    _, scales, _ = MotionFiles(others, model).named("03_0", [], [])
    np.testing.assert_allclose(scales, 1.1)


@pytest.mark.parametrize("made", [False, True])
def test_a_folder_without_motions_is_refused(made, tmp_path, model):
    folder = tmp_path / "none"
    if made:
        folder.mkdir()
    with pytest.raises(InputError, match=r"holds no \.mot files" if made else "is no folder"):
        MotionFiles(folder, model)

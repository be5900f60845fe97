"""``biopose demo``: the whole way, and the truth comes back."""

from __future__ import annotations

import contextlib
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest

import biopose_sim as bp
from biopose_sim.cli.comparison import segment_turn_errors
from biopose_sim.cli.main import run
from biopose_sim.cli.person import fitted_person
from biopose_sim.cli.predicting import model_and_config
from biopose_sim.cli.reopen import reopen
from biopose_sim.cli.walker import make_body_walker, make_walker, segment_errors
from biopose_sim.ik.types import IKConfig
from biopose_sim.paths import default_model_path

FILES = {
    "static.trc",
    "walk.trc",
    "biopose_fullbody_scaled.osim",
    "static.mot",
    "walk.mot",
    "report.html",
    "manifest.json",
    "walk_body.npz",
    "static_body.png",
    "walk_body.png",
    "walk_angles.png",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder of a demonstration and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        assert run(["demo", "--engine", "fit", "-o", str(folder), "--seconds", "1.2"]) == 0
    return folder, told.getvalue()


def numbers(pattern: str, page: str) -> list[float]:
    return [float(x) for x in re.search(pattern, page).groups()]


def test_demo_writes_prints_and_finds_the_truth(demo):
    folder, page = demo
    assert {path.name for path in folder.iterdir()} == FILES
    for name in FILES:
        assert str(folder / name) in page
    body, known = page.split("How far a fit is from a person whose every angle is known")
    assert numbers(r"turns of segments +mean ([\d.]+)°", body)[0] < 4.0
    assert numbers(r"knee to wrist joints +([\d.]+) mm", body)[0] < 15.0
    assert max(abs(x) for x in numbers(r"shank ([-+\d.]+) %, forearm ([-+\d.]+) %", body)) < 4.0
    median, worst = numbers(r"median ([\d.]+) %, worst ([\d.]+) %", known)
    assert median < 1.5
    assert worst < 5.0
    assert numbers(r"joint angles +mean ([\d.]+)°", known)[0] < 2.0
    degrees, millimetres = numbers(r"as written, to (\S+)° and (\S+) mm", page)
    assert degrees < 1e-4
    assert millimetres < 1e-3
    for name in ("walk_body.png", "walk_angles.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
        assert (folder / name).stat().st_size < 300_000


def test_report_shows_body_and_comparison(demo):
    folder, _ = demo
    page = (folder / "report.html").read_text()
    for text in ("Body and skeleton", "How far the fit is from the body that was recorded", "turns of segments"):
        assert text in page
    compared = json.loads((folder / "manifest.json").read_text())["comparison"]
    assert [figures["markers_mm"] < 6.0 for figures in compared.values()] == [True, True]


def test_turns_notice_a_segment_that_turns_wrongly():
    """A fit that is 10 degrees off in one knee while walking is told so, about that shank and foot only."""
    walker = make_body_walker(default_model_path(), seed=2, noise=0.0, gaps=0.0, seconds=1.0)
    model, _, config = model_and_config(None, IKConfig())
    person = fitted_person(model, walker.trials, config, None)
    before = segment_turn_errors(person, walker)
    walk = person.results[-1]
    bent = walk.coordinates.copy()
    bent[:, walk.coordinate_names.index("knee_angle_r")] += np.radians(10.0)
    wrong = replace(person, results=(person.results[0], replace(walk, coordinates=bent)))
    after = segment_turn_errors(wrong, walker)
    changed = {name for name in after if abs(after[name] - before[name]) > 3.0}
    assert changed == {"tibia_r", "calcn_r"}


def test_reopening_notices_a_motion_in_the_wrong_unit(demo, tmp_path):
    folder, _ = demo
    text = (folder / "walk.mot").read_text().replace("inDegrees=yes", "inDegrees=no")
    (tmp_path / "wrong.mot").write_text(text)
    assert reopen(folder / "biopose_fullbody_scaled.osim", folder / "walk.mot").degrees < 1e-4
    with pytest.warns(bp.io.BioposeWarning, match="inDegrees"):
        wrong = reopen(folder / "biopose_fullbody_scaled.osim", tmp_path / "wrong.mot")
    assert wrong.degrees > 1.0


def test_same_seed_same_person():
    one, two, other = (
        make_walker(default_model_path(), seed=seed, noise=0.005, gaps=0.02, seconds=1.0) for seed in (5, 5, 6)
    )
    assert np.array_equal(one.scales, two.scales)
    assert np.array_equal(one.trials[1].markers, two.trials[1].markers, equal_nan=True)
    assert not np.array_equal(one.scales, other.scales)


def test_segment_errors_are_relative_lengths(walker):
    factors = np.ones_like(walker.scales)
    femur = walker.model.body_names.index("femur_r")
    factors[femur] = 1.05
    errors = segment_errors(walker.model.scale(factors), walker.model)
    assert errors["femur_r"] == pytest.approx(0.05, abs=2e-3)
    assert errors["tibia_r"] == pytest.approx(0.0, abs=1e-12)
    assert {"tibia_r", "humerus_l", "pelvis", "calcn_r"} <= set(errors)

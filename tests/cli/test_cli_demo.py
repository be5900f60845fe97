"""``biopose demo``: the whole way, and the truth comes back."""

from __future__ import annotations

import re

import numpy as np
import pytest

import biopose_sim as bp
from biopose_sim.cli.reopen import reopen
from biopose_sim.cli.walker import make_walker, segment_errors
from biopose_sim.paths import default_model_path

FILES = {
    "static.trc",
    "walk.trc",
    "biopose_fullbody_scaled.osim",
    "static.mot",
    "walk.mot",
    "report.html",
    "manifest.json",
    "walk_skeleton.png",
    "walk_angles.png",
}


@pytest.fixture
def demo(biopose, tmp_path):
    answer = biopose("demo", "-o", tmp_path / "demo", "--seconds", 1.2)
    assert answer.code == 0, answer.err
    return tmp_path / "demo", answer.out


def test_demo_writes_prints_and_finds_the_truth(demo):
    folder, page = demo
    assert {path.name for path in folder.iterdir()} == FILES
    for name in FILES:
        assert str(folder / name) in page
    median, worst = (float(x) for x in re.search(r"median ([\d.]+) %, worst ([\d.]+) %", page).groups())
    assert median < 1.5
    assert worst < 5.0
    assert float(re.search(r"joint angles +mean ([\d.]+)°", page).group(1)) < 2.0
    degrees, millimetres = re.search(r"as written, to (\S+)° and (\S+) mm", page).groups()
    assert float(degrees) < 1e-4
    assert float(millimetres) < 1e-3
    for name in ("walk_skeleton.png", "walk_angles.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
        assert (folder / name).stat().st_size < 300_000


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

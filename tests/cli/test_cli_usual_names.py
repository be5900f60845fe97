"""Recordings with a laboratory's usual marker names are fitted with the default model as they are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from biopose_sim.cli.inputs import in_model_names, told_names
from biopose_sim.cli.main import run
from biopose_sim.cli.report_sources import read_results
from biopose_sim.io import read_c3d
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.paths import default_model_path

STATIC = "PiG_Calibration-FlatFoot-Full.c3d"


@pytest.fixture(scope="module")
def model():
    return OsimModel.from_file(default_model_path())


def test_plug_in_gait_is_known(model, test_data):
    trial = read_c3d(test_data / "c3d" / STATIC)
    (found,), renamed = in_model_names([trial], model)
    assert renamed["LKNE"] == "LLFC"
    assert renamed["RANK"] == "RLMAL"
    assert "RASI" not in renamed
    np.testing.assert_array_equal(found.markers[:, found.index("LLFC")], trial.markers[:, trial.index("LKNE")])
    assert len(set(found.marker_names) & set(model.marker_names)) >= 28
    assert "LKNE as LLFC" in told_names(renamed)[0]


def test_names_of_the_model_stay(model, test_data):
    trial = read_c3d(test_data / "c3d" / STATIC)
    (known,), _ = in_model_names([trial], model)
    both = known.rename({"T10": "LKNE"})  # a marker of the model's name is there already
    (same,), renamed = in_model_names([both], model)
    assert same.marker_names == both.marker_names
    assert renamed == {}
    assert told_names(renamed) == []


def test_fit_and_report_speak_of_the_same_markers(test_data, tmp_path, capsys):
    out = tmp_path / "person"
    code = run(["fit", str(test_data / "c3d" / STATIC), "-o", str(out), "--mass", "60", "--no-report"])
    told = capsys.readouterr()
    assert code == 0, told.err
    assert "RKNE as RLFC" in told.err
    assert json.loads((out / "manifest.json").read_text())["marker_names"]["RKNE"] == "RLFC"
    (result,) = read_results(out).results
    assert {"RLFC", "LLMAL", "RASI"} <= set(result.marker_names)
    assert np.nanmax(result.marker_errors) < 0.02


def test_ik_knows_them_too(model, test_data, tmp_path, capsys):
    words = ("--model", default_model_path(), "-o", tmp_path / "ik", "--no-report")
    code = run(["ik", str(test_data / "c3d" / STATIC), *map(str, words)])
    told = capsys.readouterr()
    assert code == 0, told.err
    assert "RKNE as RLFC" in told.err
    assert json.loads((tmp_path / "ik" / "manifest.json").read_text())["trials"][0]["markers"] >= 28

"""``biopose model``, ``info`` and ``bench``."""

from __future__ import annotations

import json

import pytest

import biopose_sim as bp
from biopose_sim.cli.walker import segment_errors
from biopose_sim.paths import default_model_path


def test_build_gives_the_shipped_model(biopose, tmp_path):
    answer = biopose("model", "build", "-o", tmp_path / "full.osim")
    assert answer.code == 0
    assert (tmp_path / "full.osim").read_bytes() == default_model_path().read_bytes()
    assert "26 bodies, 118 markers, 80 muscles, 29 actuators" in answer.out


def test_build_without_tables_writes_nothing(biopose, tmp_path):
    answer = biopose("model", "build", "-o", tmp_path / "full.osim", "--tables", tmp_path / "none")
    assert answer.code == 2
    assert list(tmp_path.iterdir()) == []


def test_scale_by_a_labs_setup(biopose, test_data, tmp_path):
    setup = test_data / "pipelines" / "Gait2354_Simbody" / "subject01_Setup_Scale.xml"
    answer = biopose("model", "scale", setup, "-o", tmp_path / "out" / "subject.osim", "--mass", 70)
    assert answer.code == 0, answer.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"subject.osim", "subject_static.mot"}
    scaled = bp.OsimModel.from_file(tmp_path / "out" / "subject.osim")
    assert sum(body.mass for body in scaled.model.bodies) == pytest.approx(70.0)
    reference = bp.OsimModel.from_file(setup.parent / "OutputReference" / "subject01_simbody.osim")
    assert max(segment_errors(scaled, reference).values()) < 1e-3
    assert "thigh: 1." in answer.out


def test_scale_needs_a_name_of_a_model(biopose, test_data, tmp_path):
    setup = test_data / "pipelines" / "Gait2354_Simbody" / "subject01_Setup_Scale.xml"
    answer = biopose("model", "scale", setup, "-o", tmp_path / "out")
    assert answer.code == 2
    assert "end it with .osim" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_info_as_text_and_json(biopose):
    page = biopose("info", default_model_path()).out
    assert "knee_angle_r" in page
    facts = json.loads(biopose("info", default_model_path(), "--json").out)
    assert len(facts["bodies"]) == 26
    assert facts["name"] == "biopose_fullbody"


def test_bench_names_what_there_is(biopose):
    answer = biopose("bench", "nothing")
    assert answer.code == 2
    assert "bench" in answer.err

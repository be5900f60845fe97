"""``biopose ik``: trials on a scaled model, by options and by a lab's setup file."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import biopose_sim as bp

SETUP = """<?xml version="1.0"?>
<OpenSimDocument Version="40000"><InverseKinematicsTool name="walk">
<model_file>model/scaled.osim</model_file>
<marker_file>trc\\walk.trc</marker_file>
<time_range>0.1 0.3</time_range>
<output_motion_file>results/walk_ik.mot</output_motion_file>
<IKTaskSet><objects>
{tasks}
</objects></IKTaskSet>
</InverseKinematicsTool></OpenSimDocument>
"""


@pytest.fixture
def lab(tmp_path, subject, recordings):
    """A lab's folder: model, recording and setup, in folders of their own."""
    for folder in ("model", "trc"):
        (tmp_path / folder).mkdir()
    shutil.copy(subject / "biopose_fullbody_scaled.osim", tmp_path / "model" / "scaled.osim")
    walk = bp.io.read_trc(recordings / "walk.trc")
    gaps = dict(zip(walk.marker_names, walk.missing.sum(axis=0)))
    # A marker without gaps comes last; see the test of the last marker's gaps below.
    bp.io.write_trc(tmp_path / "trc" / "walk.trc", walk.select(sorted(gaps, key=gaps.__getitem__, reverse=True)))
    names = bp.OsimModel.from_file(tmp_path / "model" / "scaled.osim").marker_names
    task = "<IKMarkerTask name='{}'><apply>{}</apply><weight>{}</weight></IKMarkerTask>"
    tasks = [task.format(name, "false" if name == "C7" else "true", 10 if name == "RASI" else 1) for name in names]
    (tmp_path / "setup.xml").write_text(SETUP.format(tasks="\n".join(tasks)))
    return tmp_path


def test_same_angles_as_fit(biopose, subject, recordings, tmp_path):
    answer = biopose(
        *("ik", recordings / "walk.trc", "--model", subject / "biopose_fullbody_scaled.osim"),
        *("-o", tmp_path / "out", "--no-report"),
    )
    assert answer.code == 0, answer.err
    ours, fitted = bp.io.read_mot(tmp_path / "out" / "walk.mot"), bp.io.read_mot(subject / "walk.mot")
    assert np.abs(ours.coordinates - fitted.coordinates).max() < 1e-4
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"walk.mot", "manifest.json"}


def test_setup_file_alone(biopose, lab):
    answer = biopose("ik", "--setup", lab / "setup.xml")
    assert answer.code == 0, answer.err
    assert {path.name for path in (lab / "results").iterdir()} == {
        "walk_ik.mot",
        "walk_ik_report.html",
        "walk_ik_manifest.json",
    }
    motion = bp.io.read_mot(lab / "results" / "walk_ik.mot")
    assert (motion.time[0], motion.time[-1]) == (pytest.approx(0.1), pytest.approx(0.3))
    configuration = json.loads((lab / "results" / "walk_ik_manifest.json").read_text())["configuration"]
    weights = configuration["ik"]["walk"]["weights"]
    assert (weights["RASI"], weights["C7"]) == (10.0, 0.0)


def test_options_override_the_setup(biopose, lab, recordings):
    answer = biopose(
        *("ik", recordings / "static.trc", "--setup", lab / "setup.xml", "-o", lab / "other"),
        *("--time", 0.2, 0.5, "--no-report", "--model-markers"),
    )
    assert answer.code == 0, answer.err
    assert {path.name for path in (lab / "other").iterdir()} == {
        "static.mot",
        "static_model_markers.trc",
        "manifest.json",
    }
    assert len(bp.io.read_mot(lab / "other" / "static.mot").time) == 31
    assert not (lab / "results").exists()


def test_opensim_agrees(biopose, lab):
    words = ("ik", "--setup", lab / "setup.xml", "--no-report")
    assert biopose(*words, "-o", lab / "ours").code == 0
    answer = biopose(*words, "-o", lab / "theirs", "--engine", "opensim")
    assert answer.code == 0, answer.err
    assert "not told" in answer.out
    ours, theirs = (bp.io.read_mot(lab / name / "walk.mot") for name in ("ours", "theirs"))
    knee = np.degrees(ours.coordinate("knee_angle_r") - theirs.coordinate("knee_angle_r"))
    assert np.abs(knee).max() < 0.5


def test_opensim_reads_a_gap_of_the_last_marker(biopose, lab):
    walk = bp.io.read_trc(lab / "trc" / "walk.trc")
    walk.markers[12:15, -1] = np.nan
    bp.io.write_trc(lab / "trc" / "walk.trc", walk)
    answer = biopose("ik", "--setup", lab / "setup.xml", "--no-report", "-o", lab / "out", "--engine", "opensim")
    assert answer.code == 0, answer.err


def test_setup_that_names_a_missing_model(biopose, lab):
    (lab / "model" / "scaled.osim").unlink()
    answer = biopose("ik", "--setup", lab / "setup.xml")
    assert answer.code == 2
    assert "<model_file>" in answer.err
    assert not (lab / "results").exists()


def test_real_trial_by_its_labs_setup(biopose, test_data, tmp_path):
    """The setup names its model by a path that holds elsewhere: the message says where, --model mends it."""
    lab = test_data / "opencap_lab_subject4"
    words = ("ik", "--setup", lab / "IK" / "walking1_ik_on_manually_scaled_setup.xml", "-o", tmp_path / "out")
    answer = biopose(*words)
    assert answer.code == 2
    assert f"such a file lies at {lab / 'Models' / 'manually_scaled.osim'}" in answer.err
    answer = biopose(*words, "--model", lab / "Models" / "manually_scaled.osim", "--no-report")
    assert answer.code == 0, answer.err
    (trial,) = json.loads((tmp_path / "out" / "manifest.json").read_text())["trials"]
    assert trial["converged"] == 1.0
    assert trial["marker_rms_mm"] < 25.0

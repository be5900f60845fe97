"""``biopose fit``: what it writes, and that it means what the recordings say."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

import biopose_sim as bp
from biopose_sim.cli.walker import segment_errors

FILES = {
    "biopose_fullbody_scaled.osim",
    "static.mot",
    "walk.mot",
    "static_model_markers.trc",
    "walk_model_markers.trc",
    "report.html",
    "manifest.json",
}


def test_all_files_and_no_others(subject):
    assert {path.name for path in subject.iterdir()} == FILES


def test_the_person_comes_back(subject, walker):
    fitted = bp.OsimModel.from_file(subject / "biopose_fullbody_scaled.osim")
    assert np.median(list(segment_errors(fitted, walker.model).values())) < 0.02
    motion = bp.io.read_mot(subject / "walk.mot", dict(zip(fitted.coordinate_names, fitted.motion_types)))
    knee = fitted.coordinate_names.index("knee_angle_r")
    error = np.abs(motion.coordinate("knee_angle_r") - walker.coordinates["walk"][:, knee])
    assert np.degrees(error.mean()) < 2.0


def test_markers_of_the_model_lie_where_model_and_motion_put_them(subject):
    import torch

    fitted = bp.OsimModel.from_file(subject / "biopose_fullbody_scaled.osim")
    motion = bp.io.read_mot(subject / "walk.mot", dict(zip(fitted.coordinate_names, fitted.motion_types)))
    written = bp.io.read_trc(subject / "walk_model_markers.trc")
    assert motion.coordinate_names == fitted.coordinate_names
    points = fitted(torch.from_numpy(motion.coordinates)).markers.numpy()
    columns = [fitted.marker_names.index(name) for name in written.marker_names]
    assert np.abs(points[:, columns] - written.markers).max() < 1e-6


def test_mass_is_the_one_given(subject):
    fitted = bp.OsimModel.from_file(subject / "biopose_fullbody_scaled.osim")
    assert sum(body.mass for body in fitted.model.bodies) == pytest.approx(61.0, rel=1e-6)


def test_manifest_names_everything(subject, recordings):
    manifest = json.loads((subject / "manifest.json").read_text())
    hashes = {entry["path"]: entry["sha256"] for entry in manifest["inputs"]}
    walk = recordings / "walk.trc"
    assert hashes[str(walk)] == hashlib.sha256(walk.read_bytes()).hexdigest()
    assert manifest["model"]["path"].endswith("biopose_fullbody.osim")
    for name, digest in manifest["outputs"].items():
        assert hashlib.sha256((subject / name).read_bytes()).hexdigest() == digest
    assert set(manifest["outputs"]) == FILES - {"manifest.json"}
    assert manifest["configuration"]["mass_kg"] == 61.0
    assert {"python", "torch", "numpy"} <= set(manifest["versions"])
    (static, walking) = manifest["trials"]
    assert (static["name"], walking["name"], walking["frames"]) == ("static", "walk", 61)
    assert 1.0 < walking["marker_rms_mm"] < 8.0
    assert len(manifest["scaling"]["scales"]["femur_r"]) == 3


def test_report_is_one_page(subject):
    page = (subject / "report.html").read_text()
    assert "walk" in page
    assert "</html>" in page


def test_static_option_options_and_summary(biopose, recordings, tmp_path):
    weights = tmp_path / "weights.csv"
    weights.write_text("marker,weight\nRASI,5\n# a remark\nLASI\t5\n")
    answer = biopose(
        *("fit", recordings / "walk.trc", "--static", recordings / "static.trc", "-o", tmp_path / "out"),
        *("--weights", weights, "--no-symmetric", "--no-report", "--threads", 1),
    )
    assert answer.code == 0, answer.err
    rows = [line.split() for line in answer.out.splitlines()[:3]]
    assert rows[0][0] == "trial"
    assert [row[0] for row in rows[1:]] == ["static", "walk"]
    assert str(tmp_path / "out" / "walk.mot") in answer.out
    assert not (tmp_path / "out" / "report.html").exists()
    configuration = json.loads((tmp_path / "out" / "manifest.json").read_text())["configuration"]
    assert configuration["symmetric"] is False
    assert configuration["ik"]["weights"] == {"RASI": 5.0, "LASI": 5.0}


def test_real_people_by_setup_and_marker_set(biopose, test_data, tmp_path):
    """A lab's model, marker set and recordings, fitted and scaled the classic way."""
    lab = test_data / "pipelines" / "Gait2354_Simbody"
    words = (
        *("fit", lab / "subject01_static.trc", lab / "subject01_walk1.trc", "--model", lab / "gait2354_simbody.osim"),
        *("--markers", lab / "gait2354_Scale_MarkerSet.xml", "--no-report"),
    )
    rms = {}
    for name, more in (("fit", ()), ("classic", ("--scale-setup", lab / "subject01_Setup_Scale.xml"))):
        answer = biopose(*words, *more, "-o", tmp_path / name)
        assert answer.code == 0, answer.err
        manifest = json.loads((tmp_path / name / "manifest.json").read_text())
        rms[name] = manifest["trials"][1]["marker_rms_mm"]
        assert (tmp_path / name / "gait2354_simbody_scaled.osim").is_file()
    assert rms["fit"] < rms["classic"] < 30.0

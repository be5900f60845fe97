"""``biopose report``: a page from what lies in a folder, or from files."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import biopose_sim as bp
from biopose_sim.cli.report_sources import nearest_frames, read_results


@pytest.fixture(scope="module")
def laboratory(test_data: Path) -> Path:
    return test_data / "opencap_lab_subject4"


def words_of(page: Path) -> str:
    """The page as text, without tags and pictures."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8")))


def test_a_folder_of_fit_gives_the_page_of_fit_again(biopose, subject, tmp_path):
    """Marker errors are computed anew from model, motion and recording, and are those that the fit told."""
    page = tmp_path / "page.html"
    answer = biopose("report", subject, "-o", page, "--name", "Somebody")
    assert answer.code == 0, answer.err
    assert str(page) in answer.out
    told = json.loads((subject / "manifest.json").read_text())["trials"]
    found = read_results(subject)
    assert [result.name for result in found.results] == [row["name"] for row in told]
    for result, row in zip(found.results, told):
        rms = 1e3 * np.sqrt(np.nanmean(result.marker_errors**2))
        assert rms == pytest.approx(row["marker_rms_mm"], abs=0.01)
    text = words_of(page)
    for expected in ("Somebody", "biopose fit", "Height of the standing model", "Quality", "Feet and floor", "static"):
        assert expected in text
    assert "the measured markers were not found" not in answer.err


def test_files_and_measured_force(biopose, laboratory, tmp_path):
    motion, markers = tmp_path / "walking4.mot", laboratory / "MarkerData/walking4.trc"
    shutil.copy(laboratory / "IK/walking4_manual_scaling_ik.mot", motion)
    answer = biopose(
        *("report", "--model", laboratory / "Models/manually_scaled.osim", "--motion", motion, "--markers", markers),
        *("--grf", laboratory / "ID/walking4_external_forces.xml"),
    )
    # The laboratory's loads all act on the right foot, as the file says: the page is written all the same.
    assert answer.code == 0, answer.err
    text = words_of(tmp_path / "report.html")
    assert "marker error, RMS" in text
    assert "It is not known which coordinates the markers determine" in text


def test_a_folder_without_manifest_and_markers_says_so(biopose, laboratory, tmp_path):
    shutil.copy(laboratory / "IK/walkingTS1_manual_scaling_ik.mot", tmp_path / "walk.mot")
    shutil.copy(laboratory / "Models/manually_scaled.osim", tmp_path / "subject.osim")
    answer = biopose("report", tmp_path)
    assert answer.code == 0, answer.err
    assert "walk: the measured markers were not found" in answer.err
    text = words_of(tmp_path / "report.html")
    assert "The measured markers are not known" in text
    assert "Walking: 1 whole stride, 1 of the right leg" in text
    assert "No forces were simulated" in text


def test_a_recording_that_changed_is_named(subject, recordings, tmp_path):
    copied = tmp_path / "out"
    shutil.copytree(subject, copied)
    shutil.copy(recordings / "walk.trc", copied / "walk.trc")
    with (copied / "walk.trc").open("a") as file:
        file.write("\n")
    assert read_results(copied).notes == ("walk: walk.trc has changed since the result was made",)


def test_bad_input_is_one_line(biopose, tmp_path, laboratory):
    cases = {
        ("report", tmp_path / "none"): "no such folder",
        ("report", tmp_path): "holds no motion",
        ("report",): "missing argument 'OUT'",
        ("report", tmp_path, "--model", "m.osim"): "not both",
        ("report", "--model", "m.osim", "--motion", "a.mot", "--markers", "b.trc"): "belongs to no motion",
    }
    for words, expected in cases.items():
        answer = biopose(*words)
        assert answer.code == 2, words
        assert len(answer.error_lines) == 1
        assert expected in answer.error_lines[0]


def test_a_run_wants_the_name_of_a_person(biopose, tmp_path):
    for name in ("p1", "p2"):
        (tmp_path / "persons" / name).mkdir(parents=True)
        (tmp_path / "persons" / name / "model.osim").touch()
    assert "holds 2 persons; name one with --person (p1, p2)" in biopose("report", tmp_path).err
    assert "holds no person 'p3'" in biopose("report", tmp_path, "--person", "p3").err


def test_frames_at_the_times_of_a_result():
    trial = bp.io.Trial.checked("a", np.arange(10) / 10.0, np.arange(30.0).reshape(10, 1, 3), ["M"])
    cut = nearest_frames(trial, np.array([0.2, 0.3001]))
    assert cut is not None
    assert cut.markers[:, 0, 0].tolist() == [6.0, 9.0]
    assert nearest_frames(trial, np.array([0.25])) is None
    assert nearest_frames(trial, np.array([2.0])) is None

"""``biopose check``: exit codes, what is printed, what is mended."""

from __future__ import annotations

import json

import pytest

from biopose_sim.io import Table, write_sto

NAMES = ("pelvis_tilt", "pelvis_tx", "hip_flexion_r", "knee_angle_r", "ankle_angle_r")


@pytest.fixture
def motion(tmp_path):
    """A motion whose angles are in degrees, though it says radians."""
    import numpy as np

    time = np.arange(50) / 100.0
    data = 40.0 * np.sin(time)[:, None] * np.arange(1, 6)
    data[:, 1] = time
    path = tmp_path / "walk.mot"
    write_sto(path, Table("Coordinates", time, NAMES, data, in_degrees=False))
    return path


def test_errors_give_1_and_name_the_remedy(biopose, motion):
    answer = biopose("check", motion)
    assert answer.code == 1
    assert "error M05" in answer.out
    assert "write inDegrees=yes (--fix)" in answer.out
    assert answer.out.splitlines()[-1].startswith("1 file: 1 error, 0 warnings, 0 notes; --fix mends 1")


def test_mended_file_gives_0(biopose, motion):
    before = motion.read_bytes()
    answer = biopose("check", motion, "--fix")
    assert answer.code == 1
    assert "walk.fixed.mot" in answer.out
    assert motion.read_bytes() == before
    assert biopose("check", motion.with_name("walk.fixed.mot")).code == 0


def test_in_place_keeps_the_input(biopose, motion):
    before = motion.read_bytes()
    assert "walk.mot.bak" in biopose("check", motion, "--in-place").out
    assert motion.with_name("walk.mot.bak").read_bytes() == before
    assert biopose("check", motion).code == 0


def test_json(biopose, motion):
    answer = biopose("check", motion, "--json", "-o", motion.parent / "mended")
    content = json.loads(answer.out)
    assert content["counts"] == {"error": 1, "warning": 0, "note": 0}
    assert [f["code"] for f in content["findings"]] == ["M05"]
    assert content["mended"][0]["target"] == str(motion.parent / "mended" / "walk.mot")


def test_codes(biopose):
    text = biopose("check", "--codes").out
    table = json.loads(biopose("check", "--codes", "--json").out)
    assert len(text.splitlines()) == len(table) > 80
    assert table["M05"]["fixable"]
    assert all(code["title"] and code["remedy"] for code in table.values())


@pytest.mark.parametrize("words", [(), ("absent.mot",), ("--in-place", "-o", "x")])
def test_bad_calls_give_2(biopose, motion, words):
    paths = [motion] if "-o" in words else []
    answer = biopose("check", *words, *paths)
    assert answer.code == 2
    assert len(answer.error_lines) == 1


def test_folder_without_files_gives_2(biopose, tmp_path):
    answer = biopose("check", tmp_path)
    assert answer.code == 2
    assert "holds no file to check" in answer.err

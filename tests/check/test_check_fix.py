"""What ``--fix`` writes, and that it never writes over the input unless asked to."""

from __future__ import annotations

import random

import numpy as np
import pytest
from broken_others import ALL
from good_files import Files

from biopose_sim.check.fix import fix_files
from biopose_sim.check.storage import read_storage
from biopose_sim.check.together import check_files
from biopose_sim.errors import InputError
from biopose_sim.io import read_mot, read_trc

BY_NAME = {case.name: case for case in ALL}
NUMBERS = (
    "time_goes_back",
    "decimal_commas",
    "commas_between_columns",
    "whole_turn",
    "rows_miscounted",
    "old_line_ends",
)


def broken(name: str, test_data, folder):
    paths = BY_NAME[name].make(Files(test_data, folder))
    return paths, check_files(paths)


@pytest.mark.parametrize(
    "name", [*NUMBERS, "degrees_called_radians", "utf16", "time_in_capitals", "header_without_end"]
)
def test_mended_motion_is_the_good_one(name, test_data, tmp_path):
    paths, report = broken(name, test_data, tmp_path / "bad")
    (mended,) = fix_files(report)
    assert mended.target == paths[0].with_name("walk.fixed.mot")
    good = read_mot(Files(test_data, tmp_path / "good").one("walk.mot"))
    found = read_mot(mended.target)
    assert found.coordinate_names == good.coordinate_names
    assert np.allclose(found.coordinates, good.coordinates, atol=1e-9)
    assert np.array_equal(found.time, good.time)


def test_whole_turns_join_the_frames_before(test_data, tmp_path):
    _, report = broken("whole_turn", test_data, tmp_path)
    (mended,) = fix_files(report)
    steps = np.diff(read_storage(mended.target).columns["pelvis_rotation"])
    assert np.abs(steps).max() < 10.0


def test_mended_recording_is_the_good_one(test_data, tmp_path):
    _, report = broken("units_untrue", test_data, tmp_path / "bad")
    (mended,) = fix_files(report, tmp_path / "out")
    assert mended.target == tmp_path / "out" / "walk.trc"
    good = read_trc(Files(test_data, tmp_path / "good").one("walk.trc"))
    assert np.allclose(read_trc(mended.target).markers, good.markers)


def test_zeros_become_gaps_of_the_same_frames(test_data, tmp_path):
    _, report = broken("zeros_for_gaps", test_data, tmp_path)
    (mended,) = fix_files(report)
    missing = read_trc(mended.target).missing[:, 0]
    assert np.flatnonzero(missing).tolist() == list(range(55, 65))


def test_input_is_kept(test_data, tmp_path):
    paths, report = broken("rows_miscounted", test_data, tmp_path)
    before = paths[0].read_bytes()
    fix_files(report)
    assert paths[0].read_bytes() == before
    (mended,) = fix_files(report, in_place=True)
    assert paths[0].read_bytes() != before
    assert mended.backup is not None
    assert mended.backup.read_bytes() == before
    again = fix_files(report, in_place=True)[0].backup
    assert again != mended.backup
    assert mended.backup.read_bytes() == before


def test_folder_of_the_input_is_refused(test_data, tmp_path):
    _, report = broken("rows_miscounted", test_data, tmp_path)
    with pytest.raises(InputError, match="is the input itself"):
        fix_files(report, tmp_path)


def test_what_is_not_sure_is_left(test_data, tmp_path):
    for name in ("gap", "jump", "left_and_right_swapped", "markers_with_z_up", "force_on_the_plate"):
        _, report = broken(name, test_data, tmp_path / name)
        assert not fix_files(report), name


def test_damaged_files_do_not_stop_it(test_data, tmp_path):
    """Cut, shuffled and overwritten files: findings, never an exception."""
    rng = random.Random(3)
    names = ("walk.mot", "walk.trc", "grf.mot", "grf.xml", "ik.xml", "model.osim")
    files = Files(test_data, tmp_path)
    good = {path: path.read_bytes() for path in files(*names)}
    for turn in range(36):
        path = list(good)[turn % len(good)]
        data = bytearray(good[path])
        match turn // len(good) % 3:
            case 0:
                del data[rng.randrange(len(data)) :]
            case 1:
                for _ in range(30):
                    data[rng.randrange(len(data))] = rng.randrange(256)
            case _:
                at = rng.randrange(min(2000, len(data)))
                del data[at : at + rng.randrange(300)]
        path.write_bytes(bytes(data))
        report = check_files([path])
        fix_files(report, tmp_path / "mended")
        path.write_bytes(good[path])
    assert not [f for f in check_files(list(good)).findings if f.severity == "error"]

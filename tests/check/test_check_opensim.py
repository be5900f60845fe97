"""OpenSim's own word on broken files."""

from __future__ import annotations

import pytest
from broken_others import ALL
from good_files import Files

from biopose_sim.check.asked import ask_opensim

BY_NAME = {case.name: case for case in ALL}


@pytest.mark.parametrize("name", ["marker_on_absent_body", "markers_miscounted", "time_twice"])
def test_opensim_refuses(name, test_data, tmp_path):
    pytest.importorskip("opensim")
    paths = BY_NAME[name].make(Files(test_data, tmp_path))
    (found,) = ask_opensim(paths)
    assert found.code == "O19"
    assert found.message


def test_opensim_takes_good_files(test_data, tmp_path):
    pytest.importorskip("opensim")
    assert not ask_opensim(Files(test_data, tmp_path)("model.osim", "walk.mot"))

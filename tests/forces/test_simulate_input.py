"""What simulate makes of bad or unusual input: one line each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.forces.config import SimulationConfig
from biopose_sim.forces.prepared import prepared_motion
from biopose_sim.forces.simulate import simulate
from biopose_sim.io import Motion, read_mot, write_mot


def coordinate(name, **more):
    row = {"name": name, "kind": "rotational", "locked": False, "dependent": False, "prescribed": False, "default": 0.1}
    return {**row, **more}


def motion(frames=60):
    time = np.arange(frames) / 100.0
    return Motion("walk", time, np.sin(time)[:, None] + [[0.0, 0.5]], ("hip", "knee"), ("rotational",) * 2)


def test_locked_coordinates_are_held_and_told_of(tmp_path):
    whole, notes = prepared_motion(motion(), [coordinate("hip"), coordinate("knee", locked=True)], tmp_path, 6.0)
    assert (whole.coordinate("knee") == 0.1).all()
    assert "locks 'knee'" in notes[0]
    assert "°" in notes[0]


def test_coordinates_that_the_motion_lacks_are_told_of(tmp_path):
    whole, notes = prepared_motion(motion(), [coordinate(n) for n in ("hip", "knee", "ankle")], tmp_path, 6.0)
    assert (whole.coordinate("ankle") == 0.1).all()
    assert "lacks 'ankle'" in notes[0]


@pytest.mark.parametrize(("frames", "word"), [(5, "7 or more"), (12, "too few")])
def test_short_motions_are_refused(tmp_path, frames, word):
    with pytest.raises(InputError, match=word):
        prepared_motion(motion(frames), [coordinate("hip"), coordinate("knee")], tmp_path, 6.0)


def test_what_is_not_there_is_named(walking_config, tmp_path):
    config = replace(walking_config, folder=tmp_path / "out")
    for wrong, word in (
        ({"model": tmp_path / "no.osim"}, "no.osim: no such file"),
        ({"motion": tmp_path / "no.mot"}, "no.mot: no such file"),
        ({"grf": tmp_path / "no.xml"}, "no.xml: no such file"),
        ({"step": 0}, "--step: cannot be 0"),
    ):
        with pytest.raises(InputError, match=word):
            simulate(replace(config, **wrong))
    assert not list(tmp_path.iterdir())


def test_a_motion_cut_short_is_refused(walking_config, tmp_path):
    short = tmp_path / "short.mot"
    short.write_bytes(walking_config.motion.read_bytes()[:30000])
    with pytest.raises(InputError, match=r"short\.mot"):
        simulate(replace(walking_config, motion=short, folder=tmp_path / "out"))
    assert [p.name for p in tmp_path.iterdir()] == ["short.mot"]


def test_a_gap_is_named(walking_config, tmp_path):
    whole = read_mot(walking_config.motion)
    values = whole.coordinates.copy()
    values[50, 7] = np.nan
    with pytest.warns(UserWarning, match="not numbers"):
        write_mot(tmp_path / "gap.mot", replace(whole, coordinates=values))
    with pytest.raises(InputError, match=r"hip_adduction_r.*frame 51"):
        simulate(replace(walking_config, motion=tmp_path / "gap.mot", folder=tmp_path / "out"))


def test_forces_of_another_time_are_refused(walking_config, tmp_path):
    whole = read_mot(walking_config.motion)
    write_mot(tmp_path / "late.mot", replace(whole, time=whole.time + 100.0))
    late = replace(walking_config, motion=tmp_path / "late.mot", folder=tmp_path / "out", start=None, end=None)
    with pytest.raises(InputError, match="do not overlap"):
        simulate(late)


def test_loads_on_a_body_that_is_not_there_are_refused(walking_config, tmp_path):
    text = walking_config.grf.read_text().replace("talus_r", "talus_rr")
    (tmp_path / "loads.xml").write_text(text)
    with pytest.raises(InputError, match=r"talus_rr.*did you mean 'talus_r'"):
        simulate(replace(walking_config, grf=tmp_path / "loads.xml", folder=tmp_path / "out"))


def test_a_folder_of_other_files_is_not_replaced(walking_config, tmp_path):
    (tmp_path / "thesis.txt").write_text("all my work")
    with pytest.raises(InputError, match="holds other files"):
        simulate(replace(walking_config, folder=tmp_path))
    with pytest.raises(InputError, match="cannot be written to"):
        simulate(replace(walking_config, folder=tmp_path / "thesis.txt" / "out"))


def test_a_model_without_muscles_gets_inverse_dynamics(test_data, tmp_path):
    time = np.arange(100) / 100.0
    swing = Motion("swing", time, np.stack([np.sin(time), time**2], axis=1), ("q1", "q2"), ("rotational",) * 2)
    write_mot(tmp_path / "swing.mot", swing)
    config = SimulationConfig(
        model=test_data / "models" / "double_pendulum.osim", motion=tmp_path / "swing.mot", folder=tmp_path / "out"
    )
    done = simulate(config)
    assert done.setups == ("setup_1_inverse_dynamics.xml",)
    assert any("no muscles" in text for text in done.warnings)
    assert any("no ground reaction" in text for text in done.warnings)


def test_a_failed_simulation_leaves_no_folder(walking_config, tmp_path):
    config = replace(walking_config, folder=tmp_path / "results" / "simulation" / "walk", start=90.0, end=91.0)
    with pytest.raises(InputError, match="ask for other times"):
        simulate(config)
    assert list(tmp_path.iterdir()) == []

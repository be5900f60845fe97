"""``biopose simulate``: one command from a motion to forces, and one line for what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from biopose_sim.cli.main import run
from biopose_sim.cli.simulating import Wishes, configurations, faults
from biopose_sim.forces.config import SimulationConfig
from biopose_sim.forces.types import read_simulation
from biopose_sim.io import Motion, write_mot


@pytest.fixture
def swing(tmp_path):
    """A result folder's motion of a pendulum."""
    time = np.arange(60) / 100.0
    values = np.stack([np.sin(time), time**2], axis=1)
    return write_mot(tmp_path / "swing.mot", Motion("swing", time, values, ("q1", "q2"), ("rotational",) * 2))


def said(capsys, *words):
    code = run(["simulate", *map(str, words)])
    return code, capsys.readouterr()


def test_from_a_motion_to_moments(swing, test_data, tmp_path, capsys):
    model = test_data / "models" / "double_pendulum.osim"
    words = ("--model", model, "--motion", swing, "-o", tmp_path / "out", "--no-pictures")
    code, told = said(capsys, *words)
    assert code == 0, told.err
    done = read_simulation(tmp_path / "out" / "simulation" / "swing")
    assert done.grf_origin is None
    assert {"inverse_dynamics", "summary"} <= set(done.files)
    assert "no muscles" in told.err
    assert "no feet to estimate one for" in told.out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "missing argument 'OUT'"),
        (("--model", "m.osim"), "--model and --motion go together"),
        (("there_is_none",), "no folder of results"),
        (("--model", "m.osim", "--motion", "x.mot", "-o", "o", "--grf", "no.xml"), "no.xml: no such file"),
        (("--model", "m.osim", "--motion", "x.mot", "-o", "o", "--grf", "none"), "m.osim: no such file"),
        (("--setup", "none.xml", "-o", "o"), "none.xml"),
    ],
)
def test_what_is_wrong_is_one_line(words, text, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, told = said(capsys, *words)
    assert code == 2
    assert text in told.err
    assert told.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_name_of_the_trial_stands_in_the_name_of_its_forces(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("walk", "run"):
        (folder / f"{name}.mot").write_text("")
        (tmp_path / f"{name}_grf.xml").write_text("")
    (folder / "person_scaled.osim").write_text("")
    wishes = Wishes(folder=folder, grf=str(tmp_path / "{trial}_grf.xml"), filter_hz=0.0, tools="id, so")
    configs = {config.name: config for config, _ in configurations(wishes)}
    assert set(configs) == {"walk", "run"}
    assert configs["run"].grf == tmp_path / "run_grf.xml"
    assert configs["walk"].folder == folder / "simulation" / "walk"
    assert configs["walk"].filter_hz is None
    assert configs["walk"].tools == ("id", "so")


def test_without_forces_they_are_estimated_and_it_is_said(tmp_path):
    wishes = Wishes(model=tmp_path / "m.osim", motion=tmp_path / "walk.mot", output=tmp_path)
    ((config, text),) = configurations(wishes)
    assert config.grf == "estimate"
    assert "estimated" in text


def test_faults_of_the_files_are_told_first_and_once(test_data):
    subject = test_data / "opencap_lab_subject4"
    config = SimulationConfig(
        model=subject / "Models" / "manually_scaled.osim",
        motion=subject / "IK" / "walking1_manual_scaling_ik.mot",
        grf=subject / "ID" / "walking1_external_forces.xml",
        folder=subject,
    )
    told: set[str] = set()
    (text,) = faults(config, told)
    assert "L14 load ForcePlate2 acts" in text
    assert "talus_l" in text
    assert faults(config, told) == []

"""A simulation's folder: what is in it, whether OpenSim gets the same from it, and how it is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from bench.simulate_cases import percent_of_peak
from biopose_sim.errors import InputError
from biopose_sim.forces import running, setups
from biopose_sim.forces.simulate import simulate
from biopose_sim.forces.types import read_simulation
from biopose_sim.io import read_mot, read_sto


def table(config, simulation, key):
    return read_sto(config.folder / simulation.files[key], unique=False)


def rerun(config, setup, task, span=None):
    return running.opensim_tool(config.folder, setup, trial="t", doing="it again", task=task, span=span)


def test_all_is_in_the_folder(walking_config, walking):
    assert read_simulation(walking_config.folder) == walking
    for name in (*walking.files.values(), *walking.setups, walking.model, walking.motion):
        assert (walking_config.folder / name).exists(), name
    assert walking.grf_origin == "measured"
    assert walking.mass == pytest.approx(62.6, abs=0.01)
    assert len(table(walking_config, walking, "activation").time) == 5
    assert {f"joint_reaction_{frame}" for frame in ("ground", "child", "parent")} <= set(walking.files)
    assert not list(walking_config.folder.parent.glob(".walking1*"))  # nothing is left beside


def test_setup_files_hold_no_path_of_this_machine(walking_config, walking):
    for name in (*walking.setups, walking.files["external_loads"]):
        assert str(walking_config.folder.parent) not in (walking_config.folder / name).read_text()


def test_opensim_gets_the_same_moments_and_joint_loads_from_the_setups(walking_config, walking):
    again = rerun(walking_config, setups.ID_SETUP, "inverse_dynamics")["inverse_dynamics.sto"]
    assert max(percent_of_peak(table(walking_config, walking, "inverse_dynamics"), again).values()) < 1e-6
    (again,) = rerun(walking_config, setups.JR_SETUP, "analyze", (0.60001, 0.64001)).values()
    for frame in ("ground", "child", "parent"):
        ours = table(walking_config, walking, f"joint_reaction_{frame}")
        assert max(percent_of_peak(ours, again).values()) < 1e-3


def test_the_fast_engine_solves_what_opensim_solves(walking_config, walking):
    """OpenSim's tool, told by our setup to converge, gives our activations and forces."""
    theirs = rerun(walking_config, setups.SO_SETUP, "analyze", (0.60001, 0.61001))
    controls = next(t for name, t in theirs.items() if name.endswith("activation.sto"))
    ours = table(walking_config, walking, "activation")
    assert np.abs(ours.columns(controls.names)[:2] - controls.data).max() < 1e-3
    forces = next(t for name, t in theirs.items() if name.endswith("force.sto"))
    mine = table(walking_config, walking, "muscle_force").columns(controls.names)[:2]
    assert np.abs(mine - forces.columns(controls.names)).max() < 1e-3 * np.abs(mine).max()


def test_muscle_analysis_of_opensim_agrees_with_what_the_fast_engine_writes(walking_config, walking):
    theirs = rerun(walking_config, setups.MA_SETUP, "analyze", (0.60001, 0.60001))
    lengths = table(walking_config, walking, "muscle_length")
    length = theirs["walking1_MuscleAnalysis_Length.sto"]
    assert np.abs(lengths.data[0] - length.columns(lengths.names)[0]).max() < 1e-9
    for name in ("knee_angle_r", "ankle_angle_l"):
        arms = read_sto(walking_config.folder / walking.files["moment_arms"] / f"{name}.sto")
        arm = theirs[f"walking1_MuscleAnalysis_MomentArm_{name}.sto"]
        assert np.abs(arms.data[0] - arm.columns(arms.names)[0]).max() < 1e-6


def test_parts_of_the_time_join_without_a_seam(walking_config, walking):
    time = read_mot(walking_config.folder / walking.motion).time
    first = int(np.argmin(np.abs(time - 0.6)))
    frames = running.Frames(time, first, first + 4, 1)
    parts = [(first, first + 1), (first + 2, first + 4)]
    whole = table(walking_config, walking, "joint_reaction_ground")

    class Cut(running.Frames):
        def parts(self, most):
            return parts

    cut = Cut(frames.time, frames.first, frames.last, frames.step)
    with ThreadPoolExecutor(2) as pool:
        (joined,) = running.analysis(
            pool, walking_config.folder, setups.JR_SETUP, cut, 2, trial="t", doing="parts"
        ).values()
    assert np.abs(joined.columns(whole.names) - whole.data).max() < 1e-6


def test_frames_of_every_step():
    frames = running.Frames(np.arange(100) / 100.0, 3, 58, 10)
    assert frames.indices.tolist() == [3, 10, 20, 30, 40, 50, 58]
    whole = running.Frames(np.arange(500) / 100.0, 0, 499, 1)
    assert [last - first + 1 for first, last in whole.parts(3)] == [167, 167, 166]


def test_resume_keeps_what_is_of_the_same_inputs(walking_config, walking, tmp_path):
    before = (walking_config.folder / "simulation.json").stat().st_mtime_ns
    assert simulate(walking_config, resume=True) == walking
    assert (walking_config.folder / "simulation.json").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="knows no 'xx'"):
        simulate(replace(walking_config, tools=("xx",)), resume=True)


def test_an_interrupted_run_leaves_the_old_one(walking_config, walking):
    def interrupt(text):
        if "static" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(replace(walking_config, end=0.63), tell=interrupt)
    assert read_simulation(walking_config.folder) == walking
    assert not list(walking_config.folder.parent.glob(".walking1*"))

"""The figures of a simulation: known values come out with unit, side, time and what is to be said with care."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulation_folders import FORCE, LOAD, MASS, PEAKS, RESERVE, RESIDUAL, SOLEUS, write_simulation

from biopose_sim.errors import InputError
from biopose_sim.forces.actuator_kinds import read_actuators
from biopose_sim.forces.quality import center_height, reserve_checks, residual_checks
from biopose_sim.forces.results import ESTIMATED, NO_REACTION, Results
from biopose_sim.forces.summary import COLUMNS, Row, summarise, write_summary
from biopose_sim.forces.types import GRAVITY, Simulation
from biopose_sim.kinematics.model import OsimModel

WEIGHT = MASS * GRAVITY


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Simulation]:
    folder = tmp_path_factory.mktemp("walk")
    return folder, write_simulation(folder)


def one(rows: list[Row], quantity: str, name: str, unit: str) -> Row:
    (row,) = (r for r in rows if (r.quantity, r.name, r.unit) == (quantity, name, unit))
    return row


def test_known_values_come_out(walk):
    rows = summarise(*walk)
    knee = one(rows, "joint_moment_max", "knee_angle_r", "N m")
    assert (knee.value, knee.time, knee.side) == (pytest.approx(PEAKS["knee_angle_r"]), pytest.approx(0.25), "r")
    least = one(rows, "joint_moment_min", "ankle_angle_r", "N m/kg")
    assert (least.value, least.time) == (pytest.approx(-PEAKS["ankle_angle_r"] / MASS), pytest.approx(0.75))
    assert one(rows, "ground_reaction_y_max", "calcn_l", "BW").value == pytest.approx(FORCE["l"] / WEIGHT)
    assert one(rows, "muscle_force_max", "soleus_r", "N").value == pytest.approx(SOLEUS)
    assert one(rows, "activation_mean", "soleus_r", "").value == pytest.approx(2.0 / np.pi, rel=0.01)
    hip = one(rows, "joint_reaction_max", "hip_r", "BW")
    assert hip.value == pytest.approx(np.linalg.norm(LOAD) / WEIGHT)
    upward = one(rows, "joint_reaction_y_child", "hip_r", "BW")
    assert upward.value == pytest.approx(LOAD[1] / WEIGHT)
    assert "femur_r" in upward.note


def test_external_forces_in_the_table_are_no_muscles(walk):
    names = {row.name for row in summarise(*walk) if row.quantity == "muscle_force_max"}
    assert len(names) == 80
    assert "calcn_r_Fx" not in names


def test_residuals_and_reserves_are_judged(walk):
    results = Results(*walk)
    force, moment = residual_checks(results)
    assert force.peak == pytest.approx(RESIDUAL)
    most = FORCE["r"] * np.hypot(1.0, 0.1)
    assert force.limit == pytest.approx(0.05 * most)
    assert force.passed
    assert moment.limit == pytest.approx(0.01 * most * center_height(results))
    assert 0.8 < center_height(results) < 1.1
    (knee,) = reserve_checks(results)
    assert (knee.coordinate, knee.peak) == ("knee_angle_r", pytest.approx(RESERVE))
    assert knee.limit == pytest.approx(0.1 * PEAKS["knee_angle_r"])
    assert not knee.passed
    verdict = one(summarise(*walk), "verdict", "reserves", "%")
    assert verdict.value == 0.0
    assert "knee_angle_r" in verdict.note


def test_the_table_has_a_line_per_figure(walk):
    path = write_summary(*walk)
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(summarise(*walk))
    assert all(np.isfinite(float(row["value"])) for row in rows)


def test_every_figure_that_rests_on_an_estimate_says_so(tmp_path):
    rows = summarise(tmp_path, write_simulation(tmp_path, "estimated"))
    assert len(rows) > 300
    assert not [row for row in rows if ESTIMATED not in row.note]


def test_without_ground_reaction_nothing_is_judged_against_it(tmp_path):
    simulation = write_simulation(tmp_path, None, forces=False)
    rows = summarise(tmp_path, simulation)
    assert all(NO_REACTION in row.note for row in rows)
    assert not [row for row in rows if row.quantity == "verdict" or row.quantity.startswith("ground_reaction")]
    assert all(check.passed is None for check in residual_checks(Results(tmp_path, simulation)))


def test_only_the_simulated_time_counts(walk):
    folder, simulation = walk
    rows = summarise(folder, replace(simulation, start=0.5, end=0.9))
    assert one(rows, "joint_moment_max", "knee_angle_r", "N m").value == pytest.approx(0.0, abs=1e-6)


def test_a_missing_table_is_named(walk):
    folder, simulation = walk
    with pytest.raises(InputError, match=r"gone\.sto"):
        summarise(folder, replace(simulation, files={**simulation.files, "inverse_dynamics": "gone.sto"}))


def test_actuators_of_opensims_models(test_data):
    """Gait2392 with muscles of the back: they move the lumbar joint, which is none of its reserves there."""
    path = test_data / "pipelines" / "Gait2392_Simbody" / "gait2392_thelen2003muscle.osim"
    found = read_actuators(path, OsimModel.from_file(path).model)
    assert len(found.muscles) == 92
    assert not found.reserves
    path = test_data / "models" / "Rajagopal2016.osim"
    found = read_actuators(path, OsimModel.from_file(path).model)
    assert len(found.muscles) == 80
    assert not found.reserves
    assert {"lumbar_extension", "arm_flex_r", "elbow_flex_l"} <= set(found.motors.values())

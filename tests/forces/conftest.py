"""A walking trial with measured forces on a model with 80 muscles, simulated once."""

from __future__ import annotations

from pathlib import Path

import pytest

from biopose_sim.forces.config import SimulationConfig
from biopose_sim.forces.simulate import simulate


@pytest.fixture(scope="session")
def laboratory(test_data) -> Path:
    return test_data / "opencap_lab_subject4"


@pytest.fixture(scope="session")
def walking_config(laboratory, tmp_path_factory) -> SimulationConfig:
    return SimulationConfig(
        model=laboratory / "Models" / "manually_scaled.osim",
        motion=laboratory / "IK" / "walking1_manual_scaling_ik.mot",
        folder=tmp_path_factory.mktemp("simulated") / "walking1",
        trial="walking1",
        grf=laboratory / "ID" / "walking1_external_forces.xml",
        start=0.6,
        end=0.64,
        workers=1,
    )


@pytest.fixture(scope="session")
def walking(walking_config):
    """What it left."""
    return simulate(walking_config)

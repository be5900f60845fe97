"""Scenes that the tests of the figures share."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from biopose_sim import synthetic
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.paths import default_model_path

sys.path.insert(0, str(Path(__file__).parent))

from scenes import Scene, make_scene


@pytest.fixture(scope="session")
def model() -> OsimModel:
    return OsimModel.from_file(default_model_path())


@pytest.fixture(scope="session")
def walk(model: OsimModel) -> Scene:
    return make_scene(model, synthetic.gait_coordinates(model, 1.2, 50.0), "walk")


@pytest.fixture(scope="session")
def static(model: OsimModel) -> Scene:
    return make_scene(model, np.tile(synthetic.static_pose(model), (3, 1)), "static")

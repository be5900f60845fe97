"""The default model and a person on it, made once."""

from __future__ import annotations

import numpy as np
import pytest
from engine_people import person_of

from biopose_sim.ik.groups import make_groups
from ik_pipeline.model_choice import choose_model
from ik_pipeline.types import ModelChoice


@pytest.fixture(scope="session")
def choice() -> ModelChoice:
    return choose_model(virtual=True)


@pytest.fixture(scope="session")
def factors(choice: ModelChoice) -> np.ndarray:
    groups = make_groups(choice.model.body_names)
    return np.random.default_rng(3).uniform(0.95, 1.05, (len(groups.names), 3))[groups.group]


@pytest.fixture(scope="session")
def person(choice: ModelChoice, factors: np.ndarray):
    return person_of(choice, factors)

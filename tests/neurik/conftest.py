"""The default model as NeurIK predicts it."""

from __future__ import annotations

import pytest

from biopose_sim.neurik.skeleton import Skeleton
from ik_pipeline.virtual_fit import virtual_model


@pytest.fixture(scope="session")
def skeleton():
    return Skeleton(virtual_model())

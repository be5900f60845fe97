"""The default model as NeurIK predicts it; test split and model of the shards that a test module writes."""

from __future__ import annotations

import pytest

from biopose_sim.neurik.skeleton import Skeleton
from ik_pipeline.shards import ShardData, load_model
from ik_pipeline.virtual_fit import virtual_model


@pytest.fixture(scope="session")
def skeleton():
    return Skeleton(virtual_model())


@pytest.fixture(scope="module")
def data(shards):
    return ShardData(shards, "test")


@pytest.fixture(scope="module")
def model(shards):
    return load_model(shards)

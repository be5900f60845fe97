"""The makers of tiny motion files and model files lie with the tests of their readers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ik_pipeline.sources import SourceOptions, open_source

_BODIES = Path(__file__).resolve().parents[2] / "bodies"
for _folder in (_BODIES, _BODIES / "readers"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))


@pytest.fixture(scope="session")
def takes_work(test_data, tmp_path_factory):
    """The folder into which the CMU takes are unpacked, once for all tests."""
    work = tmp_path_factory.mktemp("cmu")
    open_source("cmu", test_data / "cmu_bvh").prepare(work)
    return work


@pytest.fixture(scope="session")
def cmu(test_data, takes_work):
    """A prepared source of CMU takes, and its 32 persons."""
    source = open_source("cmu", test_data / "cmu_bvh", SourceOptions(persons=32))
    source.prepare(takes_work)
    return source, source.list()

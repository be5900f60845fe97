"""A run without worker processes."""

from __future__ import annotations

import contextlib

import pytest
from runner_fakes import Here

from ik_pipeline.runner.kit import Kit


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch):
    """Jobs are done in this process; gives the list of their names."""
    names: list[str] = []

    @contextlib.contextmanager
    def hired(parts, wanted, folders, workers, scheduler, debug):
        worker = Here(Kit(parts, wanted, folders[0], folders[1]))
        worker.kinds = names
        yield worker

    monkeypatch.setattr("ik_pipeline.runner.cluster.hired", hired)
    return names

"""Shared fixtures. Real recordings and models lie outside of the repository."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """Where the test data should be."""
    return Path(os.environ.get("BIOPOSE_TEST_DATA") or _REPOSITORY.parent / "shared" / "data")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of test data; skips where it is absent, fails for that in CI."""
    folder = data_folder()
    if not folder.is_dir():
        reason = f"test data not found in {folder} (set BIOPOSE_TEST_DATA)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread: on a busy machine two wait for each other many times as long as they work."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

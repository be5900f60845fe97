"""Recordings of a made-up person, small enough to fit in a second, and ways to call the command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Answer:
    """What a call of the command gave."""

    code: int
    out: str
    err: str

    @property
    def error_lines(self) -> list[str]:
        return [line for line in self.err.splitlines() if not line.startswith("biopose: warning:")]


@pytest.fixture
def biopose(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Call the command in this process."""
    from biopose_sim.cli.main import run

    def call(*words: object) -> Answer:
        code = run([str(word) for word in words])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def walker():
    """A person of known size who stands and walks."""
    from biopose_sim.cli.walker import make_walker
    from biopose_sim.paths import default_model_path

    return make_walker(default_model_path(), seed=3, noise=0.003, gaps=0.02, seconds=0.6)


@pytest.fixture(scope="session")
def recordings(walker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with static.trc and walk.trc."""
    from biopose_sim.io import write_trc

    folder = tmp_path_factory.mktemp("recordings")
    for trial in walker.trials:
        write_trc(folder / f"{trial.name}.trc", trial)
    return folder


@pytest.fixture(scope="session")
def subject(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result folder of ``biopose fit`` on the recordings."""
    from biopose_sim.cli.main import run

    folder = tmp_path_factory.mktemp("fit") / "subject"
    words = ["fit", recordings / "static.trc", recordings / "walk.trc", "-o", folder, "--mass", "61", "--model-markers"]
    assert run([str(word) for word in words]) == 0
    return folder

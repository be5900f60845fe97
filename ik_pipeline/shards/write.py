"""Writing shards from the results of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ik_pipeline.shards.types import Card, ShardConfig

Progress = Callable[[int, int], None]


def write_shards(
    run_folder: str | Path,
    out: str | Path | None = None,
    config: ShardConfig | None = None,
    progress: Progress | None = None,
) -> Card:
    """Write the solved trials of a run as training shards.

    Args:
        run_folder: of a run, with its ``manifest.json``.
        out: folder of the shards; ``shards`` in the run's folder if none is given. It is replaced as a whole.
        config: windows, rate and shares.
        progress: called with the frames done and the frames in all.

    Raises:
        InputError: no manifest, one of another version, a model that is not the run's, results that are missing or
            broken, a folder that holds something else, or a full disk.
    """
    raise NotImplementedError

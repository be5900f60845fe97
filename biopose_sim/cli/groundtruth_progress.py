"""The progress line of a long run: a bar, how much is done, how fast, how long it will still take."""

from __future__ import annotations

import time

from biopose_sim.cli.console import Progress
from ik_pipeline.runner.types import Ledger, Tally

_WIDTH = 20
# The rate is that of the last so many seconds at least.
_WINDOW = 60.0


class Bar(Progress):
    """The line on a terminal; silent where there is none."""

    def __init__(self) -> None:
        super().__init__()
        # Moments, and trials and frames that were done by then.
        self._marks: list[tuple[float, int, int]] = []

    def __enter__(self) -> Bar:
        super().__enter__()
        self("reading the data set")
        return self

    def report(self, ledger: Ledger) -> None:
        """Show how far the run is."""
        tally, now = ledger.tally, time.monotonic()
        self._marks.append((now, tally.solved + tally.failed, tally.frames))
        while len(self._marks) > 2 and now - self._marks[1][0] > _WINDOW:
            self._marks.pop(0)
        self(progress_line(tally, *self._speeds()))

    def _speeds(self) -> tuple[float, float]:
        """Trials and frames per second."""
        (start, trials, frames), (end, more_trials, more_frames) = self._marks[0], self._marks[-1]
        seconds = max(end - start, 1e-3)
        return (more_trials - trials) / seconds, (more_frames - frames) / seconds


def progress_line(tally: Tally, trials_per_second: float, frames_per_second: float) -> str:
    """Return the line: bar, persons, trials, frames per second, time left."""
    done = tally.kept + tally.solved + tally.failed
    share = done / tally.trials if tally.trials else 1.0
    bar = "█" * int(share * _WIDTH) + "░" * (_WIDTH - int(share * _WIDTH))
    parts = [f"{bar} {tally.persons_done}/{tally.persons} persons", f"{done}/{tally.trials} trials"]
    if tally.failed:
        parts.append(f"{tally.failed} failed")
    if frames_per_second > 0.0:
        parts.append(f"{frames_per_second:,.0f} frames/s")
    if trials_per_second > 0.0 and done < tally.trials:
        parts.append(f"{duration((tally.trials - done) / trials_per_second)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> duration(42), duration(600), duration(7300)
    ('42 s', '10 min', '2 h 2 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"

"""Synthetic people drawn by many processes: threads share one interpreter, which holds many cores back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import fields
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np

from .batch import PeopleBatch
from .motion import MotionTable

if TYPE_CHECKING:
    from .stream import SyntheticPeople

# Images of one piece of work.
_PIECE = 32
# Of this process, if it is a worker.
_people: list[SyntheticPeople] = []


def batches_of_processes(
    people: SyntheticPeople, processes: int, size: int, first: int, ahead: int
) -> Iterator[PeopleBatch]:
    """Yield the batches that ``people`` would, drawn by processes; see `SyntheticPeople.batches`."""
    # Compiles all loops here, once, not in every process.
    people.batch(first, 1)
    asked = people.motion, people.seed, people.size
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin, asked) as pool:
        waiting: deque[list[Future[PeopleBatch]]] = deque()
        try:
            while True:
                while len(waiting) <= ahead:
                    starts = range(first, first + size, _PIECE)
                    waiting.append([pool.submit(_draw, k, min(_PIECE, first + size - k)) for k in starts])
                    first += size
                yield joined([part.result() for part in waiting.popleft()])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def joined(parts: list[PeopleBatch]) -> PeopleBatch:
    """Return one batch of several."""
    if len(parts) == 1:
        return parts[0]
    return PeopleBatch(*(np.concatenate([getattr(p, field.name) for p in parts]) for field in fields(PeopleBatch)))


def _begin(table: MotionTable, seed: int, size: int) -> None:
    from threadpoolctl import threadpool_limits

    from .stream import SyntheticPeople

    threadpool_limits(1)
    _people[:] = [SyntheticPeople(table, table.split, seed=seed, size=size)]


def _draw(first: int, count: int) -> PeopleBatch:
    return _people[0].batch(first, count)

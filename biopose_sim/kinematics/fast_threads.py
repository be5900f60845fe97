"""Run compiled kernels over parts of the frames in a few threads."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

CHUNK = 1024  # frames: long enough to hide the cost of a call, short enough to share the work evenly
Work = Callable[[int, int, int], None]
_pools: dict[int, ThreadPoolExecutor] = {}
_local = threading.local()


def chunk_count(n_frames: int) -> int:
    """How many chunks :func:`run_chunks` makes."""
    return -(-n_frames // CHUNK)


def run_chunks(work: Work, n_frames: int) -> None:
    """Call ``work(start, stop, chunk)`` for all chunks, in at most ``torch.get_num_threads()`` threads."""

    def work_on(chunk: int) -> None:
        work(chunk * CHUNK, min((chunk + 1) * CHUNK, n_frames), chunk)

    run_parallel(work_on, chunk_count(n_frames), torch.get_num_threads())


def run_parallel(work: Callable[[int], None], n_tasks: int, n_threads: int) -> None:
    """Call ``work(task)`` for 0 .. n_tasks - 1 in at most ``n_threads`` threads.

    The calling thread works too and threads take tasks as they become free, so that nobody waits for a thread that
    another program keeps from running.
    """
    counter = itertools.count()

    def drain() -> None:
        while (task := next(counter)) < n_tasks:
            work(task)

    helpers = min(n_threads, n_tasks) - 1
    futures = [_pool().submit(drain) for _ in range(helpers)]
    try:
        drain()
    finally:
        for future in futures:
            if not future.cancel():
                future.result()


def scratch_memory(size: int, dtype: np.dtype) -> np.ndarray:
    """Memory of this thread for ``size`` numbers; its content is undefined."""
    kept: dict[str, np.ndarray] = _local.__dict__
    key = dtype.name
    if key not in kept or kept[key].size < size:
        kept[key] = np.empty(size, dtype)
    return kept[key]


def _pool() -> ThreadPoolExecutor:
    """The threads of this process (a forked child inherits none)."""
    pid = os.getpid()
    if pid not in _pools:
        _pools.clear()
        _pools[pid] = ThreadPoolExecutor(max(1, (os.cpu_count() or 1)), thread_name_prefix="biopose")
    return _pools[pid]

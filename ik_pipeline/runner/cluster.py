"""Worker processes: a local cluster, or the one that listens at an address. Imports ``distributed``."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import pickle
import signal
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.config
import psutil
from distributed import Client, Future, KilledWorker, LocalCluster, Worker, WorkerPlugin, as_completed

from biopose_sim.errors import BioposeError
from ik_pipeline.runner.errors import OutputError
from ik_pipeline.runner.kit import Kit
from ik_pipeline.runner.types import Done, Job, Parts, Wanted

# Jobs that wait at each worker, so that it never waits for one.
_WAITING = 3
_START_TIMEOUT = 120  # [s]
_MOST_STARTS = 3
# So often is a job handed out again that a cluster gave up, for its workers died.
_MOST_LOST = 5
_CLOSE_TIMEOUT = 5  # [s]
_SETTINGS = {
    # Which job a worker died in is known (`Kit.attempt`); those that waited behind it are begun again however often.
    "distributed.scheduler.allowed-failures": 20,
    # A worker is stopped before the machine runs out of memory; markers are nothing to put on disk.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    # Compiling takes longer than the pause after which it is said that a process does not answer.
    "distributed.admin.tick.limit": "1h",
}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_kits: dict[str, Kit | tuple[bytes, Wanted, Path, Path]] = {}


class Crew:
    """Workers that do jobs.

    Args:
        client: of the cluster.
        run: name of the run among those that share the cluster.
    """

    def __init__(self, client: Client, run: str) -> None:
        self._client, self._run = client, run
        self._jobs: dict[Future, Job] = {}
        self._done = as_completed([], loop=client.loop, with_results=True, raise_errors=False)
        self._lost: Counter[str] = Counter()
        self._numbers = itertools.count()
        self._threads = 0

    @property
    def wants_more(self) -> bool:
        """Whether another job would be begun soon."""
        if not self._threads or next(self._numbers) % 100 == 0:  # a cluster grows and shrinks
            self._threads = max(1, sum(self._client.nthreads().values()))
        return len(self._jobs) < self._threads * (1 + _WAITING)

    @property
    def busy(self) -> bool:
        """Whether a job is not done yet."""
        return bool(self._jobs)

    def submit(self, job: Job) -> None:
        """Begin a job as soon as a worker is free."""
        name = f"{job.kind}-{uuid.uuid4().hex}"
        future = self._client.submit(_do, self._run, job, key=name, pure=False)
        self._jobs[future] = job
        self._done.add(future)

    def next_done(self) -> tuple[Job, Done]:
        """Wait for the next job to end.

        Raises:
            OutputError: results cannot be written.
        """
        while True:
            future, found = next(self._done)
            job = self._jobs.pop(future)
            if isinstance(found, Done):
                return job, found
            error = found[1] if isinstance(found, tuple) else found  # what was raised, or that it was given up
            if isinstance(error, OutputError):
                raise error
            if isinstance(error, KilledWorker) and self._lost[job.name] < _MOST_LOST:
                # It may only have waited behind another one; if not, `Kit.attempt` knows.
                self._lost[job.name] += 1
                self.submit(job)
                continue
            said = " ".join(str(error).split())
            return job, Done(failed=said if isinstance(error, BioposeError) else f"{type(error).__name__}: {said}")


@contextlib.contextmanager
def hired(
    parts: Parts,
    wanted: Wanted,
    folders: tuple[Path, Path, Path],
    workers: int | None,
    scheduler: str | None,
    debug: bool,
) -> Iterator[Crew]:
    """Yield workers.

    Args:
        parts: source, engine, model.
        wanted: which files are written.
        folders: of the run, its hidden work folder, and one for temporary files on this machine.
        workers: number of local processes; None: as many as there are processors.
        scheduler: address of the scheduler of a cluster, whose workers see the same folders; None: local processes.
        debug: let workers print.

    Raises:
        BioposeError: no worker came.
    """
    folder, work, scratch = folders
    run = uuid.uuid4().hex
    equip = _Equip(run, pickle.dumps(parts), wanted, folder, work, quiet=not debug and scheduler is None)
    with contextlib.ExitStack() as stack:
        if not debug:
            for name in ("distributed", "asyncio", "tornado"):
                logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        address = scheduler or stack.enter_context(_local(workers, scratch, debug))
        try:
            client = stack.enter_context(Client(address, timeout=_START_TIMEOUT, set_as_default=False))
            client.wait_for_workers(1, timeout=_START_TIMEOUT)
            _register(client, equip)
        except (OSError, TimeoutError) as error:
            where = f"scheduler {scheduler}" if scheduler else "local workers"
            raise BioposeError(f"{where}: no worker answers ({error})") from error
        yield Crew(client, run)


def _register(client: Client, equip: WorkerPlugin) -> None:
    """Equip the workers, and all that will come; again if one dies meanwhile."""
    for _ in range(_MOST_STARTS - 1):
        with contextlib.suppress(OSError):
            client.register_plugin(equip)
            return
    client.register_plugin(equip)


@contextlib.contextmanager
def _local(workers: int | None, scratch: Path, debug: bool) -> Iterator[LocalCluster]:
    threads = dict.fromkeys(_THREADS, "1")
    settings = {**_SETTINGS, "distributed.nanny.pre-spawn-environ": threads, "temporary-directory": str(scratch)}
    with dask.config.set(settings), _without_interrupts():
        cluster = _started(
            n_workers=workers or os.cpu_count() or 1,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            local_directory=str(scratch),
            silence_logs=logging.WARNING if debug else logging.CRITICAL + 1,
            env={"TMPDIR": str(scratch)},  # before what the user's environment says, as settings would not be
        )
    try:
        yield cluster
    finally:
        with _interrupts_later():
            _end_workers(cluster)
            with contextlib.suppress(TimeoutError):
                cluster.close(timeout=_CLOSE_TIMEOUT)


def _started(**how: Any) -> LocalCluster:
    """Start the processes; again if one dies meanwhile."""
    for _ in range(_MOST_STARTS - 1):
        with contextlib.suppress(RuntimeError):  # what distributed makes of it
            return LocalCluster(**how)
    try:
        return LocalCluster(**how)
    except RuntimeError as error:
        raise BioposeError(f"worker processes cannot be started ({error})") from error


@contextlib.contextmanager
def _interrupts_later() -> Iterator[None]:
    """Ctrl-C in the block counts when the block has ended."""
    caught: list[int] = []
    try:
        before = signal.signal(signal.SIGINT, lambda number, _: caught.append(number))
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes that start in the block never see Ctrl-C; nor does this one, for the seconds that it takes."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread: nothing to be done
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end_workers(cluster: LocalCluster) -> None:
    """Kill the workers and the OpenSim that one may be busy with: files are whole or not there, whenever that is.

    Asking them to end would take as long as what they compute or compile.
    """
    processes = []
    for nanny in cluster.workers.values():
        nanny.close_gracefully()  # it starts none anew
        with contextlib.suppress(psutil.Error):
            if nanny.pid is not None:
                worker = psutil.Process(nanny.pid)
                processes += [worker, *worker.children(recursive=True)]
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=_CLOSE_TIMEOUT)


class _Equip(WorkerPlugin):
    """Gives each worker, also one that was started anew, what the run needs."""

    def __init__(self, run: str, parts: bytes, wanted: Wanted, folder: Path, work: Path, *, quiet: bool) -> None:
        self.name = f"biopose-{run}"
        self.run, self.quiet = run, quiet
        self.content = (parts, wanted, folder, work)

    def setup(self, worker: Worker) -> None:
        """Take the parts in; they are unpacked by the first job."""
        if self.quiet:
            _say_nothing()
        _kits[self.run] = self.content

    def teardown(self, worker: Worker) -> None:
        """Forget the run."""
        _kits.pop(self.run, None)


def _say_nothing() -> None:
    """Libraries of a local worker must not write into the terminal, nor Ctrl-C reach it."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _do(run: str, job: Job) -> Done:
    from ik_pipeline.runner.compiled import compiling
    from ik_pipeline.runner.jobs import do, forget

    with compiling() as compiled:
        kit = _kit(run)
        done = do(kit, job)
    if compiled and done.failed is None and kit.may_repeat(job):
        forget(kit, job)
        os._exit(0)  # the job is begun again by another process, which finds what was compiled in the cache
    return done


def _kit(run: str) -> Kit:
    """What a run needs, unpacked by the first job."""
    kit = _kits[run]
    if not isinstance(kit, Kit):
        import torch

        torch.set_num_threads(1)
        tempfile.tempdir = None  # TMPDIR may have come after it was looked up
        packed, wanted, folder, work = kit
        kit = _kits[run] = Kit(pickle.loads(packed), wanted, folder, work)
    return kit

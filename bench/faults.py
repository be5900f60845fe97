"""Kill runs over a data set at random moments, resume them, and compare with an undisturbed run.

    biopose bench faults --data ../shared/data/cmu_bvh --kills 20

Each kill goes to the main process (SIGKILL, SIGTERM, SIGINT), to a worker, to both, or, with --engine opensim, to the
OpenSim of a worker (SIGSEGV). Then the same command runs again with --resume, and is killed again, until it ends by
itself; the next kill begins a new run. Every run that ends must hold the same files.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from biopose_sim.io.record import sha256
from ik_pipeline.runner.manifest import VOLATILE

WAYS = ("main SIGKILL", "worker SIGKILL", "both SIGKILL", "main SIGTERM", "main SIGINT")
WITH_OPENSIM = "OpenSim SIGSEGV"
TIMEOUT = 3600.0  # [s]
FINE = (0, 1)  # the data may hold what fails


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark; ends with an error where a run differs."""
    options = _parsed(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so would runs
    dice = random.Random(options.seed)
    ways = (*WAYS, WITH_OPENSIM) if options.engine == "opensim" else WAYS
    with tempfile.TemporaryDirectory(prefix="biopose-faults-") as space:
        reference, seconds, fine = _undisturbed(options, Path(space, "run"))
        print(f"undisturbed: {len(reference)} files in {seconds:.1f} s")
        killed = runs = wrong = 0
        while killed < options.kills:
            out = Path(space, "run")  # the same name, for it may stand in files
            shutil.rmtree(out, ignore_errors=True)
            ended = False
            while not ended:
                process = _start(options, out, resume=True)
                way = dice.choice(ways) if killed < options.kills else None
                ended = not _disturb(process, way, dice.uniform(0.0, seconds))
                code = process.wait(TIMEOUT)
                if way is not None and not ended:
                    killed += 1
                    print(f"kill {killed}: {way}, exit code {code}", flush=True)
                ended = ended or (code == fine and not way.startswith(("main", "both")))
            runs += 1
            different = _different(reference, _content(out))
            wrong += bool(different)
            print(f"run {runs}: {'the same files' if not different else f'DIFFERENT: {different[:5]}'}", flush=True)
        left = [p.name for p in Path(tempfile.gettempdir()).glob("biopose-groundtruth-*")]
        print(f"{killed} kills, {runs} runs that ended, {wrong} of them different; left over: {left or 'nothing'}")
        if wrong:
            sys.exit(1)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="biopose bench faults", description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="cmu")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--engine", default="fit", choices=["fit", "opensim"])
    parser.add_argument("--persons", type=int, default=4)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


def _start(options: argparse.Namespace, out: Path, *, resume: bool) -> subprocess.Popen[bytes]:
    words = ["groundtruth", options.source, options.data, "-o", out, "--engine", options.engine, "--mot"]
    words += ["--persons", options.persons, "--trials", options.trials, "--workers", options.workers]
    command = [sys.executable, "-m", "biopose_sim", *map(str, words), *(["--resume"] if resume else [])]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def _undisturbed(options: argparse.Namespace, out: Path) -> tuple[dict[str, str], float, int]:
    """Content, time and exit code; the first run warms the caches of compiled code."""
    for _ in range(2):
        shutil.rmtree(out, ignore_errors=True)
        started = time.perf_counter()
        code = _start(options, out, resume=False).wait(TIMEOUT)
        if code not in FINE:
            sys.exit(f"the undisturbed run ended with code {code}")
    return _content(out), time.perf_counter() - started, code


def _disturb(process: subprocess.Popen[bytes], way: str | None, moment: float) -> bool:
    """Kill in this way after so many seconds; whether there was still something to kill."""
    if way is None:
        return False
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(moment)
        return False
    while process.poll() is None:
        if victims := list(_victims(process, way)):
            for victim, number in victims:
                with contextlib.suppress(psutil.NoSuchProcess):
                    victim.send_signal(number)
            return True
        time.sleep(0.02)  # no worker yet
    return False


def _victims(process: subprocess.Popen[bytes], way: str) -> Iterator[tuple[psutil.Process, int]]:
    who, name = way.split()
    number = getattr(signal, name)
    with contextlib.suppress(psutil.NoSuchProcess):
        main_process = psutil.Process(process.pid)
        family = main_process.children(recursive=True)
        sign = {"worker": "spawn_main", "both": "spawn_main", "OpenSim": "_opensim_process.py"}.get(who)
        for child in family:
            if sign is not None and sign in " ".join(child.cmdline()):
                yield child, number
                break
        if who in ("main", "both"):
            yield main_process, number


def _content(out: Path) -> dict[str, str]:
    """Hashes of all files, of the manifest's only of what describes results."""
    found = {p.relative_to(out).as_posix(): sha256(p) for p in sorted(out.rglob("*")) if p.is_file()}
    if "manifest.json" in found:
        manifest = json.loads((out / "manifest.json").read_bytes())
        found["manifest.json"] = json.dumps({k: v for k, v in manifest.items() if k not in VOLATILE})
    return found


def _different(a: dict[str, str], b: dict[str, str]) -> list[str]:
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()

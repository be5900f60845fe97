"""Kill runs over a data set at random moments, fill their disk, damage their data: results must stay the same.

    biopose bench faults
    biopose bench faults --only large --large-kills 6

Kills go to the main process, to a worker, to the OpenSim of a worker, or to all together (WAYS, faults_runs.py). After
each the same command runs again with --resume and is killed again, until it ends by itself; the next kill begins a new
run. Every run that ends must hold the same files as an undisturbed one, name each bad file once, and leave no process
and no temporary file behind. The small data set is recordings of OpenCap-lab subject 4, cut short and given to several
persons, with damaged files among them; the large one CMU takes on Anny.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.cases import data_folder
from bench.faults_runs import WAYS, WITH_OPENSIM, Case, Undisturbed, left_in
from biopose_sim.io import read_trc, write_trc

TABLES = Path(__file__).resolve().parent
CASES = ("fit", "opensim", "large")
# Recordings of the small data set and how many frames of each: people differ in what they do.
STATIC, MOTIONS = "static1", ("walking1", "DJ1", "STS1", "squats1")
FRAMES = {"fit": 60, "opensim": 10}
PERSONS = {"fit": 2, "opensim": 2, "large": 20}
LARGE_TRIALS = 3
BAD = ("person0/cut_off.trc", "person0/empty.trc", "person1/no_markers.trc")


@dataclass
class Tally:
    """What became of the runs of a case.

    Attributes:
        kills: by kind, those that had effect.
        missed: kills that found nothing to kill.
        resumes: runs begun on the results of a killed one.
        ended: runs that ended by themselves.
        faults: what was not as it should be, a line each.
    """

    kills: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    resumes: int = 0
    ended: int = 0
    faults: list[str] = field(default_factory=list)

    def line(self, case: Case, reference: Undisturbed) -> str:
        """One line for the table."""
        kinds = ", ".join(f"{count} {way}" for way, count in sorted(self.kills.items()))
        return (
            f"{case.name}: {sum(self.kills.values())} effective kills ({kinds}; {self.missed} more found nothing to "
            f"kill), {self.resumes} resumes, {self.ended} runs ended, each compared in {len(reference.content)} files; "
            f"faults: {len(self.faults)}"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark; ends with an error where anything is not as it should be."""
    options = _parsed(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so would runs
    faults = []
    with tempfile.TemporaryDirectory(prefix="biopose-faults-") as space:
        for name in options.only or CASES:
            case = _case(name, data_folder(options.data), Path(space, name), options)
            reference = case.undisturbed()
            print(f"{name}: undisturbed {len(reference.content)} files in {reference.seconds:.1f} s; "
                  f"bad files {reference.bad_files}", flush=True)  # fmt: skip
            tally = Tally()
            if name != "large":
                _damaged(reference, tally)
                _full_disk(case, reference, tally)
                _short_files(case, reference, tally)
            ways = (*WAYS, *WITH_OPENSIM) if name == "opensim" else WAYS
            kills = options.large_kills if name == "large" else options.kills
            _kill_all(case, reference, tally, kills, random.Random(options.seed), ways)
            print(tally.line(case, reference), flush=True)
            faults += tally.faults
    if faults:
        sys.exit("\n".join(faults))


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="biopose bench faults", description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of test data")
    parser.add_argument("--only", choices=CASES, nargs="+", help="two small runs, one per engine, and a large one")
    parser.add_argument("--kills", type=int, default=20, help="of each small case, those that had effect")
    parser.add_argument("--large-kills", type=int, default=6, help="of the large case")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


def _case(name: str, data: Path, folder: Path, options: argparse.Namespace) -> Case:
    folder.mkdir()
    out = folder / "run"
    if name == "large":
        words = ["cmu", data / "cmu_bvh", "--persons", PERSONS[name], "--trials", LARGE_TRIALS, "--mot"]
    else:
        _laboratory(data / "opencap_lab_subject4", folder / "lab", PERSONS[name], FRAMES[name])
        words = ["markers", folder / "lab", "--engine", name, "--place-fixed", "--shards", "--window", 4]
        words += ["--model", data / "opencap_lab_subject4" / "Models" / "unscaled_generic.osim"]
        words += ["--scale-setup", TABLES / "measurements_subject4.csv"]
    words += ["--workers", options.workers]
    return Case(name, tuple(map(str, words)), out, folder / "temporary")


def _laboratory(source: Path, target: Path, persons: int, frames: int) -> None:
    """Write persons with the first frames of recordings, and damaged files."""
    for number in range(persons):
        home = target / f"person{number}"
        home.mkdir(parents=True)
        for name in (STATIC, *MOTIONS):
            trial = read_trc(source / "MarkerData" / f"{name}.trc")
            first = 5 * number
            last = min(first + frames, trial.n_frames) - 1
            write_trc(home / f"{name}.trc", trial.crop(float(trial.time[first]), float(trial.time[last])))
    whole = (target / "person0" / "walking1.trc").read_bytes()
    (target / BAD[0]).write_bytes(whole[:300])
    (target / BAD[1]).write_bytes(b"")
    (target / BAD[2]).write_text("nothing of the kind\n")


def _damaged(reference: Undisturbed, tally: Tally) -> None:
    """Each damaged file is named once, and no other."""
    if reference.bad_files != sorted(BAD):
        tally.faults.append(f"bad files {reference.bad_files}, not {sorted(BAD)}")


def _kill_all(
    case: Case, reference: Undisturbed, tally: Tally, kills: int, dice: random.Random, ways: Sequence[str]
) -> None:
    """Kill until enough kills had effect, the ways in turn; each run goes on until it ends by itself."""
    turn: list[str] = []
    while sum(tally.kills.values()) < kills:
        case.clear()
        resume = ended = False
        while not ended:
            launch = case.start(resume=resume)
            enough = sum(tally.kills.values()) >= kills
            turn = turn or dice.sample(ways, len(ways))
            way = None if enough else turn.pop()
            worked = way is not None and launch.strike(way, reference, dice)
            code = launch.wait() if launch.process.returncode is None else launch.process.returncode
            if way is not None:
                _count(case, reference, tally, way, worked, code)
            ended = code == reference.code
            tally.resumes += not ended
            resume = True
        _compare(case, reference, tally, "run")


def _count(case: Case, reference: Undisturbed, tally: Tally, way: str, worked: bool, code: int) -> None:
    tally.missed += not worked
    if worked:
        tally.kills[way] += 1
        print(f"{case.name}: kill {sum(tally.kills.values())}: {way}, exit code {code}", flush=True)
    if not worked and code != reference.code:
        tally.faults.append(f"{case.name}: {way} without effect, but exit code {code}")
    tally.faults += [f"{case.name}: process left after {way}: {name}" for name in case.orphans()]
    if false := case.false_records(reference.content):
        tally.faults.append(f"{case.name}: counts as done after {way}: {false[:5]}")


def _compare(case: Case, reference: Undisturbed, tally: Tally, what: str) -> None:
    """A run that has ended must be as the undisturbed one, and leave nothing behind."""
    tally.ended += 1
    different = reference.different(case.content())
    left = left_in(case.temporary)
    tally.faults += [f"{case.name}, {what}: differs in {different[:5]}"] if different else []
    tally.faults += [f"{case.name}, {what}: bad files {case.bad_files()}"] * (case.bad_files() != reference.bad_files)
    tally.faults += [f"{case.name}, {what}: left over {left[:5]}"] if left else []
    print(
        f"{case.name}: {what} {tally.ended}: {len(different)} files differ, left over: {left[:5] or 'nothing'}",
        flush=True,
    )


def _full_disk(case: Case, reference: Undisturbed, tally: Tally) -> None:
    """Half of the room that results need, then enough."""
    size = sum(path.stat().st_size for path in case.out.rglob("*") if path.is_file())
    case.clear()
    with _small_disk(case.out, size // 2) as mounted:
        if not mounted:
            print(f"{case.name}: full disk NOT tried, for mounting is not allowed here")
            return
        _refused(case, tally, "full disk", None)
        subprocess.run(["mount", "-o", f"remount,size={4 * size}", case.out], check=True)
        _go_on(case, reference, tally, "full disk")


def _short_files(case: Case, reference: Undisturbed, tally: Tally) -> None:
    """A limit that the larger ones of the result files exceed, then none."""
    sizes = sorted(path.stat().st_size for path in case.out.rglob("*.npz"))
    case.clear()
    limit = sizes[len(sizes) // 2] if sizes else 10_000
    _refused(case, tally, f"files of at most {limit} bytes", limit)
    _go_on(case, reference, tally, "files too large")


def _refused(case: Case, tally: Tally, what: str, limit: int | None) -> None:
    """The run must end with exit code 2 and one line that says how to go on."""
    launch = case.start(file_limit=limit)
    code = launch.wait()
    lines = launch.said.splitlines()
    print(f"{case.name}: {what}: exit code {code}: {' | '.join(lines)}", flush=True)
    if code != 2 or len(lines) != 1 or "--resume" not in lines[0]:
        tally.faults.append(f"{case.name}, {what}: exit code {code}, {lines}")


def _go_on(case: Case, reference: Undisturbed, tally: Tally, what: str) -> None:
    tally.resumes += 1
    code = case.start(resume=True).wait()
    if code != reference.code:
        tally.faults.append(f"{case.name}, {what}: resumed, it ended with code {code}")
    _compare(case, reference, tally, what)


@contextmanager
def _small_disk(folder: Path, size: int) -> Iterator[bool]:
    """Mount a disk of so many bytes in memory; yields whether that is allowed."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            time.sleep(0.1)
            subprocess.run(["umount", folder], check=True)


if __name__ == "__main__":
    main()

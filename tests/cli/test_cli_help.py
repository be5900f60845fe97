"""The command answers at once and imports nothing heavy for it."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest
from cli_process import run_process

COMMANDS = ["demo", "fit", "predict", "ik", "report", "groundtruth", "train", "ablate", "info", "model", "bench"]
LIMIT = 0.3  # [s]


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS), ["model", "build"], ["model", "scale"]])
def test_help_is_there_and_imports_nothing_heavy(words):
    code = (
        "import sys; from biopose_sim.cli.main import run; code = run(sys.argv[1:])\n"
        "heavy = {'numpy', 'torch', 'numba', 'matplotlib', 'opensim', 'scipy', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: biopose" in done.stdout


def test_help_takes_less_than_a_third_of_a_second():
    """Processor time, the least of a few: other work on the machine must not decide."""
    spent = []
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run_process("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < LIMIT


def test_version(biopose):
    from biopose_sim import __version__

    assert biopose("--version").out.split()[-1] == __version__


def test_help_lists_the_commands_in_order(biopose):
    page = biopose("--help").out
    places = [page.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)


def test_unknown_command_gets_near_names(biopose):
    answer = biopose("fitt")
    assert answer.code == 2
    assert answer.error_lines == ["biopose: no command 'fitt' (did you mean 'fit'?) (see 'biopose --help')"]


def test_unknown_option_is_one_line(biopose):
    answer = biopose("fit", "--modell", "x", "a.trc", "-o", "out")
    assert answer.code == 2
    assert len(answer.error_lines) == 1
    assert "--model" in answer.err

"""OpenSim's process: it ends with the one that waits for it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = (
    "import os, time\ndef work(opensim, job):\n    open(job['here'], 'w').write(str(os.getpid())); time.sleep(60)\n"
)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_opensim_ends_with_a_killed_parent(tmp_path):
    (tmp_path / "slow.py").write_text(SCRIPT)
    here = tmp_path / "started"
    code = (
        "from pathlib import Path; from biopose_sim.osim.process import run_script; "
        f"run_script(Path({str(tmp_path / 'slow.py')!r}), {{'here': {str(here)!r}}}, Path({str(tmp_path)!r}), "
        "subject='x', doing='waiting', timeout=90)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY)
    _wait(lambda: here.is_file() and here.read_text())
    child = Path("/proc", here.read_text())
    assert child.is_dir()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _wait(lambda: not child.is_dir() or "\nState:\tZ" in (child / "status").read_text())


def _wait(done, seconds=60.0):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)

"""The start of every process that uses OpenSim: ``_opensim_process.py SCRIPT JOB.json``.

See ``process.py`` for what goes in and out. The script defines ``work(opensim, job)``, which returns its answer
or nothing. Neither imports anything of this project, to start fast.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1  # of linux/prctl.h


def main(script: str, job_file: str) -> None:
    """Do the job and write the answer: what the script returned, or {"error": text}."""
    end_with_parent()
    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    Path(job["answer"]).write_text(json.dumps(answer_to(script, job)), encoding="utf-8")


def end_with_parent() -> None:
    """End when the process that waits for the answer ends, even if it is killed; only Linux can do so."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    # Without the call the process ends a little later, with its job.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def answer_to(script: str, job: dict[str, Any]) -> dict[str, Any]:
    """Run the script's ``work`` with a quiet OpenSim that leaves no log."""
    try:
        import opensim
    except ImportError as error:
        return {"error": str(error), "missing": True}
    opensim.Logger.removeFileSink()
    opensim.Logger.setLevelString("Error")
    work = runpy.run_path(script)["work"]
    try:
        return work(opensim, job) or {}
    except RuntimeError as error:  # what OpenSim's exceptions become
        return {"error": str(error)}


if __name__ == "__main__":
    main(*sys.argv[1:])

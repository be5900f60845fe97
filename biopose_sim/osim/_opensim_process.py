"""The start of every process that uses OpenSim: ``_opensim_process.py SCRIPT JOB.json``.

See ``process.py`` for what goes in and out. The script defines ``work(opensim, job)``, which returns its answer
or nothing. Neither imports anything of this project, to start fast.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any


def main(script: str, job_file: str) -> None:
    """Do the job and write the answer: what the script returned, or {"error": text}."""
    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    Path(job["answer"]).write_text(json.dumps(answer_to(script, job)), encoding="utf-8")


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

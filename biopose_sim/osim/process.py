"""Running a script that uses OpenSim in a process of its own: OpenSim may end its process, print and litter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from biopose_sim.errors import BioposeError, InputError

_ENTRY = Path(__file__).with_name("_opensim_process.py")


class OpenSimError(BioposeError):
    """OpenSim failed.

    Attributes:
        reason: what OpenSim said, in one line.
    """

    def __init__(self, subject: str | Path, doing: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{subject}: OpenSim failed while {doing}: {reason}")


def run_script(
    script: Path, job: dict[str, Any], folder: Path, *, subject: str | Path, doing: str, timeout: float
) -> dict[str, Any]:
    """Run a script's ``work(opensim, job)`` and return what it answers.

    Args:
        script: a file that imports nothing of this project and defines ``work``, which gets the module opensim
            and the job, and returns a dictionary or None; what it raises as RuntimeError becomes an OpenSimError.
        job: what it is to do, as JSON can hold it.
        folder: a temporary folder, where OpenSim leaves what it leaves.
        subject: the file or trial, named in errors.
        doing: what is done, e.g. "scaling the model".
        timeout: [s].

    Raises:
        InputError: OpenSim is not installed.
        OpenSimError: it reported an error, ended its process, or took too long.
    """
    job_file, answer_file = folder / "job.json", folder / "answer.json"
    answer_file.unlink(missing_ok=True)
    job_file.write_text(json.dumps({**job, "answer": str(answer_file)}), encoding="utf-8")
    # -P keeps the script's folder off the path: its modules would hide those of the standard library.
    command = [sys.executable, "-P", str(_ENTRY), str(script.resolve()), str(job_file)]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise OpenSimError(subject, doing, f"it did not end within {timeout:g} s") from None
    said = _last_line(done.stdout) or _last_line(done.stderr)
    if not answer_file.is_file():
        end = f"its process ended with code {done.returncode}"
        raise OpenSimError(subject, doing, f"{end} ({said})" if said else end)
    answer: dict[str, Any] = json.loads(answer_file.read_text(encoding="utf-8"))
    if answer.get("missing"):
        raise InputError(subject, f"{doing} needs OpenSim ({answer['error']})", "pip install opensim")
    if "error" in answer:
        reason = " ".join(str(answer["error"]).split())
        raise OpenSimError(subject, doing, f"{reason} ({said})" if said and said not in reason else reason)
    return answer


def _last_line(output: bytes) -> str:
    """The last error that OpenSim logged, else the last line."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    errors = [line.split("[error]", 1)[1].strip() for line in lines if "[error]" in line]
    return (errors or lines or [""])[-1]

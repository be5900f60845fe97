"""What OpenSim itself says of a file, in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from biopose_sim.check.finding import Finding, finding
from biopose_sim.osim.process import OpenSimError, run_script

TIME_LIMIT = 120.0  # [s]
KINDS = (".osim", ".trc", ".mot", ".sto")
_PROCESS = Path(__file__).with_name("_check_process.py")


def ask_opensim(paths: Sequence[Path]) -> list[Finding]:
    """Let OpenSim load models, recordings and motions; a finding for each that it refuses.

    Raises:
        InputError: OpenSim is not installed.
    """
    found = []
    for path in paths:
        kind = path.suffix.lower()
        if kind not in KINDS:
            continue
        job = {"source": str(path.resolve()), "kind": kind}
        with tempfile.TemporaryDirectory(prefix="biopose-check-") as folder:
            try:
                run_script(_PROCESS, job, Path(folder), subject=path, doing="loading it", timeout=TIME_LIMIT)
            except OpenSimError as error:
                found.append(finding("O19", path, error.reason[:300]))
    return found

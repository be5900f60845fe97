"""The OpenSim side of ``upgrade.py``; see ``_opensim_process.py``."""

from __future__ import annotations

from typing import Any


def work(opensim: Any, job: dict[str, Any]) -> None:
    """Load an old file and save it in the version of the installed OpenSim."""
    model = opensim.Model(job["source"])
    model.finalizeFromProperties()
    model.finalizeConnections()
    if not model.printToXML(job["target"]):
        raise RuntimeError("nothing was written")

"""The OpenSim side of ``asked.py``; see ``osim/_opensim_process.py``."""

from __future__ import annotations

from typing import Any


def work(opensim: Any, job: dict[str, Any]) -> None:
    """Load a file as OpenSim's tools do; OpenSim raises what is wrong with it."""
    source, kind = job["source"], job["kind"]
    if kind == ".osim":
        model = opensim.Model(source)
        model.finalizeConnections()
        model.initSystem()
    elif kind == ".trc":
        opensim.TimeSeriesTableVec3(source)
    else:
        opensim.Storage(source)

"""Ways from a person's markers to a scaled model and motions: our fit, and OpenSim's own tools."""

from __future__ import annotations

from biopose_sim.errors import InputError, near_matches
from ik_pipeline.types import Engine, ModelChoice

ENGINES = ("fit", "opensim")


def make_engine(name: str, choice: ModelChoice, *, threads: int = 1, accuracy: float | None = None) -> Engine:
    """Return an engine.

    Args:
        name: ``"fit"``: scales, marker offsets and motion by our own engine. ``"opensim"``: OpenSim's ScaleTool
            (marker pairs, marker placement) and InverseKinematicsTool, each in a process of its own.
        choice: the model that persons are scaled from.
        threads: of the fit within a trial; its numbers do not depend on it. OpenSim uses one.
        accuracy: of OpenSim's solver; None is OpenSim's own (1e-5 for motions, 1e-4 for the static pose). The fit
            takes it as the ``tolerance`` of its steps [rad | m].

    Raises:
        InputError: no such engine; ``opensim`` without marker pairs.
    """
    from ik_pipeline.engines.fit_engine import FitEngine
    from ik_pipeline.engines.opensim_engine import OpenSimEngine

    if name == "fit":
        return FitEngine(choice, threads=threads, tolerance=accuracy)
    if name == "opensim":
        return OpenSimEngine(choice, accuracy=accuracy)
    raise InputError("engine", f"there is no engine {name!r}{near_matches(name, ENGINES)}", f"use {', '.join(ENGINES)}")

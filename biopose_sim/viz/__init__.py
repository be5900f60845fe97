"""Figures and reports of kinematics results; pure matplotlib, no display needed.

Modules: :mod:`~biopose_sim.viz.plots` (angles, marker errors, convergence), :mod:`~biopose_sim.viz.skeleton`
(pictures of the skeleton with markers), :mod:`~biopose_sim.viz.body` (body mesh, skeleton and markers together),
:mod:`~biopose_sim.viz.report` (one HTML file),
:mod:`~biopose_sim.viz.style` (the look).
"""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "house_style": "style",
    "to_png": "style",
    "plot_angles": "plots",
    "plot_marker_errors": "plots",
    "plot_convergence": "plots",
    "plot_skeleton": "skeleton",
    "draw_skeleton": "skeleton",
    "plot_body": "body",
    "write_report": "report",
    "Section": "report",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"biopose_sim.viz.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'biopose_sim.viz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)

"""biopose-sim: OpenSim-ready motion from markers, body meshes or video.

``import biopose_sim as bp`` is light: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "OsimModel": "biopose_sim.kinematics.model",
    "Trial": "biopose_sim.io",
    "InputError": "biopose_sim.errors",
    "BioposeError": "biopose_sim.errors",
    "IKConfig": "biopose_sim.ik.types",
    "KinematicsResult": "biopose_sim.ik.types",
    "solve_ik": "biopose_sim.ik.solver",
    "NeurIK": "biopose_sim.neurik.api",
    "FitConfig": "biopose_sim.ik.fit",
    "FitResult": "biopose_sim.ik.fit",
    "fit": "biopose_sim.ik.fit",
    "export_osim": "biopose_sim.osim.writer",
    "simulate": "biopose_sim.forces.simulate",
    "SimulationConfig": "biopose_sim.forces.config",
    "estimate_ground_reaction": "biopose_sim.forces.estimate",
    "check_files": "biopose_sim.check.together",
    "Lifter": "biopose_sim.video.lifter.lifter",
    "refine_joint": "biopose_sim.video.refine.joint",
}
_MODULES = ("bodies", "check", "forces", "gait", "io", "ik", "kinematics", "neurik", "osim", "video", "viz")

__all__ = ["__version__", *_PUBLIC, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"biopose_sim.{name}")
    raise AttributeError(f"module 'biopose_sim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

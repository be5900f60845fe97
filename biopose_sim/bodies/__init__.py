"""Body models (Anny, SMPL, SMPL-H, SMPL-X), readers of their motions, and the virtual markers on them.

Each name is loaded when it is first used, so that importing this package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

_READERS = "biopose_sim.bodies.readers"
_PUBLIC = {
    "BodySequence": "biopose_sim.bodies.types",
    "actions": _READERS,
    "load": _READERS,
    "load_all": _READERS,
    "read_movi_markers": _READERS,
    "one_shape": "biopose_sim.bodies.body",
    "save_sequence": _READERS,
    "tracks": _READERS,
    "turn_upright": "biopose_sim.bodies.upright",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'biopose_sim.bodies' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

"""Training shards: the solved trials of a run as memory-mapped windows for learning and evaluation.

Reading them needs numpy alone; each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ik_pipeline.shards.data import ShardData as ShardData
    from ik_pipeline.shards.model import load_model as load_model
    from ik_pipeline.shards.types import Card as Card
    from ik_pipeline.shards.types import ShardConfig as ShardConfig
    from ik_pipeline.shards.write import write_shards as write_shards

_PUBLIC = {
    "Card": "ik_pipeline.shards.types",
    "ShardConfig": "ik_pipeline.shards.types",
    "ShardData": "ik_pipeline.shards.data",
    "load_model": "ik_pipeline.shards.model",
    "write_shards": "ik_pipeline.shards.write",
}

__all__ = ["Card", "ShardConfig", "ShardData", "load_model", "write_shards"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'ik_pipeline.shards' has no attribute {name!r}")

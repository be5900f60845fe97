"""What happens on a device that is not the processor; "meta" stands in for a GPU."""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Operations that ask a device for a value.
_ASKING = ("nonzero", "_local_scalar", "masked_select")


class Watch(TorchDispatchMode):
    """Notes operations on two devices at once and those that wait for one."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = [t for t in tree_leaves((args, kwargs or {})) if isinstance(t, torch.Tensor)]
        devices = {t.device.type for t in given if t.dim()}
        if len(devices) > 1 or any(name in str(func) for name in _ASKING):
            self.seen.append(f"{func} {sorted(devices)}")
        if "_to_copy" in str(func) and "cpu" in devices:
            self.seen.append(f"{func} from the processor")
        return func(*args, **(kwargs or {}))

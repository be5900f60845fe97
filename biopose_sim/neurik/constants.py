"""Tensors that never change, each brought to the device that asks for it once."""

from __future__ import annotations

import torch
from torch import Tensor


class Constants:
    """Named tensors.

    A GPU is waited for whenever something small is copied to it; what is copied once and kept costs nothing later.

    Args:
        tensors: by name.
    """

    def __init__(self, **tensors: Tensor) -> None:
        self._tensors = tensors
        self._kept: dict[tuple[str, torch.device, torch.dtype], Tensor] = {}

    def like(self, name: str, other: Tensor) -> Tensor:
        """Return a tensor on the device of another; if it holds no indices or truths, in its precision too."""
        tensor = self._tensors[name]
        dtype = other.dtype if tensor.is_floating_point() and other.is_floating_point() else tensor.dtype
        key = (name, other.device, dtype)
        if key not in self._kept:
            self._kept[key] = tensor.to(device=other.device, dtype=dtype)
        return self._kept[key]

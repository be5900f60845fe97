"""Windows as a torch data set."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ik_pipeline.shards.data import ShardData


class TorchWindows(Dataset):
    """Windows as dicts of tensors.

    A ``DataLoader(windows, batch_size=128, shuffle=True, collate_fn=TorchWindows.collate)`` reads whole batches at
    once; its worker processes open the files for themselves.

    Args:
        data: the windows.
    """

    def __init__(self, data: ShardData) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: torch.as_tensor(values) for name, values in self.data.window(index).items()}

    def __getitems__(self, indices: Sequence[int]) -> dict[str, Tensor]:
        return {name: torch.from_numpy(values) for name, values in self.data.batch(indices).items()}

    @staticmethod
    def collate(batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what ``__getitems__`` has put together already."""
        return batch

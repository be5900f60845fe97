"""Batches of training: windows of shards, read ahead in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from biopose_sim.neurik.augment import AugmentConfig, disturb
from biopose_sim.neurik.frame import Framed, Framer
from biopose_sim.neurik.losses import Truth, make_truth
from biopose_sim.neurik.skeleton import Skeleton
from ik_pipeline.shards import ShardData

_AHEAD = 3


@dataclass(frozen=True)
class Batch:
    """Windows and what a network should say of them."""

    framed: Framed
    truth: Truth


class Batches:
    """Batches of one split, in an order that depends on seed and epoch alone.

    Args:
        folder: of the shards.
        split: ``"train"``, ``"val"`` or ``"test"``.
        skeleton: of the shards' model.
        size: windows of a batch.
        seed: of order and disturbances.
        augment: how markers are disturbed; None leaves them as they are.
        shuffle: whether windows come in random order.
        most: windows of an epoch; None takes all.
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        skeleton: Skeleton,
        *,
        size: int,
        seed: int = 0,
        augment: AugmentConfig | None = None,
        shuffle: bool = True,
        most: int | None = None,
        window: int | None = None,
    ) -> None:
        self.data = ShardData(folder, split, window=window, quantities=("markers", "coordinates"))
        self.skeleton, self.framer = skeleton, Framer(skeleton)
        self.size, self.seed, self.augment, self.shuffle = size, seed, augment, shuffle
        self.count = len(self.data) if most is None else min(most, len(self.data))
        with torch.no_grad():
            self.places = skeleton.model(skeleton.model.default_coordinates.float()).markers

    def __len__(self) -> int:
        return max(1, self.count // self.size)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of an epoch; windows left over at its end are not seen."""
        order = np.arange(len(self.data))
        if self.shuffle:
            np.random.default_rng((self.seed, number)).shuffle(order)
        elif self.count < len(order):
            order = order[np.linspace(0, len(order) - 1, self.count).astype(int)]
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        parts = [order[k * self.size : (k + 1) * self.size] for k in range(len(self))]
        yield from _ahead(self._batch(np.sort(part), random) for part in parts)

    def _batch(self, indices: np.ndarray, random: torch.Generator) -> Batch:
        found = self.data.batch(indices)
        markers = torch.from_numpy(found["markers"]).float()
        coordinates = torch.from_numpy(found["coordinates"]).float()
        sizes = self.skeleton.sizes(torch.from_numpy(found["scales"]).float())
        offsets = torch.from_numpy(found["marker_offsets"]).float()
        if self.augment is not None:
            factor = torch.exp(self.augment.size * torch.randn(len(markers), generator=random))
            markers = markers * factor[:, None, None, None]
            coordinates = self.skeleton.resized(coordinates, factor)
            sizes, offsets = sizes + factor.log()[:, None], offsets * factor[:, None, None]
            rate = torch.from_numpy(found["rate"]).float()
            markers = disturb(markers, rate, self.places, self.augment, random)
        framed = self.framer(markers)
        pose = self.skeleton.encode(coordinates, framed.heading, framed.origin)
        free = self.skeleton.of_joints(torch.from_numpy(found["coordinates_free"]))
        truth = make_truth(self.skeleton, pose, sizes, offsets, torch.from_numpy(found["valid"]), free)
        return Batch(framed, truth)


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield what a thread makes ahead; what it raises is raised here."""
    waiting: queue.Queue[Batch | BaseException | None] = queue.Queue(_AHEAD)
    stop = threading.Event()

    def put(item: Batch | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for batch in batches:
                if not put(batch):
                    return
            put(None)
        except (OSError, ValueError, RuntimeError) as error:
            put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()

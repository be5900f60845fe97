"""Batches of training: windows of shards, read ahead in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from biopose_sim.errors import BioposeError, InputError
from biopose_sim.neurik.augment import AugmentConfig, displace, disturb
from biopose_sim.neurik.bend import Bent, bent
from biopose_sim.neurik.frame import Framed, Framer
from biopose_sim.neurik.losses import Truth, make_truth
from biopose_sim.neurik.skeleton import Skeleton
from ik_pipeline.shards import ShardData

T = TypeVar("T")
_AHEAD = 3


@dataclass(frozen=True)
class Batch:
    """Windows and what a network should say of them."""

    framed: Framed
    truth: Truth


@dataclass(frozen=True)
class Windows:
    """Windows as shards hold them, (B, ...); see `ShardData.batch`."""

    markers: Tensor
    coordinates: Tensor
    scales: Tensor
    marker_offsets: Tensor
    rate: Tensor
    valid: Tensor
    coordinates_free: Tensor

    def on(self, device: torch.device) -> Windows:
        """Return them on a device; a GPU copies while others compute."""
        if device.type == "cpu":
            return self
        return Windows(*(getattr(self, f.name).pin_memory().to(device, non_blocking=True) for f in fields(self)))


class Batches:
    """Batches of one split, each by seed, epoch and number alone.

    On a processor all of the work is done ahead in a thread; on a GPU the thread reads, the GPU disturbs and frames.

    Args:
        folder: of the shards.
        split: ``"train"``, ``"val"`` or ``"test"``.
        skeleton: of the shards' model.
        size: windows of a batch.
        seed: of order and disturbances.
        augment: how markers are disturbed; None leaves them as they are.
        shuffle: whether windows come in random order.
        most: windows of an epoch, spread over all; None takes all.
        window: frames of a window; None: as written.
        device: where batches are wanted.

    Raises:
        InputError: no shards there, or no such window in them.
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
        device: torch.device | str = "cpu",
    ) -> None:
        self.data = ShardData(folder, split, window=window, quantities=("markers", "coordinates"))
        if not len(self.data):
            problem = f"its split {split!r} has no window of {self.data.length} frames"
            raise InputError(folder, problem, "give shards of more persons, longer trials, or shorter windows")
        self.skeleton, self.framer, self.device = skeleton, Framer(skeleton), torch.device(device)
        self.size, self.seed, self.augment, self.shuffle = size, seed, augment, shuffle
        self.count = len(self.data) if most is None else min(most, len(self.data))
        with torch.no_grad():
            neutral = skeleton.model(skeleton.model.default_coordinates.float())
            self.places = neutral.markers.to(self.device)

    def __len__(self) -> int:
        return max(1, self.count // self.size)

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from the first wanted; windows left over at its end are not seen."""
        order = np.arange(len(self.data))
        if self.shuffle:
            np.random.default_rng((self.seed, number)).shuffle(order)
        elif self.count < len(order):
            order = order[np.linspace(0, len(order) - 1, self.count).astype(int)]
        rows = ((k, np.sort(order[k * self.size : (k + 1) * self.size])) for k in range(first, len(self)))
        # Chance is drawn anew for each batch: those before the first need not be made.
        read = ((self._read(own), self._chance(number, k)) for k, own in rows)
        if self.device.type == "cpu":
            yield from ahead(self._batch(windows, random) for windows, random in read)
            return
        for windows, random in ahead((windows.on(self.device), random) for windows, random in read):
            yield self._batch(windows, random)

    def _chance(self, epoch: int, number: int) -> torch.Generator:
        state = np.random.SeedSequence((self.seed, epoch, number)).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))

    def _read(self, rows: NDArray[np.int64]) -> Windows:
        return windows_of(self.data.batch(rows))

    def _batch(self, windows: Windows, random: torch.Generator) -> Batch:
        markers, coordinates, offsets = windows.markers, windows.coordinates, windows.marker_offsets
        scales = windows.scales
        free = self.skeleton.of_joints(windows.coordinates_free)
        if self.augment is not None:
            given = Bent(markers, coordinates, scales, offsets)
            found = bent(self.skeleton, given, windows.rate, free, self.augment, random)
            markers, coordinates, scales, offsets = found.markers, found.coordinates, found.scales, found.offsets
        sizes = self.skeleton.sizes(scales)
        if self.augment is not None:
            drawn = torch.exp(self.augment.size * torch.randn(len(markers), generator=random))
            factor = drawn.to(self.device, non_blocking=True)
            markers = markers * factor[:, None, None, None]
            coordinates = self.skeleton.resized(coordinates, factor)
            sizes, offsets = sizes + factor.log()[:, None], offsets * factor[:, None, None]
            markers = disturb(markers, windows.rate, self.places, self.augment, random)
        framed = self.framer(markers)
        pose = self.skeleton.encode(coordinates, framed.heading, framed.origin)
        if self.augment is not None and (self.augment.turn or self.augment.translation):
            # Poses are said in a frame that goes along: where that lies does not change them.
            framed = displace(framed, self.augment, random)
        return Batch(framed, make_truth(self.skeleton, pose, sizes, offsets, windows.valid, free))


def windows_of(found: dict[str, NDArray[Any]]) -> Windows:
    """Return what `ShardData.batch` gave as tensors, numbers in single precision."""
    tensors = {f.name: torch.from_numpy(found[f.name]) for f in fields(Windows)}
    return Windows(**{name: t.float() if t.is_floating_point() else t for name, t in tensors.items()})


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield what a thread makes ahead; what it raises is raised here."""
    waiting: queue.Queue[tuple[T | None, Exception | None]] = queue.Queue(_AHEAD)
    stop = threading.Event()

    def put(item: T | None, error: Exception | None = None) -> bool:
        while not stop.is_set():
            try:
                waiting.put((item, error), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(None)
        except (OSError, ValueError, RuntimeError, BioposeError) as error:
            put(None, error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stop.set()
        thread.join()

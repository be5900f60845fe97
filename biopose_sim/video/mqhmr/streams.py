"""Endless, seeded batches to train on: pictures of data sets, synthetic people, or a few crops again and again.

Item number n depends on the seed and n alone, so that a training goes on where it stopped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from ...errors import InputError
from .augment import NONE, Change, HmrAugment, cut, draw_change, stacked, warped
from .data import Labels, Picture, Pictures
from .layouts import AnnyPoints, BodyPointsOf
from .truth import Truth, moved, truth_of_labels, truth_of_people, with_assumed_cameras
from .weak_camera import SIDE

if TYPE_CHECKING:
    from ..synthetic.stream import SyntheticPeople

SYNTHETIC = "synthetic people"
"""How the names of data of them begin."""
_AHEAD = 3
# Batches that are shown in another order before the next ones, where images are shown more than once.
_BLOCK = 32


class TrainingData(Protocol):
    """What a network is trained on.

    Attributes:
        points: which points of a body are known.
        name: what it is, noted in checkpoints: a training does not go on with other data.
    """

    points: BodyPointsOf
    name: str

    def batches(self, size: int, first: int) -> Iterator[Truth]:
        """Yield batches of ``size`` for ever, the first of them from item number ``first`` on."""

    def validation(self, count: int, size: int) -> Iterator[Truth]:
        """Yield ``count`` items that are never trained on, in batches of ``size`` at most; always the same."""


class Held(Protocol):
    """Pictures in a fixed order, such as `mqhmr.data_npz.NpzPictures` or a list."""

    def __len__(self) -> int:
        """How many."""

    def __getitem__(self, number: int, /) -> Picture:
        """One of them."""


class PictureData:
    """Pictures of data sets, cut out and augmented.

    Args:
        pictures: to train on.
        held_out: to validate on; each is taken as it is.
        points: which points of a body their labels have.
        augment: how much.
        seed: of all that is drawn.
        threads: that read pictures side by side.
        name: of the data, for checkpoints.
    """

    def __init__(
        self,
        pictures: Pictures,
        held_out: Held,
        points: BodyPointsOf,
        augment: HmrAugment | None = None,
        *,
        seed: int = 0,
        threads: int = 1,
        name: str = "pictures",
    ) -> None:
        self.points, self.name = points, name
        self._pictures, self._held_out, self._seed, self._threads = pictures, held_out, seed, threads
        self._augment = augment or HmrAugment()

    def batches(self, size: int, first: int) -> Iterator[Truth]:
        """See `TrainingData`."""
        return ahead(lambda start: self.batch(start, size), size, first, self._threads)

    def batch(self, first: int, size: int) -> Truth:
        """Return items ``first`` to ``first + size - 1``."""
        made = []
        for number in range(first, first + size):
            chance = np.random.default_rng((self._seed, number))
            made.append((self._pictures.draw(chance), chance))
        return truth_of_pictures(made, self.points, self._augment)

    def validation(self, count: int, size: int) -> Iterator[Truth]:
        """See `TrainingData`."""
        return truths(self._held_out, self.points, size, count)


class PeopleData:
    """Synthetic people; validated on persons of another split.

    Args:
        people: to train on, images of 256 x 256 pixels.
        held_out: to validate on.
        augment: besides what the stream varies by itself; none if not given.
        markers: confidence of the virtual markers beside the key points.
        reuse: how often each image is shown, each time changed in another way: drawing a person costs the processor
            more than a small network does.
        seed: of augmentation.
        device: where images are changed: best that of the network.
    """

    def __init__(
        self,
        people: SyntheticPeople,
        held_out: SyntheticPeople,
        augment: HmrAugment | None = None,
        *,
        markers: float = 0.2,
        reuse: int = 1,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        from ...bodies.anny_table import load_anny_data
        from .anny_bones import AnnyBones

        self.points: BodyPointsOf = AnnyPoints()
        poses = len(people.motion.chances)
        self.name = f"{SYNTHETIC} {people.motion.split}, {poses} poses, seed {people.seed}"
        self._people, self._held_out, self._augment = people, held_out, augment or NONE
        self._markers, self._reuse, self._seed, self._device = markers, reuse, seed, device
        self._bones = AnnyBones.of(load_anny_data())

    def batches(self, size: int, first: int) -> Iterator[Truth]:
        """See `TrainingData`; where images are shown more than once, ``first`` is that of a batch.

        Raises:
            ValueError: it is not.
        """
        if self._reuse > 1:
            yield from self._again(size, first)
        for people in self._people.batches(size, first=first, ahead=_AHEAD):
            yield self._changed(truth_of_people(people, self._bones, self._markers), people.index, 0)

    def _again(self, size: int, first: int) -> Iterator[Truth]:
        """Blocks of images, each gone through in several orders."""
        step, rest = divmod(first, size)
        if rest:
            raise ValueError(f"item {first} is not the first of a batch of {size}")
        block, done = divmod(step, _BLOCK * self._reuse)
        count = _BLOCK * size
        stream = self._people.batches(size, first=block * count, ahead=_BLOCK)
        while True:
            drawn = list(islice(stream, _BLOCK))
            truth = joined([truth_of_people(people, self._bones, self._markers) for people in drawn])
            numbers = np.concatenate([people.index for people in drawn])
            for k in range(done, _BLOCK * self._reuse):
                turn, place = divmod(k, _BLOCK)
                order = np.random.default_rng((self._seed, block, turn)).permutation(count)
                rows = order[place * size : (place + 1) * size].tolist()
                yield self._changed(taken(truth, rows), numbers[rows], turn)
            block, done = block + 1, 0

    def _changed(self, truth: Truth, numbers: np.ndarray, turn: int) -> Truth:
        """Images ``numbers`` of the stream, changed as they are the ``turn``-th time."""
        if self._augment == NONE:
            return truth
        layout = self.points.layout
        middle, points = np.full(2, 0.5 * SIDE), truth.points_2d.numpy().astype(float)
        sources = [np.random.default_rng((self._seed, int(number), turn)) for number in numbers]
        changes = stacked(
            [
                draw_change(self._augment, source, middle, SIDE, own, layout.points)
                for source, own in zip(sources, points)
            ]
        )
        truth, changes = truth.to(self._device), changes.to(self._device)
        return replace(moved(truth, changes, layout), images=warped(truth.images, changes))

    def validation(self, count: int, size: int) -> Iterator[Truth]:
        """See `TrainingData`."""
        for first in range(0, count, size):
            people = self._held_out.batch(first, min(size, count - first))
            yield truth_of_people(people, self._bones, self._markers)


class FixedData:
    """A few items again and again, each time around in another order; validated on the same ones: to overfit.

    Args:
        truth: the items.
        points: which points of a body they have.
        seed: of the order.
    """

    def __init__(self, truth: Truth, points: BodyPointsOf, seed: int = 0) -> None:
        self.points, self.name = points, f"{len(truth)} items"
        self._truth, self._seed = truth, seed

    def batches(self, size: int, first: int) -> Iterator[Truth]:
        """See `TrainingData`."""
        count = len(self._truth)
        while True:
            rounds = {number // count for number in range(first, first + size)}
            orders = {turn: np.random.default_rng((self._seed, turn)).permutation(count) for turn in rounds}
            rows = [int(orders[n // count][n % count]) for n in range(first, first + size)]
            yield taken(self._truth, rows)
            first += size

    def validation(self, count: int, size: int) -> Iterator[Truth]:
        """See `TrainingData`."""
        most = min(count, len(self._truth))
        return (taken(self._truth, range(start, min(start + size, most))) for start in range(0, most, size))


def taken(truth: Truth, rows: Sequence[int]) -> Truth:
    """Return some items of a batch."""
    order = torch.tensor(list(rows))
    return Truth(*(getattr(truth, field.name)[order] for field in fields(truth)))


def joined(batches: Sequence[Truth]) -> Truth:
    """Return the items of several batches as one."""
    return Truth(*(torch.cat([getattr(one, field.name) for one in batches]) for field in fields(Truth)))


def truths(pictures: Held, points: BodyPointsOf, size: int, count: int | None = None) -> Iterator[Truth]:
    """Yield pictures as they are, cut out, in batches of ``size`` at most: the first ``count`` of them, or all."""
    chance = np.random.default_rng(0)
    most = min(count or len(pictures), len(pictures))
    for start in range(0, most, size):
        rows = range(start, min(start + size, most))
        yield truth_of_pictures([(pictures[row], chance) for row in rows], points, NONE)


def truth_of_pictures(
    given: Sequence[tuple[Picture, np.random.Generator]], points: BodyPointsOf, augment: HmrAugment
) -> Truth:
    """Return a batch of pictures, cut out and changed by chance.

    Raises:
        InputError: labels of other points than the body's.
    """
    layout = points.layout
    changes: list[Change] = []
    images: list[np.ndarray] = []
    labels: list[Labels] = []
    for picture, chance in given:
        own = picture.labels
        if len(own.points_2d) != len(layout.points):
            raise InputError(picture.name, f"has {len(own.points_2d)} points", f"the body has {len(layout.points)}")
        change = draw_change(augment, chance, own.centre, own.size, own.points_2d, layout.points)
        images.append(cut(picture.image, change))
        changes.append(change)
        labels.append(own)
    return with_assumed_cameras(moved(truth_of_labels(np.stack(images), labels), stacked(changes), layout))


def ahead(make: Callable[[int], Truth], size: int, first: int, threads: int) -> Iterator[Truth]:
    """Yield what ``make`` gives for item numbers first, first + size, ...; threads make the next ones meanwhile."""
    with ThreadPoolExecutor(threads, thread_name_prefix="pictures") as pool:
        waiting: deque[Future[Truth]] = deque()
        try:
            while True:
                while len(waiting) < threads + _AHEAD:
                    waiting.append(pool.submit(make, first))
                    first += size
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()

"""The tar shards on which HMR2.0 was trained: pictures ``KEY.jpg``, and ``KEY.data.pyd``, a pickle of their people.

After ``hmr2/datasets/image_dataset.py`` of 4D-Humans (MIT). Nothing in a pickle is run. ``scale`` is in units of 200
pixels here. Masks (``KEY.detection.npz``) are not read: only HMR2.0's pictures in the log use them.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...bodies.readers.unpickle import load_stream
from ...errors import InputError
from .data import Cleaning, Labels, Picture, smpl_labels, square_side

_IMAGES = ("jpg", "jpeg", "png")
_LABELS = "data.pyd"
_UNIT = 200.0
_TRIES = 100
_NEEDED = ("center", "scale", "keypoints_2d", "keypoints_3d")


@dataclass(frozen=True)
class _Entry:
    """Where a picture and its labels lie in a tar file: first byte and length."""

    key: str
    image: tuple[int, int]
    labels: tuple[int, int]


class TarPictures:
    """The people of tar shards. Only headers are read beforehand, of a shard when it is first used.

    Args:
        paths: the shards.
        cleaning: what is left out; None: nothing.

    Raises:
        InputError: no path, or one that is no file.
    """

    def __init__(self, paths: Sequence[str | Path], cleaning: Cleaning | None = None) -> None:
        self.paths, self.cleaning = [Path(path) for path in paths], cleaning
        if not self.paths:
            raise InputError("tar shards", "none is given", "give files as 000000.tar")
        for path in self.paths:
            if not path.is_file():
                raise InputError(path, "no such file")

    def draw(self, chance: np.random.Generator) -> Picture:
        """Return a person of a picture of a shard, each by chance.

        Raises:
            InputError: a shard that is damaged or holds what is not data; no person let through among a hundred.
        """
        for _ in range(_TRIES):
            path = self.paths[int(chance.integers(len(self.paths)))]
            entries = _entries(path)
            entry = entries[int(chance.integers(len(entries)))]
            people = _people(path, entry, self.cleaning)
            if people:
                labels = people[int(chance.integers(len(people)))]
                return Picture(entry.key, _image(path, entry), labels)
        raise InputError(self.paths[0], f"and its like have no person to learn from among {_TRIES}", "clean less")

    def __iter__(self) -> Iterator[Picture]:
        """All people, picture after picture."""
        for path in self.paths:
            for entry in _entries(path):
                if people := _people(path, entry, self.cleaning):
                    image = _image(path, entry)
                    yield from (Picture(entry.key, image, labels) for labels in people)


@lru_cache(maxsize=512)
def _entries(path: Path) -> tuple[_Entry, ...]:
    """Pictures of a shard that have labels."""
    images: dict[str, tuple[int, int]] = {}
    labels: dict[str, tuple[int, int]] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                key, ending = _split(member.name)
                if member.isfile() and ending in (*_IMAGES, _LABELS):
                    (labels if ending == _LABELS else images)[key] = (member.offset_data, member.size)
    except (tarfile.TarError, OSError) as error:
        raise InputError(path, f"is no whole tar file ({error})", "get it anew") from error
    found = tuple(_Entry(key, images[key], labels[key]) for key in images if key in labels)
    if not found:
        raise InputError(path, "has no pictures with labels", f"KEY.jpg and KEY.{_LABELS} are needed")
    return found


def _split(name: str) -> tuple[str, str]:
    """A name as webdataset has it: the key up to the first point of the last part of the path."""
    folder, slash, last = name.rpartition("/")
    key, _, ending = last.partition(".")
    return folder + slash + key, ending.lower()


def _bytes(path: Path, place: tuple[int, int]) -> bytes:
    first, length = place
    with path.open("rb") as file:
        file.seek(first)
        data = file.read(length)
    if len(data) != length:
        raise InputError(path, "ends too early", "get it anew")
    return data


def _image(path: Path, entry: _Entry) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(_bytes(path, entry.image))) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise InputError(path, f"the picture of '{entry.key}' cannot be read ({error})", "get it anew") from error


def _people(path: Path, entry: _Entry, cleaning: Cleaning | None) -> list[Labels]:
    source = f"{path} ({entry.key}.{_LABELS})"
    content = load_stream(io.BytesIO(_bytes(path, entry.labels)), source)
    if not isinstance(content, (list, tuple)) or not all(isinstance(person, dict) for person in content):
        raise InputError(source, "is no list of people", "a dictionary for each is needed")
    people = [(_labels(source, person), _reprojection(person)) for person in content]
    if cleaning is None:
        return [labels for labels, _ in people]
    cleaned = (cleaning(labels, left) for labels, left in people)
    return [labels for labels in cleaned if labels is not None]


def _labels(source: str, person: dict[str, Any]) -> Labels:
    if absent := [key for key in _NEEDED if key not in person]:
        raise InputError(source, f"has no {', '.join(map(repr, absent))}", f"HMR2.0 has {', '.join(_NEEDED)}, ...")
    return smpl_labels(source, person, side=lambda scale: square_side(scale * _UNIT))


def _reprojection(person: dict[str, Any]) -> float | None:
    """What the fit of the labels left, where it is noted: a dictionary in an array without dimensions."""
    extra = person.get("extra_info")
    losses = extra.get("fitting_loss") if isinstance(extra, dict) else None
    if isinstance(losses, np.ndarray) and losses.ndim == 0:
        losses = losses.item()
    value = losses.get("reprojection_loss") if isinstance(losses, dict) else None
    return None if value is None else float(value)

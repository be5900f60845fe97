"""The npz files of HMR2.0: for training, and the test sets of 3DPW and Human3.6M, which have the same keys.

After ``hmr2/datasets/image_dataset.py`` of 4D-Humans (MIT). ``scale`` is in pixels here; in the tar shards it is in
units of 200 pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...bodies.readers.content import open_content
from ...errors import InputError, near_matches
from ..points.keypoints import Array
from .data import BETAS, Cleaning, Labels, Picture, read_image, smpl_labels, square_side, trusted_3d
from .layouts import JOINTS, POINTS

_TRIES = 100
# Shapes of a person's part of each key; the first three must be there.
_SHAPES: dict[str, tuple[int, ...]] = {
    "center": (2,),
    "body_pose": (3 * len(JOINTS),),
    "has_body_pose": (),
    "betas": (BETAS,),
    "has_betas": (),
    "body_keypoints_2d": (25, 3),
    "extra_keypoints_2d": (19, 3),
    "body_keypoints_3d": (25, 4),
    "extra_keypoints_3d": (19, 4),
}
_NEEDED = ("imgname", "center", "scale")


class NpzPictures:
    """The people of an npz file.

    Args:
        path: the file.
        images: folder that the names of pictures start from.
        cleaning: what is left out when people are drawn for training; None: nothing.

    Raises:
        InputError: no such file, a key that is missing or of another shape, Python objects that are not data.
    """

    def __init__(self, path: str | Path, images: str | Path, cleaning: Cleaning | None = None) -> None:
        self.path, self.images, self.cleaning = Path(path), Path(images), cleaning
        content = open_content(self.path)
        if content.kind != "npz":
            raise InputError(self.path, f"is no npz file but {content.kind}", "give a file of HMR2.0")
        self._names, self._fields = _read(self.path, content.data)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, number: int) -> Picture:
        """Return a person with the picture.

        Raises:
            IndexError: no such person.
            InputError: the picture cannot be read.
        """
        labels = self.labels(number)
        return Picture(self._names[number], read_image(self.images / self._names[number]), labels)

    def __iter__(self) -> Iterator[Picture]:
        return (self[number] for number in range(len(self)))

    def labels(self, number: int) -> Labels:
        """Return what is known of a person, without reading the picture."""
        return smpl_labels(self.path, {name: values[number] for name, values in self._fields.items()}, side=square_side)

    def draw(self, chance: np.random.Generator) -> Picture:
        """Return a person that cleaning lets through.

        Raises:
            InputError: none of a hundred was let through, or a picture that cannot be read.
        """
        for _ in range(_TRIES):
            number = int(chance.integers(len(self)))
            labels: Labels | None = self.labels(number)
            if self.cleaning is not None and labels is not None:
                labels = self.cleaning(labels)
            if labels is not None:
                return Picture(self._names[number], read_image(self.images / self._names[number]), labels)
        raise InputError(self.path, f"has no person with enough key points among {_TRIES}", "clean less")


def _read(path: Path, data: Mapping[str, Any]) -> tuple[list[str], dict[str, Array]]:
    for key in _NEEDED:
        if key not in data:
            remedy = f"a file of HMR2.0 has {', '.join((*_NEEDED, *list(_SHAPES)[1:]))}"
            raise InputError(path, f"has no '{key}'{near_matches(key, data)}", remedy)
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in data["imgname"]]
    arrays = {key: _array(path, key, data[key], len(names)) for key in _SHAPES if key in data}
    scale = np.asarray(data["scale"], dtype=float).reshape(len(names), -1)
    if scale.shape[1] not in (1, 2) or not (scale > 0).all():
        raise InputError(path, f"'scale' has shape {scale.shape} or sizes that are not above 0", "give pixels")
    # One number is both width and height: the crop is larger by 256 / 192 then, as HMR2.0's.
    fields = {"scale": np.broadcast_to(scale, (len(names), 2))}
    for joined, kind, width in (("keypoints_2d", "2d", 3), ("keypoints_3d", "3d", 4)):
        parts = [
            arrays.pop(f"{part}_keypoints_{kind}", np.zeros((len(names), count, width)))
            for part, count in (("body", 25), ("extra", len(POINTS) - 25))
        ]
        fields[joined] = np.concatenate(parts, axis=1)
    fields["keypoints_3d"] = trusted_3d(fields["keypoints_3d"])
    return names, {**arrays, **fields}


def _array(path: Path, key: str, given: Any, count: int) -> Array:
    try:
        values = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise InputError(path, f"'{key}' is no array of numbers") from None
    wanted = (count, *_SHAPES[key])
    if values.size != int(np.prod(wanted)) or len(values) != count:
        raise InputError(path, f"'{key}' has shape {values.shape}", f"give {wanted}")
    return values.reshape(wanted)

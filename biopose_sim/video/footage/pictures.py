"""Clips as folders of pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from .clip import Picture, Recording

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
# Exif: the sub-directory of the camera and its tag FocalLengthIn35mmFilm [mm] (CIPA DC-008, Exif 2.3).
_EXIF, _FILM_FOCAL = 0x8769, 0xA405
_ORIENTATION = 0x0112
_CLOCKWISE = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}


@dataclass(frozen=True)
class PictureFolder:
    """The pictures of a folder, in their order, all of one size."""

    files: tuple[Path, ...]
    size: tuple[int, int]

    @classmethod
    def open(cls, folder: Path, fps: float) -> tuple[PictureFolder, Recording]:
        """Find the pictures and read what the first one says.

        Raises:
            InputError: no pictures, a single one, or one that cannot be read.
        """
        entries = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
        files = sorted((p for p in entries if p.suffix.lower() in SUFFIXES), key=_by_number)
        if len(files) < 2:
            count = "one picture" if files else "no pictures"
            raise InputError(folder, f"holds {count}", f"a clip has at least 2 ({', '.join(SUFFIXES)})")
        notes = []
        if len(files) < len(entries):
            notes.append(f"{len(entries) - len(files)} files of the folder are no pictures")
        with _opened(files[0]) as image:
            exif = image.getexif()
            turned = _CLOCKWISE.get(exif.get(_ORIENTATION, 1), 0)
            size = image.size[::-1] if turned % 180 else image.size
            millimetres = float(exif.get_ifd(_EXIF).get(_FILM_FOCAL, 0) or 0)
        focal = (millimetres, f"Exif of {files[0].name}") if millimetres > 0 else None
        times = np.arange(len(files)) / fps
        return cls(tuple(files), size), Recording(times, size, turned, focal, notes=tuple(notes))

    def numbered(self, wanted: Sequence[int], longest: int | None) -> Iterator[tuple[int, Picture]]:
        """Yield number and picture.

        Raises:
            InputError: a picture cannot be read or has another size.
        """
        for number in wanted:
            yield number, self._picture(self.files[number], longest)

    def _picture(self, file: Path, longest: int | None) -> Picture:
        from PIL import Image, ImageOps

        with _opened(file) as image:
            try:
                upright = ImageOps.exif_transpose(image).convert("RGB")
            except (OSError, ValueError, SyntaxError) as error:
                raise InputError(file, f"cannot be read ({error})", "remove or replace the picture") from error
        if upright.size != self.size:
            problem = f"is {upright.width} x {upright.height} pixels, the first picture {self.size[0]} x {self.size[1]}"
            raise InputError(file, problem, "the pictures of a clip have one size")
        if longest is not None and max(self.size) > longest:
            upright = upright.resize(smaller(self.size, longest), Image.Resampling.BOX)
        return np.asarray(upright, dtype=np.uint8)


def smaller(size: tuple[int, int], longest: int | None) -> tuple[int, int]:
    """Return the size (two sides) with the longer side at most ``longest``."""
    if longest is None or max(size) <= longest:
        return size
    scale = longest / max(size)
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)


def _opened(file: Path) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(file)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise InputError(file, f"cannot be read as a picture ({error})", "remove or replace it") from error


def _by_number(path: Path) -> list[tuple[int, str]]:
    """``img_9`` before ``img_10``."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in parts]

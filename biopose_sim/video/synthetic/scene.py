"""What is around a synthetic person: a room or open ground with things in it, light, and how the camera took it.

Scenes are in Anny's axes (metres, Z up); the person stands about the origin on the floor z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .background import (
    N_ROOM,
    N_SURFACE,
    ROOM_FLOOR,
    ROOM_TOP,
    S_BOARDS,
    S_CLOUDS,
    S_NOISE,
    S_PATTERN,
    S_PLAIN,
    S_SCALE,
    S_STRIPES,
    S_TILES,
)
from .looks import Floats, cloth_colour, linear

Array = NDArray[np.floating]
Kind = Literal["room", "open", "flat", "photo"]
# Things keep this far from the person and from the line to the camera [m].
_CLEAR = 0.6
# Photographs without people, by the package that brings them.
_PHOTOGRAPHS = {
    "skimage": ("data/coffee.png", "data/chelsea.png", "data/rocket.jpg", "data/brick.png", "data/grass.png"),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}
# Cameras lower than this above the floor see no floor worth drawing [m].
LOWEST_EYE = 0.15


@dataclass(frozen=True, eq=False)
class Scene:
    """A static scene.

    Attributes:
        kind: ``room`` and ``open`` have a floor; ``flat`` and ``photo`` are pictures behind the person.
        low: (3,) corner of the room [m].
        high: (3,) other corner [m].
        surfaces: (`N_ROOM`, `N_SURFACE`) floor, ceiling, walls.
        boxes: (K, 6) low and high corners of things [m].
        box_surfaces: (K, `N_SURFACE`).
        haze: (4,) its colour, and how much of it per metre.
        sun: (3,) direction to the light.
        key: (3,) strength of the light.
        sky: (3,) light from above.
        ground: (3,) light from below.
        darkness: of the shadow, 0 to 1.
        corners: (4, 3) colours of a flat background.
        clouds: (4,) their size, share, shifts.
        photo: (H, W, 3) linear light, or None.
        unsharp: whether what is behind the person is out of focus.
    """

    kind: Kind
    low: Floats
    high: Floats
    surfaces: Floats
    boxes: Floats
    box_surfaces: Floats
    haze: Floats
    sun: Floats
    key: Floats
    sky: Floats
    ground: Floats
    darkness: float
    corners: Floats
    clouds: Floats
    photo: Floats | None
    unsharp: bool


def random_scene(random: np.random.Generator, eye: Array, path: Array | None = None) -> Scene:
    """Draw a scene.

    Args:
        random: decides everything.
        eye: (3,) where the camera is [m].
        path: (N, 2) where people are [m]; the origin if not given.
    """
    ways = np.zeros((1, 2)) if path is None else np.asarray(path, dtype=float)
    photos = photographs()
    chances = [0.45, 0.2, 0.15, 0.2] if photos else [0.5, 0.25, 0.25, 0.0]
    kind: Kind = ("room", "open", "flat", "photo")[int(np.searchsorted(np.cumsum(chances[:3]), random.random()))]
    if kind in ("room", "open") and eye[2] < LOWEST_EYE:
        kind = "flat"
    low, high = _extent(random, eye, ways, kind)
    solid = kind in ("room", "open")
    boxes = _boxes(random, eye, ways, low, high, kind) if solid else np.zeros((0, 6), np.float32)
    height, turn = random.uniform(np.radians(20), np.radians(88)), random.uniform(-np.pi, np.pi)
    sun = np.array([np.cos(height) * np.cos(turn), np.cos(height) * np.sin(turn), np.sin(height)])
    warm = random.uniform((0.9, 0.95, 0.8), (1.15, 1.05, 1.1))
    return Scene(
        kind=kind,
        low=low.astype(np.float32),
        high=high.astype(np.float32),
        surfaces=_surfaces(random, kind) if solid else np.zeros((N_ROOM, N_SURFACE), np.float32),
        boxes=boxes,
        box_surfaces=np.stack([surface(random) for _ in boxes]) if len(boxes) else np.zeros((0, N_SURFACE), np.float32),
        haze=_haze(random, kind),
        sun=sun.astype(np.float32),
        key=(random.uniform(0.25, 1.1) * warm).astype(np.float32),
        sky=(random.uniform(0.3, 0.6) * random.uniform(0.9, 1.1, 3)).astype(np.float32),
        ground=(random.uniform(0.1, 0.3) * random.uniform(0.9, 1.1, 3)).astype(np.float32),
        darkness=float(random.uniform(0.25, 0.85)),
        corners=np.stack([cloth_colour(random) for _ in range(4)]),
        clouds=np.array([np.exp(random.uniform(1, 5)), random.uniform(0, 1.4), *random.uniform(0, 256, 2)], np.float32),
        photo=photos[random.integers(len(photos))] if kind == "photo" else None,
        unsharp=bool(random.random() < 0.4),
    )


def surface(random: np.random.Generator, patterns: tuple[int, ...] = (S_PLAIN, S_PLAIN, S_STRIPES, S_CLOUDS)) -> Floats:
    """Draw a surface (`N_SURFACE`,)."""
    row = np.zeros(N_SURFACE, dtype=np.float32)
    row[:3] = cloth_colour(random)
    row[3:6] = row[:3] * random.uniform(0.5, 1.3, 3) if random.random() < 0.6 else cloth_colour(random)
    row[S_PATTERN] = patterns[random.integers(len(patterns))]
    row[S_SCALE] = np.exp(random.uniform(np.log(0.05), np.log(0.6)))
    row[S_NOISE] = random.uniform(0.0, 0.5)
    return row


@lru_cache(maxsize=1)
def photographs() -> tuple[Floats, ...]:
    """Return the photographs that scikit-image and scikit-learn bring, in linear light; none if neither is installed.

    Where they are installed, other scenes come of the same seed.
    """
    found: list[Floats] = []
    for package, names in _PHOTOGRAPHS.items():
        spec = find_spec(package)
        for folder in spec.submodule_search_locations or () if spec else ():
            found += [_photograph(Path(folder, name)) for name in names if Path(folder, name).is_file()]
    return tuple(found)


def _photograph(path: Path) -> Floats:
    from PIL import Image

    with Image.open(path) as picture:
        return linear(np.asarray(picture.convert("RGB"), dtype=np.float32))


def _extent(random: np.random.Generator, eye: Array, ways: Array, kind: Kind) -> tuple[Array, Array]:
    """Corners of a room that holds the person and the camera."""
    least, most, top = (0.8, 6.0, random.uniform(2.6, 6.0)) if kind != "open" else (40.0, 150.0, 60.0)
    low = np.minimum(np.append(ways.min(axis=0), 0.0), eye) - random.uniform(least, most, 3)
    high = np.maximum(np.append(ways.max(axis=0), 0.0), eye) + random.uniform(least, most, 3)
    low[2], high[2] = 0.0, max(top, eye[2] + 0.5)
    return low, high


def _boxes(random: np.random.Generator, eye: Array, ways: Array, low: Array, high: Array, kind: Kind) -> Floats:
    """Things on the floor and on the walls, (K, 6): none where people are nor between them and the camera."""
    rows = []
    sight = eye[:2] - ways
    for _ in range(int(random.integers(0, 6))):
        half = random.uniform(0.1, 0.8, 2) if kind == "room" else random.uniform(0.5, 8.0, 2)
        tall = random.uniform(0.2, 2.2) if kind == "room" else random.uniform(0.5, 12.0)
        place = random.uniform(low[:2], high[:2]) if kind == "room" else random.uniform(-35.0, 35.0, 2)
        share = np.clip(((place - ways) * sight).sum(axis=1) / np.maximum((sight**2).sum(axis=1), 1e-6), 0.0, 1.0)
        gaps = np.linalg.norm(place - ways - share[:, None] * sight, axis=1)
        if gaps.min() > np.linalg.norm(half) + _CLEAR:
            rows.append([*(place - half), 0.0, *(place + half), tall])
    if kind == "room":
        for _ in range(int(random.integers(0, 5))):
            rows.append(_on_wall(random, low, high))
    return np.array(rows, dtype=np.float32).reshape(-1, 6)


def _on_wall(random: np.random.Generator, low: Array, high: Array) -> list[float]:
    """A thin box on one of the walls: a picture, window or door."""
    axis, far = int(random.integers(2)), random.random() < 0.5
    wide, tall = random.uniform(0.2, 1.5), random.uniform(0.2, 1.6)
    along = random.uniform(low[1 - axis], high[1 - axis])
    bottom = random.uniform(0.0, 1.6)
    first, second = np.zeros(3), np.zeros(3)
    first[1 - axis], second[1 - axis] = along - wide / 2, along + wide / 2
    first[2], second[2] = bottom, bottom + tall
    first[axis], second[axis] = (high[axis] - 0.03, high[axis]) if far else (low[axis], low[axis] + 0.03)
    return [*first, *second]


def _surfaces(random: np.random.Generator, kind: Kind) -> Floats:
    rows = np.zeros((N_ROOM, N_SURFACE), dtype=np.float32)
    rows[ROOM_FLOOR] = surface(random, (S_PLAIN, S_TILES, S_BOARDS, S_CLOUDS))
    rows[ROOM_TOP] = surface(random, (S_PLAIN,))
    wall = surface(random, (S_PLAIN, S_PLAIN, S_STRIPES, S_CLOUDS))
    for k in range(2, N_ROOM):
        rows[k] = wall if random.random() < 0.75 else surface(random)
        rows[k, :6] *= random.uniform(0.7, 1.1)
    if kind == "open":
        sky = linear((150, 185, 225)) * random.uniform(0.5, 1.3, 3)
        rows[1:, :3], rows[1:, 3:6] = sky, sky * random.uniform(0.6, 1.0)
        rows[1:, S_PATTERN], rows[1:, S_SCALE], rows[1:, S_NOISE] = S_CLOUDS, random.uniform(20, 80), 0.0
    return rows


def _haze(random: np.random.Generator, kind: Kind) -> Floats:
    if kind == "open":
        return np.array(
            [*(linear((190, 205, 220)) * random.uniform(0.6, 1.2)), random.uniform(0.005, 0.03)], np.float32
        )
    return np.array([0.0, 0.0, 0.0, random.uniform(0.0, 0.05)], dtype=np.float32)

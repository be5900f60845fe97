"""From light to a file's bytes: things in front, exposure, colour cast, grain, blur, JPEG."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from .background import draw_shapes, expose, noise_table
from .looks import Floats, cloth_colour

# How often each thing happens to a picture.
_OCCLUDED, _BLURRED, _COARSE, _COMPRESSED = 0.25, 0.25, 0.15, 0.4
_COLUMNS = 12


def random_occluders(random: np.random.Generator, size: int) -> Floats:
    """Draw rectangles and discs before a person, (K, 12) as `draw_shapes` takes them; often none."""
    if random.random() > _OCCLUDED:
        return np.zeros((0, _COLUMNS), dtype=np.float32)
    rows = []
    for _ in range(int(random.integers(1, 4))):
        kind = float(random.integers(2))
        middle, half = random.uniform(0.0, 1.0, 2) * size, np.exp(random.uniform(np.log(0.03), np.log(0.2), 2)) * size
        if random.random() < 0.25:  # a post or a rail
            half[int(random.integers(2))] = size
        rows.append([kind, *middle, *half, random.uniform(-0.5, 0.5), *cloth_colour(random), *cloth_colour(random)])
    return np.array(rows, dtype=np.float32)


def cover(light: Floats, occluders: Floats) -> Floats:
    """Draw occluders over a picture (H, W, 3) in place; return the share of each pixel (H, W) left free."""
    free = np.ones(light.shape[:2], dtype=np.float32)
    if len(occluders):
        draw_shapes(occluders, noise_table(), light, free)
    return free


def finish(random: np.random.Generator, light: Floats) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) as a camera and a file give it.

    Args:
        random: decides exposure, colour cast, contrast, grain, blur, resolution and compression.
        light: (H, W, 3) linear light.
    """
    gain = (np.exp(random.normal(0.0, 0.3)) * np.exp(random.normal(0.0, 0.06, 3))).astype(np.float32)
    lift = np.float32(random.uniform(0.0, 0.12) if random.random() < 0.3 else 0.0)
    grain = np.float32(random.exponential(3.0) if random.random() < 0.6 else 0.0)
    shown = np.empty(light.shape, dtype=np.uint8)
    expose(light, gain, lift, grain, int(random.integers(1 << 30)), shown)
    return _degraded(random, shown)


def plain(light: Floats, gain: float = 1.0) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) of linear light without any fault."""
    shown = np.empty(light.shape, dtype=np.uint8)
    expose(light, np.full(3, gain, dtype=np.float32), np.float32(0.0), np.float32(0.0), 0, shown)
    return shown


def _degraded(random: np.random.Generator, shown: NDArray[np.uint8]) -> NDArray[np.uint8]:
    blurred, coarse, compressed = random.random(3) < (_BLURRED, _COARSE, _COMPRESSED)
    if not (blurred or coarse or compressed):
        return shown
    from PIL import Image, ImageFilter

    picture = Image.fromarray(shown)
    if blurred:
        picture = picture.filter(ImageFilter.BoxBlur(float(random.uniform(0.4, 1.6))))
    if coarse:
        share = random.uniform(0.25, 0.8)
        small = (max(8, int(picture.width * share)), max(8, int(picture.height * share)))
        picture = picture.resize(small, Image.Resampling.BOX).resize(picture.size, Image.Resampling.BILINEAR)
    if compressed:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=int(random.integers(25, 95)))
        picture = Image.open(buffer)
    return np.asarray(picture, dtype=np.uint8)

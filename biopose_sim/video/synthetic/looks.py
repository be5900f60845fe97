"""How a synthetic person looks: skin, hair and clothes, painted on Anny's mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SKIN, SHIRT, TROUSERS, SHOES, HAIR, LIPS, WHITE, IRIS, SOCKS, N_MATERIALS = range(10)
# Columns of `Look.materials`: two colours, then these.
PATTERN, SCALE, SHARE, GLOSS, N_COLUMNS = 6, 7, 8, 9, 10
PLAIN, BANDS, UPRIGHT, CHECKS, BLOTCHES, PRINT, SIDE = range(7)
# Places in `Look.cuts`.
WAIST, COLLAR, SLEEVE, LEG_END, SOCK, HAIRLINE, LONG_HAIR, BEARD, N_CUTS = range(9)
# Places in `Look.loose`.
LOOSE_SHIRT, LOOSE_TROUSERS, LOOSE_HAIR, WRINKLES, N_LOOSE = range(5)

# Skin as cameras show it (sRGB 0 to 255), light to dark.
_SKINS = (
    (244, 208, 177), (236, 188, 150), (231, 180, 143), (222, 171, 127), (210, 158, 124), (198, 134, 98),
    (176, 120, 84), (150, 98, 66), (120, 78, 54), (96, 62, 44), (72, 48, 36), (52, 36, 28),
)  # fmt: skip
_HAIRS = (
    (18, 14, 12), (40, 28, 20), (64, 42, 26), (96, 66, 40), (150, 112, 66),
    (190, 160, 106), (120, 60, 30), (150, 148, 146),
)  # fmt: skip
_IRISES = ((70, 44, 24), (48, 32, 20), (84, 110, 130), (80, 100, 60))


@dataclass(frozen=True, eq=False)
class Look:
    """What a person wears and is.

    Attributes:
        materials: (`N_MATERIALS`, `N_COLUMNS`) float32: two colours (linear light, 0 to 1), pattern, its size [m],
            share of the second colour, gloss.
        cuts: (`N_CUTS`,) float32: where clothes and hair end: waist and collar [m, height on the mean adult], sleeves,
            trouser legs and socks (0 to 1 along the limb), hairline, end of long hair, beard.
        loose: (`N_LOOSE`,) float32: how far shirt, trousers and hair stand off [m], and how wrinkled cloth is.
        waves: (4, 4) float32: wave vectors of the wrinkles [1/m] and their phases.
    """

    materials: Floats
    cuts: Floats
    loose: Floats
    waves: Floats


def linear(colour: tuple[float, ...] | Floats) -> Floats:
    """Return linear light (0 to 1) of colours as files have them (0 to 255), with a gamma of 2."""
    return np.square(np.asarray(colour, dtype=np.float32) / np.float32(255.0))


def random_look(random: np.random.Generator, *, female: bool = False) -> Look:
    """Draw skin, hair and clothes.

    Args:
        random: decides everything.
        female: beards are for others, long hair is likelier.
    """
    materials = np.zeros((N_MATERIALS, N_COLUMNS), dtype=np.float32)
    skin = linear(_SKINS[random.integers(len(_SKINS))]) * random.uniform(0.85, 1.1, 3)
    hair = linear(_HAIRS[random.integers(len(_HAIRS))]) * random.uniform(0.7, 1.3)
    _paint(materials, SKIN, skin, gloss=random.uniform(0.0, 0.12))
    _paint(materials, HAIR, hair, gloss=random.uniform(0.0, 0.15))
    _paint(materials, LIPS, skin * random.uniform((0.75, 0.4, 0.4), (1.0, 0.65, 0.65)), gloss=0.1)
    _paint(materials, WHITE, np.array([0.6, 0.58, 0.55]), gloss=0.2)
    _paint(materials, IRIS, linear(_IRISES[random.integers(len(_IRISES))]), gloss=0.3)
    _cloth(materials, SHIRT, random, (PLAIN, PLAIN, BANDS, UPRIGHT, CHECKS, BLOTCHES, PRINT, PRINT))
    _cloth(materials, TROUSERS, random, (PLAIN, PLAIN, PLAIN, SIDE, CHECKS, BLOTCHES, UPRIGHT))
    _cloth(materials, SHOES, random, (PLAIN,))
    _cloth(materials, SOCKS, random, (PLAIN, BANDS))
    kind = random.random()
    if kind < 0.12:  # one suit
        materials[TROUSERS] = materials[SHIRT]
    elif kind < 0.17:
        materials[SHIRT] = materials[SKIN]
    if random.random() < 0.08:
        materials[SHOES] = materials[SOCKS] = materials[SKIN]
    if random.random() < 0.12:  # a cap
        materials[HAIR, :3] = materials[HAIR, 3:6] = cloth_colour(random)
    return Look(materials, _cuts(random, female), _loose(random), _waves(random))


def cloth_colour(random: np.random.Generator) -> Floats:
    """Draw a colour (3,) of things people make, linear light: often dark, grey or white."""
    bright, kind, strength, turn = random.random(4).tolist()
    value = 0.03 + 0.92 * bright
    saturation = 0.12 * strength if kind < 0.4 else 0.25 + 0.7 * strength
    shown = [
        value * (1.0 - saturation * (1.0 - min(1.0, max(0.0, abs((6.0 * turn + corner) % 6.0 - 3.0) - 1.0))))
        for corner in (0.0, 4.0, 2.0)
    ]
    return np.array([tone * tone for tone in shown], dtype=np.float32)


def _paint(materials: Floats, which: int, colour: NDArray[np.floating], *, gloss: float) -> None:
    materials[which, :3] = materials[which, 3:6] = np.clip(colour, 0.0, 1.0)
    materials[which, GLOSS] = gloss


def _cloth(materials: Floats, which: int, random: np.random.Generator, patterns: tuple[int, ...]) -> None:
    _paint(materials, which, cloth_colour(random), gloss=(0.0, 0.0, 0.05, 0.25)[random.integers(4)])
    materials[which, 3:6] = cloth_colour(random)
    materials[which, PATTERN] = patterns[random.integers(len(patterns))]
    materials[which, SCALE] = np.exp(random.uniform(np.log(0.015), np.log(0.15)))
    materials[which, SHARE] = random.uniform(0.2, 0.6)


def _cuts(random: np.random.Generator, female: bool) -> Floats:
    cuts = np.zeros(N_CUTS, dtype=np.float32)
    cuts[WAIST] = random.uniform(0.02, 0.24)
    cuts[COLLAR] = random.uniform(0.53, 0.61)
    cuts[SLEEVE] = (random.uniform(0.1, 0.16), random.uniform(0.2, 0.5), random.uniform(0.5, 0.95), 1.0)[
        int(np.searchsorted((0.12, 0.52, 0.62), random.random()))
    ]
    cuts[LEG_END] = (random.uniform(0.12, 0.5), random.uniform(0.5, 0.9), 1.3)[
        int(np.searchsorted((0.28, 0.38), random.random()))
    ]
    cuts[SOCK] = random.uniform(0.7, 1.2)
    cuts[HAIRLINE] = 9.0 if random.random() < 0.07 else random.uniform(0.67, 0.73)
    cuts[LONG_HAIR] = random.uniform(0.42, 0.6) if random.random() < (0.6 if female else 0.08) else 9.0
    cuts[BEARD] = 0.0 if female or random.random() > 0.25 else random.uniform(0.3, 0.9)
    return cuts


def _loose(random: np.random.Generator) -> Floats:
    shirt, trousers = np.array([0.002, 0.008, 0.018, 0.028])[random.integers(4, size=2)] * random.uniform(0.7, 1.2, 2)
    return np.array([shirt, trousers, random.uniform(0.004, 0.022), random.uniform(0.05, 0.4)], dtype=np.float32)


def _waves(random: np.random.Generator) -> Floats:
    """Wrinkles 3 to 15 cm apart."""
    directions = random.standard_normal((4, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    lengths = np.exp(random.uniform(np.log(0.03), np.log(0.15), (4, 1)))
    return np.hstack([2 * np.pi / lengths * directions, random.uniform(0, 2 * np.pi, (4, 1))]).astype(np.float32)

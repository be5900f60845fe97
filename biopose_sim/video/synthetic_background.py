"""Compiled loops that draw what is around a synthetic person: rooms, open ground, shapes, occluders, picture noise."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# Size of the table of noise [pixel]; it repeats.
NOISE = 256
# Columns of a surface: two colours, pattern, its size [m], share of noise.
S_PATTERN, S_SCALE, S_NOISE, N_SURFACE = 6, 7, 8, 9
S_PLAIN, S_TILES, S_BOARDS, S_STRIPES, S_CLOUDS = range(5)
# Rows of a room's surfaces.
ROOM_FLOOR, ROOM_TOP, ROOM_WALLS, N_ROOM = 0, 1, 2, 6


@lru_cache(maxsize=1)
def noise_table() -> Floats:
    """(NOISE, NOISE) clouds at five sizes, 0 to 1, evenly spread; repeats without an edge."""
    random = np.random.default_rng(5)
    total = np.zeros((NOISE, NOISE))
    frequency = np.fft.fftfreq(NOISE) * NOISE
    distance = np.hypot(frequency[:, None], frequency[None, :])
    for octave in range(5):
        spectrum = np.fft.fft2(random.standard_normal((NOISE, NOISE))) * np.exp(-((distance / (6 * 2**octave)) ** 2))
        layer = np.fft.ifft2(spectrum).real
        total += layer / layer.std() / 1.7**octave
    order = np.argsort(np.argsort(total.ravel()))
    return (order / order.size).reshape(total.shape).astype(np.float32)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _clouds(noise, u, v):
    n = noise.shape[0]
    iu, iv = int(np.floor(u)), int(np.floor(v))
    fu, fv = np.float32(u - iu), np.float32(v - iv)
    a, b, c, d = iu % n, (iu + 1) % n, iv % n, (iv + 1) % n
    low = noise[a, c] + fv * (noise[a, d] - noise[a, c])
    high = noise[b, c] + fv * (noise[b, d] - noise[b, c])
    return low + fu * (high - low)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _surface(surface, u, v, noise):
    """Share of the second colour, and brightness, at a place (u, v) [m]."""
    scale, kind = surface[S_SCALE], surface[S_PATTERN]
    bright = np.float32(1.0) + surface[S_NOISE] * (_clouds(noise, u * 40.0, v * 40.0) - np.float32(0.5))
    mix = np.float32(0.0)
    if kind == S_TILES:
        mix = np.float32((int(np.floor(u / scale)) + int(np.floor(v / scale))) & 1)
    elif kind == S_BOARDS:
        board = np.floor(u / scale)
        mix = np.float32((board * 7.31) % 1.0)
        bright = bright * np.float32(0.6 if u / scale - board < 0.04 else 1.0)
    elif kind == S_STRIPES:
        mix = np.float32(1.0 if (u / scale) % 1.0 < 0.5 else 0.0)
    elif kind == S_CLOUDS:
        mix = _clouds(noise, u * 12.0 / scale, v * 12.0 / scale)
    return mix, bright


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def draw_room(turn, eye, focal, centre, low, high, surfaces, boxes, box_surfaces, haze, noise, shadow, darkness, image):
    """Fill ``image`` (H, W, 3) with the inside of a box and boxes that stand in it.

    ``turn`` (3, 3) leads from the camera's axes to the room's (x, y, up), ``eye`` (3,) is the camera there, ``low`` and
    ``high`` (3,) are the room's corners, ``boxes`` (K, 6) the corners of boxes; ``haze`` (4,) a colour and how much
    of it per metre; ``shadow`` (h, w) darkens the floor by ``darkness``.
    """
    height, width = image.shape[:2]
    rows, columns = shadow.shape
    for row in range(height):
        cy = (row + 0.5 - centre[1]) / focal
        for column in range(width):
            cx = (column + 0.5 - centre[0]) / focal
            dx = turn[0, 0] * cx + turn[0, 1] * cy + turn[0, 2]
            dy = turn[1, 0] * cx + turn[1, 1] * cy + turn[1, 2]
            dz = turn[2, 0] * cx + turn[2, 1] * cy + turn[2, 2]
            tx = ((high[0] if dx > 0 else low[0]) - eye[0]) / (dx if abs(dx) > 1e-6 else 1e-6)
            ty = ((high[1] if dy > 0 else low[1]) - eye[1]) / (dy if abs(dy) > 1e-6 else 1e-6)
            tz = ((high[2] if dz > 0 else low[2]) - eye[2]) / (dz if abs(dz) > 1e-6 else 1e-6)
            if tz < tx and tz < ty:
                t, face = tz, (ROOM_TOP if dz > 0 else ROOM_FLOOR)
            elif tx < ty:
                t, face = tx, ROOM_WALLS + (1 if dx > 0 else 0)
            else:
                t, face = ty, ROOM_WALLS + 2 + (1 if dy > 0 else 0)
            hit = -1
            side = 0
            for k in range(boxes.shape[0]):
                enter, leave, axis = np.float32(-1e9), np.float32(1e9), 0
                for i in range(3):
                    d = dx if i == 0 else (dy if i == 1 else dz)
                    d = d if abs(d) > 1e-6 else 1e-6
                    first, second = (boxes[k, i] - eye[i]) / d, (boxes[k, 3 + i] - eye[i]) / d
                    near, far = min(first, second), max(first, second)
                    if near > enter:
                        enter, axis = near, i
                    leave = min(leave, far)
                if 0.2 < enter < leave and enter < t:
                    t, hit, side = enter, k, axis
            px, py, pz = eye[0] + t * dx, eye[1] + t * dy, eye[2] + t * dz
            dim = np.float32(1.0)
            if hit >= 0:
                surface = box_surfaces[hit]
                u, v = (py, pz) if side == 0 else ((px, pz) if side == 1 else (px, py))
                dim = np.float32(0.7 if side == 0 else (0.85 if side == 1 else 1.1))
            else:
                surface = surfaces[face]
                if face <= ROOM_TOP:
                    u, v = px, py
                else:
                    u, v = (py, pz) if face < ROOM_WALLS + 2 else (px, pz)
                if face == ROOM_FLOOR:
                    r, c = row * rows // height, column * columns // width
                    dim = np.float32(1.0) - darkness * shadow[r, c]
            mix, bright = _surface(surface, u, v, noise)
            fog = np.float32(1.0) - np.exp(-haze[3] * t)
            for k in range(3):
                tone = dim * bright * (surface[k] + mix * (surface[3 + k] - surface[k]))
                image[row, column, k] = tone + fog * (haze[k] - tone)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def draw_flat(corners, clouds, noise, image):
    """Fill ``image`` with a gradient between four colours (4, 3) and clouds: size, share, shift across and down."""
    height, width = image.shape[:2]
    for row in range(height):
        v = np.float32((row + 0.5) / height)
        for column in range(width):
            u = np.float32((column + 0.5) / width)
            n = _clouds(noise, clouds[2] + u * clouds[0], clouds[3] + v * clouds[0])
            light = np.float32(1.0) + clouds[1] * (n - np.float32(0.5))
            for k in range(3):
                top = corners[0, k] + u * (corners[1, k] - corners[0, k])
                bottom = corners[2, k] + u * (corners[3, k] - corners[2, k])
                image[row, column, k] = light * (top + v * (bottom - top))


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def draw_shapes(shapes, noise, image, cover):
    """Draw flat shapes over an image and take them off ``cover`` (H, W).

    ``shapes`` (K, 12): kind (0 rectangle, 1 ellipse), middle across and down, half sizes [pixel], angle [rad], two
    colours.
    """
    height, width = cover.shape
    for s in range(shapes.shape[0]):
        mx, my, half_x, half_y = shapes[s, 1], shapes[s, 2], shapes[s, 3], shapes[s, 4]
        cosine, sine = np.cos(shapes[s, 5]), np.sin(shapes[s, 5])
        reach_x = abs(cosine) * half_x + abs(sine) * half_y + 1
        reach_y = abs(sine) * half_x + abs(cosine) * half_y + 1
        for row in range(max(0, int(my - reach_y)), min(height, int(my + reach_y) + 1)):
            for column in range(max(0, int(mx - reach_x)), min(width, int(mx + reach_x) + 1)):
                dx, dy = column + 0.5 - mx, row + 0.5 - my
                u, v = cosine * dx + sine * dy, cosine * dy - sine * dx
                if shapes[s, 0] == 0.0:
                    inside = min(half_x - abs(u), half_y - abs(v))
                else:
                    inside = (1.0 - np.sqrt((u / half_x) ** 2 + (v / half_y) ** 2)) * min(half_x, half_y)
                share = np.float32(min(1.0, max(0.0, inside + 0.5)))
                if share > 0.0:
                    mix = _clouds(noise, u * 0.7 + 31 * s, v * 0.7)
                    for k in range(3):
                        tone = shapes[s, 6 + k] + mix * (shapes[s, 9 + k] - shapes[s, 6 + k])
                        image[row, column, k] += share * (tone - image[row, column, k])
                    cover[row, column] *= 1 - share


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def expose(image, gain, lift, grain, seed, out):
    """Linear light to bytes: ``gain`` (3,) per colour, ``lift`` of the dark, grain of a sensor [bytes]."""
    height, width = image.shape[:2]
    state = np.uint64(seed * 2 + 1)
    for row in range(height):
        for column in range(width):
            for k in range(3):
                value = image[row, column, k] * gain[k]
                shown = np.float32(255.0) * (lift + (np.float32(1.0) - lift) * np.sqrt(max(value, np.float32(0.0))))
                if grain > 0.0:
                    # Four even numbers of 16 bits from one step of a congruential generator: nearly normal.
                    state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
                    bits = state ^ (state >> np.uint64(29))
                    total = np.int64(bits & np.uint64(0xFFFF)) + np.int64((bits >> np.uint64(16)) & np.uint64(0xFFFF))
                    total += np.int64((bits >> np.uint64(32)) & np.uint64(0xFFFF)) + np.int64(bits >> np.uint64(48))
                    shown += grain * np.float32((total - 131070) * (1.7320508 / 65535.0))
                out[row, column, k] = np.uint8(min(np.float32(255.0), max(np.float32(0.0), shown + np.float32(0.5))))

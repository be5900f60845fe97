"""Compiled loops that draw what is around a synthetic person: rooms, open ground, shapes, occluders, picture noise."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# Size of the table of noise [pixel]; it repeats.
NOISE = 256
_WRAP = NOISE - 1
_ZERO, _HALF, _ONE, _TINY, _FAR = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(1e-7), np.float32(1e6)
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
    iu, iv = np.floor(u), np.floor(v)
    fu, fv = u - iu, v - iv
    a, c = np.int32(iu) & _WRAP, np.int32(iv) & _WRAP
    b, d = (a + 1) & _WRAP, (c + 1) & _WRAP
    low = noise[a, c] + fv * (noise[a, d] - noise[a, c])
    high = noise[b, c] + fv * (noise[b, d] - noise[b, c])
    return low + fu * (high - low)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _surface(surface, u, v, noise):
    """Share of the second colour, and brightness, at a place (u, v) [m]."""
    kind = surface[S_PATTERN]
    bright, mix = _ONE, _ZERO
    if surface[S_NOISE] > _ZERO:
        bright += surface[S_NOISE] * (_clouds(noise, u * np.float32(40.0), v * np.float32(40.0)) - _HALF)
    if kind == S_PLAIN:
        return mix, bright
    a, b = u / surface[S_SCALE], v / surface[S_SCALE]
    if kind == S_TILES:
        mix = np.float32((np.int32(np.floor(a)) + np.int32(np.floor(b))) & 1)
    elif kind == S_BOARDS:
        board = np.floor(a)
        tone = board * np.float32(7.31)
        mix = tone - np.floor(tone)
        if a - board < np.float32(0.04):
            bright *= np.float32(0.6)
    elif kind == S_STRIPES:
        mix = _ONE if a - np.floor(a) < _HALF else _ZERO
    elif kind == S_CLOUDS:
        mix = _clouds(noise, a * np.float32(12.0), b * np.float32(12.0))
    return mix, bright


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _limits(turn, eye, focal, centre, boxes, height, width):
    """(K, 4) first and last row and column (exclusive) where each box may be seen; empty for those behind."""
    found = np.zeros((boxes.shape[0], 4), dtype=np.int32)
    for k in range(boxes.shape[0]):
        low_r = low_c = np.float32(1e9)
        high_r = high_c = np.float32(-1e9)
        before = 0
        for corner in range(8):
            x = boxes[k, 3 * (corner & 1)] - eye[0]
            y = boxes[k, 1 + 3 * ((corner >> 1) & 1)] - eye[1]
            z = boxes[k, 2 + 3 * (corner >> 2)] - eye[2]
            depth = turn[0, 2] * x + turn[1, 2] * y + turn[2, 2] * z
            if depth > np.float32(0.1):
                before += 1
                c = focal * (turn[0, 0] * x + turn[1, 0] * y + turn[2, 0] * z) / depth + centre[0]
                r = focal * (turn[0, 1] * x + turn[1, 1] * y + turn[2, 1] * z) / depth + centre[1]
                low_r, high_r, low_c, high_c = min(low_r, r), max(high_r, r), min(low_c, c), max(high_c, c)
        if before == 8:
            found[k, 0], found[k, 1] = max(0, int(max(low_r, -_ONE))), min(height, int(min(high_r, _FAR)) + 1)
            found[k, 2], found[k, 3] = max(0, int(max(low_c, -_ONE))), min(width, int(min(high_c, _FAR)) + 1)
        elif before > 0:
            found[k, 1], found[k, 3] = height, width
    return found


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def draw_room(turn, eye, focal, centre, low, high, surfaces, boxes, box_surfaces, haze, noise, shadow, darkness, image):
    """Fill ``image`` (H, W, 3) with the inside of a box and boxes that stand in it.

    ``turn`` (3, 3) leads from the camera's axes to the room's (x, y, up), ``eye`` (3,) is the camera there, ``low`` and
    ``high`` (3,) are the room's corners, ``boxes`` (K, 6) the corners of boxes; ``haze`` (4,) a colour and how much
    of it per metre; ``shadow`` (h, w) darkens the floor by ``darkness``.
    """
    height, width = image.shape[:2]
    rows, columns = shadow.shape
    limits = _limits(turn, eye, focal, centre, boxes, height, width)
    scale = _ONE / focal
    for row in range(height):
        cy = (np.float32(row) + _HALF - centre[1]) * scale
        r = row * rows // height
        for column in range(width):
            cx = (np.float32(column) + _HALF - centre[0]) * scale
            dx = turn[0, 0] * cx + turn[0, 1] * cy + turn[0, 2]
            dy = turn[1, 0] * cx + turn[1, 1] * cy + turn[1, 2]
            dz = turn[2, 0] * cx + turn[2, 1] * cy + turn[2, 2]
            ix, iy, iz = _ONE / (dx + _TINY), _ONE / (dy + _TINY), _ONE / (dz + _TINY)
            tx = ((high[0] if ix > _ZERO else low[0]) - eye[0]) * ix
            ty = ((high[1] if iy > _ZERO else low[1]) - eye[1]) * iy
            tz = ((high[2] if iz > _ZERO else low[2]) - eye[2]) * iz
            if tz < tx and tz < ty:
                t, face = tz, (ROOM_TOP if iz > _ZERO else ROOM_FLOOR)
            elif tx < ty:
                t, face = tx, ROOM_WALLS + (1 if ix > _ZERO else 0)
            else:
                t, face = ty, ROOM_WALLS + 2 + (1 if iy > _ZERO else 0)
            hit, side = -1, 0
            for k in range(boxes.shape[0]):
                if not (limits[k, 0] <= row < limits[k, 1] and limits[k, 2] <= column < limits[k, 3]):
                    continue
                ax, bx = (boxes[k, 0] - eye[0]) * ix, (boxes[k, 3] - eye[0]) * ix
                ay, by = (boxes[k, 1] - eye[1]) * iy, (boxes[k, 4] - eye[1]) * iy
                az, bz = (boxes[k, 2] - eye[2]) * iz, (boxes[k, 5] - eye[2]) * iz
                nx, ny, nz = min(ax, bx), min(ay, by), min(az, bz)
                enter = max(nx, max(ny, nz))
                leave = min(max(ax, bx), min(max(ay, by), max(az, bz)))
                if enter > np.float32(0.2) and enter < leave and enter < t:
                    t, hit = enter, k
                    side = 0 if enter == nx else (1 if enter == ny else 2)
            px, py, pz = eye[0] + t * dx, eye[1] + t * dy, eye[2] + t * dz
            dim = _ONE
            if hit >= 0:
                surface = box_surfaces[hit]
                u, v = (py, pz) if side == 0 else ((px, pz) if side == 1 else (px, py))
                dim = np.float32(0.7) if side == 0 else (np.float32(0.85) if side == 1 else np.float32(1.1))
            else:
                surface = surfaces[face]
                if face <= ROOM_TOP:
                    u, v = px, py
                else:
                    u, v = (py, pz) if face < ROOM_WALLS + 2 else (px, pz)
                if face == ROOM_FLOOR:
                    dim = _ONE - darkness * shadow[r, column * columns // width]
            mix, bright = _surface(surface, u, v, noise)
            # What is finer than a pixel is seen as its mean.
            slant = abs(dz) if face <= ROOM_TOP and hit < 0 else _HALF
            step = t * scale / (slant + np.float32(0.01))
            plain = min(_ONE, surface[S_SCALE] / (np.float32(3.0) * step)) if surface[S_PATTERN] != S_PLAIN else _ONE
            mix = _HALF + plain * (mix - _HALF)
            bright = _ONE + min(_ONE, np.float32(0.05) / step) * (bright - _ONE)
            # As much of the haze as exp would give near, and less far away; cheaper.
            fog = haze[3] * t / (_ONE + haze[3] * t)
            bright *= dim
            for k in range(3):
                tone = bright * (surface[k] + mix * (surface[3 + k] - surface[k]))
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
            light = _ONE + clouds[1] * (n - _HALF)
            for k in range(3):
                top = corners[0, k] + u * (corners[1, k] - corners[0, k])
                bottom = corners[2, k] + u * (corners[3, k] - corners[2, k])
                image[row, column, k] = light * (top + v * (bottom - top))


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def enlarge(image, times):
    """Return an image (H, W, 3) with so many times the pixels each way, mixed of neighbours."""
    rows, columns = image.shape[:2]
    found = np.empty((rows * times, columns * times, 3), dtype=np.float32)
    step = _ONE / np.float32(times)
    for row in range(rows * times):
        y = min(max((np.float32(row) + _HALF) * step - _HALF, _ZERO), np.float32(rows - 1))
        a = min(int(y), rows - 2)
        fy = y - np.float32(a)
        for column in range(columns * times):
            x = min(max((np.float32(column) + _HALF) * step - _HALF, _ZERO), np.float32(columns - 1))
            b = min(int(x), columns - 2)
            fx = x - np.float32(b)
            for k in range(3):
                top = image[a, b, k] + fx * (image[a, b + 1, k] - image[a, b, k])
                low = image[a + 1, b, k] + fx * (image[a + 1, b + 1, k] - image[a + 1, b, k])
                found[row, column, k] = top + fy * (low - top)
    return found


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
                    mix = _clouds(noise, np.float32(u * 0.7 + 31 * s), np.float32(v * 0.7))
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

"""Compiled loops that pose, clothe and shade a synthetic person; all release the interpreter.

Everything is in the camera's axes (right, down, forward), in metres and linear light.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .looks import (
    BANDS,
    BEARD,
    BLOTCHES,
    CHECKS,
    COLLAR,
    GLOSS,
    HAIR,
    HAIRLINE,
    IRIS,
    LEG_END,
    LIPS,
    LONG_HAIR,
    LOOSE_HAIR,
    LOOSE_SHIRT,
    LOOSE_TROUSERS,
    PATTERN,
    PLAIN,
    PRINT,
    SCALE,
    SHARE,
    SHIRT,
    SHOES,
    SIDE,
    SKIN,
    SLEEVE,
    SOCK,
    SOCKS,
    TROUSERS,
    UPRIGHT,
    WAIST,
    WHITE,
    WRINKLES,
)  # fmt: skip
from .mesh import ARM, EYE, FOOT, HAND, HEAD, LEG, TORSO

# Light: rows of the array that `shade` takes.
DIRECTION, KEY, SKY, FLOOR, UP = range(5)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def pose(rest, normals, starts, joints, weights, turns, shifts, push, waves, wrinkles, points, turned):
    """Skin vertices pushed out along their normals.

    ``rest`` (3, V), ``turns`` (J, 3, 3), ``shifts`` (J, 3), ``push`` (V,) [m]; ``points`` and ``turned`` (V, 3) receive
    places and normals, where ``wrinkles`` (V,) says how much ``waves`` (K, 4) bend the normals.
    """
    m = np.empty((3, 4), dtype=np.float32)
    for v in range(rest.shape[1]):
        m[:] = 0.0
        for k in range(starts[v], starts[v + 1]):
            b, w = joints[k], weights[k]
            for i in range(3):
                m[i, 0] += w * turns[b, i, 0]
                m[i, 1] += w * turns[b, i, 1]
                m[i, 2] += w * turns[b, i, 2]
                m[i, 3] += w * shifts[b, i]
        nx, ny, nz = normals[v, 0], normals[v, 1], normals[v, 2]
        out = push[v]
        x, y, z = rest[0, v] + out * nx, rest[1, v] + out * ny, rest[2, v] + out * nz
        bend = wrinkles[v]
        if bend > 0.0:
            for k in range(waves.shape[0]):
                a, b1, c = waves[k, 0], waves[k, 1], waves[k, 2]
                swing = bend * np.cos(a * x + b1 * y + c * z + waves[k, 3]) / np.sqrt(a * a + b1 * b1 + c * c)
                nx += swing * a
                ny += swing * b1
                nz += swing * c
        for i in range(3):
            points[v, i] = m[i, 0] * x + m[i, 1] * y + m[i, 2] * z + m[i, 3]
            turned[v, i] = m[i, 0] * nx + m[i, 1] * ny + m[i, 2] * nz


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def clothe(places, parts, cuts, loose, push, wrinkles):
    """How far cloth and hair stand off each vertex [m], and how wrinkled it is."""
    none, one = np.float32(0.0), np.float32(1.0)
    for v in range(places.shape[0]):
        y, z, s, part = places[v, 1], places[v, 2], places[v, 3], parts[v]
        out, folds = np.float32(0.0), np.float32(0.0)
        if part == TORSO:
            # The one passes into the other over 4 cm, or the mesh would tear.
            above = max(none, min(one, (z - cuts[WAIST]) / np.float32(0.04)))
            shirt = loose[LOOSE_SHIRT] * max(none, min(one, (cuts[COLLAR] - z) / np.float32(0.08)))
            out = loose[LOOSE_TROUSERS] + above * (shirt - loose[LOOSE_TROUSERS])
            folds = loose[WRINKLES] if z < cuts[COLLAR] else np.float32(0.0)
        elif part == ARM and s < cuts[SLEEVE]:
            out, folds = np.float32(0.7) * loose[LOOSE_SHIRT], loose[WRINKLES]
        elif part == LEG and s < cuts[LEG_END]:
            out, folds = loose[LOOSE_TROUSERS], loose[WRINKLES]
        elif part == HEAD:
            above = min(z + y, np.float32(0.3) + z - np.float32(0.1)) - cuts[HAIRLINE]
            out = loose[LOOSE_HAIR] * max(np.float32(0.0), min(np.float32(1.0), above / np.float32(0.05)))
        push[v], wrinkles[v] = out, folds


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def measure(points, parts, up, out):
    """Bounds of x / z and y / z (low, low, high, high), height of the lowest foot vertex and of the lowest of all."""
    out[0] = out[1] = out[4] = out[5] = np.inf
    out[2] = out[3] = -np.inf
    for v in range(points.shape[0]):
        x, y, z = points[v, 0], points[v, 1], points[v, 2]
        near = np.float32(1.0) / max(z, np.float32(0.1))
        out[0], out[2] = min(out[0], x * near), max(out[2], x * near)
        out[1], out[3] = min(out[1], y * near), max(out[3], y * near)
        height = up[0] * x + up[1] * y + up[2] * z
        out[5] = min(out[5], height)
        if parts[v] == FOOT:
            out[4] = min(out[4], height)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def project(points, focal, across, down, screen):
    """Places in the picture and depth (V, 3) of points in the camera's axes."""
    for v in range(points.shape[0]):
        z = np.float64(points[v, 2])
        screen[v, 0] = focal * points[v, 0] / z + across
        screen[v, 1] = focal * points[v, 1] / z + down
        screen[v, 2] = z


@njit(cache=True, nogil=True, error_model="numpy")
def front_faces(screen, faces, parts, kept, kept_parts):
    """Copy the triangles that face the camera and lie before it; return how many."""
    n = 0
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        xa, ya = screen[a, 0], screen[a, 1]
        area = (screen[b, 0] - xa) * (screen[c, 1] - ya) - (screen[c, 0] - xa) * (screen[b, 1] - ya)
        if area < 0.0:
            kept[n, 0], kept[n, 1], kept[n, 2] = a, b, c
            kept_parts[n] = parts[f]
            n += 1
    return n


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _material(part, x, y, z, s, cuts):
    """What is seen at a place of the mean adult."""
    if part == TORSO:
        if z < cuts[WAIST]:
            return TROUSERS
        if z < cuts[COLLAR] - (0.05 if y < -0.02 and abs(x) < 0.07 else 0.0):
            return SHIRT
        return HAIR if z > cuts[LONG_HAIR] and y > -0.02 and abs(x) < 0.09 else SKIN
    if part == ARM:
        return SHIRT if s < cuts[SLEEVE] else SKIN
    if part == LEG:
        if s < cuts[LEG_END]:
            return TROUSERS
        return SOCKS if s > cuts[SOCK] else SKIN
    if part == FOOT:
        return SHOES
    if part == HAND:
        return SKIN
    side = abs(x)
    if part == EYE:
        off = (side - 0.0295) ** 2 + (z - 0.742) ** 2
        return IRIS if off < 0.0063**2 else WHITE
    if z + y > cuts[HAIRLINE] or (z > cuts[LONG_HAIR] and y > -0.045):
        return HAIR
    if y < -0.105:
        if 0.012 < side < 0.05 and abs(z - 0.7665 + 0.12 * (side - 0.03)) < 0.0045:
            return HAIR
        if (side / 0.024) ** 2 + ((z - 0.676) / 0.009) ** 2 < 1.0:
            return LIPS
    return SKIN


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _second(kind, part, x, y, z, s, scale, share, noise):
    """Share of a material's second colour at a place."""
    if kind == PLAIN:
        return 0.0
    along = s * 0.6 if part in (ARM, LEG) else z
    if kind == BANDS:
        return 1.0 if (along / scale) % 1.0 < share else 0.0
    if kind == UPRIGHT:
        return 1.0 if ((x + 0.3 * y) / scale) % 1.0 < share else 0.0
    if kind == CHECKS:
        first = 0.5 if (along / scale) % 1.0 < share else 0.0
        return first + (0.5 if ((x + y) / scale) % 1.0 < share else 0.0)
    if kind == PRINT:
        return (
            1.0
            if part == TORSO and y < -0.02 and abs(x) < 0.11 * (0.5 + share) and abs(z - 0.38) < 1.2 * scale
            else 0.0
        )
    if kind == SIDE:
        return 1.0 if part == LEG and abs(y + 0.02) < 0.03 and abs(x) > 0.15 else 0.0
    if kind == BLOTCHES:
        n = noise.shape[0]
        a = noise[int(x * 8.0 / scale + 1000.0) % n, int(along * 8.0 / scale + 1000.0) % n]
        b = noise[int(y * 8.0 / scale + 1000.0) % n, int(along * 8.0 / scale + 1037.0) % n]
        return 1.0 if a + b > 2.0 * (1.0 - share) else 0.0
    return 0.0


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def shade(faces, parts, places, normals, face_of, weights, materials, cuts, light, noise, image, cover):
    """Draw what ``face_of`` (2 H, 2 W) and ``weights`` see over ``image`` (H, W, 3), its share into ``cover``."""
    height, width = cover.shape
    lx, ly, lz = light[DIRECTION, 0], light[DIRECTION, 1], light[DIRECTION, 2]
    # Half way between the light and the camera.
    hx, hy, hz = lx, ly, lz - np.float32(1.0)
    size = np.sqrt(hx * hx + hy * hy + hz * hz) + np.float32(1e-6)
    hx, hy, hz = hx / size, hy / size, hz / size
    for row in range(height):
        for column in range(width):
            red = green = blue = np.float32(0.0)
            hits = 0
            r2, c2 = 2 * row, 2 * column
            f = face_of[r2, c2]
            # One triangle fills the pixel: its middle is enough.
            whole = f >= 0 and f == face_of[r2, c2 + 1] and f == face_of[r2 + 1, c2] and f == face_of[r2 + 1, c2 + 1]
            each = np.float32(4.0) if whole else np.float32(1.0)
            for sub in range(1 if whole else 4):
                y2, x2 = r2 + sub // 2, c2 + sub % 2
                f = face_of[y2, x2]
                if f < 0:
                    continue
                hits += 4 if whole else 1
                a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
                wa, wb = weights[y2, x2, 0], weights[y2, x2, 1]
                if whole:
                    wa = np.float32(0.5) * (wa + weights[r2 + 1, c2 + 1, 0])
                    wb = np.float32(0.5) * (wb + weights[r2 + 1, c2 + 1, 1])
                wc = np.float32(1.0) - wa - wb
                nx = wa * normals[a, 0] + wb * normals[b, 0] + wc * normals[c, 0]
                ny = wa * normals[a, 1] + wb * normals[b, 1] + wc * normals[c, 1]
                nz = wa * normals[a, 2] + wb * normals[b, 2] + wc * normals[c, 2]
                px = wa * places[a, 0] + wb * places[b, 0] + wc * places[c, 0]
                py = wa * places[a, 1] + wb * places[b, 1] + wc * places[c, 1]
                pz = wa * places[a, 2] + wb * places[b, 2] + wc * places[c, 2]
                ps = wa * places[a, 3] + wb * places[b, 3] + wc * places[c, 3]
                length = np.float32(1.0) / np.sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-12))
                nx, ny, nz = nx * length, ny * length, nz * length
                part = parts[f]
                which = _material(part, px, py, pz, ps, cuts)
                mix = _second(
                    materials[which, PATTERN],
                    part,
                    px,
                    py,
                    pz,
                    ps,
                    materials[which, SCALE],
                    materials[which, SHARE],
                    noise,
                )
                beard = np.float32(0.0)
                if which == SKIN and part == HEAD and pz < np.float32(0.69) and py < np.float32(-0.07):
                    beard = cuts[BEARD]
                lit = max(np.float32(0.0), nx * lx + ny * ly + nz * lz)
                high = np.float32(0.5) + np.float32(0.5) * (nx * light[UP, 0] + ny * light[UP, 1] + nz * light[UP, 2])
                shine = max(np.float32(0.0), nx * hx + ny * hy + nz * hz)
                shine *= shine
                shine *= shine
                shine *= shine
                shine *= shine * materials[which, GLOSS]
                for k in range(3):
                    tone = materials[which, k] + mix * (materials[which, 3 + k] - materials[which, k])
                    tone += beard * (materials[HAIR, k] - tone)
                    sky = light[FLOOR, k] + high * (light[SKY, k] - light[FLOOR, k])
                    value = each * (tone * (sky + lit * light[KEY, k]) + shine * light[KEY, k])
                    if k == 0:
                        red += value
                    elif k == 1:
                        green += value
                    else:
                        blue += value
            if hits > 0:
                share = np.float32(0.25) * hits
                image[row, column, 0] = image[row, column, 0] * (1 - share) + np.float32(0.25) * red
                image[row, column, 1] = image[row, column, 1] * (1 - share) + np.float32(0.25) * green
                image[row, column, 2] = image[row, column, 2] * (1 - share) + np.float32(0.25) * blue
                cover[row, column] = share
            else:
                cover[row, column] = 0.0


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def cast_shadow(points, direction, up, height, focal, centre, shadow):
    """Where the ground sees no light: splat vertices along the light onto ``shadow`` (h, w), 0 to 1.

    The ground is where up . x = -height; ``focal`` and ``centre`` are of the shadow's own pixels.
    """
    rows, columns = shadow.shape
    slope = direction[0] * up[0] + direction[1] * up[1] + direction[2] * up[2]
    if slope < 0.05:
        return
    for v in range(points.shape[0]):
        above = points[v, 0] * up[0] + points[v, 1] * up[1] + points[v, 2] * up[2] + height
        t = above / slope
        x, y, z = points[v, 0] - t * direction[0], points[v, 1] - t * direction[1], points[v, 2] - t * direction[2]
        if z < 0.1:
            continue
        column, row = int(np.floor(focal * x / z + centre[0])), int(np.floor(focal * y / z + centre[1]))
        # High things cast faint shadows: lamps are wide.
        dark = np.float32(1.0 / (1.0 + 0.8 * max(above, np.float32(0.0))))
        for r in range(max(0, row), min(rows, row + 2)):
            for c in range(max(0, column), min(columns, column + 2)):
                shadow[r, c] = max(shadow[r, c], dark)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def smooth(values, spare, reach):
    """Mean over a square of ``reach`` pixels each way, twice, in place."""
    rows, columns = values.shape
    scale = np.float32(1.0 / (2 * reach + 1))
    for _ in range(2):
        for r in range(rows):
            total = np.float32(0.0)
            for c in range(-reach, columns + reach):
                ahead, behind = c + reach, c - reach - 1
                if 0 <= ahead < columns:
                    total += values[r, ahead]
                if 0 <= behind < columns:
                    total -= values[r, behind]
                if 0 <= c < columns:
                    spare[r, c] = total * scale
        for c in range(columns):
            total = np.float32(0.0)
            for r in range(-reach, rows + reach):
                ahead, behind = r + reach, r - reach - 1
                if 0 <= ahead < rows:
                    total += spare[ahead, c]
                if 0 <= behind < rows:
                    total -= spare[behind, c]
                if 0 <= r < rows:
                    values[r, c] = total * scale

"""Light and shadow on what the rasteriser found: compiled loops. Colours are red, green, blue from 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from biopose_sim.bodies.raster import Fragments, fill
from biopose_sim.io.camera import Camera

Array = NDArray[np.floating]

# Towards the light, in the ground frame.
LIGHT = np.array([0.42, 0.86, 0.30]) / np.linalg.norm([0.42, 0.86, 0.30])
_SKY, _HORIZON = np.array([0.985, 0.988, 0.992]), np.array([0.90, 0.915, 0.93])
_FLOOR = np.array([0.955, 0.96, 0.965])
_CELL = 0.5  # [m] of the grid; every second line is stronger
_FADE = 9.0  # [m] at which the floor is lost in the background
_SHADOW_CELL = 0.012  # [m]
_SHADOW_BLUR = 2.2  # [cells]
_SHADOW_MARGIN = 0.3  # [m]
_MOST_CELLS = 1500


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles in the ground frame with what the light needs.

    Attributes:
        points: (V, 3) [m].
        normals: (V, 3) unit.
        colours: (V, 3).
        faces: (F, 3).
    """

    points: Array
    normals: Array
    colours: NDArray[np.float32]
    faces: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Shadow:
    """How dark the floor is, 0 to 1, on a grid: ``origin`` (x, z) [m] of its first cell's middle."""

    darkness: NDArray[np.float32]
    origin: tuple[float, float]
    cell: float


def cast_shadow(surface: Surface) -> Shadow:
    """Return the surface's shadow on the floor (Y = 0): sharp and dark below what stands on it, faint from high up."""
    from scipy.ndimage import gaussian_filter

    points = surface.points
    if not len(points) or not np.isfinite(points).any():
        return Shadow(np.zeros((2, 2), dtype=np.float32), (0.0, 0.0), 1.0)
    flat = points[:, [0, 2]] - points[:, 1:2] * (LIGHT[[0, 2]] / LIGHT[1])
    low, high = np.nanmin(flat, axis=0) - _SHADOW_MARGIN, np.nanmax(flat, axis=0) + _SHADOW_MARGIN
    cell = max(_SHADOW_CELL, float((high - low).max()) / _MOST_CELLS)
    width, height = (int(n) for n in np.ceil((high - low) / cell).astype(int) + 1)
    far = 1.0 + 2.5 * np.maximum(points[:, 1:2], 0.0)
    screen = np.ascontiguousarray(np.concatenate([(flat - low) / cell + 0.5, far], axis=1))
    found = np.zeros((height, width), dtype=np.float32)
    unused = np.empty((height, width), dtype=np.int32), np.empty((height, width, 2), dtype=np.float32)
    fill(screen, surface.faces, found, *unused)
    blurred = 0.55 * gaussian_filter(found, _SHADOW_BLUR) + 0.45 * gaussian_filter(found, 3.5 * _SHADOW_BLUR)
    return Shadow(blurred.astype(np.float32), (float(low[0]), float(low[1])), cell)


def light_up(found: Fragments, surface: Surface, camera: Camera, image: NDArray[np.float32]) -> None:
    """Colour the pixels of ``image`` (H, W, 3) that see the surface."""
    _light(found.face, found.weights, *_of(surface), *_of_camera(camera), LIGHT, image)


def lay_over(
    found: Fragments, below: Fragments, surface: Surface, camera: Camera, image: NDArray[np.float32], opacity: float
) -> None:
    """Lay a glassy surface over ``image`` where nothing of ``below`` is nearer; its rims are denser."""
    _glass(
        found.face,
        found.weights,
        found.nearness,
        below.nearness,
        *_of(surface),
        *_of_camera(camera),
        LIGHT,
        image,
        opacity,
    )


def background(
    found: Fragments, camera: Camera, shadow: Shadow, image: NDArray[np.float32], middle: Array, times: int
) -> None:
    """Colour the pixels of ``image`` that see nothing: floor with grid and shadow, sky.

    Args:
        found: what is seen.
        camera: the view.
        shadow: on the floor.
        image: (H, W, 3).
        middle: (3,) around which the floor is bright [m].
        times: squares of so many pixels get one colour; width and height are multiples of it.
    """
    _floor(
        times, found.face, *_of_camera(camera), shadow.darkness, np.array(shadow.origin), shadow.cell,
        np.asarray(middle, dtype=float), _SKY, _HORIZON, _FLOOR, image,
    )  # fmt: skip


def draw_edges(found: Fragments, image: NDArray[np.float32], strength: float) -> None:
    """Darken the outlines: pixels whose neighbour is further away by some centimetres."""
    _edges(found.nearness, image, strength)


def shrink(image: NDArray[np.float32], times: int) -> NDArray[np.uint8]:
    """Return the mean over squares of ``times`` pixels, as bytes (H, W, 3)."""
    return np.asarray(_shrink(image, times))


def lay_on(
    found: Fragments, image: NDArray[np.float32], picture: NDArray[np.uint8], times: int, opacity: float
) -> None:
    """Lay the pixels of ``image`` that see something over a smaller picture of bytes.

    Args:
        found: what is seen.
        image: (H, W, 3), lit.
        picture: (H / times, W / times, 3), changed.
        times: pixels of the image each way per pixel of the picture.
        opacity: of what is seen, 0 to 1.
    """
    _lay_on(found.face, image, picture, times, opacity)


def _of(surface: Surface) -> tuple[NDArray[np.int32], Array, Array]:
    return surface.faces, np.ascontiguousarray(surface.normals), surface.colours


def _of_camera(camera: Camera) -> tuple[Array, Array, float, float, float]:
    # The cameras of the viewer have square pixels.
    return np.ascontiguousarray(camera.rotation), camera.position, camera.focal[0], *camera.centre


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _ray(x, y, rotation, focal, cx, cy):
    a, b = (x + 0.5 - cx) / focal, (y + 0.5 - cy) / focal
    dx = rotation[0, 0] * a + rotation[1, 0] * b + rotation[2, 0]
    dy = rotation[0, 1] * a + rotation[1, 1] * b + rotation[2, 1]
    dz = rotation[0, 2] * a + rotation[1, 2] * b + rotation[2, 2]
    length = np.sqrt(dx * dx + dy * dy + dz * dz)
    return dx / length, dy / length, dz / length


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _normal(f, wa, wb, faces, normals):
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    wc = 1.0 - wa - wb
    nx = wa * normals[a, 0] + wb * normals[b, 0] + wc * normals[c, 0]
    ny = wa * normals[a, 1] + wb * normals[b, 1] + wc * normals[c, 1]
    nz = wa * normals[a, 2] + wb * normals[b, 2] + wc * normals[c, 2]
    length = np.sqrt(nx * nx + ny * ny + nz * nz)
    if length > 0.0:
        return nx / length, ny / length, nz / length
    return 0.0, 1.0, 0.0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _lambert(nx, ny, nz, dx, dy, dz, light):
    """Brightness, shine and how much the surface faces the camera."""
    facing = -(nx * dx + ny * dy + nz * dz)
    if facing < 0.0:
        nx, ny, nz, facing = -nx, -ny, -nz, -facing
    key = nx * light[0] + ny * light[1] + nz * light[2]
    wrapped = max(0.0, (key + 0.25) / 1.25)
    ambient = 0.36 + 0.16 * ny + 0.14 * facing
    hx, hy, hz = light[0] - dx, light[1] - dy, light[2] - dz
    length = np.sqrt(hx * hx + hy * hy + hz * hz)
    half = max(0.0, (nx * hx + ny * hy + nz * hz) / length)
    shine = 0.16 * half**40
    return ambient + 0.56 * wrapped, shine, facing


@njit(cache=True, nogil=True, error_model="numpy")
def _light(face_of, weights, faces, normals, colours, rotation, position, focal, cx, cy, light, image):
    height, width = face_of.shape
    for y in range(height):
        for x in range(width):
            f = face_of[y, x]
            if f < 0:
                continue
            wa, wb = weights[y, x, 0], weights[y, x, 1]
            nx, ny, nz = _normal(f, wa, wb, faces, normals)
            dx, dy, dz = _ray(x, y, rotation, focal, cx, cy)
            bright, shine, _facing = _lambert(nx, ny, nz, dx, dy, dz, light)
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            for k in range(3):
                base = wa * colours[a, k] + wb * colours[b, k] + (1.0 - wa - wb) * colours[c, k]
                image[y, x, k] = min(1.0, base * bright + shine)


@njit(cache=True, nogil=True, error_model="numpy")
def _glass(
    face_of, weights, nearness, below, faces, normals, colours, rotation, position, focal, cx, cy, light, image, opacity
):
    height, width = face_of.shape
    for y in range(height):
        for x in range(width):
            f = face_of[y, x]
            if f < 0 or nearness[y, x] < below[y, x]:
                continue
            wa, wb = weights[y, x, 0], weights[y, x, 1]
            nx, ny, nz = _normal(f, wa, wb, faces, normals)
            dx, dy, dz = _ray(x, y, rotation, focal, cx, cy)
            bright, shine, facing = _lambert(nx, ny, nz, dx, dy, dz, light)
            share = opacity + (0.9 - opacity) * (1.0 - facing) ** 2.5
            a = faces[f, 0]
            for k in range(3):
                own = min(1.0, colours[a, k] * bright + shine)
                image[y, x, k] = (1.0 - share) * image[y, x, k] + share * own + 0.4 * shine


@njit(cache=True, nogil=True, error_model="numpy")
def _floor(
    times, face_of, rotation, position, focal, cx, cy, darkness, origin, cell, middle, sky, horizon, floor, image
):
    """One colour for each square of ``times`` pixels: floor and sky have no edges that need more."""
    own = np.empty(3)
    middle_of = 0.5 * (times - 1)
    for y in range(0, face_of.shape[0], times):
        for x in range(0, face_of.shape[1], times):
            empty = False
            for j in range(times):
                for i in range(times):
                    empty = empty or face_of[y + j, x + i] < 0
            if not empty:
                continue
            dx, dy, dz = _ray(x + middle_of, y + middle_of, rotation, focal, cx, cy)
            share = min(1.0, max(0.0, 0.5 + 1.6 * dy))
            clear, light = 0.0, 1.0
            if dy < -1e-4 and position[1] > 0.0:
                clear, light = _on_floor(dx, dy, dz, position, times / focal, darkness, origin, cell, middle)
            for k in range(3):
                behind = horizon[k] + (sky[k] - horizon[k]) * share
                own[k] = behind * (1.0 - clear) + floor[k] * light * clear
            for j in range(times):
                for i in range(times):
                    if face_of[y + j, x + i] < 0:
                        image[y + j, x + i, 0], image[y + j, x + i, 1], image[y + j, x + i, 2] = own[0], own[1], own[2]


@njit(cache=True, nogil=True, error_model="numpy")
def _on_floor(dx, dy, dz, position, pixel_angle, darkness, origin, cell, middle):
    """How clear the floor is where a ray meets it, and how light: its lines and the shadow are darker."""
    reach = -position[1] / dy
    px, pz = position[0] + reach * dx, position[2] + reach * dz
    away = np.sqrt((px - middle[0]) ** 2 + (pz - middle[2]) ** 2)
    clear = max(0.0, 1.0 - away / _FADE)
    if clear <= 0.0:
        return 0.0, 1.0
    line, pixel = 0.0, reach * pixel_angle
    for axis in range(2):
        place, slope = (px, abs(dx)) if axis == 0 else (pz, abs(dz))
        # How wide a pixel is across the lines: foreshortened where the view runs along the axis.
        wide = pixel * (1.0 + slope / -dy)
        off = place / _CELL - np.floor(place / _CELL + 0.5)
        strong = abs(place / (2.0 * _CELL) - np.floor(place / (2.0 * _CELL) + 0.5)) < 0.26
        half = (0.006 if strong else 0.0035) + 0.25 * wide
        cover = min(1.0, max(0.0, (half - abs(off) * _CELL) / wide + 0.5)) * min(1.0, 0.5 * _CELL / wide)
        line = max(line, cover * (0.20 if strong else 0.11))
    shade = 0.0
    u, v = (px - origin[0]) / cell, (pz - origin[1]) / cell
    if u >= 0.0 and v >= 0.0 and u < darkness.shape[1] - 1 and v < darkness.shape[0] - 1:
        i, j = int(v), int(u)
        s, t = v - i, u - j
        upper = darkness[i, j] * (1.0 - t) + darkness[i, j + 1] * t
        lower = darkness[i + 1, j] * (1.0 - t) + darkness[i + 1, j + 1] * t
        shade = 0.50 * (upper * (1.0 - s) + lower * s)
    return clear * clear * (3.0 - 2.0 * clear), (1.0 - line) * (1.0 - shade)


@njit(cache=True, nogil=True, error_model="numpy")
def _edges(nearness, image, strength):
    height, width = nearness.shape
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            own = nearness[y, x]
            if own == 0.0:
                continue
            least = min(min(nearness[y - 1, x], nearness[y + 1, x]), min(nearness[y, x - 1], nearness[y, x + 1]))
            # The gap in metres: 1 / least - 1 / own.
            gap = (own - least) / (own * max(least, 1e-3))
            dark = strength * min(1.0, max(0.0, (gap - 0.008) / 0.03))
            for k in range(3):
                image[y, x, k] *= 1.0 - dark


@njit(cache=True, nogil=True, error_model="numpy")
def _shrink(image, times):
    height, width = image.shape[0] // times, image.shape[1] // times
    out = np.empty((height, width, 3), dtype=np.uint8)
    share = 255.0 / (times * times)
    for y in range(height):
        for x in range(width):
            for k in range(3):
                total = 0.0
                for j in range(times):
                    for i in range(times):
                        total += image[y * times + j, x * times + i, k]
                out[y, x, k] = np.uint8(min(255.0, total * share + 0.5))
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _lay_on(face_of, image, picture, times, opacity):
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            seen, red, green, blue = 0, 0.0, 0.0, 0.0
            for j in range(y * times, (y + 1) * times):
                for i in range(x * times, (x + 1) * times):
                    if face_of[j, i] >= 0:
                        seen += 1
                        red, green, blue = red + image[j, i, 0], green + image[j, i, 1], blue + image[j, i, 2]
            if seen == 0:
                continue
            share = opacity * seen / (times * times)
            for k, total in enumerate((red, green, blue)):
                mixed = (1.0 - share) * picture[y, x, k] + share * 255.0 * total / seen
                picture[y, x, k] = np.uint8(min(255.0, mixed + 0.5))

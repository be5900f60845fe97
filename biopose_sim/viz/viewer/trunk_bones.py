"""Drawings of the bones of pelvis, spine, chest, shoulder girdle and head; see `anatomy`. Metres, ground frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from biopose_sim.viz.viewer.shapes import Mesh, ellipsoid, rounded, smooth_curve, sphere, tube, unit

if TYPE_CHECKING:
    from biopose_sim.viz.viewer.anatomy import Posture

Array = NDArray[np.floating]
_VERTEBRA = 0.029  # [m] from one to the next
_RIBS = 10
# Width and depth of the chest per rib, from the top, as shares of the largest.
_WIDTHS = np.array([0.42, 0.64, 0.79, 0.89, 0.95, 0.99, 1.0, 0.99, 0.95, 0.87])
_DEPTHS = np.array([0.5, 0.68, 0.8, 0.89, 0.95, 0.99, 1.0, 0.99, 0.95, 0.86])


def _column(posture: Posture, start: Array, end: Array, size: float, bow: float = 0.0) -> list[Mesh]:
    """Vertebrae from start to end, each with its spine to the back; ``bow`` [m] bends the row backwards."""
    length = float(np.linalg.norm(end - start))
    count = max(1, round(length / (_VERTEBRA * size)))
    up = unit(end - start)
    ahead = unit(posture.forward - (posture.forward @ up) * up)
    bones = []
    for k in range(count):
        share = (k + 0.5) / count
        centre = start + up * share * length - ahead * bow * 4.0 * share * (1.0 - share)
        half = 0.36 * length / count
        radius = 0.0175 * size
        bones.append(
            tube(centre + up * np.array([[-half], [0.0], [half]]), [radius * 1.08, radius * 0.9, radius * 1.08], 16)
        )
        root = centre - ahead * radius
        bones.append(
            rounded(root, root - ahead * 0.034 * size - up * 0.016 * size, np.array([0.0065, 0.0045]) * size, rounds=3)
        )
        wing = posture.right * 0.03 * size
        bones.append(rounded(root - wing, root + wing, np.array([0.0045, 0.006, 0.0045]) * size, rounds=3))
    return bones


def pelvis(posture: Posture, body: str) -> list[Mesh]:
    """Two hip bones with their wings, the ring below, and the sacrum."""
    right, left = posture.joint("femur", "r"), posture.joint("femur", "l")
    up, ahead = posture.up, posture.forward
    if right is None or left is None:
        centre = posture.own[body]
        right, left = centre + 0.08 * posture.right, centre - 0.08 * posture.right
    middle, width = 0.5 * (right + left), float(np.linalg.norm(right - left))
    front = middle + ahead * 0.3 * width - up * 0.1 * width
    bones = []
    for hip, out in ((right, posture.right), (left, -posture.right)):
        bones += _hip_bone(hip, front + out * 0.04 * width, out, up, ahead, width)
    bones.append(ellipsoid(front, np.stack([posture.right, up, ahead]), np.array([0.07, 0.11, 0.06]) * width))
    base = middle + up * 0.72 * width - ahead * 0.28 * width
    tail = middle + up * 0.02 * width - ahead * 0.5 * width
    line = np.array(
        [base, 0.5 * (base + tail) - ahead * 0.1 * width, tail, tail - up * 0.1 * width + ahead * 0.06 * width]
    )
    sizes = np.array([[0.31, 0.13], [0.25, 0.11], [0.12, 0.06], [0.04, 0.03]]) * width
    bones.append(tube(line, sizes, 20, flat=ahead))
    return bones


def _hip_bone(hip: Array, front: Array, out: Array, up: Array, ahead: Array, width: float) -> list[Mesh]:
    """Wing (a curved sheet), socket, sitting bone and the branches to the front."""
    rows = []
    for share in np.linspace(0.0, 1.0, 9):  # from the socket to the crest
        half = (0.15 + 0.36 * np.sin(0.5 * np.pi * share)) * width
        centre = hip + up * (0.06 + 0.62 * share) * width - ahead * (0.02 + 0.1 * share) * width
        centre = centre + out * (0.0 + 0.12 * share**2) * width
        line = []
        for place in np.linspace(-1.0, 1.0, 13):
            dip = 0.30 * share**2 * abs(place) ** 2.4 * width  # the crest is an arch
            inward = (0.34 * max(0.0, -place) ** 1.4 + 0.12 * max(0.0, place) ** 2) * share * width
            line.append(centre + ahead * half * place - up * dip - out * inward)
        rows.append(line)
    sheet = _sheet(np.array(rows), out, 0.02 * width)
    crest = tube(np.array(rows[-1]), np.full(13, 0.036 * width), 10)
    sit = hip - up * 0.48 * width - ahead * 0.18 * width - out * 0.1 * width
    branch = hip - up * 0.36 * width + ahead * 0.12 * width - out * 0.2 * width
    return [
        sheet,
        crest,
        sphere(hip + up * 0.03 * width - out * 0.05 * width, 0.165 * width, 3),
        rounded(hip - ahead * 0.06 * width, sit, np.array([0.12, 0.085, 0.095]) * width),
        rounded(hip + ahead * 0.06 * width, front, np.array([0.085, 0.05, 0.06]) * width),
        rounded(sit, branch, np.array([0.08, 0.045]) * width),
        rounded(branch, front - np.asarray(up) * 0.06 * width, np.array([0.045, 0.05]) * width),
    ]


def _sheet(grid: Array, out: Array, thickness: float) -> Mesh:
    """A sheet (N, M, 3) with two sides."""
    n, m = grid.shape[:2]
    flat = grid.reshape(-1, 3)
    points = np.concatenate([flat + out * thickness, flat - out * thickness])
    faces = []
    for i in range(n - 1):
        for j in range(m - 1):
            a, b, c, d = i * m + j, i * m + j + 1, (i + 1) * m + j + 1, (i + 1) * m + j
            faces += [(a, b, c), (a, c, d), (a + n * m, c + n * m, b + n * m), (a + n * m, d + n * m, c + n * m)]
    border = [*range(m), *[i * m + m - 1 for i in range(1, n)], *[(n - 1) * m + j for j in range(m - 2, -1, -1)]]
    border += [i * m for i in range(n - 2, 0, -1)]
    for a, b in zip(border, border[1:] + border[:1]):
        faces += [(a, a + n * m, b + n * m), (a, b + n * m, b)]
    return Mesh(points, np.array(faces, dtype=np.int32))


def lumbar(posture: Posture, body: str) -> list[Mesh]:
    """The lower spine, as far as the chest."""
    start = posture.own[body]
    ends = list(posture.carried.get(body, {}).values())
    end = ends[0] if ends else start + posture.up * 0.14 * posture.size
    return _column(posture, start, end, posture.size * 1.12, bow=-0.008)


def _neck(posture: Posture) -> Array | None:
    return posture.joint("head")


def torso(posture: Posture, body: str) -> list[Mesh]:
    """Spine, ribs and breastbone; collar bones, shoulder blades and skull where no other body has them."""
    size, up, ahead = posture.size, posture.up, posture.forward
    base = posture.own[body]
    shoulders = [centre for side in "rl" if (centre := posture.joint("humerus", side)) is not None]
    neck = _neck(posture)
    if neck is None:
        rise = max((float((s - base) @ up) for s in shoulders), default=0.36 * size) + 0.05 * size
        neck = base + up * rise
    lower = posture.joint("lumbar") is not None
    height = float((neck - base) @ up)
    chest = min(0.34 * size, height if lower else 0.72 * height)
    reach = [abs(float((s - base) @ posture.right)) for s in shoulders]
    wide = 0.76 * float(np.mean(reach)) if reach else 0.13 * size
    bones = _column(posture, base, neck, size, bow=0.022 * size)
    bones += _ribs(posture, neck, chest, wide, size)
    alone = not any("scapula" in name.lower() or "clavicle" in name.lower() for name in posture.own)
    if alone:
        for side, out in (("r", posture.right), ("l", -posture.right)):
            shoulder = posture.joint("humerus", side)
            if shoulder is not None:
                bones += _girdle(posture, shoulder, neck, out, size)
    if posture.joint("head") is None:
        bones += _skull(neck, up, ahead, posture.right, size)
        bones += _column(posture, neck, neck + up * 0.085 * size, 0.8 * size)
    return bones


def _ribs(posture: Posture, neck: Array, chest: float, wide: float, size: float) -> list[Mesh]:
    """Ten pairs of ribs, their cartilage and the breastbone."""
    up, ahead, right = posture.up, posture.forward, posture.right
    deep = 0.76 * wide
    top = neck - up * 0.035 * size
    breast_top = top - up * 0.062 * size + ahead * 0.075 * size
    breast_end = breast_top - up * 0.50 * chest + ahead * 0.052 * size
    bones = [rounded(breast_top, breast_end, np.array([0.026, 0.017, 0.021, 0.012]) * size, flat=ahead, squash=0.35)]
    for k in range(_RIBS):
        root = top - up * chest * k / _RIBS * 0.98 - ahead * (0.018 + 0.024 * np.sin(np.pi * k / _RIBS)) * size
        drop = (0.14 + 0.026 * k) * chest
        end = np.pi * (0.86 if k < 6 else 0.86 - 0.1 * (k - 5))
        for side in (-1.0, 1.0):
            turn = np.linspace(0.08 * np.pi, end, 20)
            back = 1.0 - np.cos(turn)
            line = (
                root
                + np.outer(np.sin(turn) * wide * _WIDTHS[k] * side, right)
                + np.outer(back * deep * _DEPTHS[k] - 0.25 * deep * _DEPTHS[k] * np.sin(turn) ** 2, ahead)
                - np.outer(drop * (0.5 * back) ** 1.2, up)
            )
            radii = np.stack([np.full(20, 0.0048), np.linspace(0.0085, 0.0065, 20)], axis=1) * size
            bones.append(tube(line, radii, 8, flat=up))
            if k < 9:
                share = min(1.0, k / 6.0)
                goal = breast_top + share * (breast_end - breast_top) + right * side * 0.016 * size
                bend = 0.5 * (line[-1] + goal) + ahead * 0.012 * size - up * 0.02 * max(0, k - 4) * size
                path, thick = smooth_curve([line[-1], bend, goal], [0.0062 * size, 0.0055 * size, 0.0055 * size], 10)
                bones.append(tube(path, thick, 8))
    return bones


def _girdle(posture: Posture, shoulder: Array, neck: Array, out: Array, size: float) -> list[Mesh]:
    return [*_collar(posture, shoulder, neck, out, size), *_blade(posture, shoulder, out, size)]


def _collar(posture: Posture, shoulder: Array, neck: Array, out: Array, size: float) -> list[Mesh]:
    """From the top of the breastbone to the tip of the shoulder."""
    up, ahead = posture.up, posture.forward
    start = neck - up * 0.085 * size + ahead * 0.085 * size + out * 0.022 * size
    tip = shoulder + up * 0.032 * size + out * 0.005 * size - ahead * 0.005 * size
    line = np.array(
        [
            start + share * (tip - start) + ahead * 0.018 * np.sin(2.0 * np.pi * share) * size
            for share in np.linspace(0.0, 1.0, 16)
        ]
    )
    return [
        tube(line, np.interp(np.linspace(0, 1, 16), [0, 0.15, 0.7, 1.0], [0.0115, 0.0075, 0.0075, 0.009]) * size, 10)
    ]


def _blade(posture: Posture, shoulder: Array, out: Array, size: float) -> list[Mesh]:
    """Shoulder blade: a triangle with its ridge, socket and tip."""
    up, ahead = posture.up, posture.forward
    socket = shoulder - out * 0.018 * size - ahead * 0.008 * size
    inner = shoulder - out * 0.105 * size - ahead * 0.06 * size + up * 0.03 * size
    lowest = shoulder - out * 0.085 * size - ahead * 0.065 * size - up * 0.115 * size
    rows = []
    for share in np.linspace(0.0, 1.0, 7):
        a, b = socket + share * (lowest - socket), inner + share * (lowest - inner)
        a = a - ahead * 0.012 * np.sin(np.pi * share) * size - out * 0.01 * np.sin(np.pi * share) * size
        rows.append([a + place * (b - a) for place in np.linspace(0.0, 1.0, 6)])
    face = unit(np.cross(inner - socket, lowest - socket))
    tip = shoulder + up * 0.03 * size + out * 0.012 * size - ahead * 0.012 * size
    ridge = rounded(inner - up * 0.028 * size - ahead * 0.006 * size, tip, np.array([0.005, 0.008, 0.011]) * size)
    beak = rounded(
        socket + up * 0.012 * size,
        shoulder - out * 0.012 * size + ahead * 0.032 * size + up * 0.014 * size,
        np.array([0.009, 0.007]) * size,
    )
    rim = rounded(lowest, inner, np.array([0.006, 0.004, 0.005]) * size)
    return [_sheet(np.array(rows), face, 0.0028 * size), ridge, beak, rim, sphere(socket, 0.016 * size, 2)]


def scapula(posture: Posture, body: str) -> list[Mesh]:
    """Shoulder blade; with the collar bone where that is no body of its own."""
    out, size = posture.outward(body), posture.size
    shoulder = posture.joint("humerus", "l" if out @ posture.right < 0.0 else "r")
    if shoulder is None:
        return []
    bones = _blade(posture, shoulder, out, size)
    if posture.joint("clavicle") is None:
        neck = _neck(posture)
        neck = shoulder - out * 0.17 * size + posture.up * 0.05 * size if neck is None else neck
        bones += _collar(posture, shoulder, neck, out, size)
    return bones


def clavicle(posture: Posture, body: str) -> list[Mesh]:
    """Collar bone."""
    out, size = posture.outward(body), posture.size
    shoulder = posture.joint("humerus", "l" if out @ posture.right < 0.0 else "r")
    if shoulder is None:
        return []
    neck = _neck(posture)
    neck = shoulder - out * 0.17 * size + posture.up * 0.05 * size if neck is None else neck
    return _collar(posture, shoulder, neck, out, size)


def head(posture: Posture, body: str) -> list[Mesh]:
    """Neck and skull."""
    base, size, up = posture.own[body], posture.size, posture.up
    return [
        *_column(posture, base, base + up * 0.095 * size, 0.8 * size),
        *_skull(base, up, posture.forward, posture.right, size),
    ]


def _skull(neck: Array, up: Array, ahead: Array, right: Array, size: float) -> list[Mesh]:
    """Braincase, face, cheeks and jaw above the root of the neck."""
    axes = np.stack([ahead, up, right])
    at = neck + ahead * 0.018 * size
    bones = [
        ellipsoid(at + (0.165 * up) * size, axes, np.array([0.096, 0.078, 0.074]) * size, 3),
        ellipsoid(at + (0.128 * up + 0.052 * ahead) * size, axes, np.array([0.044, 0.056, 0.053]) * size, 3),
        ellipsoid(at + (0.088 * up + 0.068 * ahead) * size, axes, np.array([0.032, 0.036, 0.035]) * size, 3),
        ellipsoid(at + (0.112 * up + 0.098 * ahead) * size, axes, np.array([0.012, 0.018, 0.009]) * size),
    ]
    for side in (-1.0, 1.0):
        ear = at + (0.125 * up + 0.0 * ahead + side * 0.068 * right) * size
        angle = at + (0.066 * up + 0.018 * ahead + side * 0.052 * right) * size
        chin = at + (0.042 * up + 0.088 * ahead + side * 0.012 * right) * size
        cheek = at + (0.118 * up + 0.078 * ahead + side * 0.04 * right) * size
        bones += [
            rounded(ear, angle, np.array([0.008, 0.011]) * size, flat=ahead, squash=1.6),
            rounded(angle, chin, np.array([0.013, 0.013, 0.016]) * size),
            rounded(ear, cheek, np.array([0.006, 0.006, 0.012]) * size),
        ]
    return bones

"""Drawings of the bones of leg and arm, from joint to joint; see `anatomy`. Metres, in the ground frame."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from biopose_sim.viz.viewer.shapes import Mesh, ellipsoid, rounded, smooth_curve, sphere, tube, unit

if TYPE_CHECKING:
    from biopose_sim.viz.viewer.anatomy import Posture

Array = NDArray[np.floating]


def _end(posture: Posture, body: str, *stems: str) -> Array | None:
    """Centre of the joint that carries a neighbour of one of these stems."""
    from biopose_sim.viz.viewer.anatomy import bone_stem

    children = posture.carried.get(body, {})
    for stem in stems:
        for child, centre in children.items():
            if bone_stem(child) == stem:
                return centre
    return None


def _mass_end(posture: Posture, body: str) -> Array:
    """As far beyond the centre of mass as that is from the joint."""
    index = posture.model.body_names.index(body)
    local = np.array(posture.model.model.bodies[index].mass_center) * posture.model.scales[index]
    centre = posture.transforms[index, :3, :3] @ local + posture.transforms[index, :3, 3]
    return np.asarray(posture.own[body] + 2.0 * (centre - posture.own[body]))


def femur(posture: Posture, body: str) -> list[Mesh]:
    """Head, neck, great trochanter, bowed shaft and two condyles."""
    hip, knee = posture.own[body], _end(posture, body, "tibia")
    if knee is None:
        knee = _mass_end(posture, body)
    length, out, forward = float(np.linalg.norm(knee - hip)), posture.outward(body), posture.forward
    up = unit(hip - knee)
    trochanter = hip + out * 0.135 * length - up * 0.035 * length - forward * 0.015 * length
    path = [
        trochanter + up * 0.02 * length,
        trochanter - up * 0.08 * length - out * 0.02 * length,
        hip - up * 0.45 * length + out * 0.075 * length + forward * 0.03 * length,
        knee + up * 0.16 * length + out * 0.012 * length + forward * 0.012 * length,
        knee + up * 0.045 * length,
    ]
    shaft = tube(
        *smooth_curve(path, [0.03 * length, 0.05 * length, 0.0315 * length, 0.038 * length, 0.075 * length], 24)
    )
    axes = np.stack([out, up, forward])
    condyles = [
        ellipsoid(
            knee + side * out * 0.06 * length - forward * 0.012 * length, axes, np.array([0.048, 0.052, 0.066]) * length
        )
        for side in (-1.0, 1.0)
    ]
    neck = rounded(hip, trochanter - up * 0.02 * length, np.array([0.036, 0.036, 0.048]) * length)
    return [sphere(hip, 0.054 * length, 3), neck, sphere(trochanter, 0.052 * length, 2), shaft, *condyles]


def tibia(posture: Posture, body: str) -> list[Mesh]:
    """Plateau, three-edged shaft, inner ankle, and the fibula beside it."""
    knee, ankle = posture.own[body], _end(posture, body, "talus", "calcn", "foot")
    if ankle is None:
        ankle = _mass_end(posture, body)
    length, out, forward = float(np.linalg.norm(ankle - knee)), posture.outward(body), posture.forward
    up = unit(knee - ankle)
    top = knee - up * 0.085 * length
    path = [
        top,
        knee - up * 0.18 * length + forward * 0.015 * length,
        knee - up * 0.5 * length + forward * 0.012 * length,
        ankle + up * 0.14 * length,
        ankle + up * 0.035 * length,
    ]
    shaft = tube(
        *smooth_curve(path, [0.072 * length, 0.05 * length, 0.033 * length, 0.03 * length, 0.052 * length], 22)
    )
    plateau = ellipsoid(top + up * 0.005 * length, np.stack([out, up, forward]), np.array([0.1, 0.038, 0.07]) * length)
    inner = rounded(
        ankle + up * 0.06 * length - out * 0.045 * length,
        ankle - up * 0.02 * length - out * 0.055 * length,
        [0.02 * length, 0.017 * length],
    )
    head = knee - up * 0.13 * length + out * 0.105 * length - forward * 0.03 * length
    outer = ankle - up * 0.035 * length + out * 0.07 * length - forward * 0.015 * length
    line = [head, head - up * 0.4 * length - out * 0.012 * length, outer + up * 0.12 * length, outer]
    fibula = tube(*smooth_curve(line, [0.028 * length, 0.0145 * length, 0.0145 * length, 0.023 * length]))
    return [shaft, plateau, inner, fibula, sphere(head, 0.03 * length, 2), sphere(outer, 0.024 * length, 2)]


def patella(posture: Posture, body: str) -> list[Mesh]:
    """A flat stone in front of its origin."""
    size = 0.41 * posture.size
    index = posture.model.body_names.index(body)
    x_axis, y_axis = posture.transforms[index, :3, 0], posture.transforms[index, :3, 1]
    axes = np.stack([x_axis, y_axis, np.cross(x_axis, y_axis)])
    centre = posture.transforms[index, :3, 3] + y_axis * 0.064 * size
    return [ellipsoid(centre, axes, np.array([0.022, 0.052, 0.05]) * size)]


def _foot(posture: Posture, body: str) -> tuple[Array, Array, Array, Array, float]:
    """Heel (or ankle), ball of the foot, unit vectors forward and upward, and the distance between them."""
    ball = _end(posture, body, "toes")
    heel = posture.own[body]
    if ball is None:
        ball = _mass_end(posture, body)
    along = unit((ball - heel) - ((ball - heel) @ posture.up) * posture.up)
    return heel, ball, along, np.asarray(posture.up), float(np.linalg.norm(ball - heel))


def talus(posture: Posture, body: str) -> list[Mesh]:
    """A rounded block below the ankle."""
    size, centre = 0.17 * posture.size, posture.own[body]
    axes = np.stack([posture.forward, posture.up, posture.right])
    return [
        ellipsoid(centre - posture.up * 0.03 * size, axes, np.array([0.17, 0.12, 0.13]) * size),
        rounded(
            centre - posture.up * 0.04 * size,
            centre + posture.forward * 0.25 * size - posture.up * 0.12 * size,
            [0.1 * size, 0.085 * size],
        ),
    ]


def calcn(posture: Posture, body: str) -> list[Mesh]:
    """Heel bone, tarsals and five metatarsals."""
    heel, ball, along, up, length = _foot(posture, body)
    out = posture.outward(body)
    ankle = posture.joint("talus", "l" if out @ posture.right < 0.0 else "r")
    rise = max(0.16 * length, 0.0 if ankle is None else 0.62 * float((ankle - ball) @ up))
    back = heel + along * 0.05 * length + up * 0.02 * length
    bones = [
        rounded(
            back,
            heel + along * 0.34 * length + up * rise * 0.62,
            np.array([0.115, 0.12, 0.105]) * length,
            flat=out,
            squash=0.8,
        ),
        sphere(back - up * 0.02 * length, 0.105 * length, 2),
    ]
    arch = heel + along * 0.5 * length + up * rise * 0.72
    bones.append(ellipsoid(arch, np.stack([along, up, out]), np.array([0.14, 0.1, 0.17]) * length))
    for k in range(5):
        across = -0.22 + 0.115 * k  # from the big toe outwards
        start = arch + along * 0.05 * length + out * (0.55 * across - 0.01) * length - up * 0.1 * k * rise * 0.8
        tip = ball + along * (0.04 - 0.055 * k + 0.012 * (k == 0)) * length + out * across * length
        thick = (0.062 if k == 0 else 0.042) * length
        bones.append(rounded(start, tip, [thick, 0.66 * thick, 0.66 * thick, thick]))
    return bones


def toes(posture: Posture, body: str) -> list[Mesh]:
    """Five toes of two bones each."""
    ball, up, out = posture.own[body], posture.up, posture.outward(body)
    parent = next(joint.parent.body for joint in posture.model.model.joints if joint.child.body == body)
    heel = posture.own.get(parent, ball - posture.forward * 0.18 * posture.size)
    along = unit((ball - heel) - ((ball - heel) @ up) * up)
    length, bones = float(np.linalg.norm(ball - heel)), []
    for k in range(5):
        across = -0.22 + 0.115 * k
        start = ball + along * (0.075 - 0.055 * k) * length + out * across * length
        reach = (0.34 if k == 0 else 0.29 - 0.02 * k) * length
        thick = (0.055 if k == 0 else 0.034) * length
        middle = start + along * 0.55 * reach + up * 0.01 * length
        tip = start + along * reach - up * 0.02 * length
        bones += [
            rounded(start, middle, [thick, 0.7 * thick, 0.85 * thick]),
            rounded(middle + along * 0.03 * length, tip, [0.8 * thick, 0.7 * thick]),
        ]
    return bones


def humerus(posture: Posture, body: str) -> list[Mesh]:
    """Head, shaft and the two knobs of the elbow."""
    shoulder, elbow = posture.own[body], _end(posture, body, "ulna", "radius")
    if elbow is None:
        elbow = _mass_end(posture, body)
    length, out, forward = float(np.linalg.norm(elbow - shoulder)), posture.outward(body), posture.forward
    up = unit(shoulder - elbow)
    out = unit(out - (out @ up) * up)
    path = [
        shoulder + out * 0.03 * length + up * 0.02 * length,
        shoulder - up * 0.15 * length + out * 0.03 * length,
        shoulder - up * 0.55 * length + out * 0.015 * length,
        elbow + up * 0.13 * length,
        elbow + up * 0.03 * length,
    ]
    radii = np.array([0.06, 0.052, 0.037, 0.042, 0.05]) * length
    shaft = tube(*smooth_curve(path, list(radii), 22))
    knob = ellipsoid(elbow + up * 0.02 * length, np.stack([out, up, forward]), np.array([0.105, 0.05, 0.045]) * length)
    return [
        sphere(shoulder, 0.082 * length, 3),
        shaft,
        knob,
        sphere(elbow + out * 0.055 * length, 0.045 * length, 2),
        sphere(elbow - out * 0.05 * length, 0.05 * length, 2),
    ]


def _forearm(posture: Posture, body: str) -> tuple[Array, Array, Array, Array]:
    """Elbow, wrist, unit vector to the elbow and the one to the thumb's side."""
    from biopose_sim.viz.viewer.anatomy import bone_stem

    out = posture.outward(body)
    side = "l" if out @ posture.right < 0.0 else "r"
    elbow = posture.joint("ulna", side)
    wrist = posture.joint("hand", side)
    elbow = posture.own[body] if elbow is None else elbow
    if wrist is None:
        last = body if bone_stem(body) == "radius" else next((b for b in posture.carried.get(body, {})), body)
        wrist = _mass_end(posture, last)
    up = unit(elbow - wrist)
    return elbow, wrist, up, unit(out - (out @ up) * up)


def ulna(posture: Posture, body: str) -> list[Mesh]:
    """From the point of the elbow to the little finger's side of the wrist."""
    elbow, wrist, up, out = _forearm(posture, body)
    length = float(np.linalg.norm(elbow - wrist))
    back = np.cross(up, out)
    back = back if back @ posture.forward < 0.0 else -back
    tip = elbow + up * 0.05 * length + back * 0.055 * length - out * 0.02 * length
    end = wrist + up * 0.03 * length - out * 0.085 * length
    path = [
        tip,
        elbow - up * 0.09 * length - out * 0.03 * length,
        elbow - up * 0.5 * length - out * 0.075 * length,
        end,
    ]
    return [
        tube(*smooth_curve(path, list(np.array([0.05, 0.055, 0.03, 0.026]) * length))),
        sphere(tip, 0.052 * length, 2),
        sphere(end, 0.032 * length, 2),
    ]


def radius(posture: Posture, body: str) -> list[Mesh]:
    """From the outer elbow to the thumb's side of the wrist."""
    elbow, wrist, up, out = _forearm(posture, body)
    length = float(np.linalg.norm(elbow - wrist))
    head = elbow - up * 0.05 * length + out * 0.075 * length
    end = wrist + up * 0.035 * length + out * 0.045 * length
    path = [head, head - up * 0.1 * length - out * 0.01 * length, elbow - up * 0.5 * length + out * 0.085 * length, end]
    bone = tube(*smooth_curve(path, list(np.array([0.045, 0.033, 0.034, 0.06]) * length)))
    return [
        bone,
        sphere(head, 0.045 * length, 2),
        ellipsoid(end, np.stack([out, up, np.cross(out, up)]), np.array([0.075, 0.045, 0.05]) * length),
    ]


def hand(posture: Posture, body: str) -> list[Mesh]:
    """Wrist bones, four fingers and the thumb."""
    _, wrist, up, out = _forearm(posture, body)
    size, down = 0.18 * posture.size, -up
    bones = [
        ellipsoid(
            wrist + down * 0.1 * size, np.stack([out, down, np.cross(out, down)]), np.array([0.17, 0.12, 0.09]) * size
        )
    ]
    for k, reach in enumerate((0.93, 1.0, 0.95, 0.8)):  # index to little finger
        across = 0.16 - 0.115 * k
        start = wrist + down * 0.18 * size + out * 0.7 * across * size
        knuckle = wrist + down * (0.48 - 0.025 * k) * size + out * across * size
        tip = knuckle + down * 0.52 * reach * size + out * 0.15 * across * size
        joints = [knuckle, knuckle + 0.5 * (tip - knuckle), knuckle + 0.78 * (tip - knuckle), tip]
        bones.append(rounded(start, knuckle, np.array([0.042, 0.03, 0.03, 0.045]) * size))
        bones += [rounded(a, b, np.array([0.036, 0.025, 0.034]) * size) for a, b in pairwise(joints)]
    thumb = [wrist + down * 0.1 * size + out * 0.15 * size, wrist + down * 0.27 * size + out * 0.3 * size,
             wrist + down * 0.44 * size + out * 0.37 * size, wrist + down * 0.58 * size + out * 0.4 * size]  # fmt: skip
    bones += [rounded(a, b, np.array([0.045, 0.032, 0.042]) * size) for a, b in pairwise(thumb)]
    return bones

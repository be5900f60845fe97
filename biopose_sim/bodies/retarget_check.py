"""Measured checks of a retargeted motion: bone directions, feet on the floor, twisted limbs, elbows and sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .retarget import Retargeted
from .retarget_feet import stance_of
from .retarget_rig import SUFFIX, twist_angle, unit
from .retarget_source import FORWARD, LATERAL

Array = NDArray[np.floating]
# Limb: the joints of the BVH bone, the heads of Anny's bone.
_LIMBS = {
    "upper_arm": (("upper_arm", "forearm"), ("upperarm01", "lowerarm01")),
    "forearm": (("forearm", "hand"), ("lowerarm01", "wrist")),
    "thigh": (("thigh", "shin"), ("upperleg01", "lowerleg01")),
    "shin": (("shin", "foot"), ("lowerleg01", "foot")),
}
# Segment: the bone above, the bone whose twist against it is measured, the head at the far end of its axis, and the
# largest twist against rest [deg] that a healthy joint allows. Hip and tibia: +-45 and +-30 in flexion (Norkin & White
# 2016, Measurement of Joint Motion, ed. 5) with room for the rest pose; humerus: 70 outward, 90 inward; forearm: 80
# either way from the middle, Anny's rest being half-way to prone.
_TWISTS = {
    "upper_arm": ("clavicle", "upperarm02", "lowerarm01", 110.0),
    "forearm": ("lowerarm01", "wrist", "", 110.0),
    "thigh": ("root", "upperleg02", "lowerleg01", 60.0),
    "shin": ("lowerleg01", "foot", "", 50.0),
}
# Beyond these a take is named faulty: lengths [m], shares, and a speed of turning that only jumps of the recording
# reach [rad/s] (faultless CMU takes stay below 45; only the arms of throwers are faster, for an instant).
_MOST_SINK, _MOST_FLOAT, _LEAST_STANDING, _MOST_TWISTED, _MOST_TURNING = 0.03, 0.02, 0.05, 0.02, 60.0


@dataclass(frozen=True)
class RetargetCheck:
    """Figures of one motion on one body.

    Attributes:
        name: the take.
        direction: by limb (both sides together) median and 95th percentile of the angle between the bone of the BVH
            and Anny's [deg].
        standing: share of frames in which a foot stands on the floor, of both feet together.
        elsewhere: share in which a foot stands still but not on the floor (a step, a ladder, a hand's help).
        sole_height: median and 95th percentile of the distance of the lowest sole point from the floor while a foot
            stands on it [m].
        worst_sink: how far the lowest sole point ever is below the floor [m], zero or above.
        skate: median and 95th percentile of the speed of the slower of heel and ball while the foot stands [m/s].
        twist: by segment the 99th percentile of the twist's size [deg] and the share of frames beyond the limit.
        fastest: largest angular speed of any bone of arms and legs [rad/s]; jumps of the recording show here.
        reversed_hinges: elbows and knees that bend backwards in the file, e.g. ``"left forearm"``.
        sides_swapped: whether left and right of the file are exchanged (both knees then bend backwards).
        faults: what makes the motion unfit, a sentence each; none if it is fit.
    """

    name: str
    direction: Mapping[str, tuple[float, float]]
    standing: float
    elsewhere: float
    sole_height: tuple[float, float]
    worst_sink: float
    skate: tuple[float, float]
    twist: Mapping[str, tuple[float, float]]
    fastest: float
    reversed_hinges: tuple[str, ...]
    sides_swapped: bool
    faults: tuple[str, ...]


def check(motion: Retargeted) -> RetargetCheck:
    """Measure a retargeted motion, as `retarget.retarget_in_detail` gives it."""
    time = motion.sequence.time
    rate = 1 / (time[1] - time[0]) if len(time) > 1 else 1.0
    stances = [stance_of(motion.rig, side, motion.sequence.rotations, motion.heads, rate) for side in SUFFIX]
    on_floor = np.concatenate([stance.on_floor for stance in stances])
    standing = np.concatenate([stance.standing for stance in stances])
    lowest = np.concatenate([stance.lowest for stance in stances])
    speed = np.concatenate([stance.speed for stance in stances])
    twist = {segment: _twist(motion, segment) for segment in _TWISTS}
    hinges = _reversed_hinges(motion)
    fastest = _fastest(motion, rate)
    height = _percentiles(np.abs(lowest[on_floor]))
    sink = max(0.0, -float(lowest.min()))
    swapped = {"left thigh", "right thigh"} <= set(hinges)
    return RetargetCheck(
        name=motion.sequence.name,
        direction={limb: _direction(motion, limb) for limb in _LIMBS},
        standing=float(on_floor.mean()),
        elsewhere=float((standing & ~on_floor).mean()),
        sole_height=height,
        worst_sink=sink,
        skate=_percentiles(speed[on_floor]),
        twist=twist,
        fastest=fastest,
        reversed_hinges=hinges,
        sides_swapped=swapped,
        faults=_faults(float(standing.mean()), float(on_floor.mean()), height, sink, twist, fastest, hinges, swapped),
    )


def _percentiles(values: Array) -> tuple[float, float]:
    if not len(values):
        return float("nan"), float("nan")
    return float(np.median(values)), float(np.percentile(values, 95))


def _direction(motion: Retargeted, limb: str) -> tuple[float, float]:
    (upper, lower), (head, tail) = _LIMBS[limb]
    angles = []
    for side, suffix in SUFFIX.items():
        theirs = unit(motion.source.at(side, lower) - motion.source.at(side, upper)) @ motion.world.T
        ours = unit(_head(motion, f"{tail}{suffix}") - _head(motion, f"{head}{suffix}"))
        sine, cosine = np.linalg.norm(np.cross(theirs, ours), axis=1), np.einsum("ti,ti->t", theirs, ours)
        angles.append(np.degrees(np.arctan2(sine, cosine)))
    return _percentiles(np.concatenate(angles))


def _head(motion: Retargeted, bone: str) -> Array:
    return motion.heads[:, motion.rig.index(bone)]


def _twist(motion: Retargeted, segment: str) -> tuple[float, float]:
    above, bone, tail, limit = _TWISTS[segment]
    angles = []
    for suffix in SUFFIX.values():
        if segment in ("upper_arm", "thigh"):
            start = "upperarm01" if segment == "upper_arm" else "upperleg01"
            axis = motion.rig.head(f"{tail}{suffix}") - motion.rig.head(f"{start}{suffix}")
        else:
            end = "wrist" if segment == "forearm" else "foot"
            axis = motion.rig.head(f"{end}{suffix}") - motion.rig.head(f"{above}{suffix}")
        name = above if above == "root" else f"{above}{suffix}"
        turned = motion.sequence.rotations
        parent, child = turned[:, motion.rig.index(name)], turned[:, motion.rig.index(f"{bone}{suffix}")]
        angles.append(np.abs(np.degrees(twist_angle(np.swapaxes(parent, -1, -2) @ child, axis))))
    sizes = np.concatenate(angles)
    return float(np.percentile(sizes, 99)), float((sizes > limit).mean())


def _fastest(motion: Retargeted, rate: float) -> float:
    """Largest angular speed of the bones of arms and legs [rad/s]."""
    names = [name for name in motion.rig.names if name.startswith(("upper", "lower", "shoulder", "wrist", "foot"))]
    turned = motion.sequence.rotations[:, [motion.rig.index(name) for name in names]]
    if len(turned) < 2:
        return 0.0
    # The trace of the turn between frames: R0' R1 summed over equal elements.
    trace = np.einsum("tbij,tbij->tb", turned[:-1], turned[1:])
    return float(np.arccos(np.clip((trace.min() - 1) / 2, -1, 1)) * rate)


def _reversed_hinges(motion: Retargeted) -> tuple[str, ...]:
    """Limbs whose measured flexion axis is opposite to the anatomical one of an upright body with arms spread."""
    found = []
    for side in SUFFIX:
        bone = motion.source.bone(side, "upper_arm", "forearm")
        if motion.source.hinges[f"{side} forearm"] @ np.cross(bone, FORWARD) < 0:
            found.append(f"{side} forearm")
        if motion.source.hinges[f"{side} thigh"] @ LATERAL < 0:
            found.append(f"{side} thigh")
    return tuple(found)


def _faults(
    standing: float,
    on_floor: float,
    height: tuple[float, float],
    sink: float,
    twist: Mapping[str, tuple[float, float]],
    fastest: float,
    hinges: tuple[str, ...],
    swapped: bool,
) -> tuple[str, ...]:
    told = []
    if standing < _LEAST_STANDING:
        told.append("no foot ever stands still: the root's path is wrong")
    elif on_floor < _LEAST_STANDING:
        told.append("no foot stands on the floor")
    if height[1] > _MOST_FLOAT:
        told.append(f"standing soles are up to {1000 * height[1]:.0f} mm (95 %) off the floor")
    if sink > _MOST_SINK:
        told.append(f"a sole sinks {1000 * sink:.0f} mm below the floor")
    if fastest > _MOST_TURNING:
        told.append(f"limbs jump: a bone turns at {fastest:.0f} rad/s")
    if swapped:
        told.append("left and right are exchanged")
    elif hinges:
        told.append(f"bends backwards: {', '.join(hinges)}")
    for segment, (_, share) in twist.items():
        if share > _MOST_TWISTED:
            told.append(f"{segment} twisted beyond its limit in {100 * share:.0f} % of the frames")
    return tuple(told)

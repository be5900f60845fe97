"""A BVH motion seen in a mirror: another motion, as real as the first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from biopose_sim.bodies.retarget_names import SIDES, plain_name
from biopose_sim.errors import InputError
from biopose_sim.io.bvh import Bvh


def mirrored(bvh: Bvh) -> Bvh:
    """Return the motion of skeleton and all in the mirror x = 0, left joints named right ones and the reverse.

    With M = diag(-1, 1, 1) every rotation R becomes M R M: turns about x stay, those about y and z change their sign,
    in whatever order they are listed. Places and offsets p become M p. As the skeleton is mirrored with the motion, it
    does not matter which axis of the file goes from left to right.

    Raises:
        InputError: a joint of one side has no twin on the other.
    """
    offsets = bvh.offsets * [-1.0, 1.0, 1.0]
    ends = tuple((joint, offset * [-1.0, 1.0, 1.0]) for joint, offset in bvh.end_sites)
    listed = [name for names in bvh.channels for name in names]
    signs = np.array([-1.0 if name in ("Xposition", "Yrotation", "Zrotation") else 1.0 for name in listed])
    return replace(bvh, joint_names=_twins(bvh), offsets=offsets, end_sites=ends, values=bvh.values * signs)


def _twins(bvh: Bvh) -> tuple[str, ...]:
    """For each joint the name of that on the other side; its own in the middle."""
    plain = [plain_name(name) for name in bvh.joint_names]
    known = dict(zip(plain, bvh.joint_names))
    names = []
    for (side, rest), name in zip(plain, bvh.joint_names):
        other = None if side is None else SIDES[side == "left"]
        twin = name if other is None else known.get((other, rest))
        if twin is None:
            problem = f"joint {name!r} has no twin on the {other} side"
            raise InputError(bvh.source or bvh.name, problem, "such a skeleton cannot be mirrored")
        names.append(twin)
    if len(set(names)) != len(names):
        raise InputError(bvh.source or bvh.name, "its joints of the left and right are not pairs")
    return tuple(names)

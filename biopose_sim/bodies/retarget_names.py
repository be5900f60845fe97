"""Which joint of a BVH file is which part of the body, from the names that exporters usually give.

Known by their names: the CMU takes as converted by cgspeed (Daz and MotionBuilder names), Mixamo, LaFAN, Bandai Namco,
Perception Neuron, Rokoko, Blender's Rigify and the first Biovision files. Any other skeleton is read with a mapping
from the user.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import InputError
from ..io.bvh import Bvh
from ..io.notice import listed

SIDES = ("left", "right")
# Names without side and separators, the preferred first. A name serves once: where "shoulder" is the upper arm
# (there is no "arm"), it is not the collar too.
_SIDED = {
    "upper_arm": ("upperarm", "uparm", "shldr", "arm", "shoulder"),
    "forearm": ("forearm", "lowerarm", "lowarm", "elbow"),
    "hand": ("hand", "wrist"),
    "collar": ("collar", "clavicle", "shoulder"),
    "thigh": ("thigh", "upleg", "upperleg", "hip"),
    "shin": ("shin", "leg", "lowerleg", "lowleg", "calf", "knee"),
    "foot": ("foot", "ankle"),
    "toe": ("toe", "toes", "toebase"),
    "index": ("index1", "handindex1", "findex1", "index01"),
    "middle": ("mid1", "handmiddle1", "fmiddle1", "middle1", "middle01", "handfinger1"),
    "little": ("pinky1", "handpinky1", "fpinky1", "little1", "pinky01", "handlittle1"),
}
_CENTRAL = {"hips": ("hips", "hip", "pelvis"), "head": ("head",)}
_NECK = re.compile(r"neck\d*")
NEEDED = ("upper_arm", "forearm", "hand", "thigh", "shin", "foot")


@dataclass(frozen=True)
class BodyJoints:
    """Indices of the joints of a BVH file that move a body.

    Attributes:
        hips: the joint that carries the pelvis.
        spine: joints from above the hips to the one that carries both arms (the chest), in order; at least one.
        neck: joints between chest and head, in order; may be empty.
        head: the head.
        limbs: ``"left upper_arm"``, ``"right shin"``, ... with the parts in `NEEDED` on both sides; ``collar``,
            ``toe``, ``index``, ``middle`` and ``little`` where the file has them.
    """

    hips: int
    spine: tuple[int, ...]
    neck: tuple[int, ...]
    head: int
    limbs: Mapping[str, int]

    def limb(self, side: str, part: str) -> int | None:
        """Return the joint of a part, or None if the file has none."""
        return self.limbs.get(f"{side} {part}")


def find_joints(bvh: Bvh, names: Mapping[str, str] | None = None) -> BodyJoints:
    """Find the joints that move a body.

    Args:
        bvh: the file.
        names: joint names by part (``"hips"``, ``"head"``, ``"left upper_arm"``, ...) for files whose names are not
            known; the parts left out are searched for.

    Raises:
        InputError: parts that were not found, or that ``names`` gives wrongly; says which.
    """
    where = bvh.source or bvh.name
    given = {part: bvh.index(name) for part, name in (names or {}).items()}
    valid = {*_CENTRAL, *(f"{side} {part}" for side in SIDES for part in _SIDED)}
    if unknown := sorted(set(given) - valid):
        told = f"the mapping names the part {listed(unknown)}"
        raise InputError(where, told, f"parts are {', '.join(sorted(valid))}")
    found = {**_search(bvh), **given}
    missing = [part for part in (*_CENTRAL, *(f"{s} {p}" for s in SIDES for p in NEEDED)) if part not in found]
    if missing:
        told = f"no joint was found for {listed(missing, 16)}; its joints are {listed(bvh.joint_names, 60)}"
        raise InputError(where, told, "give their names, e.g. names={'hips': 'Bip01', ...}")
    hips, head = found.pop("hips"), found.pop("head")
    spine, neck = _trunk(bvh, hips, head, found["left upper_arm"], found["right upper_arm"])
    _check_order(bvh, found)
    return BodyJoints(hips, spine, neck, head, found)


def plain_name(name: str) -> tuple[str | None, str]:
    """Return the side of a joint's name and the rest, in small letters without prefix, separators and side.

    >>> plain_name("mixamorig:LeftForeArm"), plain_name("rShldr"), plain_name("UpperArm_L")
    (('left', 'forearm'), ('right', 'shldr'), ('left', 'upperarm'))
    """
    name = re.sub(r"^(mixamorig\d*_?|bip\d+\s*|joint_|def-|b_)", "", name.split(":")[-1], flags=re.IGNORECASE)
    patterns = (
        (r"^(left|right)[\s_.-]*(.+)$", 1, 2),
        (r"^(.+?)[\s_.-]*(left|right)$", 2, 1),
        (r"^([lr])[\s_.-]+(.+)$", 1, 2),
        (r"^(.+?)[\s_.-]+([lr])(?:[\s_.-]*\d+)?$", 2, 1),
    )
    for pattern, side, rest in patterns:
        if match := re.match(pattern, name, re.IGNORECASE):
            return SIDES[match[side].lower().startswith("r")], _letters(match[rest])
    if match := re.match(r"^([lrLR])([A-Z].+)$", name):
        return SIDES[match[1].lower() == "r"], _letters(match[2])
    return None, _letters(name)


def _letters(name: str) -> str:
    return re.sub(r"[\s_.-]", "", name).lower()


def _search(bvh: Bvh) -> dict[str, int]:
    """The parts whose joints are known by name."""
    plain: dict[tuple[str | None, str], int] = {}
    for index, name in enumerate(bvh.joint_names):
        plain.setdefault(plain_name(name), index)
    found: dict[str, int] = {}
    for part, words in _CENTRAL.items():
        _first(found, part, plain, None, words)
    for side in SIDES:
        for part, words in _SIDED.items():
            _first(found, f"{side} {part}", plain, side, words)
    return found


def _first(
    found: dict[str, int], part: str, plain: dict[tuple[str | None, str], int], side: str | None, words: tuple[str, ...]
) -> None:
    taken = set(found.values())
    for word in words:
        index = plain.get((side, word))
        if index is not None and index not in taken:
            found[part] = index
            return


def _above(bvh: Bvh, joint: int) -> list[int]:
    """The joint and all above it, upwards."""
    path = [joint]
    while bvh.parents[path[-1]] >= 0:
        path.append(int(bvh.parents[path[-1]]))
    return path


def _trunk(bvh: Bvh, hips: int, head: int, left: int, right: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Joints of the spine, hips excluded and chest included, and of the neck."""
    to_head, to_left, to_right = (_above(bvh, joint) for joint in (head, left, right))
    where = bvh.source or bvh.name
    if hips not in to_head or hips not in to_left or hips not in to_right:
        raise InputError(where, f"head and arms do not hang on {bvh.joint_names[hips]!r}", "is it the pelvis?")
    chest = next(joint for joint in to_head if joint in to_left and joint in to_right)
    if _NECK.fullmatch(plain_name(bvh.joint_names[chest])[1]):
        chest = int(bvh.parents[chest])
    if chest == hips:
        raise InputError(where, "has no joint between hips and arms", "a spine of at least one joint is needed")
    upwards = to_head[: to_head.index(hips)]
    cut = upwards.index(chest)
    return tuple(reversed(upwards[cut:])), tuple(reversed(upwards[1:cut]))


def _check_order(bvh: Bvh, limbs: Mapping[str, int]) -> None:
    """Each part hangs on the one above it: a mapping with parts mixed up is found out."""
    for side in SIDES:
        for upper, lower in (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot")):
            above, below = limbs[f"{side} {upper}"], limbs[f"{side} {lower}"]
            if above == below or above not in _above(bvh, below):
                told = f"joint {bvh.joint_names[below]!r} ({side} {lower}) does not hang on {bvh.joint_names[above]!r}"
                raise InputError(bvh.source or bvh.name, f"{told} ({side} {upper})", "check the mapping of names")

"""Any BVH motion on any Anny body: joint rotations, root path, floor, feet.

The steps: rotations of the joints in the world (`retarget_source`), rotations of Anny's bones (`retarget_pose`), the
root's path scaled by the ratio of leg lengths, ankles on the source's scaled paths, the path fitted to the steps
(`retarget_path`), the floor levelled (`floor`), toes bent and soles put on the floor (`retarget_feet`). Everything is
done for all frames at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..errors import InputError
from ..io.bvh import Bvh
from .floor import Floor, fit_floor
from .retarget_feet import move_ankle, plant, runs, stance_of
from .retarget_path import path_share, still_feet
from .retarget_pose import bone_rotations
from .retarget_rig import SUFFIX, Rig, bone_heads, rig_of
from .retarget_source import Source, source_motion
from .types import ANNY_AXES, BodySequence

Array = NDArray[np.floating]
# The added rest pose of the cgspeed conversions is smeared over so many frames.
CGSPEED_REST_FRAMES = 10
_CGSPEED_JOINTS = {"rButtock", "lButtock", "rShldr", "abdomen"}


@dataclass(frozen=True, eq=False)
class Retargeted:
    """A motion on a body, and what it was made of, for `retarget_check.check`.

    Attributes:
        sequence: the motion.
        rig: the body's bones.
        source: the BVH motion, in the same frames.
        heads: (T, B, 3) heads of the bones [m], in Anny's axes.
        floor: the floor that was found before levelling.
        scale: metres of the body per unit of the file.
        path_share: factor by which the root's horizontal path was changed further, so that feet stand.
        world: (3, 3) rotation from the source's axes to those of the result: levelling, then heading.
    """

    sequence: BodySequence
    rig: Rig
    source: Source
    heads: Array
    floor: Floor
    scale: float
    path_share: float
    world: Array


def retarget(
    bvh: Bvh,
    phenotypes: Array,
    *,
    limit: tuple[int, int] | None = None,
    fps: float | None = None,
    heading: float = 0.0,
    level_floor: bool = True,
    plant_feet: bool = True,
    names: Mapping[str, str] | None = None,
) -> BodySequence:
    """Put a BVH motion on an Anny body.

    Args:
        bvh: the motion.
        phenotypes: (6,) in the order of ``anny.PHENOTYPES``.
        limit: first frame and the frame after the last, of those of the file (from 0); the first ten frames of
            cgspeed's CMU files, smeared with a rest pose, are left out unless ``limit`` begins in them.
        fps: frame rate of the result [Hz]; None keeps the file's.
        heading: angle by which the whole motion is turned about the vertical [rad].
        level_floor: whether the floor is sought and brought to z = 0.
        plant_feet: whether the root's path is fitted to the steps, toes are bent and soles put on the floor.
        names: joint names by part, for skeletons whose names are not known; see `retarget_names.find_joints`.

    Returns:
        A motion of body ``"anny"``: rotations (T, B, 3, 3) of each bone in the world relative to rest, translation
        (T, 3) of the root's head [m], in Anny's axes (Z up); ``to_ground`` brings them to the ground frame.

    Raises:
        InputError: joints that were not found; a bad range, rate or number of phenotype values.
    """
    return retarget_in_detail(
        bvh,
        phenotypes,
        limit=limit,
        fps=fps,
        heading=heading,
        level_floor=level_floor,
        plant_feet=plant_feet,
        names=names,
    ).sequence


def retarget_in_detail(
    bvh: Bvh,
    phenotypes: Array,
    *,
    limit: tuple[int, int] | None = None,
    fps: float | None = None,
    heading: float = 0.0,
    level_floor: bool = True,
    plant_feet: bool = True,
    names: Mapping[str, str] | None = None,
) -> Retargeted:
    """Do as `retarget`, and return too what a check needs."""
    values = np.asarray(phenotypes, dtype=float)
    if values.shape != (6,):
        raise InputError("phenotypes", f"have shape {values.shape}", "give the 6 values of one body")
    rig = rig_of(values)
    frames, told = _frames(bvh, limit)
    source = source_motion(bvh, frames, fps, names)
    rate = fps if fps is not None else bvh.rate
    rotations = bone_rotations(source, rig)
    scale = _scale(source, rig)
    root = _root_path(source, rig, rotations, scale)
    _follow_ankles(source, rig, rotations, root, scale)
    share = path_share(rig, rotations, root, rate) if plant_feet else 1.0
    root[:, :2] = root[0, :2] + share * (root[:, :2] - root[0, :2])
    if plant_feet:
        root = still_feet(rig, rotations, root, rate)
    floor = Floor(0.0, 0.0, np.array([1.0, 0]), float("nan"), 0.0)
    world = np.eye(3)
    if level_floor:
        floor = _find_floor(rig, rotations, root, rate)
        levelled, shift = floor.levelling()
        world = np.asarray(levelled, dtype=np.float64)
        rotations, root = _turned(world, rotations), root @ world.T + shift
    if plant_feet:
        plant(rig, rotations, root, rate)
    if heading:
        turn = Rotation.from_rotvec([0, 0, heading]).as_matrix()
        rotations, root, world = _turned(turn, rotations), root @ turn.T, np.asarray(turn @ world)
    sequence = BodySequence(
        bvh.name,
        "anny",
        source.time,
        rotations,
        root,
        values,
        gender="female" if values[0] > 0.5 else "male",
        to_ground=ANNY_AXES,
        source=bvh.source,
        assumptions=(*told, *source.assumptions),
    )
    return Retargeted(sequence, rig, source, bone_heads(rig, rotations, root), floor, scale, share, world)


def _turned(turn: Array, rotations: Array) -> Array:
    """``turn`` (3, 3) times rotations (T, B, 3, 3), as one product of rows of nine numbers, not of many matrices."""
    return (rotations.reshape(-1, 9) @ np.kron(turn.T, np.eye(3))).reshape(rotations.shape)


def is_cgspeed(bvh: Bvh) -> bool:
    """Whether the file is a CMU take as converted by cgspeed for Daz: by its joint names."""
    return set(bvh.joint_names) >= _CGSPEED_JOINTS


def _frames(bvh: Bvh, limit: tuple[int, int] | None) -> tuple[slice, tuple[str, ...]]:
    start, stop = limit if limit is not None else (0, bvh.n_frames)
    if not 0 <= start < stop <= bvh.n_frames:
        told = f"the range {start} to {stop} does not lie in its {bvh.n_frames} frames"
        raise InputError(bvh.source or bvh.name, told, "give the first frame and the frame after the last")
    if limit is None and is_cgspeed(bvh) and stop > CGSPEED_REST_FRAMES + 1:
        told = f"the first {CGSPEED_REST_FRAMES} frames, smeared with an added rest pose, are left out"
        return slice(CGSPEED_REST_FRAMES, stop), (told,)
    return slice(start, stop), ()


def _scale(source: Source, rig: Rig) -> float:
    """Metres of the body per unit of the file: the ratio of the lengths of thigh and shin, both sides."""
    theirs = 0.0
    for side in SUFFIX:
        a, b, c = (source.reference[source.joints.limbs[f"{side} {part}"]] for part in ("thigh", "shin", "foot"))
        theirs += float(np.linalg.norm(b - a) + np.linalg.norm(c - b))
    if not theirs > 0:
        raise InputError(source.bvh.source or source.bvh.name, "the legs have no length")
    return (
        sum(rig.limb_length(*(f"{n}{s}" for n in ("upperleg01", "lowerleg01", "foot"))) for s in (".L", ".R")) / theirs
    )


def _root_path(source: Source, rig: Rig, rotations: Array, scale: float) -> Array:
    """Path of the root's head (T, 3) that puts the middle of the hips on the source's scaled path."""
    hips = (rig.head("upperleg01.L") + rig.head("upperleg01.R")) / 2
    middle = scale * (source.at("left", "thigh") + source.at("right", "thigh")) / 2
    return middle - rotations[:, 0] @ (hips - rig.heads[0])


def _follow_ankles(source: Source, rig: Rig, rotations: Array, root: Array, scale: float) -> None:
    """Put the ankles on the source's scaled paths, so that steps are as wide and feet stand as still as there.

    Anny's hips are further apart than most skeletons', by which bone directions alone would widen the steps.
    """
    heads = bone_heads(rig, rotations, root)
    for side in SUFFIX:
        move_ankle(rig, side, rotations, heads, scale * source.at(side, "foot"))


def _find_floor(rig: Rig, rotations: Array, root: Array, rate: float) -> Floor:
    heads = bone_heads(rig, rotations, root)
    places, stances = [], []
    for side in SUFFIX:
        stance = stance_of(rig, side, rotations, heads, rate, toes=False)
        numbers = runs(stance.standing)
        places.append(stance.place[stance.standing])
        stances.append(numbers[stance.standing] + (len(root) if side == "right" else 0))
    return fit_floor(np.concatenate(places), np.concatenate(stances))

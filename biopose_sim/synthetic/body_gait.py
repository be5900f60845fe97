"""A walking or standing body mesh: the project's own normative gait on an Anny body, so that no data set is needed."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from biopose_sim.bodies.types import BodySequence
from biopose_sim.errors import InputError
from biopose_sim.io.bvh import Bvh
from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.float64]

# From the ground frame (X forward, Y up, Z right) to the axes that BVH files have by habit: x left, y up, z forward.
_BVH_AXES = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
# Joint of the skeleton: the body whose turn it takes, the joint of the model in whose centre it lies, its parent.
_CENTRAL = {
    "Spine": ("lumbar", "back", "Hips"),
    "Chest": ("thorax", "thoracolumbar", "Spine"),
    "Head": ("head", "neck", "Chest"),
}
_SIDED = {
    "UpLeg": ("femur", "hip", "Hips"),
    "Leg": ("tibia", "walker_knee", "UpLeg"),
    "Foot": ("calcn", "ankle", "Leg"),
    "ToeBase": ("toes", "mtp", "Foot"),
    "Shoulder": ("scapula", "sternoclavicular", "Chest"),
    "Arm": ("humerus", "acromial", "Shoulder"),
    "ForeArm": ("ulna", "elbow", "Arm"),
    "Hand": ("hand", "radius_hand", "ForeArm"),
}
# Knuckles from the wrist [m], thumb side to the right, palm forward; only their directions count.
_KNUCKLES = {"HandIndex1": (0.0, -0.08, 0.025), "HandMiddle1": (0.0, -0.085, 0.0), "HandPinky1": (0.0, -0.07, -0.03)}
_SIDES = {"Right": ("_r", 1.0), "Left": ("_l", -1.0)}


def motion_as_bvh(model: OsimModel, q: ArrayLike, rate: float, name: str = "motion") -> Bvh:
    """Return the motion of the default full-body model (scaled or not) as a skeleton of joints and angles.

    The zero pose is the model's: upright, arms down, palms forward. Joints that glide (the knee's) stay at their place
    in that pose.

    Args:
        model: the project's default model or one scaled from it.
        q: coordinates, shape (T, n_q) [rad | m].
        rate: frames per second [Hz].
        name: of the motion.

    Returns:
        Lengths in metres; x left, y up, z forward.

    Raises:
        InputError: a model without the bodies and joints of the default one.
    """
    names, parents, bodies, places = _skeleton(model)
    with torch.no_grad():
        turned = model(torch.from_numpy(np.ascontiguousarray(q, dtype=float))).transforms.numpy()
    world = _BVH_AXES @ turned[:, bodies, :3, :3] @ _BVH_AXES.T
    local = world.copy()
    for joint, parent in enumerate(parents):
        if parent >= 0:
            local[:, joint] = np.swapaxes(world[:, parent], -1, -2) @ world[:, joint]
    angles = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_euler("ZXY", degrees=True).reshape(len(local), -1)
    offsets = np.array([place if p < 0 else place - places[p] for place, p in zip(places, parents)]) @ _BVH_AXES.T
    path = turned[:, bodies[0], :3, 3] @ _BVH_AXES.T
    turns = ("Zrotation", "Xrotation", "Yrotation")
    channels = (("Xposition", "Yposition", "Zposition", *turns), *[turns] * (len(names) - 1))
    return Bvh(name, names, np.array(parents), offsets, channels, (), np.concatenate([path, angles], 1), 1.0 / rate)


def body_motion(
    model: OsimModel, q: ArrayLike, rate: float, phenotypes: ArrayLike, name: str = "motion"
) -> BodySequence:
    """Return an Anny body that moves as the model does: its segments turn alike, its feet stand on the floor.

    The body's proportions are its own: ankles follow the model's scaled paths and soles are put on the floor, by which
    the leg's angles change by some degrees; see :func:`biopose_sim.bodies.retarget.retarget`.

    Args:
        model: the project's default model or one scaled from it.
        q: coordinates, shape (T, n_q) [rad | m], e.g. from :func:`gait_coordinates` or :func:`static_pose`.
        rate: frames per second [Hz].
        phenotypes: shape (6,), e.g. from :func:`biopose_sim.bodies.phenotypes.sample_adults`.
        name: of the sequence.

    Raises:
        InputError: a model without the bodies of the default one, or phenotype values that cannot be.
    """
    from biopose_sim.bodies.retarget import retarget

    return retarget(motion_as_bvh(model, q, rate, name), np.asarray(phenotypes, dtype=float))


def _skeleton(model: OsimModel) -> tuple[tuple[str, ...], list[int], list[int], Array]:
    """Names, parents, bodies of the model and places [m, ground frame] of the joints in the zero pose."""
    joints = {joint.name: k for k, joint in enumerate(model.model.joints)}
    rows = [("Hips", "pelvis", "ground_pelvis", "", np.zeros(3))]
    rows += [(name, body, joint, parent, np.zeros(3)) for name, (body, joint, parent) in _CENTRAL.items()]
    for side, (suffix, outward) in _SIDES.items():
        for name, (body, joint, parent) in _SIDED.items():
            above = parent if parent in ("Hips", "Chest") else side + parent
            rows.append((side + name, body + suffix, joint + suffix, above, np.zeros(3)))
        for name, (x, y, z) in _KNUCKLES.items():
            shift = np.array([x, y, outward * z])
            rows.append((side + name, f"hand{suffix}", f"radius_hand{suffix}", f"{side}Hand", shift))
    missing = [row[1] for row in rows if row[1] not in model.body_names] + [r[2] for r in rows if r[2] not in joints]
    if missing:
        raise InputError(model.name, f"has no {missing[0]}", "the project's default model is needed")
    with torch.no_grad():
        centers = model(torch.zeros_like(model.default_coordinates)).joint_centers.numpy()
    names = tuple(row[0] for row in rows)
    parents = [names.index(row[3]) if row[3] else -1 for row in rows]
    bodies = [model.body_names.index(row[1]) for row in rows]
    return names, parents, bodies, np.array([centers[joints[row[2]]] + row[4] for row in rows])

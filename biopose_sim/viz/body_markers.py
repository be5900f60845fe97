"""The virtual markers on a body and on the skeleton: what the pictures and the viewer of both draw.

Everything is in the ground frame: metres, X forward, Y up, Z to the right, feet on Y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.bodies.body import TOPOLOGY_OF, Body, body_for
from biopose_sim.bodies.markers import read_body_markers
from biopose_sim.bodies.raster import vertex_normals
from biopose_sim.bodies.types import ANNY_AXES, BodySequence
from biopose_sim.bodies.virtual import VirtualMarker, read_virtual_markers
from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.paths import default_model_path
from biopose_sim.viz.bones import place_points, skeleton_bones

Array = NDArray[np.float64]

BODIES = tuple(TOPOLOGY_OF)
# Anny: an adult of middle gender, weight and height (values in the order of ``anny.PHENOTYPES``).
_ADULT = {"gender": 0.5, "age": 0.7, "muscle": 0.5, "weight": 0.5, "height": 0.365, "proportions": 0.5}
# SMPL family at rest: Y up, facing z, x to its left.
_SMPL_AXES = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
# The skeleton's arms stand off the trunk so that its markers do not lie over each other [degrees].
_POSE = {"arm_add_r": -40.0, "arm_add_l": -40.0, "elbow_flex_r": 25.0, "elbow_flex_l": 25.0}


@dataclass(frozen=True, eq=False)
class MarkerScene:
    """A body at rest and the skeleton beside it, with the same markers.

    Attributes:
        body: name of the body model.
        vertices: (V, 3) of its mesh at rest [m].
        faces: (F, 3) triangles, outside to the right-hand side.
        normals: (V, 3) unit normals.
        markers: M markers.
        on_body: (M, 3) where they lie on the body [m].
        facing: (M, 3) unit normals of the skin there.
        on_skeleton: (M, 3) where they lie on the skeleton [m].
        bones: (B, 2, 3) ends of the skeleton's bones [m].
        bone_names: B bodies of the model.
    """

    body: str
    vertices: Array
    faces: NDArray[np.int64]
    normals: Array
    markers: tuple[VirtualMarker, ...]
    on_body: Array
    facing: Array
    on_skeleton: Array
    bones: Array
    bone_names: tuple[str, ...]


def marker_scene(body: str = "anny", *, model_folder: str | Path | None = None) -> MarkerScene:
    """Place the virtual markers on a body at rest and on the default OpenSim model.

    Args:
        body: ``"anny"``, ``"smpl"``, ``"smplh"`` or ``"smplx"``.
        model_folder: where the user's model files of the SMPL family lie.

    Raises:
        InputError: unknown body, no model file of it, or tables of markers that do not belong together.
    """
    if body not in BODIES:
        raise InputError("markers", f"unknown body '{body}'", f"there are {', '.join(BODIES)}")
    markers = read_virtual_markers()
    vertices, faces = _at_rest(body, model_folder)
    normals = vertex_normals(vertices, faces)
    points = read_body_markers(TOPOLOGY_OF[body]).select([marker.name for marker in markers])
    corners = list(zip(points.vertices, points.weights))
    on_body = np.array([np.asarray(w) @ vertices[list(v)] for v, w in corners])
    facing = np.array([np.asarray(w) @ normals[list(v)] for v, w in corners])
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
    on_skeleton, bones, names = _skeleton(markers)
    return MarkerScene(body, vertices, faces, normals, markers, on_body, facing, on_skeleton, bones, names)


def _at_rest(body: str, model_folder: str | Path | None) -> tuple[Array, NDArray[np.int64]]:
    """Mesh of a body at rest in the ground frame, its feet on the floor."""
    still = BodySequence("rest", body, np.zeros(1), np.zeros((1, 0, 3, 3)), np.zeros((1, 3)), np.zeros(0))
    model: Body = body_for(still, model_folder)
    shape = torch.zeros(10)
    if body == "anny":
        from biopose_sim.bodies.anny import PHENOTYPES

        shape = torch.tensor([_ADULT[name] for name in PHENOTYPES])
    rotations = torch.eye(3).expand(len(model.joint_names), 3, 3)
    with torch.no_grad():
        mesh = model.vertices(rotations, torch.zeros(3), shape)[0].double().numpy()
    vertices = mesh @ (ANNY_AXES if body == "anny" else _SMPL_AXES).T
    return vertices - [0.0, vertices[:, 1].min(), 0.0], np.asarray(model.faces, dtype=np.int64)


def _skeleton(markers: tuple[VirtualMarker, ...]) -> tuple[Array, Array, tuple[str, ...]]:
    """Markers (M, 3) and bones (B, 2, 3) of the default model, arms off the trunk, and the bones' bodies."""
    model = OsimModel.from_file(default_model_path())
    bodies = {name: index for index, name in enumerate(model.body_names)}
    if strange := [marker for marker in markers if marker.segment not in bodies]:
        problem = f"marker '{strange[0].name}' is on '{strange[0].segment}', which is no body of the default model"
        raise InputError("virtual.csv", problem, f"there are {', '.join(bodies)}")
    q = model.default_coordinates.clone()
    for name, degrees in _POSE.items():
        q[model.coordinate_names.index(name)] = np.radians(degrees)
    with torch.no_grad():
        transforms = model(q).transforms.numpy()
    placed = [place_points(transforms[bodies[m.segment]], np.array(m.position)) for m in markers]
    drawn = skeleton_bones(model)
    ends = [place_points(transforms[bone.body], np.stack([bone.start, bone.end])) for bone in drawn]
    floor = min(float(np.min(placed, axis=0)[1]), float(np.min(ends, axis=(0, 1))[1]))
    lift = np.array([0.0, -floor, 0.0])
    return np.array(placed) + lift, np.array(ends) + lift, tuple(bone.name for bone in drawn)

"""A body-model motion: the type that carries it from any file to virtual markers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

# Rotations that bring the axes of a file to the ground frame (X forward, Y up, Z right): points_ground = R @ points.
Y_UP = np.eye(3)
# Anny: Z up, faces -y, +x to its left.
ANNY_AXES = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])
# AMASS: Z up; which way a person faces is up to the recording, so only the vertical is brought upright.
Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
# Camera: x right, y down, z away from the camera; upright if the camera is held level.
LEVEL_CAMERA = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True, eq=False)
class BodySequence:
    """Motion of one person as parameters of a body model, in the axes of its file.

    Attributes:
        name: name of the recording.
        body: ``"smpl"``, ``"smplh"``, ``"smplx"``, ``"anny"`` or ``"mesh"`` (vertices only).
        time: (T,) strictly increasing [s].
        rotations: (T, J, 3, 3). SMPL family: each joint's rotation relative to its parent, the root's relative to
            the file's axes; J may be less than the model's joints, the others are at rest. Anny: each bone's
            rotation relative to rest, in the axes of the world. Empty, (T, 0, 3, 3), for a mesh.
        translation: (T, 3) [m]; as the body model adds it (SMPL family: to all points; Anny: of the root bone's head).
        shape: (S,) or (T, S): betas (SMPL family) or phenotype values in the order of ``anny.PHENOTYPES``.
        gender: ``"female"``, ``"male"`` or ``"neutral"``.
        to_ground: (3, 3) rotation from the file's axes to the ground frame (Y up).
        seen: (T,) whether the person was seen in the frame; markers of other frames are NaN.
        vertices: (T, V, 3) [m] where the file holds the mesh itself, in the file's axes.
        topology: whose vertex numbering ``vertices`` has: ``"smpl"`` (6890), ``"smplx"`` (10475), ``"anny"`` (13718),
            ``"mhr"`` (18439, the body of SAM 3D Body).
        source: the file.
        assumptions: what was taken for granted while reading (frame rate, vertical, gender, ...), a sentence each.
        relaxed_hands: hands that ``rotations`` leave out have the body model's mean pose (fingers bent a little), as
            the tool's own meshes have them; else they are flat. SMPL-H and SMPL-X only.
    """

    name: str
    body: str
    time: Array
    rotations: Array
    translation: Array
    shape: Array
    gender: str = "neutral"
    to_ground: Array = field(default_factory=lambda: Y_UP)
    seen: NDArray[np.bool_] | None = None
    vertices: Array | None = None
    topology: str | None = None
    source: Path | None = None
    assumptions: tuple[str, ...] = ()
    relaxed_hands: bool = False

"""What the steps from video to motion hand on: views of a person, an estimate of its motion, the refined one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..io.camera import Camera
from ..kinematics.model import OsimModel
from .points.keypoints import Array, KeyPoints


@dataclass(frozen=True, eq=False)
class View:
    """What one camera sees of one person.

    Attributes:
        camera: in the ground frame (Y up, see `Estimate`); with one camera and nothing known of it, at the origin.
        key_points: layout ``anny23`` (`KeyPoints.common`), on the clock of the clip; NaN where not found.
    """

    camera: Camera
    key_points: KeyPoints


@dataclass(frozen=True, eq=False)
class Estimate:
    """Motion and size of a person, from wherever: key points lifted or triangulated, body meshes, a refinement.

    Attributes:
        name: of the clip.
        time: (T,) strictly increasing [s].
        model: the person's scaled model, with the virtual markers where they lie on it (`ik_pipeline.virtual_fit`).
        coordinates: (T, n_q) [rad | m], in the ground frame: Y up, so that `View.camera` sees the person.
        views: of this person, over the same frames.
        seen: (T,) whether anything is known of the frame.
        size_known: whether the scale is: a stature, calibrated cameras or a body mesh, not a guess of a network.
        source: what made it, e.g. ``"lifter"``, ``"triangulation"``, ``"hmr"``.
        notes: what was taken for granted or a user should know, a sentence each.
        coordinate_sd: (T, n_q) how uncertain coordinates are, standard deviations [rad | m], where the source tells;
            zero for those that are locked or follow others.
    """

    name: str
    time: Array
    model: OsimModel
    coordinates: Array
    views: tuple[View, ...]
    seen: NDArray[np.bool_]
    size_known: bool
    source: str
    notes: tuple[str, ...] = ()
    coordinate_sd: Array | None = None

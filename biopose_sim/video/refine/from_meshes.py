"""Body meshes of any video tool (HMR) as an estimate: markers on the mesh, NeurIK, placed by the 2D key points."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...bodies.types import BodySequence
from ...errors import InputError
from ...io.camera import Camera
from ..points.keypoints import Array, KeyPoints
from ..types import Estimate, View
from .body import PointBody
from .guards import place_root

if TYPE_CHECKING:
    from ...bodies.body import Body
    from ...neurik.api import NeurIK

# A frame of the meshes stands for a time of the clip at most so far away, in frames of the clip.
_APART = 1.5


def hmr_estimate(
    sequence: BodySequence,
    view: View,
    *,
    stature: float | None = None,
    model_folder: str | Path | None = None,
    body: Body | None = None,
    network: NeurIK | None = None,
) -> Estimate:
    """Return motion and size of the person that body meshes show, where the camera sees the key points.

    The meshes' rotations are kept, their places are not: tools give them for a lens of their own (weak perspective,
    5000 px). Each frame is moved to where the key points are on the rays of ``view.camera``.

    Args:
        sequence: in the axes of the camera (`bodies.readers.load` with ``frame="camera"``; `mqhmr.predict`);
            ``to_ground`` turns it upright.
        view: the person's key points, any layout, on the clock of the clip, and the camera's lens, real where known;
            where the camera stands is taken from ``sequence``.
        stature: of the person [m], which sets the scale; None: as large as the meshes, which is a network's guess.
        model_folder: where the files of the SMPL family lie.
        body: the body model, if it is at hand.
        network: from markers to coordinates; the shipped one if not given.

    Returns:
        The motion at the times of the key points, in a ground frame with Y up, the camera at x = z = 0 and the soles
        at y = 0. Frames without a mesh are interpolated.

    Raises:
        InputError: no body model, no frame with the person in both, or a stature that is none.
    """
    from ...bodies.markers import virtual_markers
    from ...neurik.api import NeurIK

    if stature is not None and not 0.5 <= stature <= 2.6:
        raise InputError("stature", f"{stature:g} m is nobody's", "give metres, as 1.75")
    trial = virtual_markers(sequence, model_folder=model_folder, body=body)
    found = (network or NeurIK.from_pretrained()).predict_person([trial])
    known = np.isfinite(trial.markers).all(-1).mean(1) > 0.5
    common = view.key_points.common()
    coordinates, seen = _at_times(found.results[0].coordinates, trial.time, known, common)
    if not (seen & (common.seen.sum(1) >= 4)).any():
        problem = "no frame shows the person in the meshes and in the key points"
        remedy = "are both of the same clip, at the same frame rate?"
        raise InputError(sequence.source or sequence.name, problem, remedy)
    model, notes = found.model, [*sequence.assumptions, *_other_span(trial.time, common)]
    if stature is not None:
        from ..triangulation.triangulated import model_stature

        times = stature / model_stature(model)
        model = model.scale(np.full((len(model.body_names), 3), times))
        notes.append(f"The meshes' size was multiplied by {times:.3f}: the person is {stature:.2f} m tall.")
    camera = replace(view.camera, rotation=np.asarray(sequence.to_ground, dtype=float).T, position=np.zeros(3))
    coordinates, camera = _on_floor(PointBody(model), coordinates, View(camera, common), seen)
    return Estimate(
        name=common.name,
        time=common.time,
        model=model,
        coordinates=coordinates,
        views=(View(camera, common),),
        seen=seen,
        size_known=stature is not None,
        source="hmr",
        notes=tuple(notes),
    )


def _other_span(time: Array, common: KeyPoints) -> list[str]:
    """What is to be said of meshes that do not begin and end with the key points."""
    spans = np.array([[time[0], time[-1]], [common.time[0], common.time[-1]]])
    if (np.abs(spans[0] - spans[1]) <= _APART / common.fps).all():
        return []
    meshes, points = (f"{first:.2f} to {last:.2f} s" for first, last in spans)
    return [f"The meshes go from {meshes}, the key points from {points}: are both of the same clip and frame rate?"]


def _at_times(
    coordinates: Array, time: Array, known: NDArray[np.bool_], common: KeyPoints
) -> tuple[Array, NDArray[np.bool_]]:
    """Coordinates at the times of the key points, and where a mesh is near."""
    if not known.any():
        raise InputError(common.name, "the meshes show the person in no frame")
    own, there = time[known], coordinates[known]
    # Between two meshes in a straight line; NeurIK gives turns of the root without jumps of a whole turn.
    between = np.stack([np.interp(common.time, own, column) for column in there.T], axis=1)
    after = np.clip(np.searchsorted(own, common.time), 1, max(len(own) - 1, 1))
    near = np.minimum(np.abs(common.time - own[after - 1]), np.abs(common.time - own[np.minimum(after, len(own) - 1)]))
    return between, np.asarray(near <= _APART / common.fps)


def _on_floor(body: PointBody, coordinates: Array, view: View, seen: NDArray[np.bool_]) -> tuple[Array, Camera]:
    """Coordinates and camera with the body on the rays of the key points and the soles on the floor."""
    import torch

    from ..lifter.place import floor_height

    placed = place_root(body, coordinates, (view,))
    with torch.no_grad():
        transforms = body.model(torch.from_numpy(placed)).transforms.numpy()
    floor = floor_height(body.model, transforms, seen)
    height = body.free[body.root & body.translational][1]
    placed[:, height] -= floor
    return placed, replace(view.camera, position=np.array([0.0, -floor, 0.0]))

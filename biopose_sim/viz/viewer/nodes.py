"""A figure as nodes of the browser's scene."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biopose_sim.viz.viewer.picture import Layers
from biopose_sim.viz.viewer.scene import (
    FORCE_COLOURS,
    MEASURED_MARKER,
    MODEL_MARKER,
    SKIN,
    Colour,
    Figure,
    Forces,
    Points,
)
from biopose_sim.viz.viewer.shapes import Mesh, joined, sphere
from biopose_sim.viz.viewer.surfaces import (
    ARROW_RADIUS,
    HEAD_LENGTH,
    HEAD_RADIUS,
    MEASURED_RADIUS,
    MODEL_RADIUS,
    arrow_ends,
    thickness,
)

Array = NDArray[np.floating]
_UNSEEN = 1e-4  # size of a marker that is not seen
_SKIN_OPACITY = 0.32
_UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])


class FigureNodes:
    """The nodes of one figure.

    Args:
        server: viser's.
        number: of the figure.
        figure: what is shown.
    """

    def __init__(self, server: Any, number: int, figure: Figure) -> None:
        self.figure, self._frame = figure, 0
        self._scene, self._path = server.scene, f"/figure{number}"
        self._offset, self._away = figure.offset, figure.offset
        self._quaternions = quaternions(figure.transforms[..., :3, :3])
        # The node of a body's bones, the body's index and the bones' colour.
        self._bones: list[tuple[Any, int, Colour]] = []
        self._add_bones()
        self._model = self._add_markers("model", figure.model_markers, MODEL_RADIUS, MODEL_MARKER)
        self._measured = self._add_markers("measured", figure.measured, MEASURED_RADIUS, MEASURED_MARKER)
        self._arrows = [self._add_arrows(k, forces) for k, forces in enumerate(figure.forces)]
        self._skin = self._add_skin()
        named = figure.offset.any() or number == 0
        self._label = self._scene.add_label(f"{self._path}/name", figure.name, anchor="top-center") if named else None
        self._layers = Layers()

    def show(self, frame: int, away: Array) -> None:
        """Move the nodes to a frame, ``away`` (3,) [m] from their places in the ground frame."""
        self._frame, figure = frame, self.figure
        self._away = away = away + self._offset
        for node, body, _ in self._bones:
            place, turn = away, _UPRIGHT
            if body >= 0:
                place, turn = figure.transforms[frame, body, :3, 3] + away, self._quaternions[frame, body]
            node.position, node.wxyz = place, turn
        if self._model is not None and figure.model_markers is not None:
            _place(self._model, figure.model_markers.places[frame] + away)
        if self._measured is not None and figure.measured is not None:
            _place(self._measured, figure.measured.places[frame] + away)
        for node, forces in zip(self._arrows, figure.forces):
            self._point(node, forces)
        if self._skin is not None and self._layers.skin and figure.skin is not None:
            points = np.asarray(figure.skin.vertices(frame) + away, dtype=np.float32)
            if np.isfinite(points).all():
                self._skin.vertices = points
        if self._label is not None:
            middle = figure.transforms[frame, :, :3, 3].mean(axis=0) + away
            self._label.position = (float(middle[0]), -0.03, float(middle[2]))

    def show_layers(self, layers: Layers) -> None:
        """Show or hide parts."""
        self._layers = layers
        for node, _, _ in self._bones:
            node.visible = layers.bones
        for node, shown in ((self._model, layers.model_markers), (self._measured, layers.measured_markers)):
            if node is not None:
                node.visible = shown
        if self._skin is not None:
            self._skin.visible = layers.skin
        if self._label is not None:
            self._label.visible = layers.labels

    def arrange(self, overlay: bool, colour: Colour) -> None:
        """Put the figure at its own place, in a colour of its own, or beside the others."""
        self._offset = np.zeros(3) if overlay else self.figure.offset
        for node, _, own in self._bones:
            node.color = _bytes(colour if overlay else own)

    def _add_bones(self) -> None:
        parts: dict[tuple[int, Colour], list[Mesh]] = defaultdict(list)
        for solid in self.figure.solids:
            parts[solid.body, solid.colour].append(Mesh(solid.vertices, solid.faces))
        for k, ((body, colour), meshes) in enumerate(parts.items()):
            whole = joined(meshes)
            path = f"{self._path}/bone{k}"
            node = self._scene.add_mesh_simple(path, whole.vertices, whole.faces, color=_bytes(colour), side="double")
            self._bones.append((node, body, colour))

    def _add_markers(self, name: str, points: Points | None, radius: float, colour: Colour) -> Any:
        if points is None or not points.names:
            return None
        ball, count = sphere(np.zeros(3), radius, 1), len(points.names)
        upright = np.tile(_UPRIGHT, (count, 1))
        return self._scene.add_batched_meshes_simple(
            f"{self._path}/{name}", ball.vertices, ball.faces, upright, np.zeros((count, 3)),
            batched_scales=np.ones(count, dtype=np.float32), batched_colors=_bytes(colour), lod="off",
            cast_shadow=False,
        )  # fmt: skip

    def _add_arrows(self, number: int, forces: Forces) -> Any:
        thick = thickness(forces)
        return self._scene.add_arrows(
            f"{self._path}/force{number}",
            np.array([[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]),
            _bytes(FORCE_COLOURS[forces.kind]),
            shaft_radius=ARROW_RADIUS * thick,
            head_radius=HEAD_RADIUS * thick,
            head_length=HEAD_LENGTH * thick,
            visible=False,
        )

    def _point(self, node: Any, forces: Forces) -> None:
        tails, tips = arrow_ends(forces, self._frame, self._away)
        shown = bool(len(tails)) and self._layers.forces
        if shown:
            node.points = np.stack([tails, tips], axis=1).astype(np.float32)
        node.visible = shown

    def _add_skin(self) -> Any:
        skin = self.figure.skin
        if skin is None:
            return None
        points = np.nan_to_num(np.asarray(skin.vertices(0), dtype=np.float32))
        path = f"{self._path}/skin"
        return self._scene.add_mesh_simple(
            path, points, skin.faces, color=_bytes(SKIN), opacity=_SKIN_OPACITY, cast_shadow=False
        )


def _place(node: Any, places: Array) -> None:
    """Move markers; what the browser is told costs it time, so that sizes are told only where they change."""
    seen = np.isfinite(places).all(axis=1)
    node.batched_positions = np.nan_to_num(places).astype(np.float32)
    sizes = np.where(seen, 1.0, _UNSEEN).astype(np.float32)
    if not np.array_equal(sizes, node.batched_scales):
        node.batched_scales = sizes


def _bytes(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * value) for value in colour)
    return red, green, blue


def quaternions(rotations: Array) -> Array:
    """Return rotations (..., 3, 3) as unit quaternions (..., 4), scalar first."""
    from scipy.spatial.transform import Rotation

    flat = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat()
    return np.asarray(flat[:, [3, 0, 1, 2]].reshape(*rotations.shape[:-2], 4))

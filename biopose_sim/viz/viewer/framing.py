"""Where the camera stands: it follows the figures smoothly and keeps all of them in view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError, near_matches
from biopose_sim.io.camera import Camera
from biopose_sim.viz.viewer.scene import Figure, Scene
from biopose_sim.viz.viewer.surfaces import arrow_ends

Array = NDArray[np.floating]
# From the figures to the camera: degrees from the front to the right, and above the horizontal.
VIEWS = {"oblique": (50.0, 13.0), "side": (90.0, 5.0), "front": (0.0, 5.0), "back": (180.0, 5.0), "top": (50.0, 62.0)}
VIEW_ANGLE = 26.0
_FOLLOWING = 0.6  # [s] over which the camera's way is smoothed
_MARGIN = 0.06  # [m] around what is shown
_SAMPLES = 60


class Framing:
    """The way of a camera through a scene.

    Args:
        scene: what is shown.
        view: one of ``VIEWS``, seen from the way that the first figure goes or faces.
        width: of the image [pixel].
        height: of the image [pixel].

    Raises:
        InputError: an unknown view.
    """

    def __init__(self, scene: Scene, view: str, width: int, height: int) -> None:
        if view not in VIEWS:
            raise InputError("view", f"unknown view '{view}'{near_matches(view, VIEWS)}", f"choose {', '.join(VIEWS)}")
        self._scene, self._size = scene, (width, height)
        self._centres = _centres(scene)
        around, above = (np.radians(angle) for angle in VIEWS[view])
        ahead = heading(scene)
        right = np.cross(ahead, [0.0, 1.0, 0.0])
        flat = np.cos(around) * ahead + np.sin(around) * right
        self._from = np.cos(above) * flat + np.sin(above) * np.array([0.0, 1.0, 0.0])
        self._middle, self._distance = self._fitted()

    def centre(self, moment: float) -> Array:
        """The point in the middle of the picture at a moment [s], (3,) [m]."""
        place = [np.interp(moment, self._scene.time, axis) for axis in self._centres.T]
        return np.array([place[0], self._middle, place[1]])

    def camera(self, moment: float) -> Camera:
        """The camera at a moment [s]."""
        target = self.centre(moment)
        return Camera.look_at(target + self._distance * self._from, target, *self._size, view_angle=VIEW_ANGLE)

    def _fitted(self) -> tuple[float, float]:
        """Height of the middle and distance of the camera [m] that keep everything in view."""
        points = _relative_points(self._scene, self._centres)
        low, high = float(points[:, 1].min()), float(points[:, 1].max())
        middle = 0.5 * (min(low, 0.0) - 0.12 + high + _MARGIN)
        camera = Camera.look_at(self._from, np.zeros(3), *self._size, view_angle=VIEW_ANGLE)
        right, down, _ = camera.rotation
        off = points - [0.0, middle, 0.0]
        tall = np.tan(np.radians(0.5 * VIEW_ANGLE))
        wide = tall * self._size[0] / self._size[1]
        needed = np.maximum((np.abs(off @ right) + _MARGIN) / wide, (np.abs(off @ down) + _MARGIN) / tall)
        return middle, float(np.max(needed + off @ self._from))


def heading(scene: Scene) -> Array:
    """Horizontal unit vector of the way that the first figure goes, or where it faces."""
    figure = scene.figures[0]
    way = (figure.transforms[-1, 0, :3, 3] - figure.transforms[0, 0, :3, 3]) * [1.0, 0.0, 1.0]
    if np.linalg.norm(way) < 0.3:
        way = figure.transforms[len(figure.time) // 2, 0, :3, 0] * [1.0, 0.0, 1.0]
    length = float(np.linalg.norm(way))
    return np.asarray(way / length) if length > 1e-6 else np.array([1.0, 0.0, 0.0])


def _centres(scene: Scene) -> Array:
    """(T, 2) horizontal middle of the figures [m], smoothed."""
    from scipy.ndimage import uniform_filter1d

    rows = []
    for figure, delay in zip(scene.figures, scene.delays):
        own = figure.time - delay
        places = figure.transforms[:, :, :3, 3].mean(axis=1) + figure.offset
        rows.append(np.stack([np.interp(scene.time, own, places[:, axis]) for axis in (0, 2)], axis=1))
    middle = np.mean(rows, axis=0)
    step = float(scene.time[1] - scene.time[0]) if len(scene.time) > 1 else 1.0
    return np.asarray(uniform_filter1d(middle, max(1, round(_FOLLOWING / step)), axis=0, mode="nearest"))


def _relative_points(scene: Scene, centres: Array) -> Array:
    """(N, 3) joints, bones, markers and ends of arrows over the recording, about the moving centre [m]."""
    found = []
    corners = [solid_corners(figure) for figure in scene.figures]
    for k in np.unique(np.linspace(0, len(scene.time) - 1, _SAMPLES).round().astype(int)):
        middle = np.array([centres[k, 0], 0.0, centres[k, 1]])
        for figure, boxes, frame in zip(scene.figures, corners, scene.frames(float(scene.time[k]))):
            poses = figure.transforms[frame]
            points: list[Array] = [poses[:, :3, 3] + figure.offset]
            for body, box in boxes:
                points.append(box @ poses[body, :3, :3].T + poses[body, :3, 3] + figure.offset)
            for marks in (figure.model_markers, figure.measured):
                if marks is not None:
                    points.append(marks.places[frame] + figure.offset)
            for forces in figure.forces:
                points += [*arrow_ends(forces, frame, figure.offset)]
            whole = np.concatenate(points) - middle
            found.append(whole[np.isfinite(whole).all(axis=1)])
    return np.concatenate(found)


def solid_corners(figure: Figure) -> list[tuple[int, Array]]:
    """Return the body of each bone and the corners (8, 3) of the box around it, in the body's axes [m]."""
    sides = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    return [
        (solid.body, np.where(sides, solid.vertices.max(axis=0), solid.vertices.min(axis=0)))
        for solid in figure.solids
        if solid.body >= 0
    ]

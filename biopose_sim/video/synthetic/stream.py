"""An endless, seeded stream of images of synthetic people with all that is true of them, for training."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...bodies.anny_table import load_anny_data
from ...bodies.markers import read_body_markers
from ...bodies.retarget_rig import shape_coefficients
from ...errors import InputError
from ...io.camera import Camera
from ..points.body_points import body_points
from .batch import PeopleBatch
from .looks import random_look
from .motion import MotionTable, Split, hip_height, read_motion_table
from .picture import cover, finish, random_occluders
from .points import MarkerSkin, hidden_depths
from .render import Studio
from .scene import random_scene
from .view import random_box, random_view

# Images of one piece of work: their bodies are made by one matrix product.
_CHUNK = 16
_SPLITS = {"train": 0, "val": 1, "test": 2}


class SyntheticPeople:
    """Images of random adults in random CMU poses, looks, scenes and views; see `PeopleBatch` for what comes with them.

    Image number i depends on the seed, the split and i alone, whatever the number of threads or the size of the batch:
    a stream goes on where another stopped (``first``).

    Args:
        table: what `synthetic.motion.build_motion_table` wrote, or a table read from there.
        split: whose poses: persons of ``train``, ``val`` and ``test`` are others.
        seed: of everything that is drawn.
        size: of the square images [pixel].
        threads: that draw side by side.
        processes: that draw instead, if any; more than about four cores are of use to processes only, since threads
            share one interpreter. A program that asks for them must start under ``if __name__ == "__main__"``.
    """

    def __init__(
        self,
        table: str | Path | MotionTable,
        split: Split = "train",
        *,
        seed: int = 0,
        size: int = 256,
        threads: int = 1,
        processes: int = 0,
    ) -> None:
        if size < 16 or threads < 1 or processes < 0:
            raise InputError(
                "SyntheticPeople", f"size {size}, threads {threads}", "give 16 pixels and 1 thread at least"
            )
        self.motion = table if isinstance(table, MotionTable) else read_motion_table(table, split)
        self.seed, self.size, self.threads, self.processes = seed, size, threads, processes
        self._data = load_anny_data()
        self._coefficients = shape_coefficients(self.motion.people).astype(np.float32)
        self._markers = MarkerSkin.of(read_body_markers("anny"), self._data)
        self._matrix = body_points().matrix(self._markers.names)
        self._depths = hidden_depths(self._matrix, self._markers)
        self._own = threading.local()

    def batches(self, size: int, *, first: int = 0, ahead: int = 3) -> Iterator[PeopleBatch]:
        """Yield batches for ever; threads or processes draw the next ones meanwhile.

        Args:
            size: images of a batch.
            first: number of the first image: 0, or where an earlier stream stopped.
            ahead: how many batches are drawn beforehand.
        """
        if self.processes:
            from .workers import batches_of_processes

            yield from batches_of_processes(self, self.processes, size, first, ahead)
        with ThreadPoolExecutor(self.threads, thread_name_prefix="synthetic") as pool:
            waiting: deque[tuple[PeopleBatch, list[Future[None]]]] = deque()
            try:
                while True:
                    while len(waiting) <= ahead:
                        waiting.append(self._start(pool, first, size))
                        first += size
                    batch, parts = waiting.popleft()
                    for part in parts:
                        part.result()
                    yield batch
            finally:
                for _, parts in waiting:
                    for part in parts:
                        part.cancel()

    def batch(self, first: int, size: int) -> PeopleBatch:
        """Return images ``first`` to ``first + size - 1`` of the stream."""
        batch = self._empty(first, size)
        for start in range(0, size, _CHUNK):
            self._fill(batch, slice(start, min(size, start + _CHUNK)))
        return batch

    def _start(self, pool: ThreadPoolExecutor, first: int, size: int) -> tuple[PeopleBatch, list[Future[None]]]:
        batch = self._empty(first, size)
        slices = [slice(start, min(size, start + _CHUNK)) for start in range(0, size, _CHUNK)]
        return batch, [pool.submit(self._fill, batch, rows) for rows in slices]

    def _empty(self, first: int, size: int) -> PeopleBatch:
        def zeros(*shape: int) -> NDArray[np.float32]:
            return np.zeros((size, *shape), dtype=np.float32)

        points, markers, bones = len(self._matrix), len(self._markers.names), len(self._data.joint_names)
        side = self.size
        return PeopleBatch(
            image=np.zeros((size, side, side, 3), dtype=np.uint8),
            mask=np.zeros((size, side, side), dtype=np.uint8),
            focal=zeros(),
            centre=zeros(2),
            box=zeros(3),
            picture=zeros(2),
            key_points=zeros(points, 2),
            visible=np.zeros((size, points), dtype=np.bool_),
            key_points_3d=zeros(points, 3),
            markers=zeros(markers, 3),
            rotations=zeros(bones, 3, 3),
            translation=zeros(3),
            phenotypes=zeros(self.motion.people.shape[1]),
            index=np.arange(first, first + size),
        )

    def _fill(self, batch: PeopleBatch, rows: slice) -> None:
        numbers = range(rows.start, rows.stop)
        sources = [
            np.random.default_rng([self.seed, _SPLITS[self.motion.split], int(batch.index[row])]) for row in numbers
        ]
        chosen = [int(random.integers(len(self.motion.people))) for random in sources]
        mesh, coefficients = self._studio().mesh, self._coefficients[chosen]
        rests = (coefficients @ mesh.modes + mesh.rest).reshape(len(chosen), 3, -1)
        heads = self._data.rest_heads.T + np.einsum("nr,rcj->njc", coefficients, self._data.head_modes)
        for row, random, person, rest, bones in zip(numbers, sources, chosen, rests, heads, strict=True):
            batch.phenotypes[row] = self.motion.people[person]
            self._one(batch, row, random, rest, bones)

    def _one(
        self,
        batch: PeopleBatch,
        row: int,
        random: np.random.Generator,
        rest: NDArray[np.float32],
        heads: NDArray[np.float32],
    ) -> None:
        """Draw one image."""
        studio, motion = self._studio(), self.motion
        frame = min(int(np.searchsorted(motion.chances, random.random())), len(motion.chances) - 1)
        pose = motion.rotations(frame, mirrored=random.random() < 0.5)
        view = random_view(random, float(np.ptp(rest[2])))
        rotations = (view.rotation @ pose).astype(np.float32)
        look = random_look(random, female=bool(batch.phenotypes[row, 0] > 0.5))
        place = view.place.astype(np.float32)
        studio.pose(rest, heads, rotations, place, look)
        extent = studio.extent(view.rotation[:, 2])
        middle = 0.5 * np.array(view.picture)
        box = random_box(random, extent[:2] * view.focal + middle, extent[2:4] * view.focal + middle)
        zoom = self.size / box[2]
        centre = zoom * (middle - (box[:2] - 0.5 * box[2]))
        eye = -view.rotation.T @ view.place
        # Its height above the floor, on which the lowest part of the body lies, unless the feet are in the air.
        eye[2] = -min(extent[4] - motion.clearance[frame] * hip_height(heads), extent[5])
        focal = float(view.focal * zoom)
        camera = Camera(view.rotation, eye, (focal, focal), (float(centre[0]), float(centre[1])), self.size, self.size)
        picture = studio.draw(look, random_scene(random, eye), camera)
        free = cover(picture.light, random_occluders(random, self.size))
        batch.image[row] = finish(random, picture.light)
        batch.mask[row] = np.rint(255 * picture.mask * free).astype(np.uint8)
        markers = self._markers.place(rest, rotations, studio.shifts)
        points = self._matrix @ markers
        pixels = points[:, :2] / points[:, 2:] * focal + centre
        batch.visible[row] = self._seen(points, pixels, picture.nearness, free)
        batch.focal[row], batch.centre[row] = focal, centre
        batch.box[row], batch.picture[row] = box, view.picture
        batch.key_points[row], batch.key_points_3d[row], batch.markers[row] = pixels, points, markers
        batch.rotations[row], batch.translation[row] = rotations, place

    def _seen(
        self,
        points: NDArray[np.floating],
        pixels: NDArray[np.floating],
        nearness: NDArray[np.float32],
        free: NDArray[np.float32],
    ) -> NDArray[np.bool_]:
        """(K,) whether each point is in the image with nothing before it."""
        inside = ((pixels >= 0) & (pixels < self.size)).all(axis=1)
        finer = nearness.shape[0] // self.size
        across, down = np.clip(np.floor(pixels * finer), 0, finer * self.size - 1).astype(int).T
        near = nearness[down, across]
        depth = np.where(near > 0, 1.0 / np.maximum(near, 1e-6), np.inf)
        return np.asarray(inside & (depth > points[:, 2] - self._depths) & (free[down // finer, across // finer] > 0.5))

    def _studio(self) -> Studio:
        if not hasattr(self._own, "studio"):
            self._own.studio = Studio(self.size, self.size)
        return self._own.studio

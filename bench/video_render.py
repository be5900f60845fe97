"""The renderer of synthetic people: coverage against exact shapes, images per second of processor time.

``biopose bench video_render``. Balls of known outline are drawn as fine meshes, and what they cover is compared with
what 256 rays through each pixel say. Speed is of one thread: people of the stream that networks are trained on, with
poses of one CMU take unless a table of all (``--table``, see `biopose_sim.video.synthetic.motion`) is given.
"""

from __future__ import annotations

import argparse
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from threadpoolctl import threadpool_limits

from bench._balls import ball_mesh, ball_outline
from bench.cases import data_folder
from biopose_sim.video.synthetic import stream as synthetic_stream
from biopose_sim.video.synthetic.motion import build_motion_table
from biopose_sim.video.synthetic.render import Studio
from biopose_sim.video.synthetic.stream import SyntheticPeople

IOU_TARGET, SPEED_TARGET = 0.99, 60.0
TAKE = "01_08"


def coverage(count: int) -> float:
    """Return the worst intersection over union of ``count`` balls with their outlines, shares of pixels counted."""
    random = np.random.default_rng(0)
    studio = Studio(256, 192, ball_mesh())
    worst = 1.0
    for _ in range(count):
        radius, depth = random.uniform(0.4, 0.8), random.uniform(3.0, 6.0)
        focal, centre = random.uniform(250.0, 500.0), tuple(random.uniform(90.0, 130.0, 2))
        middle = np.array([*random.uniform(-0.3, 0.3, 2), depth])
        studio.points[:] = (middle + radius * studio.mesh.places[:, :3]).astype(np.float32)
        drawn = studio.coverage(focal, centre)
        exact = ball_outline(middle, radius, focal, centre, studio.height, studio.width)
        worst = min(worst, float(np.minimum(drawn, exact).sum() / np.maximum(drawn, exact).sum()))
    return worst


class Stopwatch:
    """Processor time spent in functions, by name of the step."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)

    def timed(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            start = time.process_time()
            try:
                return function(*given, **named)
            finally:
                self.spent[step] += time.process_time() - start

        return run

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Time the steps of the stream while inside."""
        steps = [(Studio, name, name) for name in ("pose", "background", "see", "person")] + [
            (synthetic_stream, "random_scene", "scene"),
            (synthetic_stream, "random_look", "look"),
            (synthetic_stream, "finish", "finish"),
        ]
        patches = [patch.object(owner, name, self.timed(step, getattr(owner, name))) for owner, name, step in steps]
        for one in patches:
            one.start()
        try:
            yield
        finally:
            for one in patches:
                one.stop()


def speed(table: Path, images: int, repeats: int) -> float:
    """Print images per second of processor time and where it goes; return the best of some repeats."""
    people = SyntheticPeople(table, "train", size=256)
    people.batch(0, 32)
    rates = []
    for k in range(repeats):
        start = time.process_time()
        people.batch(k * images, images)
        rates.append(images / (time.process_time() - start))
    print(f"  256 x 256, whole pipeline: {max(rates):.0f} images per CPU second, median {np.median(rates):.0f} "
          f"(target {SPEED_TARGET:.0f}: {'met' if max(rates) >= SPEED_TARGET else 'MISSED'})")  # fmt: skip
    watch = Stopwatch()
    start = time.process_time()
    with watch.watching():
        people.batch(0, images)
    total = time.process_time() - start
    watch.spent["person"] -= watch.spent["see"]
    named = {"pose": "skinning, clothes", "see": "raster", "person": "shading", "background": "background, shadow",
             "scene": "drawing a scene", "look": "drawing a look", "finish": "exposure, grain, JPEG"}  # fmt: skip
    for step, name in named.items():
        print(f"    {name:<24}{1e3 * watch.spent[step] / images:6.2f} ms")
    print(f"    {'shapes, labels, other':<24}{1e3 * (total - sum(watch.spent.values())) / images:6.2f} ms")
    return max(rates)


def small(table: Path, images: int) -> None:
    """Print the speed of persons on backgrounds at 256 x 192, without random things and picture faults."""
    people = SyntheticPeople(table, "train", size=256)
    seen: list[tuple[Any, ...]] = []

    def remember(studio: Studio, *given: Any) -> Any:
        seen.append((studio.points.copy(), studio.normals.copy(), given))
        return draw(studio, *given)

    draw = Studio.draw
    with patch.object(Studio, "draw", remember):
        people.batch(0, images)
    studio = Studio(256, 192)
    studio.draw(*seen[0][2])
    start = time.process_time()
    for points, normals, given in seen:
        studio.points[:], studio.normals[:] = points, normals
        studio.draw(*given)
    spent = time.process_time() - start
    print(f"  256 x 192, raster, shading and background alone: {images / spent:.0f} images per CPU second")


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of ``biopose bench video_render``."""
    parser = argparse.ArgumentParser("biopose bench video_render", description=__doc__)
    parser.add_argument("--data", help="folder of test data")
    parser.add_argument("--table", type=Path, help="poses and people, made by build_motion_table")
    parser.add_argument("--images", type=int, default=128, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--balls", type=int, default=12)
    a = parser.parse_args(arguments)
    worst = coverage(a.balls)
    print(f"Coverage of {a.balls} balls: IoU at least {worst:.4f} "
          f"(target {IOU_TARGET}: {'met' if worst >= IOU_TARGET else 'MISSED'})")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        table = a.table or _small_table(Path(folder), a.data)
        print("Speed of one thread")
        speed(table, a.images, a.repeats)
        small(table, a.images)


def _small_table(folder: Path, data: str | None) -> Path:
    """Poses of one take."""
    (folder / "takes").mkdir()
    with tarfile.open(data_folder(data) / "cmu_bvh" / "cmu_daz_bvh.tar.xz") as archive:
        member = next(one for one in archive if one.name.endswith(f"{TAKE}.bvh"))
        archive.extract(member, folder / "takes", filter="data")
    return build_motion_table(folder / "takes", folder / "table.npz", folder / "work", people=16)


if __name__ == "__main__":
    main()

"""A walk of the default model in front of cameras: clips without a picture of it, and its key points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from biopose_sim.io.calibration import write_cameras
from biopose_sim.io.camera import Camera

SIZE, RATE, SECONDS = (320, 240), 25.0, 1.2


@dataclass(frozen=True)
class Filmed:
    """A person's motion, true key points (T, 23, 3) [m] and cameras."""

    coordinates: np.ndarray
    points: np.ndarray
    cameras: tuple[Camera, ...]
    names: tuple[str, ...]


@cache
def filmed() -> Filmed:
    import torch

    from biopose_sim.synthetic import gait_coordinates
    from biopose_sim.video.points.body_points import body_points
    from ik_pipeline.virtual_fit import virtual_model

    model = virtual_model()
    coordinates = gait_coordinates(model, SECONDS, RATE)
    with torch.no_grad():
        markers = model(torch.from_numpy(coordinates)).markers.numpy()
    points = body_points().matrix(model.marker_names) @ markers
    middle = points.mean((0, 1))
    cameras = tuple(
        Camera.look_at(middle + np.array(place), middle, *SIZE, view_angle=35.0)
        for place in ([3.0, 0.4, 3.5], [-2.5, 0.6, 4.0], [4.0, 0.3, -2.0])
    )
    return Filmed(coordinates, points, cameras, model.coordinate_names)


def write_clip(path: Path, frames: int) -> Path:
    """A film of grey noise."""
    import av

    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=int(RATE))
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        picture = rng.integers(90, 160, (SIZE[1] // 8, SIZE[0] // 8, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
        for number in range(frames):
            shown = np.roll(picture, number, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def write_points(path: Path, camera: Camera, points: np.ndarray, noise: float = 0.0) -> Path:
    """Key points as a detector writes them, with noise [px]."""
    pixels = camera.project(points)[..., :2] + noise * np.random.default_rng(1).normal(size=(*points.shape[:2], 2))
    found = np.concatenate([pixels, np.ones((*points.shape[:2], 1))], axis=-1)
    np.savez(path, keypoints=found, fps=RATE, size=np.array(SIZE), layout="anny23")
    return path


def write_filmed(folder: Path) -> list[Camera]:
    """Write a clip ``camK.mp4`` and key points ``camK.npz`` of each camera, and ``cameras.json``."""
    walk = filmed()
    cameras = [replace(camera, name=f"cam{k}") for k, camera in enumerate(walk.cameras)]
    for camera in cameras:
        write_clip(folder / f"{camera.name}.mp4", len(walk.points))
        write_points(folder / f"{camera.name}.npz", camera, walk.points, noise=1.0)
    write_cameras(folder / "cameras.json", cameras)
    return cameras

"""Key points of walking people seen by a camera, with known identity and sides."""

from __future__ import annotations

from functools import cache

import numpy as np

from biopose_sim.video.points.keypoints import LAYOUTS, Detections, KeyPoints

# Point of COCO + feet <- body of the model and place in it [m].
_PLACES = {
    "nose": ("head", (0.12, 0.12, 0.0)),
    "eye": ("head", (0.1, 0.15, 0.035)),
    "ear": ("head", (0.02, 0.14, 0.075)),
    "shoulder": ("humerus", (0.0, 0.0, 0.0)),
    "elbow": ("ulna", (0.0, 0.0, 0.0)),
    "wrist": ("hand", (0.0, 0.0, 0.0)),
    "hip": ("femur", (0.0, 0.0, 0.0)),
    "knee": ("tibia", (0.0, 0.0, 0.0)),
    "ankle": ("talus", (0.0, 0.0, 0.0)),
    "heel": ("calcn", (0.0, 0.02, 0.0)),
    "big_toe": ("toes", (0.05, 0.0, -0.02)),
    "small_toe": ("toes", (0.03, 0.0, 0.04)),
}


@cache
def walk_3d(seconds: float = 4.0, fps: float = 30.0) -> np.ndarray:
    """Points of COCO + feet of the default model walking along +X, (T, 23, 3) [m], Y up."""
    import torch

    from biopose_sim.kinematics.model import OsimModel
    from biopose_sim.paths import default_model_path
    from biopose_sim.synthetic.gait import gait_coordinates

    model = OsimModel.from_file(default_model_path())
    transforms = model(torch.from_numpy(gait_coordinates(model, seconds, fps))).transforms.numpy()
    points = []
    for name in LAYOUTS["anny23"].points:
        side, _, part = name.partition("_")
        body, place = _PLACES[part or name]
        sign = -1.0 if side == "left" else 1.0
        body = body if body == "head" else f"{body}_{side[0]}"
        matrix = transforms[:, model.body_names.index(body)]
        points.append(matrix[:, :3, :3] @ (np.array(place) * (1.0, 1.0, sign)) + matrix[:, :3, 3])
    return np.stack(points, axis=1)


def seen_from(points: np.ndarray, degrees: float, distance: float = 6.0, lateral: float = 0.0) -> np.ndarray:
    """Project with a level camera of focal 1500 px, 1920 x 1080; 0 degrees sees walkers from their right side."""
    centre = np.array([np.mean(points[:, :, 0]), 1.0, 0.0])
    angle = np.radians(degrees)
    away = np.array([-np.sin(angle), 0.0, -np.cos(angle)])
    right = np.array([np.cos(angle), 0.0, -np.sin(angle)])
    local = points - centre
    depth = local @ away + distance
    return np.stack([960 + 1500 * (local @ right + lateral) / depth, 540 - 1500 * local[..., 1] / depth], axis=-1)


def clip(points: np.ndarray, fps: float = 30.0, layout: str = "anny23") -> KeyPoints:
    index = [LAYOUTS["anny23"].points.index(p) for p in LAYOUTS[layout].points]
    points = points[:, index].astype(float)
    return KeyPoints("walk", np.arange(len(points)) / fps, points, np.ones(points.shape[:2]), layout, (1920, 1080), fps)


def height_of(points: np.ndarray) -> float:
    """Median height of the box [px]."""
    return float(np.median(np.ptp(points[..., 1], axis=-1)))


def exchange(points: np.ndarray, frames: slice | np.ndarray, words: tuple[str, ...] = ("left",)) -> np.ndarray:
    """Exchange left and right of the points of layout anny23 with one of the words in their name."""
    layout, points = LAYOUTS["anny23"], points.copy()
    for left, right in layout.pairs:
        if any(word in layout.points[left] for word in words):
            points[frames, left], points[frames, right] = points[frames, right].copy(), points[frames, left].copy()
    return points


def two_people(
    first: np.ndarray, second: np.ndarray, rng: np.random.Generator, noise: float = 0.0, hidden: float = 0.5
) -> tuple[Detections, np.ndarray]:
    """Both people in shuffled rows; the second is not found while the first covers it (overlap above ``hidden``).

    Returns:
        The detections, and who each row is (0 or 1).
    """
    frames, points, who = [], [], []
    for frame, pair in enumerate(zip(first, second, strict=True)):
        low, high = zip(*((p.min(0), p.max(0)) for p in pair), strict=True)
        common = np.prod(np.clip(np.minimum(*high) - np.maximum(*low), 0.0, None))
        found = [0] if common > hidden * np.prod(high[1] - low[1]) else [0, 1]
        for person in rng.permutation(found):
            frames.append(frame)
            who.append(person)
            points.append(pair[person] + rng.normal(0.0, noise * height_of(pair[person][None]), pair[person].shape))
    rows = np.array(points)
    time = np.arange(len(first)) / 30.0
    return Detections("two", time, np.array(frames), rows, np.ones(rows.shape[:2]), "anny23", source="two"), np.array(
        who
    )

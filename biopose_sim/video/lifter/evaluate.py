"""How well the lifter does on people it never saw: joints after alignment, angles, gravity, stature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..points.keypoints import COMMON, Array
from ..points.noise import CLEAN, REALISTIC, NoiseConfig
from .data import DataConfig, LifterData, exact
from .losses import is_leg, key_points, rotation_error
from .mirror import both_sides
from .network import LifterNetwork

# The thirteen joints of the trial that the targets were taken from.
JOINTS = tuple(k for k, name in enumerate(COMMON) if not any(p in name for p in ("eye", "ear", "toe", "heel")))
NOISES = {
    "clean": CLEAN,
    "noise 1 %": NoiseConfig(white=0.01),
    "noise 2 %": NoiseConfig(white=0.02),
    "realistic": REALISTIC,
}
_BATCH = 64


def evaluate_lifter(
    network: LifterNetwork,
    shards: Path,
    split: str = "test",
    noise: str = "noise 2 %",
    *,
    windows: int | None = 512,
    seed: int = 0,
) -> dict[str, float]:
    """Measure a lifter on windows of people whom it never saw, lenses known, before chance cameras.

    As `Lifter` does it, in the mean of a picture and its mirror.

    Args:
        network: trained.
        shards: folder that ``biopose groundtruth`` wrote.
        split: whose persons are taken.
        noise: of `NOISES`; the realistic one also has a detector's constant offsets.
        windows: spread over the split; None takes all that do not overlap.
        seed: of cameras and noise.

    Returns:
        ``PA [mm]`` of `JOINTS` after the best similarity per frame, ``MPJPE [mm]`` from the root, ``legs [deg]`` and
        ``all [deg]``: mean absolute errors of the joint coordinates, ``root [deg]`` of the pelvis in the camera,
        ``up [deg]`` of gravity, ``stature [%]`` of the mean factor of size.

    Raises:
        InputError: no such shards.
    """
    config = exact(DataConfig(), NOISES[noise])
    if noise == "realistic":
        config = DataConfig(config.camera, config.noise, offsets=1.0, slow=0.0, mirror=0.0)
    window = network.config.window
    data = LifterData(shards, split, network.skeleton, window, config, stride=window)
    return measure(network, data, windows, seed)


@torch.no_grad()
def measure(network: LifterNetwork, data: LifterData, windows: int | None, seed: int) -> dict[str, float]:
    """As `evaluate_lifter`, of windows that are at hand."""
    count = len(data) if windows is None else min(windows, len(data))
    rows = np.unique(np.linspace(0, len(data) - 1, count).astype(int))
    half = network.skeleton.half_ranges_like(torch.zeros(1)).numpy()
    legs = is_leg(network.skeleton.joint_names).numpy()
    joints = list(JOINTS)
    sums: dict[str, list[Array]] = {}
    network.eval()
    for number, start in enumerate(range(0, len(rows), _BATCH)):
        batch = data.batch(rows[start : start + _BATCH], np.random.default_rng((seed, number)))
        lifted = both_sides(network, batch.features)
        valid = batch.valid.numpy()
        found = key_points(network, lifted).numpy()[valid][:, joints]
        true = batch.points.numpy()[valid][:, joints]
        off = np.abs((lifted.joints.clamp(-1, 1) - batch.joints.clamp(-1, 1)).numpy()) * half
        free = np.broadcast_to(batch.free.numpy()[:, None], off.shape) & valid[..., None]
        turned = rotation_error(lifted.rotation, batch.rotation).norm(dim=-1).numpy()[valid]
        up = torch.linalg.cross(lifted.up, batch.up).norm(dim=-1)
        tilted = torch.atan2(up, (lifted.up * batch.up).sum(-1)).numpy()[valid]
        size = np.abs(np.expm1((lifted.sizes - batch.sizes).mean(-1).numpy()))
        for name, values in {
            "PA [mm]": 1e3 * np.linalg.norm(aligned(found, true) - true, axis=-1).mean(-1),
            "MPJPE [mm]": 1e3 * np.linalg.norm(found - true, axis=-1).mean(-1),
            "legs [deg]": np.degrees(off[free & legs]),
            "all [deg]": np.degrees(off[free]),
            "root [deg]": np.degrees(turned),
            "up [deg]": np.degrees(tilted),
            "stature [%]": 100.0 * size,
        }.items():
            sums.setdefault(name, []).append(np.asarray(values, dtype=float))
    return {name: float(np.concatenate(parts).mean()) for name, parts in sums.items()}


def aligned(found: Array, true: Array) -> Array:
    """Return points (N, K, 3) turned, moved and scaled until they are nearest to the true ones (Umeyama 1991)."""
    x, y = found - found.mean(1, keepdims=True), true - true.mean(1, keepdims=True)
    u, s, vt = np.linalg.svd(np.swapaxes(y, 1, 2) @ x)
    sign = np.sign(np.linalg.det(u @ vt))
    u[:, :, 2] *= sign[:, None]
    s[:, 2] *= sign
    scale = s.sum(-1) / np.maximum((x**2).sum((1, 2)), 1e-12)
    return scale[:, None, None] * (x @ np.swapaxes(u @ vt, 1, 2)) + true.mean(1, keepdims=True)

"""Disturbances of markers in training: noise, missing markers, errors of a body mesh, another size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_FEATURES = 24  # of a random field
# Mean length of a vector of three normal numbers with standard deviation 1.
_MEAN_LENGTH = math.sqrt(8.0 / math.pi)


@dataclass(frozen=True)
class AugmentConfig:
    """How windows are disturbed; each disturbance strikes a share of them, by an amount drawn evenly up to the most.

    Attributes:
        noise_share: of windows with white noise.
        noise: largest standard deviation per axis [m].
        missing_share: of windows with missing markers.
        missing: largest share of a window's markers that miss, half of them for a stretch of time, half throughout.
        mesh_share: of windows with a mesh error.
        mesh: largest mean length of the mesh error [m].
        mesh_length: over which it is alike on the body [m].
        mesh_time: over which it is alike in time [s].
        size: standard deviation of the logarithm of a factor that the whole person is scaled by.
    """

    noise_share: float = 0.3
    noise: float = 0.025
    missing_share: float = 0.4
    missing: float = 0.4
    mesh_share: float = 0.3
    mesh: float = 0.05
    mesh_length: float = 0.3
    mesh_time: float = 0.3
    size: float = 0.04


def disturb(markers: Tensor, rate: Tensor, places: Tensor, config: AugmentConfig, random: torch.Generator) -> Tensor:
    """Return disturbed markers; those that miss are NaN.

    Args:
        markers: (B, T, M, 3) [m].
        rate: (B,) frames per second [Hz].
        places: (M, 3) of the markers on the model in its neutral pose [m], by which mesh errors are alike.
        config: how.
        random: the source of chance.
    """
    batch, frames, count = markers.shape[:3]

    def amount(share: float, most: float) -> Tensor:
        struck = torch.rand(batch, generator=random) < share
        return struck * most * torch.rand(batch, generator=random)

    meshes = amount(config.mesh_share, config.mesh)
    rows = torch.nonzero(meshes > 0).flatten()
    result = markers.clone()
    if len(rows):
        time = torch.arange(frames) / rate[rows, None]
        field = mesh_error(time.to(markers), places, config.mesh_length, config.mesh_time, random)
        result[rows] += meshes[rows, None, None, None] * field
    noise = amount(config.noise_share, config.noise)
    rows = torch.nonzero(noise > 0).flatten()
    if len(rows):
        white = torch.randn(len(rows), frames, count, 3, generator=random)
        result[rows] += noise[rows, None, None, None] * white
    gone = amount(config.missing_share, config.missing)
    if bool((gone > 0).any()):
        result[missing(gone, frames, count, random)] = torch.nan
    return result


def mesh_error(time: Tensor, places: Tensor, length: float, duration: float, random: torch.Generator) -> Tensor:
    """Return a random displacement field of mean length 1, (B, T, M, 3).

    A Gaussian process with squared-exponential covariance over the body and over time, by random Fourier features
    (Rahimi & Recht 2007, NIPS): neighbouring markers and frames err alike, as meshes from video do.

    Args:
        time: (B, T) [s].
        places: (M, 3) [m].
        length: over which the error is alike on the body [m].
        duration: over which it is alike in time [s].
        random: the source of chance.
    """
    batch = len(time)
    waves = torch.randn(batch, _FEATURES, 3, generator=random) / length
    beats = torch.randn(batch, _FEATURES, generator=random) / duration
    phases = 2.0 * math.pi * torch.rand(batch, _FEATURES, generator=random)
    size = torch.randn(batch, _FEATURES, 3, generator=random) * math.sqrt(2.0 / _FEATURES) / _MEAN_LENGTH
    over_body = torch.einsum("mi,bki->bmk", places, waves)
    over_time = time[..., None] * beats[:, None] + phases[:, None]
    cosines = torch.einsum("btk,bmk,bki->btmi", over_time.cos(), over_body.cos(), size)
    return cosines - torch.einsum("btk,bmk,bki->btmi", over_time.sin(), over_body.sin(), size)


def missing(share: Tensor, frames: int, count: int, random: torch.Generator) -> Tensor:
    """Return (B, T, M) which markers miss, for the share (B,) of each window."""
    batch = len(share)
    throughout = torch.rand(batch, 1, count, generator=random) < 0.5 * share[:, None, None]
    # A stretch of half a window, on average, of twice as many markers.
    start = torch.rand(batch, 1, count, generator=random) * frames
    length = torch.rand(batch, 1, count, generator=random) * frames
    step = torch.arange(frames)[None, :, None]
    within = (step >= start - 0.5 * length) & (step < start + 0.5 * length)
    return throughout | (within & (torch.rand(batch, 1, count, generator=random) < share[:, None, None]))

"""Disturbances of markers in training: noise, missing markers, errors of a body mesh, another size, another place."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from biopose_sim.neurik.frame import Framed, below_middle
from biopose_sim.neurik.skeleton import turn

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
        bend_share: of windows in which some joints, a random share of them, are drawn towards random paths.
        bend_rate: largest frequency of these paths [Hz].
        shape_share: of windows of persons of other proportions.
        shape: largest standard deviation of the logarithms of their segments' factors.
        offset_share: of windows of persons whose markers lie elsewhere on their segments.
        offset: largest standard deviation of that per axis [m].
        size: standard deviation of the logarithm of a factor that the whole person is scaled by.
        turn: largest turn of the person about the vertical [rad].
        translation: standard deviation per axis of where a network that keeps the heading has its origin [m].
    """

    noise_share: float = 0.3
    noise: float = 0.025
    missing_share: float = 0.4
    missing: float = 0.4
    mesh_share: float = 0.3
    mesh: float = 0.05
    mesh_length: float = 0.3
    mesh_time: float = 0.3
    bend_share: float = 0.0
    bend_rate: float = 0.8
    shape_share: float = 0.0
    shape: float = 0.06
    offset_share: float = 0.0
    offset: float = 0.01
    size: float = 0.04
    turn: float = 0.0
    translation: float = 0.0


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
    # Amounts are drawn on the processor, so that a GPU is not waited for; what is large is drawn where it is needed.
    there = generator_on(markers.device, random)

    def amount(share: float, most: float) -> Tensor:
        struck = torch.rand(batch, generator=random) < share
        return struck * most * torch.rand(batch, generator=random)

    meshes = amount(config.mesh_share, config.mesh)
    rows = torch.nonzero(meshes > 0).flatten()
    result = markers.clone()
    if len(rows):
        sizes, rows = _to(markers, meshes[rows], rows)
        time = torch.arange(frames, device=markers.device) / rate[rows, None]
        field = mesh_error(time.to(markers), places, config.mesh_length, config.mesh_time, there)
        result[rows] += sizes[:, None, None, None] * field
    noise = amount(config.noise_share, config.noise)
    rows = torch.nonzero(noise > 0).flatten()
    if len(rows):
        white = torch.randn(len(rows), frames, count, 3, generator=there, device=there.device)
        sizes, rows = _to(markers, noise[rows], rows)
        result[rows] += sizes[:, None, None, None] * white
    gone = amount(config.missing_share, config.missing)
    if bool((gone > 0).any()):
        (gone,) = _to(markers, gone)
        result = result.masked_fill(missing(gone, frames, count, there)[..., None], torch.nan)
    return result


def displace(framed: Framed, config: AugmentConfig, random: torch.Generator) -> Framed:
    """Return persons turned about the vertical, seen from another place: what a frame that goes along leaves alone."""
    batch = len(framed.heading)
    angle = config.turn * (2.0 * torch.rand(batch, generator=random) - 1.0)
    apart, angle = _to(framed.origin, config.translation * torch.randn(batch, 3, generator=random), angle)
    way = torch.stack([angle.cos(), angle.sin()], dim=-1)[:, None]
    (c, s), (a, b) = way.unbind(-1), framed.heading.unbind(-1)
    heading = torch.stack([a * c - b * s, b * c + a * s], dim=-1)
    origin = turn(way.expand_as(framed.heading), framed.origin)
    turned = Framed(framed.markers, framed.seen, heading, origin)
    return replace(turned, centre=below_middle(turned) + apart)


def generator_on(device: torch.device, random: torch.Generator) -> torch.Generator:
    """Return a source of chance on a device: the given one where that is its own, else one that it seeds."""
    if device == random.device:
        return random
    return torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=random)))


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
    batch, device = len(time), random.device
    waves = torch.randn(batch, _FEATURES, 3, generator=random, device=device) / length
    beats = torch.randn(batch, _FEATURES, generator=random, device=device) / duration
    phases = 2.0 * math.pi * torch.rand(batch, _FEATURES, generator=random, device=device)
    size = torch.randn(batch, _FEATURES, 3, generator=random, device=device)
    size = size * (math.sqrt(2.0 / _FEATURES) / _MEAN_LENGTH)
    over_body = torch.einsum("mi,bki->bmk", places, waves)
    over_time = time[..., None] * beats[:, None] + phases[:, None]
    cosines = torch.einsum("btk,bmk,bki->btmi", over_time.cos(), over_body.cos(), size)
    return cosines - torch.einsum("btk,bmk,bki->btmi", over_time.sin(), over_body.sin(), size)


def missing(share: Tensor, frames: int, count: int, random: torch.Generator) -> Tensor:
    """Return (B, T, M) which markers miss, for the share (B,) of each window."""
    batch = len(share)

    def drawn() -> Tensor:
        return torch.rand(batch, 1, count, generator=random, device=random.device)

    throughout = drawn() < 0.5 * share[:, None, None]
    # A stretch of half a window, on average, of twice as many markers.
    start, length = drawn() * frames, drawn() * frames
    step = torch.arange(frames, device=random.device)[None, :, None]
    within = (step >= start - 0.5 * length) & (step < start + 0.5 * length)
    return throughout | (within & (drawn() < share[:, None, None]))


def _to(like: Tensor, *tensors: Tensor) -> list[Tensor]:
    return [tensor.to(like.device, non_blocking=True) for tensor in tensors]

"""Polish of a network's estimate by the engine: a most probable person and motion, the network's being expected.

The network's sizes are kept but for a little; where the person's markers lie on the segments is fitted to all trials.
How much the markers are then trusted follows from what they still are off, without its mean over time: markers without
disturbance decide the motion alone; the more they are off, the more the joints are drawn to the network's. Errors that
change from frame to frame (noise) average out and ask for a smooth motion; errors that last (of a body mesh, which
move whole limbs) do neither, so that they count far more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from biopose_sim.ik.fit import FitConfig, fit_size
from biopose_sim.ik.groups import SizePrior
from biopose_sim.ik.solver import solve_ik
from biopose_sim.ik.types import Array, CoordinateTarget, IKConfig, KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.neurik.limits import within_ranges
from biopose_sim.neurik.predict import Prediction, given_result
from biopose_sim.neurik.skeleton import Skeleton
from ik_pipeline.virtual_fit import virtual_fit_config

# Logarithmic departure of sizes from the network's.
_SIZE_SD = 0.003
# Of where a tracking marker lies about where the network's sizes say that it does, per axis [m]; the fit widens it for
# persons who are otherwise.
_TRACKING_SD = 0.003
_FRAMES = 60  # of which sizes and places of markers are fitted
# What markers on a moving body are off without any disturbance, standard deviation per axis [m].
_CLEAN = 0.004
# Weight of the pull [m^2/rad^2] per variance of errors that last, and of noise [m^2]; of smoothness per that of noise.
# Found on validation persons; a larger pull comes nearer to the network alone.
_PULL_OF_LASTING, _PULL_OF_NOISE, _SMOOTHNESS_OF_NOISE = 600.0, 3.0, 200.0
_LEAST_PULL = 1e-4  # sizes and places of markers are never exact
_FAR = 0.6  # [rad] between root angles of network and engine, beyond which they may be of different branches


@dataclass(frozen=True)
class Disturbance:
    """How far markers are off, besides what is constant, variances per axis [m^2].

    Attributes:
        lasting: of errors that are alike from frame to frame.
        noise: of those that are not.
    """

    lasting: float
    noise: float

    @property
    def pull(self) -> float:
        """Weight of the joints' pull to the network's [m^2/rad^2]."""
        return _LEAST_PULL + _PULL_OF_LASTING * self.lasting + _PULL_OF_NOISE * self.noise

    @property
    def smoothness(self) -> float:
        """Weight of smooth motion, of `IKConfig` [m^2/rad^2]."""
        return _SMOOTHNESS_OF_NOISE * self.noise


def refined(
    skeleton: Skeleton, trials: Sequence[Trial], prediction: Prediction, offsets: Array | None = None
) -> Prediction:
    """Return the prediction polished by the engine.

    Args:
        skeleton: of the network.
        trials: of the person.
        prediction: what the network says of them.
        offsets: where the markers of a person of that size lie from where scaling puts them, in body axes,
            (n_markers, 3) [m]; there if None.
    """
    config = _config()
    names = skeleton.model.marker_names
    known = [trial.select([name for name in trial.marker_names if name in names]) for trial in trials]
    # The fit looks for departures from its model: from the network's sizes and where those put markers.
    expected = skeleton.model.scale(prediction.scales, offsets)
    model = fit_size(expected, known, config).model
    motions = [solve_ik(model, trial, config.ik) for trial in known]
    off = disturbance([_apart(trial, motion) for trial, motion in zip(known, motions)])
    motions = [
        solve_ik(model, trial, _pulled(skeleton, config.ik, said, motion, off))
        for trial, said, motion in zip(known, prediction.results, motions)
    ]
    results = tuple(
        given_result(model, trial, within_ranges(skeleton, motion.coordinates))
        for trial, motion in zip(trials, motions)
    )
    return Prediction(model, model.scales, results, refined=True)


def disturbance(apart: Sequence[Array]) -> Disturbance:
    """Return how far markers are off, besides what is constant over a trial.

    Args:
        apart: of each trial model markers less measured ones, (T, M, 3) [m], NaN where not seen.
    """
    squares = products = 0.0
    count = pairs = 0
    for off in apart:
        known = np.isfinite(off)
        mean = np.where(known, off, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        rest = np.where(known, off - mean, 0.0)
        squares, count = squares + float((rest**2).sum()), count + int(known.sum())
        products += float((rest[1:] * rest[:-1]).sum())
        pairs += int((known[1:] & known[:-1]).sum())
    variance = squares / max(count, 1)
    lasting = min(max(products / pairs, 0.0), variance) if pairs else variance
    noise = variance - lasting
    # Without any disturbance, a little is left of both.
    return Disturbance(max(lasting - _CLEAN**2, 0.0), noise if noise > _CLEAN**2 else 0.0)


def _config() -> FitConfig:
    prior = SizePrior(stature=_SIZE_SD, part=_SIZE_SD, dimension=_SIZE_SD)
    return replace(virtual_fit_config(), prior=prior, max_frames=_FRAMES, tracking_sd=_TRACKING_SD)


def _apart(trial: Trial, motion: KinematicsResult) -> Array:
    return np.asarray(motion.model_markers - trial.select(motion.marker_names).markers)


def _pulled(
    skeleton: Skeleton, config: IKConfig, expected: KinematicsResult, motion: KinematicsResult, off: Disturbance
) -> IKConfig:
    """The configuration that draws joints and the root's angles to what the network expects."""
    wanted = {name: expected.coordinate(name) for name in skeleton.joint_names}
    columns = list(skeleton.root_angles)
    turned = expected.coordinates[:, columns] - motion.coordinates[:, columns]
    turned = (turned + np.pi) % (2.0 * np.pi) - np.pi
    if np.abs(turned).max() < _FAR:
        names = [skeleton.model.coordinate_names[column] for column in columns]
        wanted |= dict(zip(names, (motion.coordinates[:, columns] + turned).T))
    targets = {name: CoordinateTarget(values, off.pull) for name, values in wanted.items()}
    return replace(config, coordinate_targets=targets, smoothness=off.smoothness)

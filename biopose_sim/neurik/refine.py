"""Polish of a network's estimate by the engine: a most probable person and motion, the network's being expected.

How much the network is trusted follows from what markers are off its model. Of bodies as it knows them they are off by
some millimetres for good, and it knows better than the engine what that means: its sizes are kept, and joints stay near
its own. Where markers lie elsewhere for good, though they do not stray (another kind of body), sizes
and places of markers are fitted anew and the markers decide. What changes over time says how far to trust them: errors
from frame to frame (noise) average out and ask for a smooth motion; errors that last (of a body mesh, which move whole
limbs) do neither, so that they draw the joints to the network's.
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

# Logarithmic departure of sizes from the network's, and per metre that a body is unlike those it knows.
_SIZE_SD, _SIZE_SD_OF_UNLIKE = 0.0005, 5.0
# Of where a tracking marker lies about where the network's sizes say that it does, per axis [m]; the same of unlike
# bodies, per metre.
_TRACKING_SD, _TRACKING_SD_OF_UNLIKE = 0.001, 1.0
_FRAMES = 60  # of which sizes and places of markers are fitted
# What markers are off a network's model for good on bodies as it knows them, root mean square per axis [m], and how
# much of what lasts may be for good too (a wrong shape of a mesh). On validation persons: 3 to 4 mm; 12 to 15 mm where
# meshes are 40 mm off, of which 10 mm last.
_LIKE, _OF_LASTING = 0.0045, 3.0
# What markers on a moving body are off without any disturbance, standard deviation per axis [m].
_CLEAN = 0.004
# Weight of the pull [m^2/rad^2] per variance of errors that last, and of noise [m^2]; of smoothness per that of noise.
# Found on validation persons; a larger pull comes nearer to the network alone.
_PULL_OF_LASTING, _PULL_OF_NOISE, _SMOOTHNESS_OF_NOISE = 5000.0, 3.0, 200.0
# Pull where markers are not disturbed, on bodies like those the network knows; half of it where they are so far unlike
# or noisy [m]; never less than the last.
_PULL, _HALF_UNLIKE, _HALF_NOISE, _LEAST_PULL = 1e-2, 0.002, 0.003, 1e-4
_FAR = 0.6  # [rad] between root angles of network and engine, beyond which they may be of different branches


@dataclass(frozen=True)
class Disturbance:
    """How far markers are off, variances per axis [m^2].

    Attributes:
        lasting: of errors that change over time, but are alike from frame to frame.
        noise: of those that are not.
        constant: of those that stay.
    """

    lasting: float
    noise: float
    constant: float

    @property
    def unlike(self) -> float:
        """How far the body is unlike those that the network knows [m]."""
        return float(np.sqrt(max(self.constant - _LIKE**2 - _OF_LASTING * self.lasting, 0.0)))

    def pull(self, unlike: float) -> float:
        """Weight of the joints' pull to the network's [m^2/rad^2]."""
        trust = (1.0 + (unlike / _HALF_UNLIKE) ** 2) * (1.0 + self.noise / _HALF_NOISE**2)
        return _LEAST_PULL + _PULL / trust + _PULL_OF_LASTING * self.lasting + _PULL_OF_NOISE * self.noise

    @property
    def smoothness(self) -> float:
        """Weight of smooth motion, of `IKConfig` [m^2/rad^2]."""
        return _SMOOTHNESS_OF_NOISE * self.noise


def refined(skeleton: Skeleton, trials: Sequence[Trial], prediction: Prediction) -> Prediction:
    """Return the prediction polished by the engine.

    Args:
        skeleton: of the network.
        trials: of the person.
        prediction: what the network says of them.
    """
    names = skeleton.model.marker_names
    known = [trial.select([name for name in trial.marker_names if name in names]) for trial in trials]
    unlike = disturbance([_apart(trial, said) for trial, said in zip(known, prediction.results)]).unlike
    config = _config(unlike)
    # The fit looks for departures from its model: from the network's sizes and where those put markers.
    model = fit_size(prediction.model, known, config).model if unlike else prediction.model
    motions = [solve_ik(model, trial, config.ik) for trial in known]
    off = disturbance([_apart(trial, motion) for trial, motion in zip(known, motions)])
    motions = [
        solve_ik(model, trial, _pulled(skeleton, config.ik, said, motion, off.pull(unlike), off.smoothness))
        for trial, said, motion in zip(known, prediction.results, motions)
    ]
    results = tuple(
        given_result(model, trial, within_ranges(skeleton, motion.coordinates))
        for trial, motion in zip(trials, motions)
    )
    return Prediction(model, model.scales, results, refined=True)


def disturbance(apart: Sequence[Array]) -> Disturbance:
    """Return how far markers are off.

    Args:
        apart: of each trial model markers less measured ones, (T, M, 3) [m], NaN where not seen.
    """
    squares = products = constant = 0.0
    count = pairs = means = 0
    for off in apart:
        known = np.isfinite(off)
        mean = np.where(known, off, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        told = known.any(axis=0)
        constant, means = constant + float((mean[told] ** 2).sum()), means + int(told.sum())
        rest = np.where(known, off - mean, 0.0)
        squares, count = squares + float((rest**2).sum()), count + int(known.sum())
        products += float((rest[1:] * rest[:-1]).sum())
        pairs += int((known[1:] & known[:-1]).sum())
    variance = squares / max(count, 1)
    lasting = min(max(products / pairs, 0.0), variance) if pairs else variance
    noise = variance - lasting
    # Without any disturbance, a little is left of both.
    noise = noise if noise > _CLEAN**2 else 0.0
    return Disturbance(max(lasting - _CLEAN**2, 0.0), noise, constant / max(means, 1))


def _config(unlike: float) -> FitConfig:
    sd = _SIZE_SD + _SIZE_SD_OF_UNLIKE * unlike
    tracking = _TRACKING_SD + _TRACKING_SD_OF_UNLIKE * unlike
    prior = SizePrior(stature=sd, part=sd, dimension=sd)
    config = virtual_fit_config()
    # Of landmarks too the network knows where they lie.
    landmark = min(config.landmark_sd, tracking)
    return replace(config, prior=prior, max_frames=_FRAMES, tracking_sd=tracking, landmark_sd=landmark)


def _apart(trial: Trial, motion: KinematicsResult) -> Array:
    return np.asarray(motion.model_markers - trial.select(motion.marker_names).markers)


def _pulled(
    skeleton: Skeleton,
    config: IKConfig,
    expected: KinematicsResult,
    motion: KinematicsResult,
    pull: float,
    smoothness: float,
) -> IKConfig:
    """The configuration that draws joints and the root's angles to what the network expects."""
    wanted = {name: expected.coordinate(name) for name in skeleton.joint_names}
    columns = list(skeleton.root_angles)
    turned = expected.coordinates[:, columns] - motion.coordinates[:, columns]
    turned = (turned + np.pi) % (2.0 * np.pi) - np.pi
    if np.abs(turned).max() < _FAR:
        names = [skeleton.model.coordinate_names[column] for column in columns]
        wanted |= dict(zip(names, (motion.coordinates[:, columns] + turned).T))
    targets = {name: CoordinateTarget(values, pull) for name, values in wanted.items()}
    return replace(config, coordinate_targets=targets, smoothness=smoothness)

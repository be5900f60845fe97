"""Polish of a network's estimate by the engine."""

from __future__ import annotations

from collections.abc import Sequence

from biopose_sim.io import Trial
from biopose_sim.neurik.predict import Prediction
from biopose_sim.neurik.skeleton import Skeleton
from ik_pipeline.virtual_fit import virtual_fit_config


def refined(skeleton: Skeleton, trials: Sequence[Trial], prediction: Prediction) -> Prediction:
    """Return the prediction with sizes, offsets and motion fitted to the markers.

    Args:
        skeleton: of the network.
        trials: of the person.
        prediction: what the network says of them.
    """
    from biopose_sim.ik.fit import fit

    found = fit(skeleton.model, trials, virtual_fit_config())
    return Prediction(found.model, found.scales, found.results, refined=True)

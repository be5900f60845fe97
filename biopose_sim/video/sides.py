"""Left and right of a whole clip: whether the detector took a person's front for the back, told by the body.

A detector that sees no face may take the front for the back from the first frame to the last. Nothing in the motion of
the points gives that away (`points.swaps` repairs what changes). But a body that is exchanged has knees, feet and arms
that bend the wrong way: the lifter explains the points worse, and so does the refined model. Both are asked, with the
sides as they are and exchanged.

Measured (`bench/video_sides.py`, 48 clips of 4 s of unseen people, realistic noise): of clips with the right sides none
was exchanged (2 were called doubtful), of exchanged ones 29 were changed back and 17 called doubtful. Of four real
views none and 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .points.keypoints import LAYOUTS, Array, KeyPoints
from .refine.guards import reprojection, see
from .refine.joint import Refined
from .types import Estimate

Lift = Callable[[KeyPoints], Estimate]
Refine = Callable[[Estimate], Refined]

# By how much of their size the errors of the lifted body, and then those of the refined one, must fall for an exchange.
# On clips with the right sides one alone may mislead: by 0.19 and 0.03 at most (68 clips).
_LIFTED, _REFINED = 0.05, 0.05
# Sides are in doubt if those errors are not less by so much as they are.
_DOUBT = 0.02


@dataclass(frozen=True, eq=False)
class Sides:
    """What was decided.

    Attributes:
        estimate: lifted from the key points with the sides as decided.
        exchanged: whether they were exchanged.
        lifted: by how much of their size the errors of the lifted body fall if they are.
        refined: the same of the refined body; NaN if that was not asked.
        note: what a user should know; empty if there is nothing to say.
    """

    estimate: Estimate
    exchanged: bool
    lifted: float
    refined: float
    note: str


def exchanged(key_points: KeyPoints) -> KeyPoints:
    """Return the key points with left and right exchanged in all frames."""
    mirror = LAYOUTS[key_points.layout].mirror
    return replace(key_points, points=key_points.points[:, mirror], confidence=key_points.confidence[:, mirror])


def decide(key_points: KeyPoints, lift: Lift, refine: Refine) -> Sides:
    """Lift the key points with the sides that the body explains better.

    Args:
        key_points: of one person and one view.
        lift: to a motion.
        refine: that motion, by its key points; asked only if the lifted body speaks for an exchange.
    """
    own, other = lift(key_points), lift(exchanged(key_points))
    lifted, refined = _fall(_missed(own), _missed(other)), float("nan")
    if lifted >= _LIFTED:
        refined = _fall(float(np.nanmean(refine(own).after)), float(np.nanmean(refine(other).after)))
        if refined >= _REFINED:
            note = (
                "The detector had exchanged left and right in the whole clip: changed back, look at the overlay. The "
                f"body misses the key points by {100 * lifted:.0f} % less (lifted) and {100 * refined:.0f} % (refined)."
            )
            return Sides(other, True, lifted, refined, note)
    doubtful = lifted > -_DOUBT
    note = "The key points do not tell whether left and right are as they should be: look at the overlay."
    return Sides(own, False, lifted, refined, note if doubtful else "")


def _fall(before: float, after: float) -> float:
    return 1.0 - after / before if before > 0.0 else 0.0


def _missed(estimate: Estimate) -> float:
    """Mean distance of the seen key points and the body's [px]."""
    import torch

    from .points.body_points import body_points

    with torch.no_grad():
        markers: Array = estimate.model(torch.from_numpy(np.ascontiguousarray(estimate.coordinates))).markers.numpy()
    points = body_points().matrix(estimate.model.marker_names) @ markers
    view = estimate.views[0]
    return float(np.nanmean(reprojection(view.camera.ideal, points, see(view, 1.0))))

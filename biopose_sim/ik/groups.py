"""Which bodies of a model grow together when a person is fitted, and what is known of people's proportions."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from biopose_sim.ik.types import Array, IntArray

# Bodies of one part share their factors: markers do not tell them apart. Patterns of whole side-less names.
_PARTS: tuple[tuple[str, str], ...] = (
    ("thigh", r"femur|patella|thigh"),
    ("shank", r"tibia|fibula|shank|shin"),
    ("foot", r"talus|calcn|toes|foot|mtp|calcaneus|hallux"),
    ("pelvis", r"pelvis|sacrum|hips?"),
    ("lumbar", r"lumbar\d*|abdomen|l[1-5]"),
    ("thorax", r"torso|thorax|thoracic\d*|rib\w*|sternum|t\d+|trunk"),
    ("head", r"head\w*|skull|jaw|cerv\d*|neck|c[1-7]"),
    ("clavicle", r"clavicle\w*"),
    ("scapula", r"scapula\w*"),
    ("upper arm", r"humerus\w*|upperarm"),
    ("forearm", r"ulna\w*|radius\w*|forearm"),
    (
        "hand",
        r"hand\w*|\w*(?:phalanx|metacarpal|midph|distph|proxph|carp)\w*|lunate|scaphoid|capitate|hamate\w*",
    ),
)
_SIDE = re.compile(r"^(?:(?P<first>r|l|right|left)_)?(?P<base>.*?)(?:_(?P<last>r|l|right|left))?$", re.IGNORECASE)


@dataclass(frozen=True)
class ScaleGroups:
    """Parameters of a person's size: one logarithmic factor per group and axis.

    Attributes:
        names: of the groups, length G.
        group: group of each body, shape (n_bodies,).
    """

    names: tuple[str, ...]
    group: IntArray

    def scales(self, parameters: Array) -> Array:
        """Factors (n_bodies, 3) for logarithmic parameters (G * 3,)."""
        return np.exp(parameters.reshape(-1, 3))[self.group]

    def parameters(self, scales: Array) -> Array:
        """Parameters (G * 3,) nearest to factors (n_bodies, 3): the mean over each group."""
        logs = np.log(scales)
        return np.array([logs[self.group == g].mean(axis=0) for g in range(len(self.names))]).ravel()

    def gather(self, by_scale: Array, scales: Array) -> Array:
        """Derivatives in the parameters (..., G * 3) from those in the factors (..., n_bodies * 3)."""
        belongs = np.zeros((len(self.group), 3, len(self.names), 3))
        for body, g in enumerate(self.group):
            belongs[body, :, g] = np.diag(scales[body])
        return by_scale @ belongs.reshape(scales.size, -1)


def make_groups(body_names: tuple[str, ...], symmetric: bool = True) -> ScaleGroups:
    """Group bodies by part and, unless ``symmetric`` is off, both sides together.

    A body whose name tells nothing is a group of its own (with its mirror twin, when symmetric).
    """
    keys = []
    for name in body_names:
        base, side = split_side(name)
        part = next((part for part, pattern in _PARTS if re.fullmatch(pattern, base, re.IGNORECASE)), base)
        keys.append(part if symmetric or not side else f"{part} {side}")
    names = tuple(dict.fromkeys(keys))
    return ScaleGroups(names, np.array([names.index(k) for k in keys], dtype=np.int64))


def split_side(name: str) -> tuple[str, str]:
    """("femur", "r") of "femur_r", "r_femur" or "right_femur"; ("torso", "") where no side is named."""
    match = _SIDE.match(name)
    assert match is not None  # the pattern matches every string
    side = match["first"] or match["last"] or ""
    return (match["base"], side[0].lower()) if side and match["base"] else (name, "")


@dataclass(frozen=True)
class SizePrior:
    """Normal distribution of the logarithmic factors: stature, part and single dimension vary independently.

    Standard deviations follow ANSUR II (Gordon et al. 2014, NATICK/TR-15/007): stature varies by 4 % within and
    7 % over both sexes, segment lengths by 4-6 % of which about half is stature, breadths by 5-8 %. ``stature`` is
    wide enough for children's models and generic models of another size.

    Attributes:
        stature: of the factor common to all parts.
        part: of a part relative to the whole body.
        dimension: of one axis relative to its part.
        limit: largest departure of any dimension from the whole body: 2.5 standard deviations. Beyond it the
            motion shows a joint that the model does not have (a shoulder girdle, say), not a person of that shape.
    """

    stature: float = 0.15
    part: float = 0.04
    dimension: float = 0.04
    limit: float = 0.14

    def precision(self, n_groups: int) -> Array:
        """Inverse covariance of the parameters, shape (G * 3, G * 3)."""
        n = 3 * n_groups
        same_part = np.kron(np.eye(n_groups), np.ones((3, 3)))
        covariance = self.stature**2 * np.ones((n, n)) + self.part**2 * same_part + self.dimension**2 * np.eye(n)
        return np.asarray(np.linalg.inv(covariance), dtype=np.float64)

    def wall(self, parameters: Array) -> tuple[float, Array, Array]:
        """A steep wall beyond the limit: its cost, half gradient (n,) and half Hessian (n, n)."""
        departure = parameters - parameters.mean()
        beyond = np.where(np.abs(departure) > self.limit, departure - np.sign(departure) * self.limit, 0.0)
        centred = np.eye(len(parameters)) - 1.0 / len(parameters)
        hit = (beyond != 0.0) / _WALL_SD**2
        return (
            float((beyond**2).sum() / _WALL_SD**2),
            centred @ beyond / _WALL_SD**2,
            centred @ (hit[:, None] * centred),
        )


_WALL_SD = 0.002  # logarithmic units

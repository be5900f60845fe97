"""Whether a simulation is consistent: forces from nowhere (residuals) and beside the muscles (reserves)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biopose_sim.forces.momentum import body_transforms, center_of_mass, segments
from biopose_sim.forces.results import Results
from biopose_sim.io import Table, read_mot

Array = NDArray[np.float64]
# Hicks et al. 2015, J. Biomech. Eng. 137:020905: residual forces in parts of the peak net external force, residual
# moments in parts of that times the height of the centre of mass.
RESIDUAL_FORCE = 0.05
RESIDUAL_MOMENT = 0.01
# OpenSim's documentation, "Simulation with OpenSim - Best Practices", checklist: of the peak moment of the joint.
RESERVE = 0.10
# Toes hardly carry a moment when the ground pushes on the heel's body: a reserve beside them may have this part of the
# largest moment of all joints.
_OF_ALL = 0.01


@dataclass(frozen=True, eq=False)
class Check:
    """A quantity against its limit.

    Attributes:
        name: "residual force", "residual moment" or "reserve".
        coordinate: of a reserve; empty for residuals.
        unit: of ``values`` and ``limit``: "N" or "N m".
        time: (T,) [s].
        values: (T,) sizes: of the resultant, or of the reserve.
        limit: most that is acceptable; None where nothing is known to compare with.
        against: what the limit is a part of.
    """

    name: str
    coordinate: str
    unit: str
    time: Array
    values: Array
    limit: float | None
    against: str

    @property
    def peak(self) -> float:
        """Largest size."""
        return float(self.values.max())

    @property
    def peak_time(self) -> float:
        """When it is largest [s]."""
        return float(self.time[int(self.values.argmax())])

    @property
    def rms(self) -> float:
        """Root mean square over time."""
        return float(np.sqrt(np.mean(self.values**2)))

    @property
    def passed(self) -> bool | None:
        """Whether the peak is within the limit; None without a limit."""
        return None if self.limit is None else self.peak <= self.limit


def center_height(results: Results) -> float:
    """Mean height of the body's centre of mass above the ground's origin [m]."""
    model = results.model
    motion = read_mot(results.folder / results.simulation.motion, dict(zip(model.coordinate_names, model.motion_types)))
    center = center_of_mass(segments(model), body_transforms(model, motion))
    inside = (motion.time >= results.simulation.start) & (motion.time <= results.simulation.end)
    return float(center[inside if inside.any() else slice(None), 1].mean())


def residual_checks(results: Results) -> list[Check]:
    """Residual force and moment at the floating root by inverse dynamics; the resultants of their components.

    The generalised moments of the root's successive rotations stand for the components of the moment. Without
    ground reactions there is no limit: everything is residual.
    """
    moments, (turns, shifts) = results.moments, results.root
    if moments is None:
        return []
    reaction = results.reaction
    most = None if reaction is None else float(np.linalg.norm(reaction.total, axis=1).max())
    checks = []
    for name, unit, names in (("residual force", "N", shifts), ("residual moment", "N m", turns)):
        names = tuple(n for n in names if n in moments.names)
        if not names:
            continue
        limit, against = None, "no ground reaction"
        if most is not None and unit == "N":
            limit, against = RESIDUAL_FORCE * most, f"{100 * RESIDUAL_FORCE:g} % of the peak external force"
        elif most is not None:
            limit = RESIDUAL_MOMENT * most * center_height(results)
            against = f"{100 * RESIDUAL_MOMENT:g} % of the peak external force times the height of the centre of mass"
        size = np.linalg.norm(moments.columns(names), axis=1)
        checks.append(Check(name, "", unit, moments.time, size, limit, against))
    return checks


def reserve_checks(results: Results) -> list[Check]:
    """Reserves of the coordinates that muscles move, against the peak moment of inverse dynamics.

    A hundredth of the largest moment of all joints is never too much.
    """
    reserves, moments = results.reserves, results.joint_moments
    if reserves is None:
        return []
    kinds = dict(zip(results.model.coordinate_names, results.model.motion_types))
    checks = []
    for coordinate in reserves.names:
        limit, against = (None, "no moment") if moments is None else _limit(moments, coordinate)
        unit = "N m" if kinds.get(coordinate) == "rotational" else "N"
        size = np.abs(reserves.column(coordinate))
        checks.append(Check("reserve", coordinate, unit, reserves.time, size, limit, against))
    return checks


def _limit(moments: Table, coordinate: str) -> tuple[float | None, str]:
    """The limit of a reserve and what it is a part of."""
    if coordinate not in moments.names:
        return None, "no moment"
    own, least = RESERVE * float(np.abs(moments.column(coordinate)).max()), _OF_ALL * float(np.abs(moments.data).max())
    if own >= least:
        return own, f"{100 * RESERVE:g} % of the peak moment"
    return least, f"{100 * _OF_ALL:g} % of the largest moment of all joints"

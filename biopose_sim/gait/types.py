"""Events and cycles of gait, as the rooms hand them to one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Cycle:
    """One stride of one leg.

    Attributes:
        side: ``"r"`` or ``"l"``.
        start: foot strike [s].
        foot_off: end of this foot's stance [s].
        end: next strike of the same foot [s].
    """

    side: str
    start: float
    foot_off: float
    end: float

    @property
    def duration(self) -> float:
        """Stride time [s]."""
        return self.end - self.start


@dataclass(frozen=True, eq=False)
class GaitEvents:
    """When the feet strike and leave the floor.

    Attributes:
        strikes: (n,) [s] by side, ``"r"`` and ``"l"``.
        offs: (n,) [s] by side.
        cycles: whole strides of both legs in order of time.
        kind: "walking", "running" (flight phases), or "none" where no cycle is found.
        source: "kinematics" or "force" (that timed the events it saw, kinematics the others).
        note: why no cycle was found, for people; empty where there are some.
    """

    strikes: dict[str, np.ndarray]
    offs: dict[str, np.ndarray]
    cycles: tuple[Cycle, ...]
    kind: str
    source: str
    note: str = ""

    def of(self, side: str) -> tuple[Cycle, ...]:
        """The strides of a side."""
        return tuple(cycle for cycle in self.cycles if cycle.side == side)

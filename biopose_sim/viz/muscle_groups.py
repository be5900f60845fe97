"""The main muscles of the leg, by the names that the usual OpenSim models give their compartments."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Rajagopal 2016 and its kin, Gait2354 and Gait2392, Gait10dof18musc; without the side.
GROUPS = (
    ("Gluteus maximus", r"glu?t?_?max\d?"),
    ("Gluteus medius", r"glu?t?_?med\d?"),
    ("Gluteus minimus", r"glu?t?_?min\d?"),
    ("Iliopsoas", r"iliacus|psoas|iliopsoas"),
    ("Rectus femoris", r"rec_?fem|rect_fem"),
    ("Vasti", r"vas_?(int|lat|med)|vasti"),
    ("Hamstrings", r"bflh|bifemlh|semi_?mem|semi_?ten|hamstrings"),
    ("Biceps femoris, short head", r"bfsh|bifemsh"),
    ("Gastrocnemius", r"gas_?(lat|med)\d*|(lat|med)_gas|gastroc"),
    ("Soleus", r"soleus"),
    ("Tibialis anterior", r"tib_?ant"),
    ("Adductors", r"add_?(brev|long|mag\w*)"),
)
_SIDE = re.compile(r"_[rl]$")


def muscle_groups(names: Iterable[str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Muscles by group and side ("r", "l", ""); empty groups are left out."""
    names = tuple(names)
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for title, pattern in GROUPS:
        sides: dict[str, tuple[str, ...]] = {}
        for side in ("r", "l", ""):
            chosen = tuple(n for n in names if _side(n) == side and re.fullmatch(pattern, _SIDE.sub("", n)))
            if chosen:
                sides[side] = chosen
        if sides:
            found[title] = sides
    return found


def _side(name: str) -> str:
    return name[-1] if _SIDE.search(name) else ""

"""Reading and writing recordings and motions: TRC, C3D, .mot and .sto. Needs no OpenSim.

Heavy libraries (numba, ezc3d) are imported when the first file is read.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError, near_matches
from .atomic import atomic_path, atomic_write
from .c3d import read_c3d
from .motion import Motion, MotionLike, guess_motion_type, read_mot, write_mot
from .notice import BioposeWarning
from .plates import Analog, ForcePlate
from .sto import Table, read_sto, write_sto
from .trc import read_trc, write_trc
from .trial import Trial

__all__ = [
    "Analog",
    "BioposeWarning",
    "ForcePlate",
    "Motion",
    "MotionLike",
    "TRIAL_READERS",
    "Table",
    "Trial",
    "atomic_path",
    "atomic_write",
    "guess_motion_type",
    "read_c3d",
    "read_mot",
    "read_sto",
    "read_trc",
    "read_trial",
    "write_mot",
    "write_sto",
    "write_trc",
]

TRIAL_READERS = {".trc": read_trc, ".c3d": read_c3d}


def read_trial(path: str | Path) -> Trial:
    """Read markers from a TRC or C3D file, by its suffix.

    Returns:
        The trial: time (T,) [s], markers (T, M, 3) [m], Y up.

    Raises:
        InputError: the suffix is another, or what the reader of the format raises.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in TRIAL_READERS:
        near = near_matches(suffix, TRIAL_READERS)
        remedy = f"markers are read from {' or '.join(TRIAL_READERS)}"
        raise InputError(path, f"unknown suffix '{suffix}'{near}", remedy)
    return TRIAL_READERS[suffix](path)

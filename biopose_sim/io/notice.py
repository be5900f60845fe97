"""The one warning class of the project, and how it is raised."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path


class BioposeWarning(UserWarning):
    """Something in the input was repaired or assumed; the message names the file and what was done."""


def warn(source: str | Path, text: str) -> None:
    """Issue a `BioposeWarning` of the form ``source: text``, attributed to the caller of the reader."""
    warnings.warn(f"{source}: {text}", BioposeWarning, stacklevel=4)


def listed(names: Sequence[str], limit: int = 8) -> str:
    """Return ``'A', 'B', ... and 3 more`` for messages."""
    shown = ", ".join(repr(name) for name in names[:limit])
    rest = len(names) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown

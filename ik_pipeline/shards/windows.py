"""Where windows begin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def window_starts(frames: int, window: int, stride: int, pad: bool) -> NDArray[np.int64]:
    """Return the first frames of the windows of a trial; the last one ends with the trial.

    Args:
        frames: of the trial.
        window: frames of a window.
        stride: frames between starts.
        pad: whether a trial shorter than a window gives one.
    """
    if frames < window:
        return np.zeros(int(pad and frames > 0), dtype=np.int64)
    last = frames - window
    starts = np.arange(0, last + 1, stride, dtype=np.int64)
    return starts if starts[-1] == last else np.append(starts, last)

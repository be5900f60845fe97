"""Poses while the markers still come: a window slides over the frames, each fades into the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from biopose_sim.errors import InputError
from biopose_sim.ik.types import Array
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.neurik.sampling import between, bridged, is_same, reach, sampled
from biopose_sim.neurik.windows import rising

if TYPE_CHECKING:
    from biopose_sim.neurik.predict import Predictor

DELAY = 0.8  # [s]
# Frames of the network beyond a pose that is given: with fewer it is less sure, with more windows must come oftener.
_BEYOND = 6
_AFTER = 2  # frames of the network that a pose between two of them needs besides the one before it
_BATCH = 32  # windows at a time


@dataclass(frozen=True)
class Poses:
    """What a stream gives back.

    Attributes:
        first: number of the first frame, counted from the stream's first.
        coordinates: (N, n_q) of successive frames, in the model's order [rad | m].
    """

    first: int
    coordinates: Array

    def __len__(self) -> int:
        return len(self.coordinates)


class Stream:
    """Takes frames of markers, one or several at a time, and gives poses back after a bounded delay.

    Every few frames the network sees the window that ends with the newest one; a pose is given once a window has seen
    some frames beyond it, faded from the window before, so that no seam exists. Sizes are means over the windows so
    far: they change while the stream goes on, most at its beginning; poses that were given are not changed.

    Attributes:
        rate: frames per second [Hz].
        delay: most that a pose comes after its frame, computation aside [s].
        sizes: mean logarithmic factors of the windows so far, (n_sizes,).

    Args:
        predictor: whose network is used; it must say all frames of a window.
        rate: frames per second [Hz].
        delay: wanted [s]; the stream's is as long or a little shorter.
        marker_names: of the markers that will come, in their order; those of the network if not given.

    Raises:
        InputError: a rate that is none, a delay that cannot be kept, fewer than ten known markers.
    """

    def __init__(
        self,
        predictor: Predictor,
        rate: float = 30.0,
        delay: float = DELAY,
        marker_names: Sequence[str] | None = None,
    ) -> None:
        if not (np.isfinite(rate) and rate > 0.0):
            raise InputError("NeurIK stream", f"rate {rate} Hz", "give the frames per second")
        config = predictor.network.config
        if config.output != "all":
            raise InputError("NeurIK stream", "its network says the last frame only", "give one that says all frames")
        self._predictor, self.rate = predictor, rate
        if predictor.skeleton.model.fast == "auto":
            # Its windows are few frames, but many.
            predictor.skeleton.model.fast = "always"
        self._slow_rate = rate if is_same(rate, predictor.rate) else predictor.rate
        self._width = 0.0 if self._slow_rate == rate else reach(rate, self._slow_rate)
        # What resampling takes of the delay, there and back [s].
        lost = 0.0 if not self._width else (self._width + 1.0) / rate + _AFTER / self._slow_rate
        frames = int((delay - lost) * self._slow_rate + 1.0 + 1e-6)
        if frames < 2:
            least = lost + 1.0 / self._slow_rate
            raise InputError("NeurIK stream", f"a delay of {delay:g} s", f"give {least:.2f} s or more")
        self._window = config.window
        self._beyond = min(_BEYOND, frames // 2, config.window // 2)
        self._hop = min(frames - self._beyond, config.window // 2)
        self.delay = lost + (self._hop + self._beyond - 1) / self._slow_rate
        self._columns = _columns(predictor.skeleton.model, marker_names)
        self._known = torch.tensor([k for k, column in enumerate(self._columns) if column >= 0])
        self._into = torch.tensor([column for column in self._columns if column >= 0])
        markers = torch.zeros(0, len(predictor.skeleton.model.marker_names), 3)
        self._raw, self._raw_first = markers, 0
        self._slow, self._slow_first = markers, 0
        width = 12 + len(predictor.skeleton.joint_names)
        self._ahead = torch.zeros(0, width, dtype=torch.float64)  # what the last window says of frames not given yet
        self._rows = self._ahead  # given at the network's rate, as far as they are still needed
        self._rows_first = self._run_to = self._given = 0
        self._held: Tensor | None = None
        self._angles: Array | None = None
        self._time: float | None = None
        self.sizes = torch.zeros(predictor.skeleton.n_sizes)
        self._n_windows = 0

    @property
    def scales(self) -> Array:
        """Factors of size as known so far, (n_bodies, 3)."""
        return self._predictor.skeleton.scales(self.sizes.double()).numpy()

    @property
    def model(self) -> OsimModel:
        """The model in the size that is known so far."""
        return self._predictor.skeleton.model.scale(self.scales)

    def push(self, markers: NDArray[np.floating] | Tensor, time: float | None = None) -> Poses:
        """Take the next frames and return the poses that are ready, often none.

        Args:
            markers: (M, 3) of one frame or (N, M, 3) of several [m], ground frame with Y up; NaN where not seen.
            time: of the first of them [s]; frames that were dropped before it count as frames without markers.

        Raises:
            InputError: another shape, or a time that is not later than the one before.
        """
        given = torch.as_tensor(np.asarray(markers, dtype=np.float32))
        given = given[None] if given.dim() == 2 else given
        if given.dim() != 3 or given.shape[1:] != (len(self._columns), 3):
            wanted = f"({len(self._columns)}, 3) or (frames, {len(self._columns)}, 3)"
            raise InputError("NeurIK stream", f"markers of shape {tuple(given.shape)}", f"give {wanted}")
        frames = torch.full((len(given), self._raw.shape[1], 3), torch.nan)
        frames[:, self._into] = given[:, self._known]
        self._raw = torch.cat([self._raw, self._dropped(time, len(given)), frames])
        return self._advance(False)

    def finish(self) -> Poses:
        """Return the poses of all frames that have come and were not given yet."""
        return self._advance(True)

    def _dropped(self, time: float | None, n_new: int) -> Tensor:
        """Frames without markers for those that did not come."""
        missed = 0
        if time is not None:
            if self._time is not None:
                missed = round((time - self._time) * self.rate) - 1
                if missed < 0:
                    raise InputError("NeurIK stream", f"time {time:g} s after {self._time:g} s", "give frames in order")
            self._time = time + (n_new - 1) / self.rate
        elif self._time is not None:
            self._time += n_new / self.rate
        return torch.full((missed, *self._raw.shape[1:]), torch.nan)

    @torch.no_grad()
    def _advance(self, finishing: bool) -> Poses:
        self._resample(finishing)
        due = self._slow_first + len(self._slow)
        ends = list(range((self._run_to or self._beyond) + self._hop, due + 1, self._hop))
        if finishing and due > (ends[-1] if ends else self._run_to):
            ends.append(due)
        if not (ends or finishing):
            return self._nothing
        for first in range(0, len(ends), _BATCH):
            self._run(ends[first : first + _BATCH])
        if finishing:
            self._give_rows(self._ahead)
            self._ahead = self._ahead[:0]
        return self._poses(finishing)

    def _resample(self, finishing: bool) -> None:
        """Bring what came to the network's rate."""
        if not self._width:
            self._slow = torch.cat([self._slow, self._raw])
            self._raw_first, self._raw = self._raw_first + len(self._raw), self._raw[:0]
            return
        step = self.rate / self._slow_rate
        end = self._raw_first + len(self._raw) - 1
        start = self._slow_first + len(self._slow)
        stop = int((end if finishing else end - self._width) / step + 1e-6) + 1
        if stop <= start:
            return
        place = torch.arange(start, stop, dtype=torch.float64) * step
        self._slow = torch.cat([self._slow, sampled(self._raw, place - self._raw_first, self._width)])
        done = min(max(int(stop * step - self._width) - 1 - self._raw_first, 0), len(self._raw))
        self._raw, self._raw_first = self._raw[done:], self._raw_first + done

    def _run(self, ends: Sequence[int]) -> None:
        """Let the network see the windows that end before these frames, and give what they settle."""
        last = len(self._slow) - 1
        places = []
        for end in ends:
            start = max(end - self._window, 0)
            # A window that is not full repeats its last frame.
            own = torch.arange(start, start + self._window).clamp_max(end - 1) - self._slow_first
            places.append(own.clamp_max(last))
        rows, estimate = self._predictor.estimate(self._slow[torch.stack(places)])
        for end, said, sizes in zip(ends, rows.double(), estimate.sizes):
            self._n_windows += 1
            self.sizes = torch.lerp(self.sizes, sizes, 1.0 / self._n_windows)
            self._settle(end, said[: min(end, self._window)])
        kept = max(self._run_to - self._window, 0) - self._slow_first
        if kept > 0:
            self._slow, self._slow_first = self._slow[kept:], self._slow_first + kept

    def _settle(self, end: int, said: Tensor) -> None:
        """Fade what the last window said of frames not given yet into what this one says, and give what is due."""
        given = self._rows_first + len(self._rows)
        new = said[given - end :]
        old = self._ahead
        share = rising((torch.arange(len(old), dtype=torch.float64) + 0.5) / max(len(old), 1))[:, None]
        new = torch.cat([torch.lerp(old, new[: len(old)], share), new[len(old) :]])
        settled = max(end - self._beyond - given, 0)
        from biopose_sim.neurik.predict import is_seen

        first = given - self._slow_first
        new = self._bridged(new, is_seen(self._slow[first : first + len(new)]))
        self._give_rows(new[:settled])
        self._ahead, self._run_to = said[given + settled - end :], end

    def _bridged(self, rows: Tensor, seen: Tensor) -> Tensor:
        """Interpolate where the person is not seen, from the last pose in which it was."""
        if self._held is None:
            return bridged(rows, seen)
        both = bridged(torch.cat([self._held[None], rows]), torch.cat([seen.new_ones(1), seen]))
        return both[1:]

    def _give_rows(self, rows: Tensor) -> None:
        self._rows = torch.cat([self._rows, rows])
        if len(rows):
            self._held = rows[-1]

    def _poses(self, finishing: bool) -> Poses:
        """Coordinates of the recording's frames that the settled rows reach."""
        first, step = self._given, self._slow_rate / self.rate
        last = self._rows_first + len(self._rows) - 1
        if finishing:
            stop = self._raw_first + len(self._raw)
        elif not self._width:
            stop = last + 1
        else:
            stop = max(int(np.ceil((last - _AFTER + 1) / step - 1e-9)), first)
        if stop <= first or last < 0:
            return self._nothing
        places = torch.arange(first, stop, dtype=torch.float64) * step - self._rows_first
        rows = between(self._rows, places) if self._width else self._rows[first - self._rows_first :]
        coordinates = self._predictor.coordinates_of(rows).numpy().copy()
        self._given = stop
        done = max(int(stop * step) - 2 - self._rows_first, 0) if self._width else len(self._rows)
        self._rows, self._rows_first = self._rows[done:], self._rows_first + done
        self._unwind(coordinates)
        return Poses(first, coordinates)

    @property
    def _nothing(self) -> Poses:
        return Poses(self._given, np.zeros((0, len(self._predictor.skeleton.model.coordinate_names))))

    def _unwind(self, coordinates: Array) -> None:
        """Take whole turns out of the root's angles since the last pose that was given."""
        columns = list(self._predictor.skeleton.root_angles)
        before = coordinates[:1, columns] if self._angles is None else self._angles
        coordinates[:, columns] = np.unwrap(np.concatenate([before, coordinates[:, columns]]), axis=0)[1:]
        self._angles = coordinates[-1:, columns]


def _columns(model: OsimModel, names: Sequence[str] | None) -> list[int]:
    """Place of each coming marker among the network's; -1 for those that it does not know."""
    known = {name: k for k, name in enumerate(model.marker_names)}
    columns = [known.get(name, -1) for name in (model.marker_names if names is None else names)]
    if sum(column >= 0 for column in columns) < 10:
        problem = f"{sum(column >= 0 for column in columns)} of the markers are known to the network"
        raise InputError("NeurIK stream", problem, "'biopose markers list' shows them")
    return columns

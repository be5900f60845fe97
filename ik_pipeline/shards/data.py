"""Reading shards: windows, batches and whole trials from memory maps; numpy alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from ik_pipeline.shards.types import ARRAYS, FRAME_ARRAYS, Arrays, Card, check_size
from ik_pipeline.shards.windows import window_starts

# What a batch holds of each window's person and trial.
_OF_PERSON = ("scales", "marker_offsets")
_OF_TRIAL = ("coordinates_free", "coordinates_determined")


class ShardData:
    """Windows of one split.

    Attributes:
        card: of the folder.
        split: ``"train"``, ``"val"`` or ``"test"``.
        length: frames of a window.
        arrays: memory maps by name, as ``card.content["arrays"]`` describes them.
        persons: a row for each person, as dicts: id, dataset, group, sex, stature [m], mass [kg].
        trials: a row for each trial: name, person (its id), action, dataset, rate [Hz], start_s, quality.
        window_start: (n_windows,) index of each window's first frame.
        window_trial: (n_windows,) row of its trial.
    """

    def __init__(
        self,
        folder: str | Path,
        split: str,
        *,
        window: int | None = None,
        stride: int | None = None,
        pad: bool | None = None,
        quantities: Sequence[str] | None = None,
    ) -> None:
        """Open a split; only sizes are checked (see :meth:`verify`).

        Args:
            folder: of the shards.
            split: ``"train"``, ``"val"`` or ``"test"``.
            window: another length than the one written [frames].
            stride: another stride than the one written [frames].
            pad: whether trials shorter than a window give one; as written if None.
            quantities: the per-frame arrays that windows hold; all if None.

        Raises:
            InputError: no shards there, no such split or quantity, or a file of another size than written.
        """
        self.card = Card.read(folder)
        self.folder, self.split = self.card.folder, split
        splits = self.card.content["splits"]
        if split not in splits:
            raise InputError(folder, f"has no split {split!r}", f"give one of {', '.join(splits)}")
        self.quantities = tuple(FRAME_ARRAYS if quantities is None else quantities)
        if unknown := [name for name in self.quantities if name not in FRAME_ARRAYS]:
            raise InputError(folder, f"has no quantity {unknown[0]!r}", f"give some of {', '.join(FRAME_ARRAYS)}")
        self._given = (window, stride, pad, quantities)
        self.arrays: Arrays = {name: self._open(f"{name}.npy") for name in ARRAYS}
        self.persons: tuple[dict[str, Any], ...] = tuple(json.loads(self._checked("persons.json").read_text("utf-8")))
        self.trials: tuple[dict[str, Any], ...] = tuple(json.loads(self._checked("trials.json").read_text("utf-8")))
        written = self.card.content["configuration"]
        self.length = written["window"] if window is None else window
        self.pad = written["pad"] if pad is None else pad
        self.window_start, self.window_trial = self._windows(written["stride"] if stride is None else stride)

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.window_start)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process as the name of a folder, not as its content."""
        return _reopen, (self.folder, self.split, *self._given)

    def window(self, index: int) -> Arrays:
        """Return one window as :meth:`batch` does, without the leading dimension."""
        return {name: values[0] for name, values in self.batch([index]).items()}

    def batch(self, indices: npt.ArrayLike) -> Arrays:
        """Return windows as new arrays.

        Args:
            indices: of the windows, (B,).

        Returns:
            The per-frame quantities (B, window, ...), ``valid`` (B, window): whether the frame is one of the trial's
            and not a repetition of its last, ``scales`` (B, n_bodies, 3), ``marker_offsets`` (B, M, 3) [m],
            ``coordinates_free`` and ``coordinates_determined`` (B, n_q), ``person`` and ``trial`` (B,): rows of the
            tables, ``rate`` (B,) [Hz].

        Raises:
            InputError: an index beyond the last window.
        """
        rows = np.atleast_1d(np.asarray(indices, dtype=np.int64))
        if rows.size and (rows.min() < -len(self) or rows.max() >= len(self)):
            raise InputError(self.folder, f"has no window {rows.max()} in {self.split!r}", f"it has {len(self)}")
        starts, trials = self.window_start[rows], self.window_trial[rows]
        ends = self.arrays["trial_start"][trials] + self.arrays["trial_frames"][trials]
        lengths = np.minimum(ends - starts, self.length)
        batch = {name: self._gather(self.arrays[name], starts, lengths) for name in self.quantities}
        batch["valid"] = np.arange(self.length) < lengths[:, None]
        persons = np.asarray(self.arrays["trial_person"][trials])
        batch |= {name: self.arrays[name][persons] for name in _OF_PERSON}
        batch |= {name: self.arrays[name][trials] for name in _OF_TRIAL}
        return batch | {"person": persons, "trial": trials, "rate": np.asarray(self.arrays["trial_rate"][trials])}

    def trial(self, row: int) -> Arrays:
        """Return all frames of a trial: the per-frame quantities (T, ...) as views of the files, and ``scales``,
        ``marker_offsets``, ``coordinates_free``, ``coordinates_determined``, ``rate``.
        """
        start, frames = int(self.arrays["trial_start"][row]), int(self.arrays["trial_frames"][row])
        person = int(self.arrays["trial_person"][row])
        found = {name: self.arrays[name][start : start + frames] for name in self.quantities}
        found |= {name: self.arrays[name][person] for name in _OF_PERSON}
        found |= {name: self.arrays[name][row] for name in _OF_TRIAL}
        return found | {"rate": np.asarray(self.arrays["trial_rate"][row])}

    def torch(self) -> Any:
        """Return a ``torch.utils.data.Dataset`` of these windows (see :mod:`ik_pipeline.shards.torch_data`)."""
        from ik_pipeline.shards.torch_data import TorchWindows

        return TorchWindows(self)

    def verify(self) -> None:
        """Compare the split's files with their hashes.

        Raises:
            InputError: names the first file that is missing, truncated or changed.
        """
        self.card.verify(self.split)

    def _windows(self, stride: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if self._given[:3] == (None, None, None):
            return np.asarray(self.arrays["window_start"]), np.asarray(self.arrays["window_trial"])
        if self.length < 1 or stride < 1:
            raise InputError("shards", f"window {self.length}, stride {stride}", "both are at least one frame")
        frames, first = self.arrays["trial_frames"], self.arrays["trial_start"]
        starts = [a + window_starts(int(n), self.length, stride, self.pad) for a, n in zip(first, frames)]
        trials = [np.full(len(s), row, dtype=np.int64) for row, s in enumerate(starts)]
        empty = [np.zeros(0, dtype=np.int64)]
        return np.concatenate(empty + starts), np.concatenate(empty + trials)

    def _gather(self, source: NDArray[Any], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[Any]:
        """Frames of windows, the last one repeated where the trial ends before the window does."""
        found = np.empty((len(starts), self.length, *source.shape[1:]), dtype=source.dtype)
        for row, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist())):
            found[row, :length] = source[start : start + length]
            found[row, length:] = source[start + length - 1]
        return found

    def _checked(self, name: str) -> Path:
        path = self.folder / self.split / name
        check_size(path, self.card.content["files"][f"{self.split}/{name}"]["bytes"])
        return path

    def _open(self, name: str) -> NDArray[Any]:
        path = self._checked(name)
        try:
            # numpy cannot map a file that holds no number.
            found = np.load(path, mmap_mode="r", allow_pickle=False)
            return np.ndarray.view(found, np.ndarray)
        except ValueError as error:
            if (loaded := _load_empty(path)) is not None:
                return loaded
            raise InputError(path, f"is not an array ({error})", "write the shards again") from error


def _load_empty(path: Path) -> NDArray[Any] | None:
    try:
        found = np.load(path, allow_pickle=False)
    except ValueError:
        return None
    return found if found.size == 0 else None


def _reopen(folder: Path, split: str, window: Any, stride: Any, pad: Any, quantities: Any) -> ShardData:
    return ShardData(folder, split, window=window, stride=stride, pad=pad, quantities=quantities)

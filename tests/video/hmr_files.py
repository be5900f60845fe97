"""Small files with the keys and shapes of HMR2.0's and EMDB's, made of a person that a known camera sees."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT, FOCAL = 320, 240, 300.0
# Index coordinates, as OpenCV counts: the middle of the first pixel is 0.
PRINCIPAL = np.array([159.5, 119.5])


def person(seed: int) -> dict[str, np.ndarray]:
    """The fields of a person, joined as in the tar shards: points in space and where the camera sees them."""
    chance = np.random.default_rng(seed)
    space = chance.uniform([-0.4, -0.8, 3.0], [0.4, 0.8, 3.5], (44, 3))
    pixels = FOCAL * space[:, :2] / space[:, 2:] + PRINCIPAL
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    return {
        "center": 0.5 * (low + high),
        "scale": 1.2 * (high - low),
        "body_pose": chance.normal(0, 0.4, 72),
        "has_body_pose": np.array(1.0),
        "betas": chance.normal(0, 0.5, 10),
        "has_betas": np.array(1.0),
        "keypoints_2d": np.column_stack([pixels, np.full(44, 0.9)]),
        "keypoints_3d": np.column_stack([space, np.ones(44)]),
    }


def picture(seed: int) -> Image.Image:
    """A smooth picture in colours, so that JPEG keeps it."""
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


def write_npz(folder: Path, people: int = 3, **changes: Any) -> Path:
    """A training or evaluation npz of HMR2.0 with its pictures; `changes` replace keys, None leaves one out."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = [person(seed) for seed in range(people)]
    for seed in range(people):
        picture(seed).save(folder / "images" / f"{seed}.png")
    fields: dict[str, Any] = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    for kind in ("2d", "3d"):
        joined = fields.pop(f"keypoints_{kind}")
        fields[f"body_keypoints_{kind}"], fields[f"extra_keypoints_{kind}"] = joined[:, :25], joined[:, 25:]
    fields["imgname"] = np.array([f"images/{seed}.png".encode() for seed in range(people)])
    fields |= changes
    np.savez(folder / "set.npz", **{key: value for key, value in fields.items() if value is not None})
    return folder / "set.npz"


def write_tar(path: Path, people_of: dict[str, list[dict[str, Any]]]) -> Path:
    """A shard of HMR2.0: a picture and a pickled list of people for each key."""
    with tarfile.open(path, "w") as archive:
        for number, (key, people) in enumerate(people_of.items()):
            jpeg = io.BytesIO()
            picture(number).save(jpeg, "JPEG", quality=95)
            for ending, data in (("jpg", jpeg.getvalue()), ("data.pyd", pickle.dumps(people))):
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return path


def tar_person(seed: int, **changes: Any) -> dict[str, Any]:
    """A person as the shards have one: the scale in units of 200 pixels, the fit's loss in an array."""
    fields: dict[str, Any] = person(seed)
    fields["scale"] = fields["scale"] / 200.0
    fields["extra_info"] = {"fitting_loss": np.array({"reprojection_loss": 100.0}, dtype=object)}
    return fields | changes


def emdb(frames: int = 4) -> dict[str, Any]:
    """The dictionary of an EMDB pickle."""
    chance = np.random.default_rng(5)
    extrinsics = np.tile(np.eye(4), (frames, 1, 1))
    extrinsics[:, :3, :3] = np.diag([1.0, -1.0, -1.0])
    extrinsics[:, :3, 3] = [0.1, 0.2, 3.0]
    return {
        "gender": "female",
        "name": "P0_00_test",
        "emdb1": True,
        "emdb2": False,
        "n_frames": frames,
        "good_frames_mask": np.array([True] * (frames - 1) + [False]),
        "camera": {
            "intrinsics": np.array([[FOCAL, 0, PRINCIPAL[0]], [0, FOCAL, PRINCIPAL[1]], [0, 0, 1]]),
            "extrinsics": extrinsics,
            "width": WIDTH,
            "height": HEIGHT,
        },
        "smpl": {
            "poses_root": chance.normal(0, 0.3, (frames, 3)),
            "poses_body": chance.normal(0, 0.3, (frames, 69)),
            "trans": chance.normal(0, 0.3, (frames, 3)),
            "betas": chance.normal(0, 0.5, 10),
        },
        "kp2d": np.zeros((frames, 24, 2)),
        "bboxes": {"bboxes": np.tile([100.0, 60.0, 160.0, 200.0], (frames, 1)), "invalid_idxs": np.array([frames - 1])},
    }

"""Makers of tiny motion files with the keys, shapes and dtypes of the real ones (see FORMATS of each reader)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

T = 6


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def poses(joints: int, n: int = T, seed: int = 0) -> np.ndarray:
    return rng(seed).normal(scale=0.2, size=(n, joints * 3))


def amass(path: Path, **other) -> Path:
    """AMASS SMPL+H: names end in _poses.npz."""
    arrays = {
        "trans": rng(1).normal(size=(T, 3)),
        "gender": np.array("female"),
        "mocap_framerate": np.array(120.0),
        "betas": rng(2).normal(size=16),
        "dmpls": np.zeros((T, 8)),
        "poses": poses(52),
        **other,
    }
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def stageii(path: Path, **other) -> Path:
    """AMASS SMPL-X: names end in _stageii.npz; the rate has another key; one entry is a dictionary."""
    whole = poses(55)
    parts = np.split(whole, [3, 66, 69, 75], axis=1)
    arrays = {
        "gender": np.array("neutral"),
        "surface_model_type": np.array("smplx"),
        "mocap_frame_rate": np.array(120.0),
        "mocap_time_length": np.array(T / 120.0),
        "markers_latent": np.zeros((41, 3)),
        "latent_labels": np.array(["LASI"] * 41),
        "markers_latent_vids": np.array({"LASI": 1}, dtype=object),
        "trans": rng(1).normal(size=(T, 3)),
        "poses": whole,
        "betas": rng(2).normal(size=16),
        "num_betas": np.array(16),
        **dict(zip(("root_orient", "pose_body", "pose_jaw", "pose_eye", "pose_hand"), parts)),
        **other,
    }
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def bedlam_motion(path: Path, **other) -> Path:
    whole = poses(55)
    arrays = {
        "poses": whole,
        "trans": rng(1).normal(size=(T, 3)),
        "betas": rng(2).normal(size=11),
        "global_ori": whole[:, :3],
        "motion_info": np.array("moving/00012_motion"),
        "mocap_frame_rate": np.array(30),
        "gender": np.array("neutral"),
        "gender_sub": np.array("male"),
        **other,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def bedlam_training(path: Path, betas: int = 11) -> Path:
    """Two people in one folder and one in another; images 0, 5, 15 (10 is missing) of the first person."""
    rows = [("seq_000000", 0, "rp_a"), ("seq_000000", 5, "rp_a"), ("seq_000000", 15, "rp_a")]
    rows += [("seq_000000", 0, "rp_b"), ("seq_000000", 5, "rp_b"), ("seq_000001", 0, "rp_a")]
    n = len(rows)
    extrinsics = np.tile(np.eye(4), (n, 1, 1))
    extrinsics[:, :3, 3] = [0.0, 0.0, 4.0]
    np.savez(
        path,
        imgname=[f"{folder}/{folder}_{image:04d}.png" for folder, image, _ in rows],
        center=np.zeros((n, 2)),
        scale=np.ones(n),
        pose_cam=poses(55, n, 3),
        pose_world=poses(55, n, 4),
        shape=np.tile(rng(2).normal(size=betas), (n, 1)),
        trans_cam=rng(5).normal(size=(n, 3)),
        trans_world=rng(6).normal(size=(n, 3)),
        gtkps=np.zeros((n, 127, 2)),
        cam_int=np.tile(np.eye(3), (n, 1, 1)),
        cam_ext=extrinsics,
        gender=["female" if body == "rp_a" else "male" for _, _, body in rows],
        proj_verts=np.zeros((n, 437, 2)),
        motion_info=[f"{body}_motion" for _, _, body in rows],
        sub=[body for _, _, body in rows],
    )
    return path


def movi_amass(path: Path, key: str = "Subject_3_F_amass", sex: str = "female", compressed: bool = True) -> Path:
    from scipy.io import savemat

    moves = np.empty((2, 1), dtype=object)
    for i, name in enumerate(("walking", "kicking")):
        moves[i, 0] = {
            "jointsParent": np.arange(52.0)[:, None],
            "jointsBetas_amass": rng(2).normal(size=(16, 1)).T,
            "jointsLocation_amass": np.zeros((T + i, 52, 3)),
            "jointsExpMaps_amass": poses(52, T + i, i).reshape(-1, 52, 3),
            "RootTranslation_amass": rng(i).normal(size=(T + i, 3)),
            "description": name,
        }
    savemat(
        path,
        {key: {"id": "Subject_3", "subject": {"sex": sex, "height": 170.0}, "move": moves}},
        do_compression=compressed,
    )
    return path


def movi_markers(path: Path, key: str = "Subject_3_F", flags=((3, 6), (8, 10))) -> Path:
    from scipy.io import savemat

    points = rng(0).normal(loc=1000.0, size=(12, 4, 3))
    points[4, 1] = 0.0
    cell = np.empty((1, 1), dtype=object)
    cell[0, 0] = {
        "markerName": np.array(["LASI", "RASI", "C7", "T10"], dtype=object)[None],
        "markerLocation": points,
        "markerGaps": np.zeros((12, 4)),
        "virtualMarkerName": np.array(["hipL", "hipR"], dtype=object)[None],
        "virtualMarkerLocation": points[:, :2],
        "virtualMarkerParent": np.array([[0.0, 1.0]]),
        "flags30": np.array([[1.0, 2.0], [2.0, 3.0]]),
        "flags120": np.array(flags, dtype=float),
        "motions_list": np.array(["walking", "kicking"], dtype=object)[:, None],
    }
    savemat(path, {key: {"id": "Subject_3", "subject": {"sex": "female"}, "move": cell}}, do_compression=True)
    return path


def wham_person(frame_ids: np.ndarray, seed: int = 0, mesh: bool = True) -> dict:
    n = len(frame_ids)
    person = {
        "pose": poses(24, n, seed).astype(np.float32),
        "trans": rng(seed).normal(size=(n, 3)).astype(np.float32),
        "pose_world": poses(24, n, seed + 1).astype(np.float32),
        "trans_world": rng(seed + 1).normal(size=(n, 3)).astype(np.float32),
        "betas": rng(seed).normal(size=(n, 10)).astype(np.float32),
        "frame_ids": frame_ids,
    }
    if mesh:
        person["verts"] = rng(seed).normal(size=(n, 6890, 3)).astype(np.float32)
    return person


def phalp_frames(n: int = 5) -> dict:
    """Person 1 in all frames, predicted in frame 2; person 2 from frame 3 on; nobody in the last frame."""
    from scipy.spatial.transform import Rotation

    frames = {}
    for t in range(n + 1):
        people = [] if t == n else [1] if t < 3 else [1, 2]
        smpl = []
        for person in people:
            turns = Rotation.from_rotvec(rng(10 * t + person).normal(scale=0.2, size=(24, 3))).as_matrix()
            turns = turns.astype(np.float32)
            betas = np.full(10, person, np.float32)
            smpl.append({"global_orient": turns[:1], "body_pose": turns[1:], "betas": betas})
        frames[f"outputs/_DEMO/clip/img/{t + 1:06d}.jpg"] = {
            "time": t,
            "shot": 0,
            "tid": people,
            "tracked_ids": people,
            "tracked_time": [1 if (t, person) == (2, 1) else 0 for person in people],
            "bbox": [np.zeros(4) for _ in people],
            "smpl": smpl,
            "camera": [np.array([0.1, 0.2, 20.0 + t], np.float32) for _ in people],
            "3d_joints": [np.zeros((45, 3), np.float32) for _ in people],
        }
    return frames


def gvhmr(path: Path, n: int = T) -> dict:
    import torch

    def side(seed: int) -> dict:
        whole = poses(22, n, seed)
        return {
            "body_pose": torch.tensor(whole[:, 3:], dtype=torch.float32),
            "betas": torch.zeros(n, 10),
            "global_orient": torch.tensor(whole[:, :3], dtype=torch.float32),
            "transl": torch.tensor(rng(seed).normal(size=(n, 3)), dtype=torch.float32),
        }

    results = {
        "smpl_params_global": side(0),
        "smpl_params_incam": side(1),
        "K_fullimg": torch.eye(3).repeat(n, 1, 1),
        "net_outputs": {"static_conf_logits": torch.zeros(1, n, 6)},
    }
    torch.save(results, path)
    return results


def smplestx(path: Path, n: int = T) -> dict[str, np.ndarray]:
    """Two people; the second is not seen in frames 0 and 3."""
    whole = np.stack([poses(22, n, seed) for seed in (0, 1)]).astype(np.float32)
    translation = rng(2).normal(size=(2, n, 3)).astype(np.float32)
    whole[1, [0, 3]] = np.nan
    translation[1, [0, 3]] = np.nan
    arrays = {
        "betas": rng(3).normal(size=(2, 10)).astype(np.float32),
        "global_orient": whole[:, :, :3],
        "body_poses": whole[:, :, 3:],
        "transl": translation,
    }
    np.savez(path, **arrays)
    return arrays


def sam_person(frame: int, place: int = 0) -> dict:
    """A body of 1.7 m, y down, 3 m before the camera."""
    points = rng(0).normal(scale=[0.1, 0.3, 0.1], size=(18439, 3)).astype(np.float32)
    return {
        "bbox": np.zeros(4, np.float32),
        "focal_length": np.float32(1000.0),
        "pred_keypoints_3d": np.zeros((70, 3), np.float32),
        "pred_vertices": points,
        "pred_cam_t": np.array([place, 0.0, 3.0 + frame], np.float32),
        "mhr_model_params": np.zeros(204, np.float32),
        "mask": None,
    }

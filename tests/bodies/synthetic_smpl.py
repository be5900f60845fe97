"""Model files with the keys, shapes and types of the SMPL family's, made of random numbers: nothing is theirs."""

from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path

import numpy as np
from scipy import sparse

SIZES = {"smpl": (6890, 24), "smplh": (6890, 52), "smplx": (10475, 55)}
# Parents as the published models have them: which joint hangs on which.
_BODY = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19]


def parents(body: str) -> list[int]:
    """Parents of the joints of a model."""
    tree = list(_BODY)
    if body == "smpl":
        return [*tree, 20, 21]
    if body == "smplx":
        tree += [15, 15, 15]
    for wrist in (20, 21):
        for _ in range(5):
            tree.append(wrist)
            tree += [len(tree) - 1, len(tree)]
    return tree


def model_arrays(body: str, n_betas: int = 16, seed: int = 0) -> dict[str, np.ndarray]:
    """Arrays of a model file: a cloud of vertices around a stick figure's joints, smooth enough to be a body."""
    rng = np.random.default_rng(seed)
    n_vertices, n_joints = SIZES[body]
    tree = parents(body)
    joints = np.zeros((n_joints, 3))
    for joint in range(1, n_joints):
        joints[joint] = joints[tree[joint]] + rng.uniform(-0.2, 0.2, 3)
    owner = np.arange(n_vertices) % n_joints
    regressor = (owner[None] == np.arange(n_joints)[:, None]).astype(float)
    regressor /= regressor.sum(axis=1, keepdims=True)
    weights = np.zeros((n_vertices, n_joints))
    weights[np.arange(n_vertices), owner] = 0.7
    weights[np.arange(n_vertices), np.maximum(np.array(tree)[owner], 0)] += 0.3
    columns = 400 if body == "smplx" and n_betas > 10 else 20 if body == "smplx" else n_betas
    kintree = np.array([tree, range(n_joints)], dtype=np.int64).astype(np.uint32)
    return {
        "v_template": joints[owner] + rng.normal(0, 0.05, (n_vertices, 3)),
        "shapedirs": rng.normal(0, 0.01, (n_vertices, 3, columns)).astype(np.float32),
        "posedirs": rng.normal(0, 0.002, (n_vertices, 3, 9 * (n_joints - 1))).astype(np.float32),
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": kintree,
        "f": rng.integers(0, n_vertices, (50, 3)).astype(np.uint32),
    }


def extras(body: str) -> dict[str, np.ndarray]:
    """What the ``smplx`` package reads besides: hands and landmarks."""
    if body == "smpl":
        return {}
    hands = {f"hands_components{s}": np.eye(45) for s in "lr"} | {f"hands_mean{s}": np.full(45, 0.1) for s in "lr"}
    if body == "smplh":
        return hands
    return hands | {"lmk_faces_idx": np.arange(5), "lmk_bary_coords": np.full((5, 3), 1 / 3)}


def write_npz(path: Path, body: str, n_betas: int = 16) -> Path:
    """Write a model as AMASS and SMPL-X hand it out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **model_arrays(body, n_betas), **extras(body))
    return path


def write_pickle(path: Path, body: str, n_betas: int = 10) -> Path:
    """Write a model as SMPL hands it out: a pickle with chumpy arrays and a sparse regressor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = model_arrays(body, n_betas)
    modules = {name: types.ModuleType(name) for name in ("chumpy", "chumpy.ch", "chumpy.reordering")}
    ch = type("Ch", (), {"__module__": "chumpy.ch"})
    select = type("Select", (), {"__module__": "chumpy.reordering"})
    modules["chumpy.ch"].Ch, modules["chumpy.reordering"].Select = ch, select

    def chumpy(array: np.ndarray) -> object:
        made = ch()
        made.x = array
        return made

    picked = select()
    directions = arrays["shapedirs"]
    picked.a, picked.idxs = chumpy(directions[::-1].copy()), np.arange(directions.size).reshape(directions.shape)[::-1]
    picked.idxs, picked.preferred_shape = picked.idxs.ravel(), directions.shape
    stored = dict(arrays, shapedirs=picked, v_template=chumpy(arrays["v_template"]))
    stored["J_regressor"] = sparse.csc_matrix(arrays["J_regressor"])
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        path.write_bytes(pickle.dumps(stored, protocol=2))
    finally:
        for name, module in before.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
    return path

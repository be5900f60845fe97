"""Model files of the SMPL family: where they lie and what is in them.

The files are licensed to each user by the Max Planck Institute and are never shipped here.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .readers.unpickle import Inert, load_pickle

MODELS_VARIABLE = "BIOPOSE_BODY_MODELS"
GENDERS = ("female", "male", "neutral")


@dataclass(frozen=True)
class Family:
    """A model of the SMPL family: its sizes, and where a person registers for its files."""

    title: str
    site: str
    n_vertices: int
    n_joints: int
    # The shape directions are the first of these columns for the number of columns that a file has: SMPL-X files
    # carry facial expressions after them.
    shape_columns: Mapping[int, int]


FAMILIES = {
    "smpl": Family("SMPL", "smpl.is.tue.mpg.de", 6890, 24, {}),
    "smplh": Family("SMPL+H", "mano.is.tue.mpg.de", 6890, 52, {}),
    "smplx": Family("SMPL-X", "smpl-x.is.tue.mpg.de", 10475, 55, {20: 10, 400: 300}),
}
_ARRAYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")
# Left before right; SMPL-H and SMPL-X files have them.
_HANDS = ("hands_meanl", "hands_meanr")
_AGAIN = "download the file again"
# In the names of SMPL's files as they are downloaded.
_SMPL_LETTERS = {"female": "f", "male": "m", "neutral": "neutral"}


@dataclass(frozen=True, eq=False)
class ModelArrays:
    """Contents of a model file.

    Attributes:
        body: ``"smpl"``, ``"smplh"`` or ``"smplx"``.
        source: the file.
        template: (V, 3) vertices of the mean shape [m].
        shape_directions: (V, 3, S) change per beta [m].
        pose_directions: (V, 3, 9 (J - 1)) change per element of the rotation matrices minus the identity [m].
        joint_regressor: (J, V) joints from vertices.
        weights: (V, J) skinning weights.
        parents: J indices, -1 for the root.
        faces: (F, 3) triangles.
        hands: (30, 3) mean pose of the last 30 joints, left hand first, as axis-angle [rad]; None where there is none.
    """

    body: str
    source: Path
    template: NDArray[np.float64]
    shape_directions: NDArray[np.float64]
    pose_directions: NDArray[np.float64]
    joint_regressor: NDArray[np.float64]
    weights: NDArray[np.float64]
    parents: tuple[int, ...]
    faces: NDArray[np.int64]
    hands: NDArray[np.float64] | None = None


def find_model_file(body: str, gender: str, model_folder: str | Path | None = None) -> Path:
    """Return the model file of a body and gender; ``.npz`` before ``.pkl``.

    Args:
        body: ``"smpl"``, ``"smplh"`` or ``"smplx"``.
        gender: ``"female"``, ``"male"`` or ``"neutral"``.
        model_folder: the file itself, or a folder laid out as for the ``smplx`` package (``smplx/SMPLX_NEUTRAL.npz``,
            ``smplh/SMPLH_FEMALE.pkl``, ``smplh/female/model.npz``). Without it, the folder that the environment
            variable ``BIOPOSE_BODY_MODELS`` names, then ``~/.biopose/body_models``.

    Raises:
        InputError: unknown body or gender, or no such file; says where to register for it.
    """
    family = _family(body)
    if gender not in GENDERS:
        raise InputError(f"{family.title} body model", f"unknown gender '{gender}'", f"give {', '.join(GENDERS)}")
    given = Path(model_folder).expanduser() if model_folder is not None else None
    if given is not None and given.is_file():
        return given
    folders = [given] if given is not None else _default_folders()
    names = _file_names(body, gender)
    # By the name that the smplx package asks for, and as it is downloaded.
    shown = {"smpl": (0, 2, 6), "smplh": (0, 2, 4), "smplx": (0, 2)}[body]
    for folder in folders:
        for name in names:
            if (folder / name).is_file():
                return folder / name
    places = " and ".join(str(folder) for folder in folders)
    raise InputError(
        f"{family.title} body model ({gender})",
        f"no {' or '.join(names[n] for n in shown)} in {places}",
        f"register at https://{family.site}, download the model, and put it there or name the folder "
        f"with {MODELS_VARIABLE}",
    )


def read_model_file(path: str | Path, body: str) -> ModelArrays:
    """Read a model file (``.npz`` or ``.pkl``); nothing in it is run.

    Args:
        path: the file.
        body: the model that it should hold.

    Raises:
        InputError: unknown body, a file that cannot be read, lacks an array, or holds another model.
    """
    family, file = _family(body), Path(path)
    if not file.is_file():
        raise InputError(file, "no such file", f"register at https://{family.site} and download {family.title}")
    stored = _read_pickle(file) if file.suffix == ".pkl" else _read_npz(file)
    try:
        arrays = {name: np.asarray(_plain(value), dtype=np.float64) for name, value in stored.items()}
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise InputError(file, f"holds something that is not an array ({error})") from error
    _check(file, family, arrays)
    shape_directions = arrays["shapedirs"]
    columns = shape_directions.shape[2]
    parents = arrays["kintree_table"][0].astype(np.int64)
    parents[0] = -1
    return ModelArrays(
        body=body,
        source=file,
        template=arrays["v_template"],
        shape_directions=shape_directions[:, :, : family.shape_columns.get(columns, columns)],
        pose_directions=arrays["posedirs"].reshape(family.n_vertices, 3, -1),
        joint_regressor=arrays["J_regressor"],
        weights=arrays["weights"],
        parents=tuple(int(parent) for parent in parents),
        faces=arrays["f"].astype(np.int64),
        hands=_mean_hands(file, arrays),
    )


def _family(body: str) -> Family:
    if body not in FAMILIES:
        raise InputError("SMPL body model", f"unknown body '{body}'", f"there are {', '.join(FAMILIES)}")
    return FAMILIES[body]


def _default_folders() -> list[Path]:
    chosen = os.environ.get(MODELS_VARIABLE)
    named = [Path(chosen).expanduser()] if chosen else []
    return [*named, Path.home() / ".biopose" / "body_models"]


def _file_names(body: str, gender: str) -> list[str]:
    plain = f"{body.upper()}_{gender.upper()}"
    names = [f"{folder}{plain}{suffix}" for suffix in (".npz", ".pkl") for folder in (f"{body}/", "")]
    # As they are downloaded: SMPL+H for AMASS is <gender>/model.npz, SMPL is basicmodel_<letter>_....pkl.
    names += [f"{body}/{gender}/model.npz", f"{gender}/model.npz"]
    if body == "smpl":
        basic = "lbs_10_207_0_v1.{}.0.pkl"
        letter = _SMPL_LETTERS[gender]
        files = (f"basicmodel_{letter}_{basic.format(1)}", f"basicModel_{letter}_{basic.format(0)}")
        names += [f"{folder}{file}" for file in files for folder in ("smpl/", "smpl/models/", "")]
    return names


def _read_npz(file: Path) -> dict[str, Any]:
    if not zipfile.is_zipfile(file):
        raise InputError(file, "is not a whole npz file", "download it again; a model of another kind ends in .pkl")
    try:
        with np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in (*_ARRAYS, *_HANDS) if name in stored.files}
    except ValueError as error:
        raise InputError(file, "holds Python objects or damaged arrays in place of numbers", _AGAIN) from error
    except (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(file, f"cannot be read ({error})", _AGAIN) from error


def _read_pickle(file: Path) -> dict[str, Any]:
    content = load_pickle(file, inert=("chumpy", "scipy"), encoding="latin1")
    if not isinstance(content, dict):
        raise InputError(file, f"holds a {type(content).__name__}, not a body model")
    return {name: content[name] for name in (*_ARRAYS, *_HANDS) if name in content}


def _plain(value: Any) -> Any:
    """The numbers of chumpy arrays and sparse matrices, which the reader keeps as stubs."""
    if not isinstance(value, Inert):
        return value
    state = value.state
    if value.class_name.startswith("scipy."):
        from scipy import sparse

        kind = value.class_name.rsplit(".", 1)[-1]
        builder = {"csc_matrix": sparse.csc_matrix, "csr_matrix": sparse.csr_matrix}[kind]
        return builder((state["data"], state["indices"], state["indptr"]), shape=state["_shape"]).toarray()
    if "x" in state:
        return _plain(state["x"])
    # chumpy.reordering.Select: some elements of another array, in a shape of their own.
    picked = np.asarray(_plain(state["a"])).ravel()[np.asarray(state["idxs"])]
    return picked.reshape(state["preferred_shape"]) if state.get("preferred_shape") is not None else picked


def _mean_hands(file: Path, arrays: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64] | None:
    if any(name not in arrays for name in _HANDS):
        return None
    hands = [arrays[name] for name in _HANDS]
    if any(hand.size != 45 for hand in hands):
        sizes = " and ".join(str(hand.size) for hand in hands)
        raise InputError(file, f"hands_meanl and hands_meanr hold {sizes} numbers", "a hand's mean pose has 45")
    return np.concatenate([hand.reshape(15, 3) for hand in hands])


def _check(file: Path, family: Family, arrays: Mapping[str, NDArray[np.float64]]) -> None:
    if missing := [name for name in _ARRAYS if name not in arrays]:
        raise InputError(file, f"lacks {', '.join(missing)}", f"is it a {family.title} model file?")
    v, j = family.n_vertices, family.n_joints
    wanted = {
        "v_template": (v, 3),
        "shapedirs": (v, 3, None),
        "posedirs": (v, 3, 9 * (j - 1)),
        "J_regressor": (j, v),
        "weights": (v, j),
        "kintree_table": (2, j),
        "f": (None, 3),
    }
    for name, shape in wanted.items():
        found = arrays[name].shape
        if len(found) != len(shape) or any(w not in (None, n) for n, w in zip(found, shape)):
            expected = " x ".join("any" if w is None else str(w) for w in shape)
            raise InputError(file, f"{name} is {found}, {family.title} has {expected}", "another model's file?")

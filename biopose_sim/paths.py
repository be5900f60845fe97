"""Where the data of the project lies: the full-body model and the marker sets of ``models/``.

Looked for in this order: the environment variable ``BIOPOSE_MODELS``, the ``models`` folder beside the
package (a repository checkout), and ``biopose_sim/_models`` (an installed wheel).
"""

from __future__ import annotations

import os
from pathlib import Path

from biopose_sim.errors import InputError, near_matches

MODELS_VARIABLE = "BIOPOSE_MODELS"
_PACKAGE = Path(__file__).resolve().parent


def models_dir() -> Path:
    """Return the folder that holds ``fullbody/`` and ``markersets/``.

    Raises:
        InputError: ``BIOPOSE_MODELS`` names no such folder, or no folder is found at all.
    """
    chosen = os.environ.get(MODELS_VARIABLE)
    if chosen:
        folder = Path(chosen).expanduser()
        if not (folder / "fullbody").is_dir():
            raise InputError(
                f"{MODELS_VARIABLE}={chosen}",
                "no folder 'fullbody' there",
                f"set {MODELS_VARIABLE} to the project's 'models' folder or unset it",
            )
        return folder
    for folder in (_PACKAGE.parent / "models", _PACKAGE / "_models"):
        if (folder / "fullbody").is_dir():
            return folder
    raise InputError(
        _PACKAGE / "_models",
        "the model data of biopose-sim are missing",
        f"reinstall the package or set {MODELS_VARIABLE} to a 'models' folder",
    )


def tables_dir() -> Path:
    """Return the folder with the tables from which the full-body model is built."""
    return models_dir() / "fullbody"


def default_model_path() -> Path:
    """Return the path of the default full-body model, ``biopose_fullbody.osim``.

    Raises:
        InputError: the built model is not there.
    """
    path = tables_dir() / "biopose_fullbody.osim"
    if not path.is_file():
        raise InputError(path, "no such file", "build it with 'biopose model build'")
    return path


def markerset_path(name: str) -> Path:
    """Return the path of a marker set by its name, such as ``"anatomical"``.

    Raises:
        InputError: there is no marker set of this name; the message lists those that exist.
    """
    folder = models_dir() / "markersets"
    sets = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    if name not in sets:
        valid = ", ".join(sets) or "none"
        raise InputError(folder, f"no marker set {name!r}{near_matches(name, sets)}", f"available: {valid}")
    return sets[name]

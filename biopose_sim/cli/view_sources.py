"""Where the pieces of a view lie: in a result folder, as its manifest says, or in files that were named one by one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biopose_sim.errors import InputError, near_matches
from biopose_sim.forces.types import SIMULATION, Simulation, read_simulation
from biopose_sim.io import TRIAL_READERS

_MANIFEST = "manifest.json"
_BODIES = {".npz", ".pkl", ".pt", ".bvh", ".npy"}


@dataclass(frozen=True)
class Source:
    """The files of one figure.

    Attributes:
        name: of the figure.
        model: .osim.
        motion: .mot or .sto of the model.
        markers: recording (.trc, .c3d).
        loads: ExternalLoads (.xml).
        body: motion of a body mesh.
        arguments: of the command that read the body.
        simulation: what 'biopose simulate' left, and where.
    """

    name: str
    model: Path
    motion: Path
    markers: Path | None = None
    loads: Path | None = None
    body: Path | None = None
    arguments: tuple[str, ...] = ()
    simulation: tuple[Simulation, Path] | None = None


def source_of(folder: Path, trial: str | None = None) -> Source:
    """Find the pieces of a result: of the trial named, else of the longest that is not static.

    Raises:
        InputError: no such folder, nothing in it, or no such trial.
    """
    if not folder.exists():
        raise InputError(folder, "no such folder", "give the output folder of fit, predict, ik, demo or simulate")
    if not folder.is_dir():
        raise InputError(folder, "is no folder", "for files use --model and --motion")
    if (folder / SIMULATION).is_file():
        return _simulated(folder)
    manifest = _read_manifest(folder)
    name = _trial(folder, manifest, trial)
    motion = _one(folder / f"{name}.mot", folder / f"{name}.sto")
    if motion is None:
        raise InputError(folder / f"{name}.mot", "is not there", "run the command that made the folder again")
    simulation = _simulation(folder, name)
    return Source(
        f"{folder.resolve().name}: {name}",
        _model(folder, manifest),
        motion,
        markers=_markers(folder, manifest, name),
        loads=_loads(simulation),
        body=_body(folder, manifest, name),
        arguments=tuple(str(word) for word in manifest.get("arguments", ())),
        simulation=simulation,
    )


def _simulated(folder: Path) -> Source:
    """The model and the motion that a simulation used, with its forces."""
    simulation = read_simulation(folder)
    model, motion = folder / simulation.model, folder / simulation.motion
    for path in (model, motion):
        if not path.is_file():
            raise InputError(path, "is not there", "run 'biopose simulate' again")
    found = (simulation, folder)
    return Source(simulation.trial, model, motion, loads=_loads(found), simulation=found)


def _read_manifest(folder: Path) -> dict[str, Any]:
    """The folder's manifest; an empty one where there is none."""
    path = folder / _MANIFEST
    if not path.is_file():
        path = next(iter(sorted(folder.glob(f"*_{_MANIFEST}"))), path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})", "run the command that made the folder again") from error
    return content if isinstance(content, dict) else {}


def _trial(folder: Path, manifest: dict[str, Any], wanted: str | None) -> str:
    lengths = {row["name"]: row.get("frames", 0) for row in manifest.get("trials", ()) if isinstance(row, dict)}
    lengths = {name: frames for name, frames in lengths.items() if (folder / f"{name}.mot").is_file()}
    if not lengths:
        lengths = {path.stem: path.stat().st_size for path in sorted(folder.glob("*.mot"))}
    if not lengths:
        raise InputError(folder, "holds no motion (.mot)", "give the output folder of fit, predict, ik or demo")
    if wanted is None:
        # Of a person who stands there is little to see.
        return max(lengths, key=lambda name: ("static" not in name.lower(), lengths[name]))
    if wanted not in lengths:
        near = near_matches(wanted, lengths)
        raise InputError(folder, f"holds no trial '{wanted}'{near}", f"there are {', '.join(lengths)}")
    return wanted


def _model(folder: Path, manifest: dict[str, Any]) -> Path:
    """The scaled model in the folder, else the one that the manifest names."""
    inside = sorted(folder.glob("*.osim"))
    scaled = [path for path in inside if path.stem.endswith("_scaled")]
    written = manifest.get("model")
    named = _existing(folder, written["path"]) if isinstance(written, dict) and "path" in written else None
    # A folder of 'biopose ik' holds no model: its trials were solved on the one that was given.
    candidates = [*scaled, *inside, *([named] if named is not None else [])]
    if not candidates:
        said = f": '{written['path']}' is not there" if isinstance(written, dict) and "path" in written else ""
        raise InputError(folder, f"holds no model (.osim){said}", "name both files: --model M.osim --motion X.mot")
    return candidates[0]


def _markers(folder: Path, manifest: dict[str, Any], name: str) -> Path | None:
    inside = _one(*[folder / f"{name}{suffix}" for suffix in TRIAL_READERS])
    return inside or _input(folder, manifest, name, TRIAL_READERS)


def _body(folder: Path, manifest: dict[str, Any], name: str) -> Path | None:
    if (own := folder / f"{name}_body.npz").is_file():
        return own
    return _input(folder, manifest, name, _BODIES) if manifest.get("command") == "predict" else None


def _input(folder: Path, manifest: dict[str, Any], name: str, suffixes: Sequence[str] | Any) -> Path | None:
    for entry in manifest.get("inputs", ()):
        path = Path(entry["path"])
        if path.stem == name and path.suffix.lower() in suffixes and (found := _existing(folder, path)):
            return found
    return None


def _existing(folder: Path, path: str | Path) -> Path | None:
    """A file that a manifest names: as it was written, else relative to the folder or to where that lies."""
    return _one(Path(path), folder / path, folder.parent / path, folder / Path(path).name)


def _one(*paths: Path) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _simulation(folder: Path, name: str) -> tuple[Simulation, Path] | None:
    """What a simulation left of the trial, in the folder or below."""
    for path in [
        folder / SIMULATION,
        *sorted(folder.glob(f"*/{SIMULATION}")),
        *sorted(folder.glob(f"*/*/{SIMULATION}")),
    ]:
        if path.is_file():
            simulation = read_simulation(path.parent)
            if simulation.trial == name:
                return simulation, path.parent
    return None


def _loads(simulation: tuple[Simulation, Path] | None) -> Path | None:
    if simulation is None or "external_loads" not in simulation[0].files:
        return None
    return _one(simulation[1] / simulation[0].files["external_loads"])

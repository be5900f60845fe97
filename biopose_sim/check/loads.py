"""External loads: the .xml that says what acts where, with the columns of its .mot, a model and a motion.

Identifiers are what the three columns' names begin with: OpenSim's ``Storage::getColumnIndicesForIdentifier``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from biopose_sim.check.codes import Severity
from biopose_sim.check.document import UNASSIGNED, Document, resolved
from biopose_sim.check.finding import Finding, few, finding
from biopose_sim.check.model import ModelFile
from biopose_sim.check.storage import StorageFile
from biopose_sim.errors import near_matches
from biopose_sim.osim.xml import Element, text

LOADED = 50.0  # [N] from which a foot is loaded
_LEAST_WEIGHT = 20.0  # [N] that a person's largest force exceeds
_LARGEST = 20000.0  # [N]
_FAR = 50.0  # [m] that no laboratory has
_PARTS = ("force", "point", "torque")


@dataclass(frozen=True)
class Load:
    """One ExternalForce of a file: the body it acts on, and its identifiers (empty where it has none)."""

    name: str
    body: str
    force: str
    point: str
    torque: str
    force_frame: str
    point_frame: str


@dataclass
class LoadsFile:
    """An external loads file.

    Attributes:
        path: of the file.
        loads: those that are switched on.
        data: where its forces are, or None where it names no file.
        findings: what is wrong with it alone.
    """

    path: Path
    loads: tuple[Load, ...] = ()
    data: Path | None = None
    findings: list[Finding] = field(default_factory=list)


def check_loads(document: Document) -> LoadsFile:
    """Check an external loads file alone; the files that it names are looked for elsewhere."""
    root = document.content
    assert root is not None
    file = LoadsFile(document.path, findings=list(document.findings))
    elements = [e for e in root.iter("ExternalForce") if text(e, "isDisabled", "false") != "true"]
    elements = [e for e in elements if text(e, "appliesForce", "true") != "false"]
    file.loads = tuple(_load(e) for e in elements if e.get("name") != "default")
    written = text(root, "datafile")
    if written.lower() in UNASSIGNED and file.loads:
        file.findings.append(finding("L03", file.path, "it names no datafile"))
    elif file.loads:
        file.data = resolved(file.path, written)
    if not file.loads:
        switched_off = any(e.get("name") != "default" for e in root.iter("ExternalForce"))
        severity: Severity = "warning" if switched_off else "note"
        file.findings.append(finding("L15", file.path, "no force is switched on", severity=severity))
    for load in file.loads:
        file.findings += _check_load(file, load)
    return file


def _load(element: Element) -> Load:
    def word(tag: str) -> str:
        value = text(element, tag)
        return "" if value.lower() in UNASSIGNED else value

    return Load(
        element.get("name", ""),
        word("applied_to_body"),
        word("force_identifier"),
        word("point_identifier"),
        word("torque_identifier"),
        word("force_expressed_in_body") or "ground",
        word("point_expressed_in_body") or "ground",
    )


def _check_load(file: LoadsFile, load: Load) -> list[Finding]:
    found, where = [], f"load {load.name}"
    if not load.force and not load.torque:
        found.append(finding("L15", file.path, "it has neither a force nor a torque identifier", where))
    if load.force and not load.point:
        found.append(finding("L10", file.path, f"it acts at the origin of {load.body}", where))
    frames = {load.force_frame.rsplit("/", 1)[-1], load.point_frame.rsplit("/", 1)[-1]} - {"ground"}
    if frames:
        found.append(finding("L09", file.path, f"it is expressed in {', '.join(sorted(frames))}", where))
    return found


def check_load_columns(file: LoadsFile, data: StorageFile) -> list[Finding]:
    """Identifiers against the columns of the data, then the numbers."""
    found: list[Finding] = []
    if not data.labels:
        return found
    for load in file.loads:
        for part in _PARTS:
            identifier = getattr(load, part)
            columns = columns_of(data, identifier) if identifier else [""] * 3
            if len(columns) != 3:
                near = near_matches(identifier, [label[:-1] for label in data.labels[1:]])
                message = f"{part}_identifier {identifier!r} has {len(columns)} columns in {data.path.name}{near}"
                found.append(finding("L02", file.path, message, f"load {load.name}"))
    again = [n for n in {load.force for load in file.loads} if n and sum(n == o.force for o in file.loads) > 1]
    if again:
        found.append(finding("L11", file.path, few([repr(n) for n in sorted(again)])))
    if data.readable and not any(f.code == "L02" for f in found):
        found += _check_numbers(file, data)
    return found


def columns_of(data: StorageFile, identifier: str) -> list[str]:
    """Labels that begin with an identifier."""
    return [label for label in data.labels if label.startswith(identifier)]


def load_values(data: StorageFile, identifier: str) -> np.ndarray:
    """(R, 3) of an identifier's columns."""
    columns = data.columns
    return np.stack([columns[label] for label in columns_of(data, identifier)], axis=1)


def _check_numbers(file: LoadsFile, data: StorageFile) -> list[Finding]:
    forces = {load.name: load_values(data, load.force) for load in file.loads if load.force}
    forces = {name: np.nan_to_num(force) for name, force in forces.items()}
    grounded = all(load.force_frame.endswith("ground") for load in file.loads)
    if not forces or not grounded:
        return []
    total = np.sum(list(forces.values()), axis=0)
    peak = float(np.abs(total).max())
    if peak == 0.0:
        return [finding("L07", data.path, "every force is zero", severity="warning")]
    if not _LEAST_WEIGHT < peak < _LARGEST:
        return [finding("L07", data.path, f"the largest force is {peak:.3g} N")]
    found = _check_direction(data, forces)
    for load in file.loads:
        if load.force and load.point:
            loaded = np.abs(forces[load.name]).max(axis=1) > LOADED
            points = load_values(data, load.point)[loaded]
            if len(points) and np.nanmedian(np.abs(points).max(axis=1)) > _FAR:
                message = f"it acts {np.nanmedian(np.abs(points).max(axis=1)):.4g} m from the origin"
                found.append(finding("L04", data.path, message, f"load {load.name}"))
    return found


def _check_direction(data: StorageFile, forces: dict[str, np.ndarray]) -> list[Finding]:
    found = []
    for name, force in forces.items():
        loaded = force[np.linalg.norm(force, axis=1) > LOADED]
        if not len(loaded):
            continue
        mean = loaded.mean(axis=0)
        axis = int(np.argmax(np.abs(mean)))
        where = f"load {name}"
        if axis != 1 and abs(mean[axis]) > 2.0 * abs(mean[1]):
            message = f"its mean is {mean[axis]:.4g} N along {'XYZ'[axis]} and {mean[1]:.4g} N along Y"
            found.append(finding("L06", data.path, message, where))
        elif mean[1] < 0.0:
            found.append(finding("L05", data.path, f"its mean is {mean[1]:.4g} N along Y", where))
    return found


def check_load_bodies(file: LoadsFile, model: ModelFile) -> list[Finding]:
    """Bodies that loads act on."""
    found: list[Finding] = []
    if not model.bodies:
        return found
    for load in file.loads:
        for body, grave in ((load.body, True), (load.force_frame, False), (load.point_frame, False)):
            if body.rsplit("/", 1)[-1] not in model.bodies:
                near = near_matches(body, model.bodies)
                message = f"{body!r} is no body of {model.path.name}{near}"
                severity: Severity | None = "error" if grave else "warning"  # OpenSim takes ground for an unknown frame
                found.append(finding("L01", file.path, message, f"load {load.name}", severity=severity))
    return list({(f.where, f.message): f for f in reversed(found)}.values())[::-1]


def check_load_times(file: LoadsFile, data: StorageFile, motion: StorageFile) -> list[Finding]:
    """Whether the forces cover the motion."""
    if not (data.readable and motion.readable):
        return []
    (a, b), (c, d) = ((np.nanmin(t), np.nanmax(t)) for t in (data.time, motion.time))
    if b <= c or d <= a:
        message = f"forces from {a:g} to {b:g} s, motion {motion.path.name} from {c:g} to {d:g} s"
        return [finding("L12", file.path, message)]
    return []

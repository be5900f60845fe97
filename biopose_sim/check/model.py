"""Models (.osim): what other files are checked against, and what is wrong with the model alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from biopose_sim.check.codes import Severity
from biopose_sim.check.document import Document
from biopose_sim.check.finding import Finding, finding
from biopose_sim.check.modelforces import check_forces
from biopose_sim.check.modelparts import (
    check_bodies,
    check_coordinates,
    check_couplers,
    check_frames,
    check_functions,
    check_geometry,
    check_gravity,
    check_joints,
    check_names,
)
from biopose_sim.errors import InputError
from biopose_sim.osim import schema
from biopose_sim.osim.parser import FIRST_READABLE_VERSION, parse_model
from biopose_sim.osim.xml import Element, parse_document

_CHECKS: tuple[Callable[[Element, Path], list[Finding]], ...] = (
    check_names,
    check_bodies,
    check_joints,
    check_coordinates,
    check_functions,
    check_couplers,
    check_frames,
    check_forces,
    check_geometry,
    check_gravity,
)


@dataclass
class ModelFile:
    """A model.

    Attributes:
        path: of the file.
        model: its kinematics, or None where our reader refuses it.
        bodies: names of the bodies, ground among them, and of other frames.
        coordinates: names of the coordinates.
        markers: names of the markers.
        forces: names of muscles and actuators.
        findings: what is wrong with it alone.
    """

    path: Path
    model: schema.Model | None = None
    bodies: frozenset[str] = frozenset()
    coordinates: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    forces: tuple[str, ...] = ()
    findings: list[Finding] = field(default_factory=list)

    @property
    def by_name(self) -> dict[str, schema.Coordinate]:
        """Coordinates by name; none where the model could not be read."""
        return {c.name: c for c in self.model.coordinates} if self.model else {}


def check_model(document: Document) -> ModelFile:
    """Check a model alone.

    Args:
        document: of kind "Model".
    """
    file = ModelFile(document.path, findings=list(document.findings))
    root = document.content
    assert root is not None
    if document.version < FIRST_READABLE_VERSION:
        message = f"version {document.version}" if document.version else "no version is stated"
        file.findings.append(finding("O02", file.path, message))
        upgraded = _upgraded(file, document.version)
        if upgraded is None:
            return file
        root = upgraded
    for check in _CHECKS:
        file.findings += check(root, file.path)
    file.bodies = frozenset({"ground", *_names(root, "Body"), *_names(root, "PhysicalOffsetFrame")})
    file.markers = tuple(_names(root, "Marker"))
    file.coordinates = tuple(_names(root, "Coordinate"))
    forces = root.find("ForceSet/objects")
    file.forces = tuple(e.get("name", "") for e in forces) if forces is not None else ()
    file.model = _kinematics(file, root, document.version)
    if file.model is not None:
        file.coordinates = tuple(c.name for c in file.model.coordinates)
    return file


def _names(root: Element, tag: str) -> list[str]:
    return [element.get("name", "") for element in root.iter(tag)]


def _upgraded(file: ModelFile, version: int) -> Element | None:
    """The model as OpenSim upgrades it, or None where that cannot be."""
    from biopose_sim.osim.upgrade import upgraded_document

    try:
        root = parse_document(upgraded_document(file.path, version), file.path)
    except InputError as error:
        severity: Severity | None = "note" if "only OpenSim can upgrade" in error.problem else "error"
        file.findings.append(finding("O01", file.path, error.problem, severity=severity, remedy=error.remedy))
        return None
    return root.find("Model")


def _kinematics(file: ModelFile, root: Element, version: int) -> schema.Model | None:
    """The kinematics; where our reader refuses the model for a reason that is not known yet, a finding."""
    holder = Element("OpenSimDocument")
    holder.append(root)
    try:
        return parse_model(holder, file.path, version)
    except InputError as error:
        if not any(f.severity == "error" for f in file.findings):
            file.findings.append(finding("O01", file.path, error.problem, remedy=error.remedy or None))
        return None

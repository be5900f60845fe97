"""Checks of a model's muscles and actuators."""

from __future__ import annotations

from pathlib import Path

from biopose_sim.check.finding import Finding, finding
from biopose_sim.check.modelparts import values
from biopose_sim.errors import near_matches
from biopose_sim.osim.xml import Element, objects, text

_POSITIVE = ("max_isometric_force", "optimal_fiber_length", "tendon_slack_length")
_MUSCLES = (
    "Millard2012EquilibriumMuscle",
    "Thelen2003Muscle",
    "DeGrooteFregly2016Muscle",
    "Schutte1993Muscle",
    "Schutte1993Muscle_Deprecated",
    "Delp1990Muscle_Deprecated",
    "RigidTendonMuscle",
    "Millard2012AccelerationMuscle",
)


def check_forces(root: Element, path: Path) -> list[Finding]:
    """Parameters of muscles, points of their paths, coordinates of actuators."""
    coordinates = {c.get("name", "") for joint in objects(root, "JointSet") for c in joint.iter("Coordinate")}
    found = []
    for force in objects(root, "ForceSet"):
        where = f"{'muscle' if force.tag in _MUSCLES else force.tag} {force.get('name')}"
        if force.tag in _MUSCLES:
            found += _check_muscle(force, path, where)
        elif force.tag == "CoordinateActuator":
            found += check_actuator(force, coordinates, path, where)
    return found


def _check_muscle(muscle: Element, path: Path, where: str) -> list[Finding]:
    found = []
    for tag in _POSITIVE:
        given = values(muscle, tag)
        if given is None or (given and not given[0] > 0.0):
            # A tendon may be rigid and without length where its compliance is ignored.
            ignored = text(muscle, "ignore_tendon_compliance") == "true"
            rigid = ignored and tag == "tendon_slack_length" and given == [0.0]
            message = f"its {tag} is {text(muscle, tag)}"
            found.append(finding("O08", path, message, where, severity="note" if rigid else None))
    pennation = values(muscle, "pennation_angle_at_optimal")
    if pennation and not 0.0 <= pennation[0] < 1.58:
        message = f"its pennation_angle_at_optimal is {pennation[0]:g} rad"
        found.append(finding("O08", path, message, where, remedy="write radians, from 0 to pi/2"))
    fibre = values(muscle, "optimal_fiber_length")
    if fibre and fibre[0] > 1.0:
        message = f"its optimal_fiber_length is {fibre[0]:g} m"
        found.append(finding("O08", path, message, where, severity="warning", remedy="write metres"))
    points = [p for p in muscle.iter() if p.tag.endswith("PathPoint")]
    if muscle.find(".//PathPointSet") is not None and len(points) < 2:
        message = f"its path has {len(points)} points"
        found.append(finding("O10", path, message, where, remedy="a path needs two points at least"))
    return found


def check_actuator(actuator: Element, coordinates: set[str], path: Path, where: str) -> list[Finding]:
    """Whether a CoordinateActuator's coordinate exists, and whether it can push at all."""
    found = []
    name = text(actuator, "coordinate")
    if name and coordinates and name.rsplit("/", 1)[-1] not in coordinates:
        message = f"its coordinate is {name!r}{near_matches(name, coordinates)}"
        found.append(finding("S14", path, message, where))
    optimal = values(actuator, "optimal_force")
    if optimal is None or (optimal and optimal[0] == 0.0):
        message = f"its optimal_force is {text(actuator, 'optimal_force')}"
        found.append(finding("O08", path, message, where, severity="warning"))
    return found

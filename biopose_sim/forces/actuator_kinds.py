"""Which actuators of a model are muscles, which hold it up, and which make good for what the muscles lack."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from biopose_sim.osim.schema import GROUND, Model
from biopose_sim.osim.xml import Element, objects, parse_document, read_bytes, text

_BETWEEN = ("bodyA", "bodyB")


@dataclass(frozen=True)
class Actuators:
    """The actuators of a model by what they do.

    Attributes:
        muscles: their names.
        residuals: those that hold the model up from the ground: on a coordinate of its floating root, or at a body.
        reserves: coordinate by name of each actuator beside the muscles that move the coordinate.
        motors: coordinate by name of each actuator of a coordinate that no muscle moves.
    """

    muscles: tuple[str, ...]
    residuals: tuple[str, ...]
    reserves: dict[str, str]
    motors: dict[str, str]


def root_coordinates(model: Model) -> frozenset[str]:
    """Coordinates between the ground and a body: what holds the model up would act on them."""
    return frozenset(name for joint in model.joints if joint.parent.body == GROUND for name in joint.coordinates)


def read_actuators(path: str | Path, model: Model) -> Actuators:
    """Read which actuators a model file has.

    Args:
        path: .osim as OpenSim 4 writes it, with the actuators that a simulation added.
        model: the same, as read for its joints.

    Raises:
        InputError: the file cannot be read.
    """
    root = root_coordinates(model)
    muscles: list[str] = []
    residuals: list[str] = []
    on_coordinate: dict[str, str] = {}
    moved: set[str] = set()
    for actuator in objects(parse_document(read_bytes(path), path).find("Model"), "ForceSet"):
        name = actuator.get("name", "")
        if "Muscle" in actuator.tag:
            muscles.append(name)
            moved |= _between(model, _path_bodies(actuator))
        elif actuator.tag == "CoordinateActuator":
            coordinate = _last(text(actuator, "coordinate"))
            if coordinate in root:
                residuals.append(name)
            else:
                on_coordinate[name] = coordinate
        elif actuator.tag == "PointActuator" or GROUND in (_last(text(actuator, tag)) for tag in _BETWEEN):
            residuals.append(name)
    reserves = {name: coordinate for name, coordinate in on_coordinate.items() if coordinate in moved}
    motors = {name: coordinate for name, coordinate in on_coordinate.items() if coordinate not in moved}
    return Actuators(tuple(muscles), tuple(residuals), reserves, motors)


def _path_bodies(muscle: Element) -> set[str]:
    """Bodies that a muscle's path touches."""
    points = muscle.iterfind(".//PathPointSet/objects/*")
    return {_last(text(point, "socket_parent_frame") or text(point, "body")) for point in points}


def _between(model: Model, bodies: Iterable[str]) -> set[str]:
    """Coordinates of the joints between bodies: those that not all bodies hang on."""
    above = {joint.child.body: joint for joint in model.joints}
    chains = []
    for body in bodies:
        chain = []
        while body in above:
            chain.append(above[body])
            body = above[body].parent.body
        chains.append(chain)
    if not chains:
        return set()
    common = set.intersection(*({joint.name for joint in chain} for chain in chains))
    return {name for chain in chains for joint in chain if joint.name not in common for name in joint.coordinates}


def _last(path: str) -> str:
    return path.strip().rsplit("/", 1)[-1]

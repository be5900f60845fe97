"""How many muscles and actuators a model file holds; kinematics reads past them."""

from __future__ import annotations

from pathlib import Path

from biopose_sim.osim.xml import objects, parse_document, read_bytes

KINDS = ("muscles", "actuators", "other forces")


def count_forces(path: str | Path | None) -> dict[str, int]:
    """Return how many forces of each of ``KINDS`` an .osim file holds, told by the names of their classes.

    Args:
        path: the file; None for a model that has none, which holds no forces.

    Raises:
        InputError: the file is gone or cannot be read.
    """
    counts = dict.fromkeys(KINDS, 0)
    if path is None:
        return counts
    for force in objects(parse_document(read_bytes(path), path).find("Model"), "ForceSet"):
        kind = "muscles" if "Muscle" in force.tag else "actuators" if force.tag.endswith("Actuator") else KINDS[2]
        counts[kind] += 1
    return counts

"""The ``<defaults>`` of a model: values that its objects have where they leave them out."""

from __future__ import annotations

from copy import deepcopy

from biopose_sim.osim.function_parser import is_function
from biopose_sim.osim.xml import Element


def apply_defaults(model: Element) -> None:
    """Give the objects of a ``<Model>`` element, in place, what they leave out and ``<defaults>`` holds.

    OpenSim reads a file so (Object::updateDefaultObjectsFromXMLNode): each object starts as a copy of the default of
    its type. Functions are left alone, as OpenSim does not take their points and coefficients from defaults, and
    so is what connects an object to others.
    """
    for default in list(model.find("defaults") or ()):
        given = [child for child in default if not child.tag.startswith("socket_")]
        if not given or is_function(default.tag):
            continue
        for element in model.iter(default.tag):
            held = {child.tag for child in element}
            element.extend(deepcopy(child) for child in given if child.tag not in held)

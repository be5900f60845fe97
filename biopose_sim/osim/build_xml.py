"""Small pieces of an ``.osim`` document as the builders write them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable


def add_text(parent: ET.Element, tag: str, text: str) -> None:
    """Add a child element with a text."""
    ET.SubElement(parent, tag).text = text


def add_set(parent: ET.Element, tag: str, items: Iterable[ET.Element]) -> ET.Element:
    """Add a set of objects, named by its tag in lower case as OpenSim names it; returns the set."""
    found = ET.SubElement(parent, tag, name=tag.lower())
    ET.SubElement(found, "objects").extend(items)
    return found


def number_text(value: float) -> str:
    """A number with all its digits; a whole one without a decimal point."""
    return str(int(value)) if value == int(value) else repr(value)


def numbers_text(values: Iterable[float]) -> str:
    """Numbers with blanks between them."""
    return " ".join(number_text(value) for value in values)


def flag_text(value: bool) -> str:
    """``true`` or ``false``."""
    return str(value).lower()


def body_path(name: str) -> str:
    """Where a model keeps a body."""
    return "/ground" if name == "ground" else f"/bodyset/{name}"

"""Reading OpenSim XML: a forgiving document reader and small typed accessors."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from biopose_sim.errors import InputError

Element = ET.Element
# OpenSim writes C++ scopes into tag names (<HuntCrossleyForce::ContactParameters>), which is not XML.
_SCOPED_TAG = re.compile(rb"(</?\w+)::")
_BLANKS = re.compile(rb">\s+<")
# Of a model's bytes 80 % are muscles, which kinematics does not need and a parser need not build.
_FORCE_SET_END = b"</ForceSet>"


def read_bytes(path: str | Path) -> bytes:
    """Return the content of a file; raise InputError when it cannot be read."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(path, "file not found") from None
    except IsADirectoryError:
        raise InputError(path, "is a folder", "name a file") from None
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})") from None


def parse_document(data: bytes, source: str | Path) -> Element:
    """Parse an OpenSim document and return its ``OpenSimDocument`` element.

    Raises:
        InputError: not XML, cut off, or not an OpenSim document.
    """
    if b"::" in data:
        data = _SCOPED_TAG.sub(rb"\1.", data)
    try:
        root = ET.fromstring(data)
    except ET.ParseError as error:
        if not data.strip():
            raise InputError(source, "the file is empty", "an OpenSim XML file is needed") from None
        cut = data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and str(error).startswith(("no element", "unclosed"))
        problem = "the file is cut off" if cut else "not XML"
        raise InputError(source, f"{problem} ({error})", "an OpenSim XML file is needed") from None
    except (LookupError, ValueError) as error:  # an encoding that Python does not know
        raise InputError(source, f"not readable XML ({error})", "save the file as UTF-8") from None
    if root.tag != "OpenSimDocument":
        raise InputError(source, f"not an OpenSim document (its root element is <{root.tag}>)")
    return root


def parse_kinematics(data: bytes, source: str | Path) -> Element:
    """Parse an OpenSim document without what kinematics does not need: six times as fast.

    Raises:
        InputError: as :func:`parse_document`.
    """
    try:
        root = ET.fromstring(_light(data))
    except (ET.ParseError, LookupError, ValueError):
        return parse_document(data, source)
    return root if root.tag == "OpenSimDocument" else parse_document(data, source)


def without_forces(data: bytes) -> bytes:
    """Return the document without its ForceSet (left as it is when there is none, or it does not end)."""
    start = data.find(b"<ForceSet")
    end = data.rfind(_FORCE_SET_END)
    if start < 0 or end < start:
        return data
    return data[:start] + data[end + len(_FORCE_SET_END) :]


def _light(data: bytes) -> bytes:
    """The document without forces, comments, bones, wrapping surfaces (as OpenSim writes them) and indentation."""
    data = _without(without_forces(data), b"<!--", b"-->")
    data = _without(data, b"<attached_geometry>", b"</attached_geometry>")
    data = _without(data, b'<WrapObjectSet name="wrapobjectset">', b"</WrapObjectSet>")
    return _BLANKS.sub(b"><", data)


def _without(data: bytes, start: bytes, end: bytes) -> bytes:
    first, *others = data.split(start)
    return b"".join([first, *[part.partition(end)[2] for part in others]]) if others else data


def text(element: Element | None, tag: str, default: str = "") -> str:
    """Text of a child element, stripped; ``default`` when absent or empty."""
    if element is None:
        return default
    return element.findtext(tag, "").strip() or default


def numbers(
    element: Element,
    tag: str,
    source: str | Path,
    default: tuple[float, ...] = (),
    *,
    unbounded: bool = False,
) -> tuple[float, ...]:
    """Numbers in a child element; ``default`` when absent or empty.

    Raises:
        InputError: text, NaN or (unless ``unbounded``) infinity, named with the element.
    """
    value = element.findtext(tag, "")
    parts = value.split()
    if not parts:
        return default
    try:
        found = tuple(map(float, parts))
    except ValueError:
        try:
            found = tuple(map(float, value.replace(",", " ").split()))
        except ValueError:
            raise _not_numbers(element, tag, value, source) from None
    if not math.isfinite(sum(found)) and (not unbounded or any(v != v for v in found)):
        raise _not_numbers(element, tag, value, source)
    return found


def _not_numbers(element: Element, tag: str, value: str, source: str | Path) -> InputError:
    owner = element.get("name") or element.tag
    return InputError(source, f"<{tag}> of {owner!r} holds {' '.join(value.split())[:40]!r}", "numbers are needed")


def number(element: Element, tag: str, source: str | Path, default: float) -> float:
    """One number in a child element."""
    values = numbers(element, tag, source, (default,))
    return values[0]


def vector(
    element: Element, tag: str, source: str | Path, default: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> tuple[float, float, float]:
    """Three numbers in a child element."""
    values = numbers(element, tag, source, default)
    if len(values) != 3:
        owner = element.get("name") or element.tag
        raise InputError(source, f"<{tag}> of {owner!r} has {len(values)} numbers", "three are needed")
    return (values[0], values[1], values[2])


def flag(element: Element, tag: str, default: bool = False) -> bool:
    """A true/false child element."""
    value = text(element, tag).lower()
    return default if not value else value in ("true", "1")


def objects(parent: Element | None, set_tag: str) -> Iterator[Element]:
    """The objects of a Set (``<BodySet><objects>...``)."""
    if parent is None:
        return
    container = parent.find(f"{set_tag}/objects")
    if container is not None:
        yield from container

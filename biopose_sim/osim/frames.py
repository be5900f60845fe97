"""Finding the frame that a socket path means, nested offset frames included."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from biopose_sim.errors import InputError, near_matches
from biopose_sim.osim.schema import GROUND, Frame
from biopose_sim.osim.xml import Element, text, vector

_OFFSET = "PhysicalOffsetFrame"


class FrameTable:
    """Every body and offset frame of a model by its absolute path and, where unambiguous, by its name.

    Args:
        model: the ``<Model>`` element.
        bodies: names of the bodies, ground not among them.
        source: the file, named in errors.
    """

    def __init__(self, model: Element, bodies: Iterable[str], source: Path) -> None:
        self._source = source
        self._bodies = {"/ground": GROUND}
        for name in bodies:
            self._bodies[f"/bodyset/{name}"] = self._bodies[f"/{name}"] = name
        self._names = set(self._bodies.values())
        self._offsets: dict[str, Element] = {}
        self._foreign: dict[str, str] = {}
        for tag in ("BodySet", "JointSet"):
            for element in model.findall(f"{tag}/objects/*"):
                self._collect(element, f"/{tag.lower()}/{element.get('name')}")
        for element in model.findall("Ground"):
            self._collect(element, "/ground")
        self._collect(model, "")
        self._by_name: dict[str, str | None] = {}
        for path in self._offsets:
            name = path.rsplit("/", 1)[1]
            self._by_name[name] = None if name in self._by_name else path
        self._known: dict[str, Frame] = {}

    def _collect(self, owner: Element, path: str) -> None:
        """Note the frames among the components of ``owner``, whose own path is ``path``."""
        for holder in owner:
            if holder.tag in ("components", "frames"):
                for child in holder:
                    here = f"{path}/{child.get('name')}"
                    if child.tag == _OFFSET:
                        self._offsets[here] = child
                    elif child.tag.endswith("Frame"):
                        self._foreign[here] = child.tag
                    self._collect(child, here)

    def resolve(self, socket: str, owner: str, owner_path: str = "") -> Frame:
        """Return the frame that ``socket`` (absolute, relative to ``owner_path``, or a name) means.

        Raises:
            InputError: no such frame, an ambiguous name, a foreign type, or a circle of offset frames.
        """
        path = self._absolute(socket, owner, owner_path)
        seen: list[str] = []
        while path not in self._bodies and path not in self._known:
            if path in seen:
                raise InputError(self._source, f"{owner} is attached to a circle of offset frames ({path})")
            seen.append(path)
            path = self._absolute(text(self._offsets[path], "socket_parent"), f"frame {path!r}", path)
        frame = self._known[path] if path in self._known else Frame(self._bodies[path])
        for path in reversed(seen):
            element = self._offsets[path]
            offset = (
                vector(element, "translation", self._source),
                vector(element, "orientation", self._source),
            )
            frame = self._known[path] = Frame(frame.body, (*frame.offsets, offset))
        return frame

    def _absolute(self, socket: str, owner: str, owner_path: str) -> str:
        """Absolute path of the body or offset frame that ``socket`` names."""
        path = socket if socket.startswith("/") else _joined(owner_path, socket)
        if path in self._bodies or path in self._offsets:
            return path
        if path in self._foreign:
            raise InputError(
                self._source,
                f"{owner} is attached to {path!r}, a frame of type {self._foreign[path]}",
                f"supported are Body, Ground and {_OFFSET}",
            )
        name = socket.rsplit("/", 1)[-1]
        if name in self._names:
            return next(p for p, body in self._bodies.items() if body == name)
        found = self._by_name.get(name)
        if found is None:
            self._refuse(socket, name, owner)
        return str(found)

    def _refuse(self, socket: str, name: str, owner: str) -> None:
        if name in self._by_name:
            raise InputError(
                self._source,
                f"{owner} is attached to {socket!r}, and there are several such frames",
                "give a path",
            )
        if not socket:
            raise InputError(self._source, f"{owner} is attached to no frame", "name a body or a frame")
        raise InputError(
            self._source,
            f"{owner} is attached to {socket!r}, which is no body or frame of the model"
            + near_matches(name, [*self._names, *self._by_name]),
        )


def _joined(owner_path: str, socket: str) -> str:
    parts = owner_path.strip("/").split("/")
    for part in socket.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)

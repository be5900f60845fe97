"""Finding the frame that a socket path means, nested offset frames included."""

from __future__ import annotations

from pathlib import Path

from biopose_sim.errors import InputError, near_matches
from biopose_sim.osim.schema import GROUND, Frame
from biopose_sim.osim.xml import Element, text, vector

_OFFSET = "PhysicalOffsetFrame"
_LISTS = ("components", "frames", "objects", "BodySet", "JointSet")


class FrameTable:
    """Every body and offset frame of a model by its absolute path and, where unambiguous, by its name."""

    def __init__(self, model: Element, bodies: list[str], source: Path) -> None:
        self._source = source
        self._bodies = {GROUND, *bodies}
        self._offsets: dict[str, Element] = {}
        for child in model:
            if child.tag in ("BodySet", "JointSet"):
                self._collect(child, f"/{child.get('name', child.tag.lower()) or child.tag.lower()}")
            elif child.tag in ("Ground", "components"):
                self._collect(child, "/ground" if child.tag == "Ground" else "")
        self._by_name: dict[str, str | None] = {}
        for path in self._offsets:
            name = path.rsplit("/", 1)[1]
            self._by_name[name] = None if name in self._by_name else path

    def _collect(self, element: Element, path: str) -> None:
        for child in element:
            if child.tag in _LISTS:
                self._collect(child, path)
            elif child.get("name") is not None:
                here = f"{path}/{child.get('name')}"
                if child.tag == _OFFSET:
                    self._offsets[here] = child
                self._collect(child, here)

    def resolve(self, socket: str, owner: str, owner_path: str = "") -> Frame:
        """Return the frame that ``socket`` (absolute, relative or bare name) means for ``owner``.

        Raises:
            InputError: no such frame, an ambiguous name, or a circle of offset frames.
        """
        offsets = []
        seen: list[str] = []
        while True:
            path = self._absolute(socket, owner_path)
            if path is None:
                name = socket.rsplit("/", 1)[-1]
                if name not in self._bodies:
                    raise InputError(
                        self._source,
                        f"{owner} is attached to {socket!r}, which is no body or frame of the model"
                        + near_matches(name, [*self._bodies, *(n for n in self._by_name)]),
                    )
                return Frame(name, tuple(reversed(offsets)))
            if path in seen:
                raise InputError(self._source, f"{owner} is attached to a circle of offset frames ({path})")
            seen.append(path)
            element = self._offsets[path]
            offsets.append(
                (vector(element, "translation", self._source), vector(element, "orientation", self._source))
            )
            socket, owner_path = text(element, "socket_parent"), path
            owner = f"frame {path!r}"

    def _absolute(self, socket: str, owner_path: str) -> str | None:
        """Path of the offset frame that ``socket`` names, or None when it can only be a body."""
        if socket in self._offsets:
            return socket
        if socket.startswith("/"):
            return None
        if owner_path:
            parts = owner_path.strip("/").split("/")
            rest = socket.split("/")
            while rest and rest[0] == ".." and parts:
                parts.pop()
                rest.pop(0)
            joined = "/" + "/".join([*parts, *rest])
            if joined in self._offsets:
                return joined
        name = socket.rsplit("/", 1)[-1]
        if name in self._bodies:
            return None
        return self._by_name.get(name)

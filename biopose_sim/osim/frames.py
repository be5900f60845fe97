"""Finding the frame that a socket path means, nested offset frames included."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from biopose_sim.errors import InputError, near_matches
from biopose_sim.osim.schema import GROUND, Frame
from biopose_sim.osim.stations import frame_of_points, point_in_body
from biopose_sim.osim.xml import Element, text, vector

_OFFSET, _BY_STATIONS = "PhysicalOffsetFrame", "StationDefinedFrame"
_STATIONS = ("Station", "Marker")
_POINTS = ("point_a", "point_b", "point_c", "origin_point")


class FrameTable:
    """Every body, offset frame and station-defined frame of a model by its absolute path and, where unambiguous,
    by its name.

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
        self._by_stations: dict[str, Element] = {}
        self._stations: dict[str, Element] = {}
        self._foreign: dict[str, str] = {}
        for tag in ("BodySet", "JointSet", "MarkerSet"):
            for element in model.findall(f"{tag}/objects/*"):
                path = f"/{tag.lower()}/{element.get('name')}"
                if element.tag in _STATIONS:
                    self._stations[path] = element
                self._collect(element, path)
        for element in model.findall("Ground"):
            self._collect(element, "/ground")
        self._collect(model, "")
        self._by_name: dict[str, str | None] = {}
        for path in (*self._offsets, *self._by_stations):
            name = path.rsplit("/", 1)[1]
            self._by_name[name] = None if name in self._by_name else path
        self._known: dict[str, Frame] = {}
        self._open: list[str] = []
        self.station_frames: dict[str, str] = {}  # of those resolved, the path and the body

    def _collect(self, owner: Element, path: str) -> None:
        """Note the frames among the components of ``owner``, whose own path is ``path``."""
        for holder in owner:
            if holder.tag in ("components", "frames"):
                for child in holder:
                    here = f"{path}/{child.get('name')}"
                    if child.tag == _OFFSET:
                        self._offsets[here] = child
                    elif child.tag == _BY_STATIONS:
                        self._by_stations[here] = child
                    elif child.tag in _STATIONS:
                        self._stations[here] = child
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
            if path in seen or path in self._open:
                raise InputError(self._source, f"{owner} is attached to a circle of offset frames ({path})")
            if path in self._by_stations:
                self._known[path] = self._of_stations(path)
                break
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

    def _of_stations(self, path: str) -> Frame:
        """The frame that four stations of one body define."""
        element, owner = self._by_stations[path], f"frame {path!r}"
        self._open.append(path)
        points, bodies = [], []
        for point in _POINTS:
            station = self._station(text(element, f"socket_{point}"), f"the {point} of {owner}", path)
            socket = text(self._stations[station], "socket_parent_frame")
            frame = self.resolve(socket, f"station {station!r}", station)
            points.append(point_in_body(frame, vector(self._stations[station], "location", self._source)))
            bodies.append(frame.body)
        self._open.pop()
        if len(set(bodies)) > 1:
            names = ", ".join(sorted(set(bodies)))
            raise InputError(self._source, f"the stations of {owner} lie on several bodies ({names})", "one is needed")
        try:
            offset = frame_of_points(points, text(element, "ab_axis", "+x"), text(element, "ab_x_ac_axis", "+y"))
        except ValueError:
            raise InputError(self._source, f"points a, b and c of {owner} are no triangle") from None
        self.station_frames[path] = bodies[0]
        return Frame(bodies[0], (offset,))

    def _station(self, socket: str, owner: str, owner_path: str) -> str:
        """Absolute path of the station that ``socket`` names."""
        path = socket if socket.startswith("/") else _joined(owner_path, socket)
        if path in self._stations:
            return path
        problem = f"{owner} is {socket!r}, which is no station of the model"
        raise InputError(self._source, problem + near_matches(path, self._stations))

    def _absolute(self, socket: str, owner: str, owner_path: str) -> str:
        """Absolute path of the body or offset frame that ``socket`` names."""
        path = socket if socket.startswith("/") else _joined(owner_path, socket)
        if path in self._bodies or path in self._offsets or path in self._by_stations:
            return path
        if path in self._foreign:
            raise InputError(
                self._source,
                f"{owner} is attached to {path!r}, a frame of type {self._foreign[path]}",
                f"supported are Body, Ground, {_OFFSET} and {_BY_STATIONS}",
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

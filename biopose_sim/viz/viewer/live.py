"""The scene in the browser (viser): nodes are made once, each moment only moves them, for all who watch.

The figures are shown about their moving middle and the floor's lines slide by, so that they stay in view and everyone
keeps a camera of their own.
"""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.viz.viewer.controls import Controls
from biopose_sim.viz.viewer.framing import Framing
from biopose_sim.viz.viewer.nodes import FigureNodes
from biopose_sim.viz.viewer.scene import OVERLAY_COLOURS, Scene

Array = NDArray[np.floating]
EXTRA = 'install the viewer: pip install "biopose-sim[viewer]"'
PORT = 8080
HOST = "127.0.0.1"
_RATE = 30.0  # moments a second that are sent
_FREE_PORTS = 50
_LINES = 1.0  # [m] between the strong lines of the floor


def check_installed() -> None:
    """Complain if viser is not there.

    Raises:
        InputError: it is not installed.
    """
    import importlib.util

    if importlib.util.find_spec("viser") is None:
        raise InputError("view", "the browser's view needs the package 'viser'", EXTRA)


def free_port(wanted: int | None) -> int:
    """Return a port on this machine that nobody listens on: the wanted one, else the first from ``PORT`` on.

    Raises:
        InputError: the wanted port is in use, or all are.
    """
    for port in [wanted] if wanted is not None else range(PORT, PORT + _FREE_PORTS):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port
    which = f"port {wanted} is" if wanted is not None else f"ports {PORT} to {PORT + _FREE_PORTS - 1} are"
    raise InputError("view", f"{which} in use", "choose another with --port")


class LiveView:
    """A server on this machine that shows a scene to every browser that opens its address.

    Args:
        scene: what there is to see.
        port: to listen on; the first free one from 8080 on if none is given.
        view: where the camera stands at first, one of ``framing.VIEWS``.

    Raises:
        InputError: viser is not installed, the port is in use, or an unknown view.
    """

    def __init__(self, scene: Scene, port: int | None = None, view: str = "oblique") -> None:
        check_installed()
        import viser

        self.scene = scene
        self._framing = Framing(scene, view, 1280, 720)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints a banner whatever it is told
            self.server = viser.ViserServer(host=HOST, port=free_port(port), label="biopose view", verbose=False)
        self._over = threading.Event()
        self._build_world()
        self._figures = [FigureNodes(self.server, k, figure) for k, figure in enumerate(scene.figures)]
        self.controls = Controls(self.server, scene, self._changed)
        self._shown = -1
        self.show(0)

    @property
    def address(self) -> str:
        """What a browser opens."""
        return f"http://localhost:{self.server.get_port()}"

    def show(self, index: int) -> None:
        """Move everything to a moment of the clock, by its index."""
        moment = float(self.scene.time[index])
        with self.server.atomic():
            followed = moment if self.controls.follow else float(self.scene.time[0])
            away = -self._framing.centre(followed) * [1.0, 0.0, 1.0]
            for nodes, frame in zip(self._figures, self.scene.frames(moment)):
                nodes.show(frame, away)
            # Only where its lines run matters: the floor has no end.
            self._floor.position = np.remainder(away, _LINES) * [1.0, 0.0, 1.0]
        self._shown = index

    def play(self, seconds: float | None = None) -> None:
        """Keep showing until :meth:`stop`, Ctrl-C, or so many seconds are over."""
        start = last = time.perf_counter()
        while not self._over.is_set() and (seconds is None or last - start < seconds):
            now = time.perf_counter()
            index = self.controls.advance(now - last)
            last = now
            if index != self._shown:
                self.show(index)
                self.controls.tell(index)
            self._over.wait(max(0.0, 1.0 / _RATE - (time.perf_counter() - now)))

    def stop(self) -> None:
        """End playing and close the server."""
        self._over.set()
        with contextlib.redirect_stdout(io.StringIO()):
            self.server.stop()

    def _changed(self) -> None:
        """Somebody used a control."""
        overlay = self.controls.overlay
        self.server.scene.configure_default_lights(enabled=True, cast_shadow=self.controls.shadows)
        with self.server.atomic():
            for k, nodes in enumerate(self._figures):
                nodes.arrange(overlay, OVERLAY_COLOURS[k % len(OVERLAY_COLOURS)])
                nodes.show_layers(self.controls.layers)
        self.show(max(self._shown, 0))

    def _build_world(self) -> None:
        scene = self.server.scene
        scene.set_up_direction("+y")
        scene.configure_default_lights(enabled=True, cast_shadow=False)
        floor: dict[str, Any] = {
            "cell_size": 0.5 * _LINES,
            "section_size": _LINES,
            "infinite_grid": True,
            "fade_distance": 14.0,
        }
        floor |= {"cell_color": (218, 221, 225), "section_color": (188, 193, 199), "shadow_opacity": 0.28}
        self._floor = scene.add_grid("/floor", plane="xz", plane_color=(244, 245, 247), plane_opacity=1.0, **floor)
        moment = float(self.scene.time[0])
        camera, centre = self._framing.camera(moment), self._framing.centre(moment)
        start = self.server.initial_camera
        start.up = (0.0, 1.0, 0.0)
        start.look_at = _tuple([0.0, centre[1], 0.0])
        start.position = _tuple(camera.position - centre * [1.0, 0.0, 1.0])
        start.fov = float(np.radians(30.0))


def _tuple(values: Sequence[float] | Array) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z

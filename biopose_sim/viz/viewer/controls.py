"""The browser's controls: playing, what is shown, how figures stand; and the clock that they move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from biopose_sim.viz.viewer.picture import Layers, legend
from biopose_sim.viz.viewer.scene import Scene

_SPEEDS = ("0.1", "0.25", "0.5", "1", "2")


class Controls:
    """Buttons and sliders, and where the clock is.

    Args:
        server: viser's.
        scene: what is shown.
        changed: called when something else than the clock was changed.
    """

    def __init__(self, server: Any, scene: Scene, changed: Callable[[], None]) -> None:
        self._scene, self._changed = scene, changed
        self._place = 0.0  # [frames]
        self._playing = len(scene.time) > 1
        server.gui.configure_theme(show_logo=False, show_share_button=False)
        server.gui.main_panel.dock_right()
        self._add_player(server.gui)
        self._add_layers(server.gui)
        self._add_notes(server.gui)

    @property
    def follow(self) -> bool:
        """Whether the floor moves below the figures."""
        return bool(self._follow.value)

    @property
    def overlay(self) -> bool:
        """Whether figures lie over each other."""
        return self._overlay is not None and bool(self._overlay.value)

    @property
    def shadows(self) -> bool:
        """Whether shadows are wanted: they are dear where the browser has no graphics card."""
        return bool(self._shadows.value)

    @property
    def layers(self) -> Layers:
        """What is shown."""
        return Layers(**{name: bool(box.value) for name, box in self._boxes.items()})

    def advance(self, seconds: float) -> int:
        """Let the clock go on; returns the index of its moment."""
        count = len(self._scene.time)
        if self._playing and count > 1:
            step = float(self._scene.time[1] - self._scene.time[0])
            self._place += seconds * float(self._speed.value) / step
            if self._place > count - 1:
                self._place = self._place % count if self._loop.value else count - 1.0
                if not self._loop.value:
                    self._set_playing(False)
        return min(int(self._place), count - 1)

    def tell(self, index: int) -> None:
        """Show where the clock is."""
        self._slider.value = index
        self._time.content = f"**{self._scene.time[index]:.2f} s**"

    def _set_playing(self, playing: bool) -> None:
        self._playing = playing
        self._button.label = "Pause" if playing else "Play"

    def _add_player(self, gui: Any) -> None:
        last = max(len(self._scene.time) - 1, 1)
        with gui.add_folder("Playback"):
            self._time = gui.add_markdown(f"**{self._scene.time[0]:.2f} s**")
            self._button = gui.add_button("Pause" if self._playing else "Play")
            self._slider = gui.add_slider("Frame", min=0, max=last, step=1, initial_value=0)
            self._speed = gui.add_dropdown("Speed", _SPEEDS, initial_value="1")
            self._loop = gui.add_checkbox("Loop", initial_value=True)
            self._follow = gui.add_checkbox("Follow", initial_value=True)

        @self._button.on_click
        def _toggle(_event: Any) -> None:
            if not self._playing and self._place >= len(self._scene.time) - 1:
                self._place = 0.0
            self._set_playing(not self._playing)

        @self._slider.on_update
        def _moved(event: Any) -> None:
            if event.client is not None:  # a person moved it, not the clock
                self._place = float(self._slider.value)

        self._follow.on_update(lambda _event: self._changed())

    def _add_layers(self, gui: Any) -> None:
        figures = self._scene.figures
        there = {
            "bones": ("Bones", any(figure.solids for figure in figures)),
            "model_markers": ("Markers of the model", any(figure.model_markers for figure in figures)),
            "measured_markers": ("Measured markers", any(figure.measured for figure in figures)),
            "skin": ("Body mesh", any(figure.skin for figure in figures)),
            "forces": ("Forces", any(figure.forces for figure in figures)),
            "labels": ("Names", True),
        }
        self._boxes: dict[str, Any] = {}
        self._overlay = None
        with gui.add_folder("Show"):
            for name, (text, present) in there.items():
                if present:
                    self._boxes[name] = gui.add_checkbox(text, initial_value=True)
            if len(figures) > 1:
                stacked = not any(figure.offset.any() for figure in figures)
                self._overlay = gui.add_checkbox("Over each other", initial_value=stacked)
            self._shadows = gui.add_checkbox("Shadows", initial_value=False)
        for box in [*self._boxes.values(), self._shadows, *([self._overlay] if self._overlay is not None else [])]:
            box.on_update(lambda _event: self._changed())

    def _add_notes(self, gui: Any) -> None:
        rows = [
            f'<span style="color: rgb{colour}">{"➔" if sign == "arrow" else "●"}</span> {text}'
            for text, colour, sign in legend(self._scene.figures, Layers())
        ]
        notes = list(dict.fromkeys(note for figure in self._scene.figures for note in figure.notes))
        if rows:
            with gui.add_folder("Legend"):
                gui.add_html("<div style='font-size: 0.85em; padding: 0 1em 0.6em'>" + "<br>".join(rows) + "</div>")
        if notes:
            with gui.add_folder("Notes", expand_by_default=False):
                gui.add_markdown("\n\n".join(notes))

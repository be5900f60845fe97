"""Pictures of a scene without a display: bones, skin, markers and forces on a floor, with labels."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biopose_sim.bodies.raster import Fragments, empty_fragments, rasterize
from biopose_sim.io.camera import Camera
from biopose_sim.viz.pixels import font
from biopose_sim.viz.viewer import shading
from biopose_sim.viz.viewer.framing import Framing
from biopose_sim.viz.viewer.scene import FORCE_COLOURS, MEASURED_MARKER, MODEL_MARKER, SKIN, Figure, Scene
from biopose_sim.viz.viewer.surfaces import FigureMeshes, merged

_INK, _PALE = (34, 38, 42), (110, 116, 122)
_FINER = 2  # pixels each way per pixel of the picture


@dataclass(frozen=True)
class Layers:
    """What is drawn."""

    bones: bool = True
    model_markers: bool = True
    measured_markers: bool = True
    skin: bool = True
    forces: bool = True
    labels: bool = True


class _Memory(threading.local):
    """Arrays of each thread's picture, kept from one to the next: to ask for new ones takes as long as to draw."""

    image: NDArray[np.float32]
    solid: Fragments
    skin: Fragments

    def fit(self, height: int, width: int) -> None:
        """Have them in this size."""
        if getattr(self, "image", np.empty(0)).shape != (height, width, 3):
            self.image = np.empty((height, width, 3), dtype=np.float32)
            self.solid, self.skin = empty_fragments(height, width), empty_fragments(height, width)


class Painter:
    """Draws a scene's moments as pictures; may be used from several threads.

    Args:
        scene: what there is to see.
        width: of the picture [pixel].
        height: of the picture [pixel].
        view: one of ``framing.VIEWS``.
        layers: what is drawn.
        skin_opacity: of the body mesh where it faces the camera.

    Raises:
        InputError: an unknown view.
    """

    def __init__(
        self,
        scene: Scene,
        width: int = 1280,
        height: int = 720,
        *,
        view: str = "oblique",
        layers: Layers | None = None,
        skin_opacity: float = 0.22,
    ) -> None:
        self.scene, self.layers, self._opacity = scene, layers or Layers(), skin_opacity
        self.width, self.height = width, height
        self.framing = Framing(scene, view, width, height)
        self._figures = [FigureMeshes(figure) for figure in scene.figures]
        self._skins = threading.Lock()
        self._memory = _Memory()

    def image(self, moment: float) -> NDArray[np.uint8]:
        """Return the picture of a moment of the scene's clock [s], (height, width, 3)."""
        camera = self.framing.camera(moment)
        pixels = self._drawn(moment, camera)
        return self._labelled(pixels, moment, camera) if self.layers.labels else pixels

    def _drawn(self, moment: float, camera: Camera) -> NDArray[np.uint8]:
        fine = camera.enlarged(_FINER)
        frames = self.scene.frames(moment)
        solid = merged([part for figure, frame in zip(self._figures, frames) for part in self._solid(figure, frame)])
        memory = self._memory
        memory.fit(fine.height, fine.width)
        image = memory.image
        found = rasterize(solid.points, solid.faces, fine, memory.solid)
        skins = self._seen_skins(frames)
        shadow = shading.cast_shadow(merged([solid, *skins]))
        shading.background(found, fine, shadow, image, self.framing.centre(moment), _FINER)
        shading.light_up(found, solid, fine, image)
        shading.draw_edges(found, image, 0.35)
        if skins:
            skin = merged(skins)
            shading.lay_over(
                rasterize(skin.points, skin.faces, fine, memory.skin), found, skin, fine, image, self._opacity
            )
        return shading.shrink(image, _FINER)

    def _solid(self, figure: FigureMeshes, frame: int) -> list[shading.Surface]:
        layers = self.layers
        parts = [figure.bones(frame)] if layers.bones else []
        parts.append(figure.markers(frame, model=layers.model_markers, measured=layers.measured_markers))
        return [*parts, figure.arrows(frame)] if layers.forces else parts

    def _seen_skins(self, frames: list[int]) -> list[shading.Surface]:
        if not self.layers.skin:
            return []
        with self._skins:  # a body model evaluates one frame at a time
            skins = [figure.skin(frame) for figure, frame in zip(self._figures, frames)]
        return [skin for skin in skins if skin is not None]

    def _labelled(self, pixels: NDArray[np.uint8], moment: float, camera: Camera) -> NDArray[np.uint8]:
        from PIL import Image, ImageDraw

        picture = Image.fromarray(pixels)
        draw = ImageDraw.Draw(picture)
        size = max(11, round(self.height / 42))
        large, small = font(size), font(round(0.86 * size))
        edge = round(0.9 * size)
        draw.text((self.width - edge, edge), f"{moment:.2f} s", fill=_INK, font=large, anchor="ra")
        self._draw_names(draw, moment, camera, large)
        y = float(edge)
        for text, colour, shape in legend(self.scene.figures, self.layers):
            _draw_sign(draw, edge, y, size, colour, shape)
            draw.text((edge + 1.7 * size, y + 0.5 * size), text, fill=_INK, font=small, anchor="lm")
            y += 1.45 * size
        return np.asarray(picture)

    def _draw_names(self, draw: Any, moment: float, camera: Camera, letters: Any) -> None:
        for figure, frame in zip(self.scene.figures, self.scene.frames(moment)):
            if len(self.scene.figures) == 1:
                draw.text(
                    (self.width / 2, self.height - 0.9 * letters.size),
                    figure.name,
                    fill=_PALE,
                    font=letters,
                    anchor="mb",
                )
                return
            place = figure.transforms[frame, :, :3, 3].mean(axis=0) + figure.offset
            x, y, depth = camera.project([place[0], 0.0, place[2]])
            if depth > 0.0 and not np.allclose(self.scene.figures[-1].offset, 0.0):
                y = min(y + 1.6 * letters.size, self.height - 1.2 * letters.size)
                draw.text((x, y), figure.name, fill=_INK, font=letters, anchor="mt")


def legend(figures: tuple[Figure, ...], layers: Layers) -> list[tuple[str, tuple[int, int, int], str]]:
    """Text, colour and sign ("dot", "arrow", "patch") of what is drawn, each once."""
    rows: dict[str, tuple[tuple[float, float, float], str]] = {}
    overlaid = len(figures) > 1 and np.allclose(figures[-1].offset, 0.0)
    for figure in figures:
        if overlaid and figure.solids:
            rows[figure.name] = (figure.solids[0].colour, "patch")
        if layers.measured_markers and figure.measured is not None:
            rows["measured markers"] = (MEASURED_MARKER, "dot")
        if layers.model_markers and figure.model_markers is not None:
            rows["markers of the model"] = (MODEL_MARKER, "dot")
        if layers.skin and figure.skin is not None:
            rows["body mesh"] = (SKIN, "patch")
        for forces in figure.forces if layers.forces else ():
            rows[f"{forces.label} (1 kN: {100e3 * forces.scale:.0f} cm)"] = (FORCE_COLOURS[forces.kind], "arrow")
    return [(text, _bytes(colour), shape) for text, (colour, shape) in rows.items()]


def _bytes(colour: tuple[float, float, float]) -> tuple[int, int, int]:
    red, green, blue = (round(255 * value) for value in colour)
    return red, green, blue


def _draw_sign(draw: Any, x: float, y: float, size: float, colour: tuple[int, int, int], shape: str) -> None:
    middle = y + 0.5 * size
    if shape == "dot":
        r = 0.3 * size
        draw.ellipse((x + 0.6 * size - r, middle - r, x + 0.6 * size + r, middle + r), fill=colour)
    elif shape == "arrow":
        draw.line((x, middle, x + 0.8 * size, middle), fill=colour, width=max(2, round(0.18 * size)))
        tip = [
            (x + 0.65 * size, middle - 0.32 * size),
            (x + 1.25 * size, middle),
            (x + 0.65 * size, middle + 0.32 * size),
        ]
        draw.polygon(tip, fill=colour)
    else:
        draw.rounded_rectangle((x, y + 0.1 * size, x + 1.2 * size, y + 0.9 * size), radius=0.2 * size, fill=colour)

"""One look for all figures: fonts, sizes and colours that colour-blind readers and printers keep apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

# Okabe & Ito 2008, "Color Universal Design".
RIGHT = "#0072B2"
LEFT = "#D55E00"
CENTER = "#858C95"
MEASURED = "#CC79A7"
REFERENCE = "#7A8087"
GOOD = "#009E73"
BONE = "#B9B2A5"
INK = "#22262A"
GRID = "#E4E6E8"

_PARAMETERS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same figures everywhere
    "font.size": 8.5,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.edgecolor": "#9AA0A6",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.parse_math": False,
    "svg.fonttype": "none",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style inside the block; settings of the user come back after it."""
    with mpl.rc_context(_PARAMETERS):
        yield


def new_figure(width: float, height: float, *, fitted: bool = True) -> Figure:
    """Return a figure [inch] outside of pyplot: no window, and gone when it is dropped.

    Args:
        width: [inch].
        height: [inch].
        fitted: arrange the panels so that no label is cut off; slow for very many panels.
    """
    figure = Figure(figsize=(width, height), layout="constrained" if fitted else None)
    FigureCanvasAgg(figure)
    return figure


def to_png(figure: Figure, dpi: int = 150, colours: int | None = None) -> bytes:
    """Return the figure as a PNG; with ``colours`` as one with a palette of so many, a third of the size."""
    with house_style():
        if colours is None:
            buffer = BytesIO()
            figure.savefig(buffer, format="png", dpi=dpi)
            return buffer.getvalue()
        canvas = FigureCanvasAgg(figure)
        figure.set_dpi(dpi)
        canvas.draw()
        pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    small = BytesIO()
    pixels.quantize(colours, method=Image.Quantize.FASTOCTREE).save(small, format="png")
    return small.getvalue()


def side_of(name: str) -> str:
    """Return "r", "l" or "" for a coordinate, body or marker of the usual names.

    ``knee_angle_r``, ``femur_l``, ``knee_angle_r_beta``, ``R.Knee.Lat``, ``RASI``, ``r_knee``; C7, STRN,
    LUMBAR have no side.
    """
    parts = name.replace(".", "_").replace("-", "_").split("_")
    for part in (parts[-1], parts[0], *parts[1:-1]):
        if part in ("r", "R", "right", "Right"):
            return "r"
        if part in ("l", "L", "left", "Left"):
            return "l"
    head = parts[0]
    if len(head) >= 3 and head[0] in "RL" and head[1:2].isupper() and not head.startswith(("LUMB", "RIB")):
        return head[0].lower()
    return ""


def side_colour(name: str) -> str:
    """Return the colour of the side that a name belongs to."""
    return {"r": RIGHT, "l": LEFT}.get(side_of(name), CENTER)


def hide(axes: Axes) -> None:
    """Leave a panel of a grid empty."""
    axes.set_axis_off()

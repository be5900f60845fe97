"""Files of a calibration: the table of markers, a report of each marker, a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from biopose_sim.bodies.virtual import COLUMNS, VirtualMarker
from ik_pipeline.calibration import Calibration
from ik_pipeline.rigidity import Rigidity, group_of

REPORT_COLUMNS = (
    "name", "segment", "kind", "x", "y", "z", "weight", "moved_mm", "spread_x_mm", "spread_y_mm", "spread_z_mm",
    "residual_mm", "rigidity_median_mm", "rigidity_95_mm",
)  # fmt: skip


def marker_table(markers: Sequence[VirtualMarker]) -> str:
    """Return the markers as text in the form of ``virtual.csv``."""
    rows = [
        (m.name, m.segment, *(f"{v:g}" for v in m.position), m.kind, f"{m.weight:g}", m.description) for m in markers
    ]
    return _csv(COLUMNS, rows)


def report_table(calibration: Calibration) -> str:
    """Return what became of each marker as CSV text; lengths in mm, places in m."""
    rigid = calibration.rigidity
    columns = [rigid.names.index(m.name) for m in calibration.markers]
    middle, high = rigid.medians[columns], rigid.percentiles95[columns]
    rows = []
    for k, m in enumerate(calibration.markers):
        lengths = (calibration.moved[k], *calibration.spread[k], calibration.residuals[k], middle[k], high[k])
        place = (f"{v:g}" for v in m.position)
        rows.append((m.name, m.segment, m.kind, *place, f"{m.weight:g}", *(f"{1000 * v:.1f}" for v in lengths)))
    return _csv(REPORT_COLUMNS, rows)


def rigidity_rows(rigidity: Rigidity, markers: Sequence[VirtualMarker]) -> list[tuple[str, str, str, float, float]]:
    """Return name, segment, group, median and 95th percentile [mm] of each marker, the worst first."""
    middle, high = 1000 * rigidity.medians, 1000 * rigidity.percentiles95
    by_name = {m.name: m for m in markers}
    rows = [
        (name, rigidity.segments[k], group_of(by_name[name]), float(middle[k]), float(high[k]))
        for k, name in enumerate(rigidity.names)
    ]
    return sorted(rows, key=lambda row: -row[3])


def rigidity_picture(rigidity: Rigidity, markers: Sequence[VirtualMarker]) -> bytes:
    """Return a PNG: median and 95th percentile of each marker's distance from its rigid place, by segment."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    segments = list(dict.fromkeys(m.segment.removesuffix("_l").removesuffix("_r") for m in markers))
    rows = {name: k for k, name in enumerate(rigidity.names)}
    figure = Figure(figsize=(13.0, 7.5), layout="constrained")
    panels = figure.subplots(2, (len(segments) + 1) // 2, sharey=True).ravel()
    for panel, segment in zip(panels, segments):
        own = [m for m in markers if m.segment in (segment, f"{segment}_r") and not _has_right_twin(m.name, rows)]
        place = np.arange(len(own))
        columns = [rows[m.name] for m in own]
        middle, high = 1000 * rigidity.medians[columns], 1000 * rigidity.percentiles95[columns]
        colours = ["#0072B2" if m.kind == "landmark" else "#858C95" for m in own]
        panel.bar(place, middle, color=colours, width=0.7)
        panel.vlines(place, middle, high, color="#22262A", linewidth=0.8)
        panel.set_xticks(place, [m.name for m in own], rotation=90, fontsize=6.5)
        panel.set_title(segment, fontsize=9, loc="left")
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(segments) :]:
        panel.set_visible(False)
    for panel in panels[:: (len(segments) + 1) // 2]:
        panel.set_ylabel("distance from the rigid place [mm]")
    title = "Virtual markers on rigid segments: median (bar; blue: landmark) and 95th percentile (line)"
    figure.suptitle(title, fontsize=10)
    stream = io.BytesIO()
    FigureCanvasAgg(figure).print_png(stream)
    return stream.getvalue()


def _has_right_twin(name: str, names: dict[str, int]) -> bool:
    return name.startswith("L") and "R" + name[1:] in names


def _csv(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return stream.getvalue()

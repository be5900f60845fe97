"""Figures of angles, marker errors and convergence."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image
from scenes import Scene

from biopose_sim.viz import plots, style


def test_panels_pair_the_sides_and_leave_out_the_patella(walk: Scene) -> None:
    panels = {panel.title: panel.coordinates for panel in plots.angle_panels(walk.result)}
    assert panels["Knee angle"] == ("knee_angle_r", "knee_angle_l")
    assert panels["Pelvis tilt"] == ("pelvis_tilt",)
    assert not any("beta" in name for names in panels.values() for name in names)


def test_angles_are_in_degrees_and_metres_with_the_reference_dashed(walk: Scene) -> None:
    figure = plots.plot_angles(walk.result, replace(walk.result, coordinates=walk.truth), reference_label="truth")
    axes = {a.get_title(loc="left"): a for a in figure.axes}
    knee = axes["Knee angle [deg]"]
    right = knee.lines[0]
    assert right.get_color() == style.RIGHT
    assert 55.0 < right.get_ydata().max() < 75.0
    assert axes["Pelvis tx [m]"].lines[0].get_ydata().max() < 2.0
    assert "truth" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert axes["Wrist flex [deg]"].lines[0].get_alpha() < 0.5


def test_marker_errors_worst_first_in_millimetres(walk: Scene) -> None:
    errors = walk.result.marker_errors.copy()
    errors[:, 7] = 0.05
    figure = plots.plot_marker_errors(replace(walk.result, marker_errors=errors), most=10)
    lower = figure.axes[1]
    assert lower.get_xticklabels()[0].get_text() == walk.result.marker_names[7]
    assert lower.patches[0].get_height() == pytest.approx(50.0)
    assert len(lower.patches) == 10


@pytest.mark.filterwarnings("error")
def test_nan_errors_one_frame_and_no_markers(walk: Scene, static: Scene) -> None:
    result = walk.result
    gone = replace(result, marker_errors=np.full_like(result.marker_errors, np.nan))
    one = replace(
        result,
        time=result.time[:1],
        coordinates=result.coordinates[:1],
        marker_errors=result.marker_errors[:1],
        model_markers=result.model_markers[:1],
        converged=result.converged[:1],
        iterations=result.iterations[:1],
    )
    bare = replace(result, marker_names=(), marker_weights=np.ones(0), marker_errors=np.zeros((len(result.time), 0)))
    some = result.marker_errors.copy()
    some[:, 3] = np.nan
    some[5] = np.nan
    for changed in (gone, one, bare, replace(result, marker_errors=some), static.result):
        for figure in (
            plots.plot_angles(changed),
            plots.plot_marker_errors(changed),
            plots.plot_convergence([changed]),
        ):
            assert style.to_png(figure, 40).startswith(b"\x89PNG")


def test_convergence_counts_the_frames_that_failed(walk: Scene) -> None:
    converged = walk.result.converged.copy()
    converged[:2] = False
    figure = plots.plot_convergence([walk.result, replace(walk.result, name="a $bad^ one", converged=converged)])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["all frames converged", f"2 of {len(converged)} frames did not converge"]
    style.to_png(figure, 40)


def test_figures_leave_nothing_behind(walk: Scene) -> None:
    before = plt.get_fignums()
    settings = dict(plt.rcParams)
    style.to_png(plots.plot_marker_errors(walk.result), 40)
    assert plt.get_fignums() == before
    assert dict(plt.rcParams) == settings


def test_a_palette_makes_the_picture_smaller(walk: Scene) -> None:
    figure = plots.plot_marker_errors(walk.result)
    full, small = style.to_png(figure, 80), style.to_png(figure, 80, colours=64)
    assert len(small) < 0.7 * len(full)
    assert Image.open(BytesIO(small)).size == Image.open(BytesIO(full)).size


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("knee_angle_r", "r"),
        ("femur_l", "l"),
        ("knee_angle_r_beta", "r"),
        ("R.Knee.Lat", "r"),
        ("LASI", "l"),
        ("C7", ""),
        ("lumbar_rotation", ""),
        ("L5", ""),
        ("STRN", ""),
        ("pelvis_tilt", ""),
        ("r_knee", "r"),
    ],
)
def test_sides_are_read_from_names(name: str, side: str) -> None:
    assert style.side_of(name) == side

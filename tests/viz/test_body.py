"""Pictures of mesh, skeleton and markers."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import biopose_sim as bp
from biopose_sim import synthetic
from biopose_sim.errors import InputError
from biopose_sim.paths import default_model_path
from biopose_sim.viz.body import choose_frames, plot_body
from biopose_sim.viz.style import to_png

# A box of the size of a person around the model: 8 corners, 12 triangles that look outwards.
CORNERS = np.array([[x, y, z] for x in (-0.3, 0.3) for y in (0.0, 1.8) for z in (-0.4, 0.4)])
FACES = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4]]
FACES += [[1, 5, 7], [1, 7, 3]]


@pytest.fixture(scope="module")
def standing():
    model = bp.OsimModel.from_file(default_model_path())
    return model, synthetic.static_pose(model)


def share_of_grey(figure, tmp_path) -> float:
    """Share of the picture's points that are neither white nor coloured."""
    path = tmp_path / "picture.png"
    path.write_bytes(to_png(figure, 60))
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    grey = (np.ptp(pixels, axis=2) < 20) & (pixels.min(axis=2) > 90) & (pixels.max(axis=2) < 245)
    return float(grey.mean())


def test_mesh_is_painted_and_lets_the_skeleton_through(standing, tmp_path):
    model, q = standing
    poses, boxes = np.stack([q, q]), np.stack([CORNERS, CORNERS])
    with_mesh = plot_body(model, poses, boxes, FACES, markers=boxes, time=[0.0, 0.5])
    assert len(with_mesh.axes) == 6
    assert [axes.get_title(loc="left") for axes in with_mesh.axes[::2]] == [
        "From the side",
        "From the front",
        "From the back",
    ]
    assert [axes.get_xlabel() for axes in with_mesh.axes[-2:]] == ["0.00 s", "0.50 s"]
    shares = [share_of_grey(f, tmp_path) for f in (with_mesh, plot_body(model, poses, boxes, None))]
    assert shares[0] > 0.22 > 0.12 > shares[1]
    (tmp_path / "bones.png").write_bytes(to_png(with_mesh, 60))
    pixels = np.asarray(Image.open(tmp_path / "bones.png").convert("RGB")).astype(int)
    assert (pixels[..., 2] - pixels[..., 0] > 40).sum() > 300  # the right leg's blue


def test_one_moment_lies_in_a_row_and_missing_markers_are_left_out(standing):
    model, q = standing
    markers = CORNERS[None].copy()
    markers[0, 3] = np.nan
    figure = plot_body(model, q, CORNERS[None], FACES, markers=markers, views=("side", "front"))
    assert len(figure.axes) == 2
    dots = [c for axes in figure.axes for c in axes.collections if len(c.get_offsets()) == 7]
    assert len(dots) == 2


def test_frames_lie_where_the_person_is_seen():
    seen = np.zeros(100, dtype=bool)
    seen[40:60] = True
    assert choose_frames(seen, 5) == [42, 46, 50, 54, 58]
    assert choose_frames([True], 5) == [0]
    assert choose_frames([False, False]) == []


def test_shapes_that_do_not_fit_are_named(standing):
    model, q = standing
    with pytest.raises(InputError, match="1 poses but vertices of shape"):
        plot_body(model, q, CORNERS, FACES)
    with pytest.raises(InputError, match="unknown view 'top'"):
        plot_body(model, q, CORNERS[None], FACES, views=("top",))

"""Pictures of the skeleton."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from scenes import Scene

from biopose_sim import synthetic
from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz import bones, skeleton, style


def test_bones_span_the_limbs(model: OsimModel) -> None:
    found = {}
    for bone in bones.skeleton_bones(model):
        found.setdefault(bone.name, []).append(bone)
    thigh = found["femur_r"][0]
    assert np.linalg.norm(thigh.end - thigh.start) == pytest.approx(0.41, abs=0.02)
    assert {"tibia_l", "humerus_r", "head", "toes_r"} <= set(found)
    assert not any(name.startswith("patella") for name in found)


def test_the_person_stands_upright_and_faces_right_in_the_side_view(model: OsimModel) -> None:
    axes = Figure().subplots()
    left, right = skeleton.draw_skeleton(axes, model, synthetic.static_pose(model), view="side")
    heights = np.concatenate([line.get_ydata() for line in axes.lines])
    assert 1.6 < heights.max() < 1.85
    assert heights.min() > -0.02
    assert right > 0.1 > -0.1 > left - 0.1


@pytest.mark.parametrize("heading", [0.0, 90.0, 180.0, -90.0])
def test_the_view_turns_with_the_person(model: OsimModel, heading: float) -> None:
    q = synthetic.static_pose(model)
    q[model.coordinate_names.index("pelvis_rotation")] = np.radians(heading)
    q[model.coordinate_names.index("pelvis_tx")] = 3.0
    got = skeleton.draw_skeleton(Figure().subplots(), model, q, view="front")
    expected = skeleton.draw_skeleton(Figure().subplots(), model, synthetic.static_pose(model), view="front")
    np.testing.assert_allclose(got, expected, atol=1e-9)
    assert expected[1] - expected[0] > 0.8


@pytest.mark.filterwarnings("error")
def test_every_view_draws_with_gaps_and_frames(walk: Scene) -> None:
    measured = walk.trial.markers.copy()
    measured[:, :5] = np.nan
    for view in skeleton.VIEWS:
        figure = skeleton.plot_skeleton(
            walk.model,
            walk.truth,
            time=walk.trial.time,
            measured=measured,
            views=[view],
            body_frames=True,
            frames=[0, 9],
        )
        assert style.to_png(figure, 40).startswith(b"\x89PNG")
        assert figure.axes[0].get_aspect() == 1.0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["arm26", "double_pendulum", "Rajagopal2016", "gait10dof18musc", "wrist"])
def test_any_tree_is_drawn(test_data: Path, name: str) -> None:
    model = OsimModel.from_file(test_data / "models" / f"{name}.osim")
    figure = skeleton.plot_skeleton(model, model.default_coordinates.numpy())
    assert style.to_png(figure, 40).startswith(b"\x89PNG")


def test_unknown_view_is_named(model: OsimModel) -> None:
    with pytest.raises(InputError, match="unknown view 'top'; choose one of side, front, back, oblique"):
        skeleton.draw_skeleton(Figure().subplots(), model, model.default_coordinates.numpy(), view="top")

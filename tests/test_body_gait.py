"""The project's gait on a body mesh, and recordings of its markers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from biopose_sim.bodies.anny import AnnyBody
from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.phenotypes import sample_adults
from biopose_sim.bodies.types import ANNY_AXES
from biopose_sim.errors import InputError
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.paths import default_model_path
from biopose_sim.synthetic import body_motion, gait_coordinates, motion_as_bvh, recorded


@pytest.fixture(scope="module")
def gait():
    model = OsimModel.from_file(default_model_path())
    return model, gait_coordinates(model, 1.0, 50.0)


@pytest.fixture(scope="module")
def walk(gait):
    return body_motion(*gait, 50.0, sample_adults(1, 2, "female")[0], "walk")


@pytest.mark.parametrize(
    ("body", "bone"), [("thorax", "spine01"), ("humerus_l", "upperarm02.L"), ("ulna_r", "lowerarm01.R")]
)
def test_trunk_and_arms_turn_as_the_models(gait, walk, body, bone):
    model, q = gait
    turned = model(torch.from_numpy(q)).transforms.numpy()[:, model.body_names.index(body), :3, :3]
    mesh = ANNY_AXES @ walk.rotations[:, AnnyBody().joint_names.index(bone)] @ ANNY_AXES.T
    offset = np.swapaxes(mesh, -1, -2) @ turned
    assert np.abs(offset - offset[0]).max() < 1e-6


def test_the_body_walks_forward_on_the_floor(walk):
    trial = virtual_markers(walk)
    assert -0.005 < trial.markers[..., 1].min() < 0.03
    iliac = trial.select(["RASI", "LASI"]).markers
    assert (iliac[-1] - iliac[0])[:, 0].min() > 0.8  # X is forward
    assert (iliac[:, 0, 2] > iliac[:, 1, 2]).all()  # Z is to the right


def test_skeleton_has_the_models_joints(gait):
    model, q = gait
    motion = motion_as_bvh(model, q, 50.0)
    assert (motion.n_frames, motion.rate) == (51, pytest.approx(50.0))
    places = motion.world()[1]
    centers = model(torch.from_numpy(q)).joint_centers.numpy()
    for name, joint in (("LeftFoot", "ankle_l"), ("RightHand", "radius_hand_r"), ("Head", "neck")):
        theirs = centers[:, [j.name for j in model.model.joints].index(joint)]
        ours = places[:, motion.index(name)] @ np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]).T
        # The knee glides and the radius turns about the ulna; the skeleton's joints stay in place.
        assert np.abs(ours - theirs).max() < 0.02


def test_another_model_is_refused(test_data):
    model = OsimModel.from_file(test_data / "models" / "gait2354_simbody.osim")
    with pytest.raises(InputError, match="the project's default model is needed"):
        motion_as_bvh(model, model.default_coordinates[None].numpy(), 50.0)


def test_recorded_markers_have_the_noise_and_gaps_that_were_asked_for():
    true = Trial.checked("t", np.arange(200) / 100.0, np.zeros((200, 20, 3)), [f"m{k}" for k in range(20)])
    trial = recorded(true, noise=0.004, gap_fraction=0.05, seed=1)
    assert np.isnan(trial.markers).all(axis=2).mean() == pytest.approx(0.05)
    assert np.nanstd(trial.markers) == pytest.approx(0.004, rel=0.05)
    with pytest.raises(InputError, match="gap_fraction is 1"):
        recorded(true, gap_fraction=1.0)

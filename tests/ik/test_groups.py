"""Grouping of bodies, the size prior and the names of landmarks."""

from pathlib import Path

import numpy as np
import pytest

from biopose_sim.ik.groups import SizePrior, make_groups, split_side
from biopose_sim.ik.landmarks import find_landmarks
from biopose_sim.kinematics.model import OsimModel


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("femur_r", ("femur", "r")),
        ("r_humerus", ("humerus", "r")),
        ("left_foot", ("foot", "l")),
        ("torso", ("torso", "")),
        ("radius", ("radius", "")),
        ("lunate", ("lunate", "")),
    ],
)
def test_sides_of_names(name: str, expected: tuple[str, str]) -> None:
    assert split_side(name) == expected


def test_parts_and_sides_share_factors(test_data: Path) -> None:
    model = OsimModel.from_file(test_data / "models" / "Rajagopal2016.osim")
    groups = make_groups(model.body_names)
    group_of = {name: groups.names[g] for name, g in zip(model.body_names, groups.group)}
    assert group_of["femur_l"] == group_of["femur_r"] == group_of["patella_r"] == "thigh"
    assert group_of["talus_r"] == group_of["toes_l"] == "foot"
    assert group_of["ulna_r"] == group_of["radius_l"] == "forearm"
    assert len({group_of["pelvis"], group_of["torso"], group_of["humerus_r"], group_of["tibia_r"]}) == 4
    apart = make_groups(model.body_names, symmetric=False)
    of_side = dict(zip(model.body_names, apart.group))
    assert of_side["femur_l"] != of_side["femur_r"]
    assert of_side["femur_l"] == of_side["patella_l"]


def test_unknown_bodies_stay_apart_but_twins_together() -> None:
    groups = make_groups(("box", "wing_r", "wing_l", "tail"))
    assert groups.group[1] == groups.group[2]
    assert len(set(groups.group)) == 3


def test_parameters_and_scales_are_inverse() -> None:
    groups = make_groups(("pelvis", "femur_r", "femur_l"))
    parameters = np.random.default_rng(0).normal(0.0, 0.1, 6)
    np.testing.assert_allclose(groups.parameters(groups.scales(parameters)), parameters, atol=1e-14)


def test_gather_is_the_chain_rule() -> None:
    groups = make_groups(("pelvis", "femur_r", "femur_l"))
    rng = np.random.default_rng(0)
    parameters, weights = rng.normal(0.0, 0.1, 6), rng.normal(size=(2, 9))
    scales = groups.scales(parameters)
    numeric = np.empty((2, 6))
    for k in range(6):
        step = np.zeros(6)
        step[k] = 1e-6
        change = groups.scales(parameters + step) - groups.scales(parameters - step)
        numeric[:, k] = weights @ change.ravel() / 2e-6
    np.testing.assert_allclose(groups.gather(weights, scales), numeric, atol=1e-8)


def test_wall_is_zero_inside_and_its_gradient_right_outside() -> None:
    prior = SizePrior(limit=0.1)
    inside = np.array([0.3, 0.25, 0.35])
    assert prior.wall(inside)[0] == 0.0
    outside = np.array([0.0, 0.0, 0.3, 0.02])
    value, gradient, _ = prior.wall(outside)
    assert value > 0.0
    for k in range(4):
        step = np.zeros(4)
        step[k] = 1e-7
        numeric = (prior.wall(outside + step)[0] - prior.wall(outside - step)[0]) / 2e-7
        assert 2.0 * gradient[k] == pytest.approx(numeric, rel=1e-5)


def test_prior_lets_the_whole_body_vary_more_than_its_parts() -> None:
    precision = SizePrior().precision(4)
    together, apart = np.full(12, 0.1), np.zeros(12)
    apart[:3] = 0.1
    assert together @ precision @ together < apart @ precision @ apart


def test_landmarks_of_the_usual_marker_sets() -> None:
    landmarks = "RASI LASI r.ASIS L.PSIS R.Knee.Lat L_mknee RLFC r_ankle LMMAL R.Acromium C7 CLAV L_5meta R_elbow_lat"
    landmarks += " r_knee_study RFAradius V.Sacral L.Heel r_toe"
    tracking = "RTH1 L_thigh2 r_sh3 L.Shank.Front RUA1 LTB2 R.Midfoot.Sup RHJC L_shank_antsup LFHD"
    assert find_landmarks(landmarks.split()) == frozenset(landmarks.split())
    assert find_landmarks(tracking.split()) == frozenset()

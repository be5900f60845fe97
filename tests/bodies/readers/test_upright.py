"""The vertical of results in camera axes: from the user's angles, from the body, from the feet."""

import tarfile
from dataclasses import replace

import numpy as np
import pytest
import tiny_files as tiny
from scipy.spatial.transform import Rotation

from biopose_sim.bodies import turn_upright
from biopose_sim.bodies.types import LEVEL_CAMERA, BodySequence
from biopose_sim.bodies.upright import ground_from_up, up_from_angles
from biopose_sim.errors import InputError
from biopose_sim.io.bvh import read_bvh

RATE = 30


def walker(n=120, lean=5.0, camera=None):
    """A person that walks (hips and knees swing, the feet rest flat half of the time), in the axes of a camera."""
    phase = np.arange(n) / RATE * 2 * np.pi
    turns = np.tile(np.eye(3), (n, 24, 1, 1))

    def about_x(degrees):
        return Rotation.from_euler("x", np.asarray(degrees)[:, None], degrees=True).as_matrix()

    turns[:, 0] = about_x(np.full(n, lean))
    for hip, knee, ankle, offset in ((1, 4, 7, 0.0), (2, 5, 8, np.pi)):
        swing, bend = -10 - 25 * np.sin(phase + offset), 30 * np.clip(np.cos(phase + offset), 0, None)
        turns[:, hip], turns[:, knee] = about_x(swing), about_x(bend)
        flat = -(lean + swing + bend)
        turns[:, ankle] = about_x(np.where(np.cos(phase + offset) < 0, flat, flat + 40 * np.sin(3 * phase)))
    # The person faces the camera (turned about the vertical), in ground axes; then into the camera's.
    facing = Rotation.from_euler("y", 160, degrees=True).as_matrix()
    to_camera = (LEVEL_CAMERA if camera is None else camera).T
    turns[:, 0] = to_camera @ facing @ turns[:, 0]
    zeros = np.zeros((n, 3))
    return BodySequence("walk", "smpl", np.arange(n) / RATE, turns, zeros, np.zeros(10), to_ground=LEVEL_CAMERA)


@pytest.mark.parametrize(("pitch", "roll"), [(0, 0), (15, 0), (0, 10), (-20, 25), (80, -170)])
def test_given_angles(pitch, roll):
    """A level camera that is first rolled clockwise about its optical axis, then pitched down, sees up there."""
    ground_from_level = Rotation.from_matrix(LEVEL_CAMERA)
    camera_in_level = Rotation.from_euler("x", -pitch, degrees=True) * Rotation.from_euler("z", roll, degrees=True)
    up = (ground_from_level * camera_in_level).inv().apply([0, 1, 0])
    np.testing.assert_allclose(up_from_angles(pitch, roll), up, atol=1e-12)
    turned = turn_upright(walker(3), (pitch, roll))
    np.testing.assert_allclose(turned.to_ground @ up, [0, 1, 0], atol=1e-9)
    assert np.linalg.det(turned.to_ground) == pytest.approx(1)
    assert any(f"pitch {pitch:g} and roll {roll:g}" in note for note in turned.assumptions)


def test_looking_down_sees_up_behind_and_clockwise_roll_lowers_the_right():
    assert up_from_angles(30, 0)[2] < 0
    assert up_from_angles(0, 30)[0] < 0
    np.testing.assert_allclose(ground_from_up(np.array([0.0, -1.0, 0.0])), LEVEL_CAMERA, atol=1e-12)


@pytest.mark.parametrize(("way", "within"), [("body", 4.0), ("feet", 2.0)])
@pytest.mark.parametrize(("pitch", "roll"), [(0, 0), (20, 0), (-10, 15)])
def test_the_motion_shows_the_vertical(way, within, pitch, roll):
    camera = ground_from_up(up_from_angles(pitch, roll))
    turned = turn_upright(walker(camera=camera), way)
    error = np.degrees(np.arccos(np.clip((turned.to_ground @ camera.T)[1, 1], -1, 1)))
    assert error < within
    assert any("vertical is taken from" in note for note in turned.assumptions)


def test_sitting_and_unseen_frames_do_not_count():
    camera = ground_from_up(up_from_angles(10, 0))
    upright_walk = walker(camera=camera)
    turns = upright_walk.rotations.copy()
    turns[:80, 0] = turns[:80, 0] @ Rotation.from_euler("x", 60, degrees=True).as_matrix()
    turns[:80, 1:3] = Rotation.from_euler("x", -90, degrees=True).as_matrix()
    sitting = turn_upright(replace(upright_walk, rotations=turns), "body")
    assert (sitting.to_ground @ camera.T)[1, 1] > np.cos(np.radians(4))
    with pytest.raises(InputError, match=r"never stands long enough.*upright='level'"):
        turn_upright(replace(upright_walk, rotations=turns, seen=np.arange(120) < 80), "body")


def test_a_mesh_shows_the_vertical_by_its_length():
    camera = ground_from_up(up_from_angles(15, -5))
    points = tiny.rng(0).normal(scale=[0.15, 0.5, 0.1], size=(6, 500, 3)) @ camera
    parts = (np.arange(6) / RATE, np.zeros((6, 0, 3, 3)), np.zeros((6, 3)), np.zeros(0))
    mesh = BodySequence("m", "mesh", *parts, vertices=points)
    assert (turn_upright(mesh, "body").to_ground @ camera.T)[1, 1] > np.cos(np.radians(3))
    with pytest.raises(InputError, match="no joint rotations to find the soles"):
        turn_upright(mesh, "feet")


def test_feet_that_point_elsewhere_are_no_ground():
    toes = walker()
    turns = toes.rotations.copy()
    turns[:, 7:9] = turns[:, 7:9] @ Rotation.from_euler("x", 25, degrees=True).as_matrix()
    assert turn_upright(replace(toes, rotations=turns), "body").assumptions
    turns[:, 0] = turns[:, 0] @ Rotation.from_euler("z", 15, degrees=True).as_matrix()
    with pytest.raises(InputError, match=r"soles and the body show verticals that are \d+ degrees apart"):
        turn_upright(replace(toes, rotations=turns), "feet")


# Joints of the CMU skeletons in the places of SMPL's.
CMU_JOINTS = {
    0: "hip",
    1: "lThigh",
    2: "rThigh",
    3: "abdomen",
    4: "lShin",
    5: "rShin",
    6: "chest",
    7: "lFoot",
    8: "rFoot",
}


@pytest.mark.parametrize(("way", "within"), [("body", 5.0), ("feet", 6.0)])
def test_a_recorded_walk_shows_the_vertical(test_data, tmp_path, way, within):
    with tarfile.open(test_data / "cmu_bvh" / "cmu_daz_bvh.tar.xz") as archive:
        walk = next(member for member in archive if member.name.endswith("08_02.bvh"))
        (tmp_path / "walk.bvh").write_bytes(archive.extractfile(walk).read())
    recorded = read_bvh(tmp_path / "walk.bvh")
    local = recorded.local_rotations(slice(10, None, 4))
    turns = np.tile(np.eye(3), (len(local), 24, 1, 1))
    for joint, name in CMU_JOINTS.items():
        turns[:, joint] = local[:, recorded.joint_names.index(name)]
    camera = ground_from_up(up_from_angles(12, 5))
    turns[:, 0] = camera.T @ turns[:, 0]
    time = np.arange(len(local)) * 4 * recorded.frame_time
    seen = BodySequence("walk", "smpl", time, turns, np.zeros((len(local), 3)), np.zeros(10))
    upright = turn_upright(seen, way).to_ground @ camera.T
    assert np.degrees(np.arccos(np.clip(upright[1, 1], -1, 1))) < within


@pytest.mark.parametrize("upright", ["up", (1.0,), (100.0, 0.0), (float("nan"), 0.0), 5])
def test_unknown_ways(upright):
    with pytest.raises(InputError, match=r"level, body, feet or \(pitch, roll\) in degrees"):
        turn_upright(walker(3), upright)

"""BVH onto Anny: real takes, skeletons of other conventions made from them, floor, feet, names, faults."""

from __future__ import annotations

import tarfile
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from biopose_sim.bodies.floor import fit_floor
from biopose_sim.bodies.retarget import is_cgspeed, retarget, retarget_in_detail
from biopose_sim.bodies.retarget_check import check
from biopose_sim.bodies.retarget_names import find_joints, plain_name
from biopose_sim.bodies.retarget_rig import bone_heads, rig_of, twist_angle
from biopose_sim.bodies.types import ANNY_AXES
from biopose_sim.errors import InputError
from biopose_sim.io.bvh import chain, read_bvh

MAN = np.array([0.0, 0.8, 0.5, 0.5, 0.4, 0.5])
WOMAN = np.array([1.0, 0.7, 0.2, 0.8, 0.35, 0.4])
TAKES = ("02_01", "07_12", "13_18", "13_11")


@pytest.fixture(scope="module")
def takes(test_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cmu")
    found = {}
    with tarfile.open(test_data / "cmu_bvh" / "cmu_daz_bvh.tar.xz") as archive:
        for member in archive:
            name = member.name.split("/")[-1].removesuffix(".bvh")
            if name in TAKES:
                path = folder / f"{name}.bvh"
                path.write_bytes(archive.extractfile(member).read())
                found[name] = read_bvh(path)
                if len(found) == len(TAKES):
                    break
    return found


@pytest.fixture(scope="module")
def walk(takes):
    return takes["02_01"]


@pytest.mark.parametrize("body", [MAN, WOMAN])
def test_walk_on_two_bodies(walk, body):
    motion = retarget_in_detail(walk, body)
    sequence = motion.sequence
    assert sequence.rotations.shape == (334, 104, 3, 3)  # without the ten frames of the smeared rest pose
    np.testing.assert_allclose(np.linalg.det(sequence.rotations), 1, atol=1e-9)
    np.testing.assert_array_equal(sequence.to_ground, ANNY_AXES)
    assert sequence.body == "anny"
    assert sequence.gender == ("female" if body[0] else "male")
    figures = check(motion)
    assert figures.faults == ()
    assert not figures.sides_swapped
    assert figures.direction["upper_arm"][1] < 1
    assert figures.direction["forearm"][1] < 1
    assert figures.direction["thigh"][0] < 4
    assert figures.direction["shin"][0] < 4
    assert figures.sole_height[0] < 0.003
    assert figures.sole_height[1] < 0.02
    assert figures.worst_sink < 0.002
    assert figures.skate[0] < 0.15
    assert max(size for size, _ in figures.twist.values()) < 60


def test_floor_is_found_and_levelled(walk):
    tilt = Rotation.from_euler("X", 3, degrees=True).as_matrix()  # the walk goes along z: it climbs
    motion = retarget_in_detail(_moved(walk, tilt, np.array([0, 95.0, 0])), MAN)
    figures = check(motion)
    assert abs(motion.floor.slope) > 0.02
    assert figures.sole_height[1] < 0.02
    heights = motion.sequence.translation[:, 2]
    assert np.ptp(heights) < 0.08


def test_a_file_with_z_up_gives_the_same_motion(walk):
    turned = retarget(_moved(walk, Rotation.from_euler("X", 90, degrees=True).as_matrix(), np.zeros(3)), MAN)
    plain = retarget(walk, MAN)
    # Headings are free: compare heights and the turn within the body.
    np.testing.assert_allclose(turned.translation[:, 2], plain.translation[:, 2], atol=2e-3)
    for sequence in (turned, plain):
        assert np.median(sequence.rotations[:, 0, 2, 2]) > 0.97
    inner = [np.swapaxes(s.rotations[:, :1], -1, -2) @ s.rotations for s in (turned, plain)]
    assert np.abs(inner[0] - inner[1]).max() < 0.05


def test_units_do_not_matter(walk):
    shift = [k for k, name in enumerate(walk.channels[0]) if name.endswith("position")]
    values = walk.values.copy()
    values[:, shift] /= 100
    metres = replace(walk, values=values, offsets=walk.offsets / 100, end_sites=_scaled(walk.end_sites, 0.01))
    first, second = retarget(walk, MAN), retarget(metres, MAN)
    np.testing.assert_allclose(first.translation, second.translation, atol=1e-9)
    np.testing.assert_allclose(first.rotations, second.rotations, atol=1e-9)


def test_names_of_mixamo_and_a_zero_pose_that_is_no_person(walk):
    """The same motion on a skeleton whose joints have axes of their own, all bones along x in the zero pose."""
    plain = retarget_in_detail(walk, MAN)
    other = retarget_in_detail(_renamed(_bones_along_x(walk)), MAN, limit=(10, walk.n_frames))
    assert "upright reference" in other.sequence.assumptions[-1]
    figures = check(other)
    assert figures.faults == ()
    assert figures.direction["upper_arm"][1] < 1
    names = ("upperarm02.L", "lowerarm01.R", "upperleg02.R", "lowerleg01.L")
    for name in names:
        bone = plain.rig.index(name)
        apart = np.swapaxes(plain.sequence.rotations[:, bone], -1, -2) @ other.sequence.rotations[:, bone]
        assert np.degrees(np.median(Rotation.from_matrix(apart).magnitude())) < 12, name


def test_heading_rate_and_range(walk):
    plain = retarget(walk, MAN)
    turned = retarget(walk, MAN, heading=np.pi / 2)
    turn = Rotation.from_euler("Z", 90, degrees=True).as_matrix()
    np.testing.assert_allclose(turned.translation, plain.translation @ turn.T, atol=1e-9)
    np.testing.assert_allclose(turned.rotations, turn @ plain.rotations, atol=1e-9)
    slow = retarget(walk, MAN, fps=50)
    assert np.diff(slow.time) == pytest.approx(1 / 50)
    assert slow.time[-1] == pytest.approx(plain.time[-1], abs=1 / 50)
    at = np.interp(slow.time, plain.time, plain.translation[:, 1])
    np.testing.assert_allclose(slow.translation[:, 1], at, atol=0.03)
    assert len(retarget(walk, MAN, limit=(100, 160)).time) == 60
    with pytest.raises(InputError, match="does not lie in its 344 frames"):
        retarget(walk, MAN, limit=(100, 400))
    with pytest.raises(InputError, match="6 values"):
        retarget(walk, MAN[:5])


def test_faulty_takes_are_told(takes):
    assert "root's path is wrong" in check(retarget_in_detail(takes["07_12"], MAN)).faults[0]
    elbows = check(retarget_in_detail(takes["13_18"], MAN, limit=(20, 900)))
    assert elbows.reversed_hinges == ("left forearm", "right forearm")
    swapped = {"l": "r", "r": "l"}
    names = tuple(swapped[n[0]] + n[1:] if n[0] in "lr" and n[1].isupper() else n for n in takes["02_01"].joint_names)
    figures = check(retarget_in_detail(replace(takes["02_01"], joint_names=names), MAN))
    assert figures.sides_swapped
    assert "left and right are exchanged" in figures.faults


def test_a_jump_leaves_the_floor_and_lands_on_it(takes):
    motion = retarget_in_detail(takes["13_11"], WOMAN)
    toes = bone_heads(motion.rig, motion.sequence.rotations, motion.sequence.translation)
    np.testing.assert_allclose(toes, motion.heads)
    height = toes[:, [motion.rig.index(f"toe2-1{s}") for s in (".L", ".R")], 2].min(axis=1)
    assert height.max() > 0.10
    assert height[0] < 0.05
    assert height[-1] < 0.05


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("mixamorig:LeftForeArm", ("left", "forearm")),
        ("mixamorig1:RightUpLeg", ("right", "upleg")),
        ("rShldr", ("right", "shldr")),
        ("UpperArm_L", ("left", "upperarm")),
        ("thigh.R", ("right", "thigh")),
        ("L_Foot", ("left", "foot")),
        ("LowerBack", (None, "lowerback")),
        ("root", (None, "root")),
        ("LHipJoint", ("left", "hipjoint")),
    ],
)
def test_plain_names(name, plain):
    assert plain_name(name) == plain


def test_unknown_skeleton_says_what_is_missing(walk):
    letters = replace(walk, joint_names=tuple(f"bone{k}" for k in range(43)))
    with pytest.raises(InputError, match=r"no joint was found for 'hips', 'head', 'left upper_arm'.*'bone0'.*names="):
        find_joints(letters)
    joints = find_joints(walk)
    given = {"hips": joints.hips, "head": joints.head, **joints.limbs}
    names = {part: f"bone{index}" for part, index in given.items()}
    assert find_joints(letters, names) == joints
    with pytest.raises(InputError, match="names the part 'nose'"):
        find_joints(letters, {**names, "nose": "bone3"})
    with pytest.raises(InputError, match="does not hang on"):
        find_joints(letters, {**names, "left shin": names["left hand"]})
    with pytest.raises(InputError, match="has no joint 'rShn'"):
        find_joints(walk, {"right shin": "rShn"})


def test_floor_of_stairs_is_the_lowest_step():
    along = np.repeat(np.arange(6) * 0.4, 50)
    heights = np.repeat([0.3, 0.3, 0.3, 0.5, 0.7, 0.9], 50)
    floor = fit_floor(np.stack([along, 0 * along, heights], axis=1), np.repeat(np.arange(6), 50))
    assert floor.slope == 0
    assert floor.level == pytest.approx(0.3, abs=0.005)
    assert floor.share == pytest.approx(0.5)
    turn, shift = floor.levelling()
    np.testing.assert_allclose(turn @ [1.0, 2, 0.3] + shift, [1, 2, 0], atol=0.005)


def test_twist_is_what_remains_of_a_swing():
    axis = np.array([0.2, -0.3, 0.9])
    axis /= np.linalg.norm(axis)
    across = np.cross(axis, [1.0, 0, 0])
    swing = Rotation.from_rotvec(1.2 * across / np.linalg.norm(across))
    turns = np.array([-2.5, -0.3, 0.0, 1.0, 3.0])
    turned = (swing * Rotation.from_rotvec(turns[:, None] * axis)).as_matrix()
    np.testing.assert_allclose(twist_angle(turned, axis), turns, atol=1e-12)


def test_rest_is_rest():
    rig = rig_of(MAN)
    still = np.broadcast_to(np.eye(3), (1, len(rig.names), 3, 3))
    np.testing.assert_allclose(bone_heads(rig, still, rig.heads[:1])[0], rig.heads, atol=1e-12)


def _scaled(end_sites, factor):
    return tuple((joint, factor * offset) for joint, offset in end_sites)


def _moved(bvh, turn, shift):
    """The same motion in turned and shifted axes of the file."""
    places = bvh.local_translations()[:, 0] @ turn.T + shift
    angles = Rotation.from_matrix(turn @ bvh.local_rotations()[:, 0]).as_euler("ZYX", degrees=True)
    values = bvh.values.copy()
    values[:, :6] = np.concatenate([places, angles], axis=1)
    return replace(bvh, values=values)


def _bones_along_x(bvh):
    """The same motion with joint axes turned so that in the zero pose each bone lies along x."""
    own = np.broadcast_to(np.eye(3), (len(bvh.joint_names), 3, 3)).copy()
    for joint, parent in enumerate(bvh.parents):
        children = [k for k, above in enumerate(bvh.parents) if above == joint]
        bone = bvh.offsets[children[0]] if children else np.array([1.0, 0, 0])
        if parent >= 0 and np.linalg.norm(bone) > 0:
            own[joint] = Rotation.align_vectors(bone, [1.0, 0, 0])[0].as_matrix()
    world, places = bvh.world()
    world = world @ own
    above = np.where(bvh.parents < 0, 0, bvh.parents)
    local = np.swapaxes(world[:, above], -1, -2) @ world
    local[:, 0] = world[:, 0]
    offsets = np.einsum("jba,jb->ja", own[above], bvh.offsets)
    offsets[0] = 0
    ends = tuple((joint, own[joint].T @ offset) for joint, offset in bvh.end_sites)
    angles = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_euler("XYZ", degrees=True).reshape(len(local), -1)
    turns = ("Xrotation", "Yrotation", "Zrotation")
    channels = (("Xposition", "Yposition", "Zposition", *turns), *((turns,) * (len(own) - 1)))
    made = replace(
        bvh,
        offsets=offsets,
        end_sites=ends,
        channels=channels,
        values=np.concatenate([places[:, 0], angles], axis=1),
    )
    np.testing.assert_allclose(
        chain(made.parents, made.local_rotations(), made.local_translations())[1], places, atol=1e-6
    )
    return made


def _renamed(bvh):
    words = {
        "hip": "Hips",
        "abdomen": "Spine",
        "chest": "Spine1",
        "neck": "Neck",
        "head": "Head",
        "Collar": "Shoulder",
        "Shldr": "Arm",
        "ForeArm": "ForeArm",
        "Hand": "Hand",
        "Thigh": "UpLeg",
        "Shin": "Leg",
        "Foot": "Foot",
    }
    side = {"l": "Left", "r": "Right"}
    names = []
    for name in bvh.joint_names:
        sided = name[0] in side and name[1:] in words
        names.append("mixamorig:" + (side[name[0]] + words[name[1:]] if sided else words.get(name, name)))
    made = replace(bvh, joint_names=tuple(names))
    assert not is_cgspeed(made)
    return made

"""BVH: real takes, hand-made skeletons of every shape, and every way a file can be bad."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from biopose_sim.errors import InputError
from biopose_sim.io.bvh import read_bvh

SMALL = """HIERARCHY
ROOT Hips
{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT Left Leg {
    OFFSET 10 0 0
    CHANNELS 3 Yrotation Xrotation Zrotation
    End Site
    {
      OFFSET 0 -5 0
    }
  }
  JOINT Slider
  {
    OFFSET 0 7 0
    CHANNELS 2 Yposition Zrotation
  }
  JOINT Fixed
  {
    OFFSET 0 0 4
  }
}
MOTION
Frames: 2
Frame Time: 0.01
0 100 0 0 0 0   0 0 0   7 0
5 100 0 90 0 0  10 20 30   8.5 90
"""


def written(tmp_path, text):
    path = tmp_path / "small.bvh"
    path.write_text(text)
    return path


def test_orders_positions_and_end_sites(tmp_path):
    bvh = read_bvh(written(tmp_path, SMALL))
    assert bvh.joint_names == ("Hips", "Left Leg", "Slider", "Fixed")
    assert bvh.rate == pytest.approx(100)
    np.testing.assert_array_equal(bvh.end_offset(1), [0, -5, 0])
    assert bvh.end_offset(0) is None
    np.testing.assert_allclose(bvh.zero_pose()[3], [1, 2, 7])
    rotations, places = bvh.world()
    quarter = Rotation.from_euler("Z", 90, degrees=True).as_matrix()
    np.testing.assert_allclose(places[1, 0], [5, 100, 0])
    np.testing.assert_allclose(places[1, 1], [5, 110, 0], atol=1e-12)
    np.testing.assert_allclose(places[1, 2], [5 - 8.5, 100, 0], atol=1e-12)  # the channel takes OFFSET's place
    turned = [Rotation.from_euler(axis, angle, degrees=True).as_matrix() for axis, angle in zip("yxz", (10, 20, 30))]
    np.testing.assert_allclose(rotations[1, 1], quarter @ turned[0] @ turned[1] @ turned[2], atol=1e-12)
    np.testing.assert_allclose(rotations[1, 3], quarter, atol=1e-12)


def test_line_ends_tabs_and_case_do_not_matter(tmp_path):
    path = tmp_path / "dos.bvh"
    text = SMALL.replace("OFFSET ", "offset\t").replace("Xposition", "XPOSITION").replace("\n", "\r\n")
    path.write_bytes(text.encode())
    first = read_bvh(written(tmp_path, SMALL)).world()[1]
    np.testing.assert_array_equal(read_bvh(path).world()[1], first)


def test_real_take(test_data, tmp_path):
    with tarfile.open(test_data / "cmu_bvh" / "cmu_daz_bvh.tar.xz") as archive:
        for member in archive:
            if member.name.endswith("01_01.bvh"):
                (tmp_path / "take.bvh").write_bytes(archive.extractfile(member).read())
                break
    bvh = read_bvh(tmp_path / "take.bvh")
    assert len(bvh.joint_names) == 43
    assert bvh.rate == pytest.approx(120, rel=1e-4)
    rotations, places = bvh.world(slice(20, 40))
    shin, foot = bvh.index("rShin"), bvh.index("rFoot")
    length = np.linalg.norm(places[:, foot] - places[:, shin], axis=1)
    np.testing.assert_allclose(length, np.linalg.norm(bvh.offsets[foot]))
    np.testing.assert_allclose(np.linalg.det(rotations), 1)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("HIERARCHY", "Path/FileType", "line 1: is not a BVH file"),
        ("  JOINT Left Leg {\n", "  JOINT Left Leg\n", "line 7: expected '{'"),
        ("OFFSET 10 0 0", "OFFSET 10 0", "line 7: OFFSET '10 0' is not three numbers"),
        ("OFFSET 10 0 0", "OFFSET 10 x 0", "line 7: OFFSET"),
        ("    OFFSET 10 0 0\n", "", "line 6: joint 'Left Leg' has no OFFSET"),
        ("CHANNELS 2 Y", "CHANNELS 3 Y", "line 17: CHANNELS says '3' but names 2"),
        ("Yposition Zrotation\n", "Yposition Wrotation\n", "line 17: unknown channel 'Wrotation'"),
        ("Yrotation Xrotation Zrotation", "Yrotation Yrotation Zrotation", "line 8: a channel occurs twice"),
        ("JOINT Slider", "JOINT Hips", "line 14: joint 'Hips' occurs twice"),
        ("JOINT Slider", "ROOT Slider", "line 14: a second ROOT"),
        ("MOTION\n", "", "line 24: unexpected 'Frames: 2'"),
        ("}\nMOTION", "MOTION", "line 23: MOTION before 1 joint(s) are closed"),
        ("Frame Time: 0.01", "Frame Time: 0", "line 26: Frame Time is 0"),
        ("Frames: 2", "Frames: two", "line 25: Frames 'two' is not a number"),
        ("Frames: 2", "Frames: 3", "line 28: has 2 frames where 'Frames:' says 3; the file is truncated"),
        ("Frames: 2", "Frames: 1", "line 28: has 2 frames"),
        ("  8.5 90\n", "  8.5", "line 28: has 10 numbers where the channels need 11; the file is truncated"),
        ("   7 0\n", "   7 0 1\n", "line 27: has 12 numbers"),
        ("   7 0\n", "   7 nan\n", "line 27, column 11: is not a finite number"),
        ("   7 0\n", "   7 zero\n", "line 27, column 11: 'zero' is not a number"),
    ],
)
def test_bad_files_name_the_line(tmp_path, old, new, told):
    assert SMALL.count(old) == 1 or old in ("HIERARCHY",)
    with pytest.raises(InputError) as caught:
        read_bvh(written(tmp_path, SMALL.replace(old, new, 1)))
    assert told in str(caught.value)


@pytest.mark.parametrize("lines", range(1, 28))
def test_truncated_anywhere(tmp_path, lines):
    with pytest.raises(InputError, match="line"):
        read_bvh(written(tmp_path, "\n".join(SMALL.splitlines()[:lines]) + "\n"))


def test_unknown_joint_lists_near_names(tmp_path):
    with pytest.raises(InputError, match="did you mean 'Slider'"):
        read_bvh(written(tmp_path, SMALL)).index("slidr")

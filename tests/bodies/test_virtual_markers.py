"""Virtual markers and joints of body sequences in the ground frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import synthetic_smpl

from biopose_sim.bodies.body import body_for, mesh
from biopose_sim.bodies.markers import BodyMarkers, body_points, joints, read_body_markers, virtual_markers
from biopose_sim.bodies.types import ANNY_AXES, Z_UP, BodySequence
from biopose_sim.errors import InputError

MARKERS = BodyMarkers("anny", ("A", "B"), ((100,), (1, 2, 3)), ((1.0,), (0.2, 0.3, 0.5)))


def anny_sequence(n_frames=4):
    return BodySequence(
        name="stand",
        body="anny",
        time=np.arange(n_frames) / 30,
        rotations=np.tile(np.eye(3), (n_frames, 104, 1, 1)),
        translation=np.array([[0.0, -0.1 * frame, 1.0] for frame in range(n_frames)]),
        shape=np.array([0.0, 0.75, 0.5, 0.5, 0.4, 0.5]),
        to_ground=ANNY_AXES,
    )


def test_anny_stands_upright_and_walks_forward():
    sequence = replace(anny_sequence(), seen=np.array([True, True, False, True]))
    trial = virtual_markers(sequence, MARKERS)
    assert trial.marker_names == ("A", "B")
    assert np.isnan(trial.markers[2]).all()
    np.testing.assert_allclose(trial.markers[1] - trial.markers[0], [[0.1, 0, 0]] * 2, atol=1e-6)
    places, names = joints(sequence)
    assert np.isnan(places[2]).all()
    head, toe, foot = (places[0, names.index(name)] for name in ("head", "toe2-1.R", "foot.R"))
    assert head[1] > 1.4
    assert toe[0] > foot[0] + 0.05
    assert foot[2] > 0.05
    np.testing.assert_allclose(places[:2, names.index("root")], [[0, 1, 0], [0.1, 1, 0]], atol=1e-6)


def test_meshes_and_parameters_give_the_same_markers():
    sequence = anny_sequence()
    vertices = mesh(body_for(sequence), sequence)
    as_mesh = replace(sequence, body="mesh", rotations=np.empty((4, 0, 3, 3)), vertices=vertices, topology="anny")
    expected = virtual_markers(sequence, MARKERS).markers
    np.testing.assert_allclose(virtual_markers(as_mesh, MARKERS).markers, expected, atol=1e-5)
    np.testing.assert_allclose(mesh(body_for(sequence), sequence, np.array([2])), vertices[2:3], atol=1e-6)
    with pytest.raises(InputError, match="holds a mesh without parameters"):
        joints(as_mesh)
    with pytest.raises(InputError, match="its mesh has 13717 vertices"):
        virtual_markers(replace(as_mesh, vertices=vertices[:, 1:]), MARKERS)


def test_shape_of_each_frame():
    sequence = anny_sequence()
    shapes = np.tile(sequence.shape, (4, 1))
    shapes[3, 4] = 0.9
    one, each = joints(sequence)[0], joints(replace(sequence, shape=shapes))[0]
    np.testing.assert_allclose(one[:3], each[:3], atol=1e-5)
    assert np.abs(one[3] - each[3]).max() > 0.1


def test_smpl_h_from_the_folder_of_the_user(tmp_path):
    synthetic_smpl.write_npz(tmp_path / "smplh" / "female" / "model.npz", "smplh")
    rotations = np.tile(np.eye(3), (3, 22, 1, 1))
    sequence = BodySequence(
        "amass", "smplh", np.arange(3) / 120, rotations, np.zeros((3, 3)), np.zeros(16), "female", Z_UP
    )
    body = body_for(sequence, tmp_path)
    trial = virtual_markers(sequence, replace(MARKERS, topology="smpl"), model_folder=tmp_path)
    expected = body.arrays.template[100] @ Z_UP.T
    np.testing.assert_allclose(trial.markers[:, 0], np.tile(expected, (3, 1)), atol=1e-6)
    with pytest.raises(InputError, match="its mesh is 'smpl', the marker set is for 'anny'"):
        virtual_markers(sequence, MARKERS, body=body)
    with pytest.raises(InputError, match=r"'amass'.*17 betas"):
        body_points(replace(sequence, shape=np.zeros(17)), body, [[0]])


def test_marker_sets_of_meshes_are_read(tmp_path):
    file = tmp_path / "set.csv"
    file.write_text("name,vertices,barycentric\nRASI,4302,\nKNEE,1 2 3,0.2 0.3 0.5\n")
    found = read_body_markers("anny", file)
    assert found.names == ("RASI", "KNEE")
    assert found.vertices == ((4302,), (1, 2, 3))
    assert found.weights[1] == pytest.approx((0.2, 0.3, 0.5))
    assert found.select(["KNEE"]).vertices == ((1, 2, 3),)
    with pytest.raises(InputError, match=r"no marker 'RASIS' \(did you mean 'RASI'"):
        found.select(["RASIS"])


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("A,99999,", "no vertex 99999"),
        ("A,1 2,", "has 2 vertices"),
        ("A,1 2,0.5 0.6", "sum to 1"),
        ("A,x,", "line 2: marker 'A'"),
        ("A,1,\nA,2,", "more than once"),
    ],
)
def test_wrong_rows_are_refused(tmp_path, row, text):
    (tmp_path / "set.csv").write_text(f"name,vertices,barycentric\n{row}\n")
    with pytest.raises(InputError, match=text):
        read_body_markers("anny", tmp_path / "set.csv")
    with pytest.raises(InputError, match="unknown topology 'mano'"):
        read_body_markers("mano")

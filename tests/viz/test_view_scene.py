"""The scene of a view: bones from files or built in, markers, forces, and how figures stand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from biopose_sim.errors import InputError
from biopose_sim.forces.types import FootForce, GroundReaction
from biopose_sim.io import Motion, Table, Trial, write_sto
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz.viewer.anatomy import built_in_bones
from biopose_sim.viz.viewer.forces import ground_forces, joint_forces
from biopose_sim.viz.viewer.geometry import Geometry, geometry_folders, read_geometry
from biopose_sim.viz.viewer.meshfiles import read_mesh
from biopose_sim.viz.viewer.scene import make_figure, make_scene, measured_points

VTP = """<?xml version="1.0"?>
<VTKFile type="PolyData" version="0.1" byte_order="LittleEndian"><PolyData>
<Piece NumberOfPoints="5" NumberOfPolys="2" NumberOfStrips="1">
<Points><DataArray type="Float32" NumberOfComponents="3" format="ascii">
0 0 0  1 0 0  1 1 0  0 1 0  0.5 0.5 1</DataArray></Points>
<Polys><DataArray Name="connectivity" format="ascii">0 1 2 3 0 1 4</DataArray>
<DataArray Name="offsets" format="ascii">4 7</DataArray></Polys>
<Strips><DataArray Name="connectivity" format="ascii">0 1 3 2</DataArray>
<DataArray Name="offsets" format="ascii">4</DataArray></Strips>
</Piece></PolyData></VTKFile>"""


@pytest.fixture(scope="module")
def motion(walk) -> Motion:
    result = walk.result
    return Motion("walk", result.time, result.coordinates, result.coordinate_names, result.motion_types)


@pytest.fixture(scope="module")
def figure(walk, motion):
    return make_figure("walk", walk.model, motion, Geometry(), measured=walk.trial)


def test_bodies_stand_where_the_kinematics_put_them(figure, walk):
    with torch.no_grad():
        forward = walk.model(torch.from_numpy(walk.result.coordinates))
    np.testing.assert_allclose(figure.transforms, forward.transforms.numpy(), atol=1e-9)
    np.testing.assert_allclose(figure.model_markers.places, forward.markers.numpy(), atol=1e-9)
    assert figure.measured.names == walk.trial.marker_names


def test_every_body_of_the_default_model_has_a_bone_of_its_size(model):
    bones = built_in_bones(model)
    assert set(bones) == set(model.body_names)
    thigh = np.ptp(bones["femur_r"].vertices, axis=0)
    assert 0.40 < thigh[1] < 0.55
    right, left = bones["femur_r"].vertices, bones["femur_l"].vertices
    np.testing.assert_allclose(np.ptp(right, axis=0), np.ptp(left, axis=0), atol=2e-3)
    scales = np.ones((len(model.body_names), 3))
    scales[model.body_names.index("femur_r")] = 1.2
    longer = built_in_bones(model.scale(scales))["femur_r"]
    assert np.ptp(longer.vertices[:, 1]) == pytest.approx(1.2 * thigh[1], rel=0.02)


@pytest.mark.parametrize("name", ["Rajagopal2016", "gait2392_thelen2003muscle", "arm26", "bouncing_block", "wrist"])
def test_other_models_get_bones_and_solids(test_data: Path, name: str):
    model = OsimModel.from_file(test_data / "models" / f"{name}.osim")
    geometry = read_geometry(model, [])
    assert geometry.solids or built_in_bones(model)
    for mesh in [*built_in_bones(model).values(), *[solid.mesh for solid in geometry.solids]]:
        assert np.isfinite(mesh.vertices).all()
        assert mesh.faces.max() < len(mesh.vertices)


def test_a_mesh_is_scaled_and_placed_as_the_model_says(model, tmp_path: Path):
    folder = tmp_path / "Geometry"
    folder.mkdir()
    (folder / "r_femur.vtp").write_text(VTP)
    text = model.path.read_text()
    start = text.index('<Mesh name="r_femur">')
    head, tail = text[:start], text[start:]
    copy = tmp_path / "person.osim"
    copy.write_text(head + tail.replace("<scale_factors>1 1 1<", "<scale_factors>2 3 4<", 1))
    own = OsimModel.from_file(copy)
    geometry = read_geometry(own, geometry_folders(copy))
    (solid,) = [solid for solid in geometry.solids if solid.body == "femur_r"]
    np.testing.assert_allclose(np.ptp(solid.mesh.vertices, axis=0), [2.0, 3.0, 4.0])
    assert "femur_r" not in geometry.missing
    assert geometry.missing["tibia_r"] == ["r_tibia.vtp", "r_fibula.vtp"]


def test_vtp_polygons_and_strips_become_triangles(tmp_path: Path):
    path = tmp_path / "bone.vtp"
    path.write_text(VTP)
    mesh = read_mesh(path)
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 4], [0, 1, 3], [1, 2, 3]]
    path.write_text(VTP.replace('format="ascii">0 1 3 2', 'format="binary">AAAA'))
    with pytest.raises(InputError, match="binary data; save it as ASCII"):
        read_mesh(path)
    path.write_text(VTP.replace("0 1 2 3 0 1 4", "0 1 2 3 0 1 9"))
    with pytest.raises(InputError, match="names corners that it does not hold"):
        read_mesh(path)


def test_markers_are_those_of_the_nearest_frame():
    trial = Trial.checked("t", [0.0, 0.1, 0.2], np.arange(9.0).reshape(3, 1, 3), ["A"])
    places = measured_points(trial, np.array([0.01, 0.09, 0.31])).places[:, 0, 0]
    np.testing.assert_array_equal(places, [0.0, 3.0, np.nan])


def test_a_motion_of_another_model_is_refused(model, motion):
    other = replace(motion, coordinate_names=tuple(f"x{k}" for k in range(len(motion.coordinate_names))))
    with pytest.raises(InputError, match="does not belong to the model"):
        make_figure("walk", model, other, Geometry())


def test_ground_reactions_are_sampled_and_labelled():
    time = np.linspace(0.0, 1.0, 101)
    force = np.stack([0 * time, 800.0 * time, 0 * time], axis=1)
    foot = FootForce("calcn_r", force, np.zeros_like(force), np.zeros_like(force))
    reaction = GroundReaction("t", time, (foot,), "estimated", "from the motion")
    found = ground_forces(reaction, np.array([0.01, 0.505, 2.0]))
    assert "ESTIMATED" in found.label
    assert found.kind == "estimated"
    np.testing.assert_allclose(found.vectors[:, 0, 1], [np.nan, 404.0, np.nan])


def test_joint_reactions_come_from_opensims_columns(tmp_path: Path):
    names = tuple(f"knee_r_on_tibia_r_in_ground_{c}" for c in ("fx", "fy", "fz", "mx", "my", "mz", "px", "py", "pz"))
    path = tmp_path / "reaction.sto"
    rows = np.stack([np.arange(9.0), np.arange(9.0) + 10.0])
    write_sto(path, Table("Joint Reaction Loads", np.array([0.0, 1.0]), names, rows))
    found = joint_forces(path, np.array([0.5]))
    assert found.names == ("knee_r on tibia_r",)
    np.testing.assert_allclose(found.vectors[0, 0], [5.0, 6.0, 7.0])
    np.testing.assert_allclose(found.points[0, 0], [11.0, 12.0, 13.0])


def test_figures_stand_apart_or_over_each_other(figure):
    later = replace(figure, name="again", time=figure.time + 5.0)
    apart = make_scene([figure, later])
    assert np.linalg.norm(apart.figures[1].offset) == pytest.approx(1.1)
    assert apart.delays == pytest.approx((0.0, 5.0))
    assert apart.frames(float(figure.time[7])) == [7, 7]
    over = make_scene([figure, figure], overlay=True)
    assert not over.figures[1].offset.any()
    assert over.figures[0].solids[0].colour != over.figures[1].solids[0].colour
    with pytest.raises(InputError, match="nothing to show"):
        make_scene([])

"""Marker sets of their own, and models with other markers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.markerset import keep_markers, read_marker_set, with_markers
from biopose_sim.osim.schema import Frame, Marker


@pytest.fixture(scope="module")
def model(test_data: Path) -> OsimModel:
    return OsimModel.from_file(test_data / "models" / "Rajagopal2016.osim")


def write(folder: Path, markers: str) -> Path:
    path = folder / "set.xml"
    body = f"<MarkerSet><objects>{markers}</objects></MarkerSet>"
    path.write_text(f'<OpenSimDocument Version="30000">{body}</OpenSimDocument>')
    return path


def test_old_and_new_files(test_data: Path) -> None:
    folder = test_data / "pipelines" / "Rajagopal"
    model = OsimModel.from_file(folder / "generic_unscaled.osim")
    old = read_marker_set(folder / "Scale" / "markerset_walk_preScale.xml", model)
    assert old[0] == Marker("Head", Frame("torso"), (0.0, 0.67, 0.0), True)
    new = {m.name: m for m in read_marker_set(folder / "Scale" / "subject_scaled_walk_markerset.xml", model)}
    assert new["R.Shoulder"].frame == Frame("torso")
    assert new["R.Shoulder"].location == pytest.approx((0.0, 0.49232458, 0.17183846))


def test_markers_of_a_model_file(model: OsimModel) -> None:
    assert model.path is not None
    assert read_marker_set(model.path, model) == model.model.markers


def test_added_replaced_kept(model: OsimModel) -> None:
    name = model.marker_names[3]
    moved = Marker(name, Frame("ground"), (1, 2, 3))
    added = with_markers(model, [Marker("new", Frame("pelvis"), (0.1, 0.2, 0.3)), moved])
    assert added.marker_names == (*model.marker_names, "new")
    points = added(added.default_coordinates)
    np.testing.assert_allclose(points.markers[3], [1.0, 2.0, 3.0])
    pelvis = points.transforms[model.body_names.index("pelvis")]
    expected = pelvis[:3, :3] @ torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64) + pelvis[:3, 3]
    np.testing.assert_allclose(points.markers[-1], expected, atol=1e-15)
    same = with_markers(model, [moved], replace_existing=False)
    np.testing.assert_array_equal(same.tree.marker_matrix, model.tree.marker_matrix)
    few = keep_markers(added, ["new", name])
    assert few.marker_names == (name, "new")
    np.testing.assert_allclose(few(few.default_coordinates).markers, points.markers[[3, -1]])


def test_scaled_model_takes_locations_as_it_is(model: OsimModel) -> None:
    rng = np.random.default_rng(0)
    offsets = rng.normal(0.0, 0.01, (len(model.marker_names), 3))
    scaled = model.scale(rng.uniform(0.8, 1.25, (len(model.body_names), 3)), offsets)
    added = with_markers(scaled, [Marker("new", Frame("pelvis"), (0.1, 0.2, 0.3))])
    np.testing.assert_allclose(added.tree.marker_matrix[-1].sum(axis=1), [0.1, 0.2, 0.3])
    np.testing.assert_allclose(added.tree.marker_matrix[:-1], scaled.tree.marker_matrix, atol=1e-15)
    np.testing.assert_allclose(added.marker_offsets[:-1], scaled.marker_offsets)
    twice = added.scale(np.full_like(model.scales, 2.0))
    np.testing.assert_allclose(twice.tree.marker_matrix[-1].sum(axis=1), [0.2, 0.4, 0.6])


@pytest.mark.parametrize(
    ("markers", "message"),
    [
        (
            '<Marker name="a"><body>pelvs</body><location>0 0 0</location></Marker>',
            r"'a' is on 'pelvs'.*'pelvis'",
        ),
        ('<Marker name="a"><body>pelvis</body></Marker>', "'a' has no <location>"),
        ('<Marker name="a"><body>pelvis</body><location>0 0</location></Marker>', "2 numbers"),
        ('<Marker name="a"><body>pelvis</body><location>0 0 0</location></Marker>' * 2, "'a' occurs twice"),
    ],
)
def test_bad_marker_sets(tmp_path: Path, model: OsimModel, markers: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_marker_set(write(tmp_path, markers), model)


def test_bad_requests(tmp_path: Path, model: OsimModel) -> None:
    with pytest.raises(InputError, match=r"no body 'pelvs' for the marker 'a' \(did you mean 'pelvis'"):
        with_markers(model, [Marker("a", Frame("pelvs"), (0, 0, 0))])
    with pytest.raises(InputError, match="'a' is given twice"):
        with_markers(model, [Marker("a", Frame("pelvis"), (0, 0, 0))] * 2)
    with pytest.raises(InputError, match="has no marker"):
        keep_markers(model, ["nothing"])
    path = tmp_path / "other.xml"
    path.write_text('<OpenSimDocument Version="40000"><ScaleTool/></OpenSimDocument>')
    with pytest.raises(InputError, match="holds no <MarkerSet>"):
        read_marker_set(path, model)

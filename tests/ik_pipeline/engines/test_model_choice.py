"""Which model persons are scaled from, with which markers, weights, marker pairs and changes after scaling."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from biopose_sim.bodies.virtual import read_virtual_markers
from biopose_sim.errors import InputError
from biopose_sim.ik.types import IKConfig
from ik_pipeline.after_scaling import after_scaling
from ik_pipeline.engines.scale_files import placement_weights
from ik_pipeline.measurements import read_measurements, unmeasured
from ik_pipeline.model_choice import choose_model

D3KE = "d3ke_full_body.osim"


@pytest.fixture(scope="module")
def models(test_data: Path) -> Path:
    return test_data / "models"


def test_the_default_has_the_virtual_markers_with_weights_and_pairs_for_every_axis(choice):
    places = read_virtual_markers()
    assert set(choice.model.marker_names) == {m.name for m in places}
    assert choice.ik.weights == {m.name: m.weight for m in places}
    assert choice.landmarks == {m.name for m in places if m.kind == "landmark"}
    assert unmeasured(choice.measurements, choice.model) == ()
    assert choice.locked == ()
    assert choice.notices == ()
    assert pickle.loads(pickle.dumps(choice)).model.marker_names == choice.model.marker_names


def test_measurements_are_the_same_on_both_sides(choice):
    other = {"R": "L", "L": "R"}

    def mirrored(name: str) -> str:
        turned = other.get(name[0], "") + name[1:]
        return turned if turned in choice.model.marker_names else name

    for measurement in choice.measurements:
        pairs = {frozenset(pair) for pair in measurement.pairs}
        assert {frozenset(mirrored(name) for name in pair) for pair in pairs} == pairs, measurement.name
        bodies = {body for body, _ in measurement.bodies}
        turned = {body[:-1] + other[body[-1].upper()].lower() if body[-2:] in ("_r", "_l") else body for body in bodies}
        assert turned == bodies, measurement.name


def test_weights_come_from_the_caller_before_setup_and_table(test_data):
    setup = test_data / "opencap_lab_subject4" / "IK" / "DJ1_ik_on_manually_scaled_setup.xml"
    model = test_data / "opencap_lab_subject4" / "Models" / "unscaled_generic.osim"
    found = choose_model(virtual=False, path=model, setup=setup, ik=IKConfig(weights={"C7": 4.0}, threads=1))
    assert found.ik.weights["C7"] == 4.0
    assert found.ik.weights["r_toe"] == 1.0
    assert found.ik.default_weight == 0.0  # OpenSim leaves out markers without a task
    assert found.ik.threads == 1
    assert any("no scale setup" in notice for notice in found.notices)


def test_a_scale_setup_brings_its_model_markers_and_pairs(test_data):
    path = test_data / "pipelines" / "Gait2354_Simbody" / "subject01_Setup_Scale.xml"
    found = choose_model(virtual=False, scale_setup=path)
    assert found.path.name == "gait2354_simbody.osim"
    assert found.markers is not None
    assert {"R.ASIS", "Top.Head"} <= set(found.model.marker_names)
    assert "pelvis" in {m.name for m in found.measurements}
    weights = placement_weights(found)
    assert weights == {name: found.placement.get(name, 0.0) for name in found.model.marker_names}
    assert len(set(weights.values())) > 1


def test_tracking_markers_count_little_in_the_static_pose(choice):
    weights = placement_weights(choice)
    assert weights["RASI"] == choice.ik.weights["RASI"]
    assert weights["RTH1"] < 0.05 * choice.ik.weights["RTH1"]


def test_d3ke_changes_after_scaling_are_known_by_name(models):
    found = choose_model(virtual=False, path=models / D3KE)
    assert found.locked == ("ribs_bending", "elbow_y", "elbow_y_l")
    assert "L5_S1_LB" in found.unlocked
    assert len(found.couplers_off) == 6
    assert dict(found.marker_bodies)["RKNE"] == "tibia_r"
    assert any("d3ke.toml" in notice for notice in found.notices)


def test_markers_that_change_over_stay_in_place_and_then_follow_their_new_body(models):
    found = choose_model(virtual=False, path=models / D3KE)
    changed = after_scaling(found.model, found)
    q = found.model.default_coordinates
    before, after = found.model(q).markers, changed(q).markers
    assert torch.abs(before - after).max() < 1e-12
    bent = q.clone()
    bent[found.model.coordinate_names.index("knee_angle_r")] -= 1.0
    moved = torch.linalg.norm(found.model(bent).markers - changed(bent).markers, dim=-1).numpy()
    names = np.array(found.model.marker_names)
    assert "RKNE" in names[moved > 0.01]
    assert "RHEE" not in names[moved > 1e-9]
    assert len(found.model.model.couplers) - len(changed.model.couplers) == 6
    assert {c.name for c in changed.model.coordinates if c.locked} == set(found.locked)


def test_a_marker_set_says_where_virtual_markers_lie_on_another_model(models, tmp_path):
    rows = [m for m in read_virtual_markers() if m.segment in ("pelvis", "femur_r")]
    lines = ["name,segment,x,y,z,kind,weight,description"]
    lines += [f"{m.name},{m.segment},{m.position[0]},{m.position[1]},{m.position[2]},{m.kind},2,x" for m in rows]
    table = tmp_path / "mine.csv"
    table.write_text("\n".join(lines))
    found = choose_model(virtual=True, path=models / "Rajagopal2016.osim", markers=table)
    assert set(found.model.marker_names) == {m.name for m in rows}
    assert set(found.ik.weights.values()) == {2.0}
    assert "RASI" in found.landmarks
    assert "RTH1" not in found.landmarks
    assert any("no marker pair scales every axis" in notice for notice in found.notices)


def test_a_model_with_too_few_virtual_markers_is_refused(models):
    with pytest.raises(InputError, match=r"holds \d of the 142 virtual markers.*marker set file"):
        choose_model(virtual=True, path=models / "gait2354_simbody.osim")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("locked = ['no_such']", "'no_such', which the model"),
        ("lock = []", "has the key 'lock'"),
        ("locked = 3", "locked is no list"),
        ("locked = [", "is not TOML"),
    ],
)
def test_a_bad_recipe_is_named(tmp_path, text, problem):
    path = tmp_path / "after.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=problem):
        choose_model(virtual=True, after=path)


@pytest.mark.parametrize(
    ("row", "problem"),
    [("a,RASI,pelvis,X", "has the pair 'RASI'"), ("a,A B,pelvis,Q", "scales the axes"), ("a,A B,,X", "no body")],
)
def test_a_bad_table_of_pairs_is_named(tmp_path, row, problem):
    path = tmp_path / "pairs.csv"
    path.write_text(f"measurement,pairs,bodies,axes\n{row}\n")
    with pytest.raises(InputError, match=problem):
        read_measurements(path)

"""Calibration of the virtual markers: rigidity, places that come back, mirrored motion, people never seen before."""

from __future__ import annotations

import csv
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.spatial.transform import Rotation

from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.phenotypes import sample_adults
from biopose_sim.bodies.virtual import read_virtual_markers
from biopose_sim.cli.main import cli
from biopose_sim.errors import InputError
from biopose_sim.ik.fit import fit
from biopose_sim.io import Trial
from biopose_sim.paths import markerset_path
from ik_pipeline.calibration import CalibrationConfig, calibrate
from ik_pipeline.calibration_data import HELD_OUT, held_out_rigidity, read_takes, sample_poses, varied_people
from ik_pipeline.calibration_joints import joint_differences
from ik_pipeline.calibration_report import REPORT_COLUMNS, marker_table, report_table
from ik_pipeline.rigidity import TARGETS, group_medians, laid_on, mean_configuration, measure_rigidity, rigid_fit
from ik_pipeline.virtual_fit import mirrored_coordinates, mirrored_trial, virtual_fit_config, virtual_model

MARKERS = read_virtual_markers()
TAKES = ("02_01", "02_02", "07_01", "08_01")


@pytest.fixture(scope="module")
def takes(test_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cmu")
    with tarfile.open(test_data / "cmu_bvh" / "cmu_daz_bvh.tar.xz") as archive:
        for member in archive:
            if member.name.rsplit("/", 1)[-1].removesuffix(".bvh") in TAKES:
                member.name = member.name.rsplit("/", 1)[-1]
                archive.extract(member, folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def walk(takes):
    """A person and a take that the calibration has not seen."""
    assert "08_01" in [take[0] for take in HELD_OUT["walking"]]
    shape = sample_adults(1, 99)[0]
    return sample_poses(read_takes(takes, ["08_01"], shape), 24)


def test_a_rigid_segment_has_no_error_and_a_sliding_marker_has_its_own():
    random = np.random.default_rng(1)
    shape = random.normal(size=(5, 3))
    turns = Rotation.random(40, random_state=2).as_matrix()
    moved = shape @ turns.transpose(0, 2, 1) + random.normal(size=(40, 1, 3))
    np.testing.assert_allclose(rigid_fit(shape, moved), moved, atol=1e-12)
    np.testing.assert_allclose(laid_on(shape, moved, moved), np.tile(shape, (40, 1, 1)), atol=1e-12)
    sliding = moved.copy()
    sliding[:, 4] += 0.1 * random.normal(size=(40, 3))
    names = tuple("ABCDE")
    found = measure_rigidity([sliding[:20]], [sliding[20:]], names, dict.fromkeys(names, "shank"))
    assert found.medians.argmax() == 4
    assert found.medians[4] > 0.05
    mirrored = mean_configuration(moved) * [1, 1, -1]
    assert np.linalg.norm(rigid_fit(mirrored, moved) - moved, axis=2).mean() > 0.1


def test_markers_of_anny_are_rigid_enough(takes):
    found = held_out_rigidity(takes, 6, 40, seed=3, markers=MARKERS)
    medians = group_medians(found, MARKERS)
    for group, target in TARGETS.items():
        assert medians[group][0] < target, group


def test_places_come_back_and_both_sides_stay_alike():
    model = virtual_model()
    random = np.random.default_rng(5)
    wrong = tuple(
        replace(m, position=(m.position[0], m.position[1] + 0.02, m.position[2])) if m.name[1:] == "TH1" else m
        for m in MARKERS
    )
    low, high = np.array(model.tree.ranges).T
    people = []
    for size in (0.95, 1.05):
        scaled = model.scale(np.full((len(model.body_names), 3), size))
        coordinates = np.tile(model.default_coordinates.numpy(), (20, 1))
        joints = [k for k, n in enumerate(model.coordinate_names) if not n.startswith("pelvis") and "beta" not in n]
        coordinates[:, joints] += random.uniform(-0.4, 0.4, (20, len(joints)))
        coordinates = np.clip(coordinates, np.maximum(low, -3), np.minimum(high, 3))
        with torch.no_grad():
            points = scaled(torch.from_numpy(coordinates)).markers.numpy()
        people.append([Trial.checked("poses", np.arange(20.0), points, scaled.marker_names)])
    found = calibrate(people, wrong, CalibrationConfig(rounds=1, frames=20))
    truth = {m.name: m.position for m in MARKERS}
    places = {m.name: m.position for m in found.markers}
    apart = {name: float(np.linalg.norm(np.subtract(places[name], truth[name]))) for name in truth}
    assert apart["RTH1"] < 0.005
    assert apart["LTH1"] < 0.005
    assert np.median(list(apart.values())) < 0.003
    for name, place in places.items():
        if name.startswith("R") and "L" + name[1:] in places:
            assert places["L" + name[1:]] == (place[0], place[1], -place[2])
    rows = list(csv.DictReader(report_table(found).splitlines()))
    assert len(rows) == 142
    assert tuple(rows[0]) == REPORT_COLUMNS
    assert max(m.weight for m in found.markers) == 10.0


def test_the_table_is_written_as_it_is_read(tmp_path):
    (tmp_path / "virtual.csv").write_text(marker_table(MARKERS))
    assert read_virtual_markers(tmp_path / "virtual.csv") == MARKERS


def test_landmarks_stay_near_their_anatomical_places():
    anatomy = {m.name: m for m in read_virtual_markers(markerset_path("virtual_anatomy"))}
    assert set(anatomy) == {m.name for m in MARKERS}
    for marker in MARKERS:
        start = anatomy[marker.name]
        assert (marker.kind, marker.segment, marker.description) == (start.kind, start.segment, start.description)
        if marker.kind == "landmark" and marker.segment != "head":
            assert np.linalg.norm(np.subtract(marker.position, start.position)) < 0.0155, marker.name


def test_an_unseen_person_walks_on_the_default_model(walk):
    trial = virtual_markers(walk)
    model, config = virtual_model(), virtual_fit_config()
    found = fit(model, [trial], config)
    assert np.sqrt((found.results[0].marker_rmse ** 2).mean()) < 0.010
    for joint, gap in joint_differences(found.model, found.results[0], walk).items():
        assert np.median(np.linalg.norm(gap, axis=2)) < 0.04, joint
    turned = fit(model, [mirrored_trial(trial)], config).results[0].coordinates
    straight, names = found.results[0].coordinates, found.results[0].coordinate_names
    hip = names.index("hip_flexion_r")
    assert np.abs(turned[:, hip] - straight[:, hip]).max() > 0.1
    np.testing.assert_allclose(turned, mirrored_coordinates(straight, names), atol=np.radians(0.2))


def test_people_and_takes(takes, tmp_path):
    people = varied_people(takes, 3, seed=1, takes_each=2, frames=8)
    assert [sum(len(s.time) for s in person) for person in people] == [8, 8, 8]
    assert not np.allclose(people[0][0].shape, people[1][0].shape)
    with pytest.raises(InputError, match="holds none of the takes"):
        read_takes(tmp_path, ["02_01"])


def test_rigidity_on_the_command_line(takes, tmp_path):
    wanted = ["markers", "rigidity", "--takes", str(takes), "--people", "2", "--poses", "8"]
    done = CliRunner().invoke(cli, [*wanted, "--all", "-o", str(tmp_path / "rigid.png")])
    assert done.exit_code == 0, done.output
    assert "acromion" in done.output
    assert "RLFC" in done.output
    assert (tmp_path / "rigid.png").read_bytes().startswith(b"\x89PNG")

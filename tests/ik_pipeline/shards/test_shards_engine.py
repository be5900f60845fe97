"""Shards of results that the engines make: a CMU walk on an Anny body; a model that changes after scaling."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import shard_runs as runs
import torch

from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.phenotypes import sample_adults
from ik_pipeline.after_scaling import after_scaling
from ik_pipeline.calibration_data import read_takes
from ik_pipeline.engines import make_engine
from ik_pipeline.model_choice import choose_model
from ik_pipeline.shards import ShardConfig, ShardData, load_model, write_shards
from ik_pipeline.store import (
    StoredScaling,
    read_stored_scaling,
    read_stored_trial,
    stored_trial,
    write_stored,
)
from ik_pipeline.types import PersonSpec, TrialSpec


@pytest.fixture(scope="module")
def walk(test_data, tmp_path_factory):
    """The first steps of a CMU walk, on a random adult."""
    folder = tmp_path_factory.mktemp("cmu")
    with tarfile.open(test_data / "cmu_bvh" / "cmu_daz_bvh.tar.xz") as archive:
        member = next(m for m in archive if m.name.endswith("02_01.bvh"))
        member.name = "02_01.bvh"
        archive.extract(member, folder, filter="data")
    (sequence,) = read_takes(folder, ["02_01"], sample_adults(1, 7)[0])
    return virtual_markers(sequence)


def test_a_walk_solved_by_the_engine(walk, tmp_path):
    choice = choose_model(virtual=True)
    engine = make_engine("fit", choice)
    spec = TrialSpec(walk.name, ())
    scaled = engine.scale(PersonSpec("08_0", "cmu", (spec,), "02"), [(spec, walk)], tmp_path)
    result = engine.solve(scaled, walk)
    folder = runs.write_run(tmp_path, groups=("08",), lengths=(len(walk.time),), splits=["train"]) / "persons" / "08_0"
    names = (scaled.model.body_names, scaled.model.marker_names)
    write_stored(folder / "scaling.npz", StoredScaling(scaled.scales, names[0], scaled.marker_offsets, names[1]))
    write_stored(folder / "take0.npz", stored_trial(result, walk))
    runs.edit_manifest(
        tmp_path,
        lambda m: (
            m["engine"].update(configuration=json.loads(json.dumps(dict(engine.configuration()), default=str))),
            m["model"].update(markers=str(choice.markers)),
        ),
    )
    found = ShardData(write_shards(tmp_path).folder, "train").trial(0)
    np.testing.assert_allclose(found["model_markers"], result.model_markers, atol=1e-6)
    columns = [walk.marker_names.index(name) for name in choice.model.marker_names]
    np.testing.assert_array_equal(found["markers"], walk.markers[:, columns].astype(np.float32))
    assert np.sqrt(np.mean((found["markers"] - found["model_markers"]) ** 2 * 3)) < 0.012
    assert 0.9 < found["markers_kept"].mean() < 1.0
    assert found["coordinates_determined"].sum() > 35


def test_a_model_that_changes_after_scaling(tmp_path):
    """A marker changes over in a static pose, as OpenSim does it; a coupler ends; locked coordinates move."""
    runs.write_run(tmp_path, groups=("08",), lengths=(80,), splits=["train"])
    couplers = [c.name for c in runs.MODEL.model.couplers if c.dependent == "knee_angle_r_beta"]
    marker, body = "RACR", "humerus_r"
    changes = {"locked": ["wrist_flex_r"], "unlocked": [], "couplers_off": couplers, "marker_bodies": [[marker, body]]}
    row = runs.MODEL.marker_names.index(marker)
    assert runs.MODEL.model.markers[row].frame.body != body
    choice = replace(
        choose_model(virtual=True),
        couplers_off=tuple(couplers),
        locked=("wrist_flex_r",),
        marker_bodies=((marker, body),),
    )
    static = runs.motion(30, 60.0, 77)[1][-1]
    for person in ("08_0", "08_1"):
        folder = tmp_path / "persons" / person
        scaling = read_stored_scaling(folder / "scaling.npz")
        stored = read_stored_trial(folder / "take0.npz")
        model = after_scaling(runs.MODEL.scale(scaling.scales, scaling.marker_offsets), choice, static)
        q = np.array(stored.coordinates)
        q[:, runs.MODEL.coordinate_names.index("knee_angle_r_beta")] += 0.1
        q[:, runs.MODEL.coordinate_names.index("wrist_flex_r")] = static[
            runs.MODEL.coordinate_names.index("wrist_flex_r")
        ]
        moved = model(torch.from_numpy(q)).markers.numpy().astype(np.float32)
        offsets = np.array(scaling.marker_offsets)
        offsets[row] = 0.0
        write_stored(folder / "scaling.npz", replace(scaling, marker_offsets=offsets))
        write_stored(folder / "take0.npz", replace(stored, coordinates=q, model_markers=moved))
    runs.edit_manifest(tmp_path, lambda m: m["engine"].update(configuration=changes))
    card = write_shards(tmp_path, config=ShardConfig())
    data = ShardData(card.folder, "train")
    for k, person in enumerate(data.persons):
        stored = read_stored_trial(tmp_path / "persons" / person["id"] / "take0.npz")
        np.testing.assert_allclose(data.trial(k)["model_markers"], stored.model_markers, atol=2e-6)
    first = data.trial(0)
    inputs = (torch.from_numpy(np.array(first[k], dtype=float)) for k in ("coordinates", "scales", "marker_offsets"))
    np.testing.assert_allclose(load_model(card.folder)(*inputs).markers.numpy(), first["model_markers"], atol=3e-6)
    assert [c["name"] for c in card.content["model"]["coordinates"] if c["locked"]] == ["wrist_flex_r"]
    assert [c["name"] for c in card.content["model"]["coordinates"] if c["dependent"]] == ["knee_angle_l_beta"]

"""The engine `opensim`: OpenSim's own scaling and inverse kinematics, with files that can be opened again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from engine_people import trial_of

from biopose_sim.errors import InputError
from biopose_sim.ik.scale_setup import read_scale_setup
from biopose_sim.ik.scale_tool import run_scale_setup
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.engines import make_engine
from ik_pipeline.engines.after_scaling_file import export_person
from ik_pipeline.model_choice import choose_model
from ik_pipeline.types import PersonSpec, TrialSpec

pytest.importorskip("opensim", reason="OpenSim is what is run here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("opensim")


@pytest.fixture(scope="module")
def scaled(choice, person, folder):
    spec, trials = person
    return make_engine("opensim", choice).scale(spec, trials, folder)


def test_its_setup_can_be_opened_and_gives_the_same(choice, scaled, factors, folder):
    setup = read_scale_setup(folder / "opensim_scaling" / "scale_setup.xml")
    assert setup.mass == 61.5
    assert setup.load_model().marker_names
    ours = run_scale_setup(setup)
    assert np.abs(ours.scales - scaled.scales).max() < 1e-5
    assert scaled.path is not None
    assert scaled.path.parent == folder / "opensim_scaling"
    # Pairs within a segment show its own factors: the thigh's length, the pelvis's breadth.
    thigh, pelvis = (choice.model.body_names.index(name) for name in ("femur_r", "pelvis"))
    assert scaled.scales[thigh, 1] == pytest.approx(factors[thigh, 1], abs=0.01)
    assert scaled.scales[pelvis, 2] == pytest.approx(factors[pelvis, 2], abs=0.01)


def test_marker_offsets_lead_from_the_scaled_to_the_placed_markers(choice, scaled):
    alone = choice.model.scale(scaled.scales)
    rows = [alone.marker_names.index(name) for name in scaled.model.marker_names]
    places = alone.tree.marker_matrix.sum(axis=2)[rows] + scaled.marker_offsets
    assert np.abs(places - scaled.model.tree.marker_matrix.sum(axis=2)).max() < 1e-12
    assert np.abs(scaled.marker_offsets).max() < 0.03


def test_both_engines_give_alike_results(choice, person, scaled, folder):
    trial = person[1][1][1]
    few = replace(trial, time=trial.time[:6], markers=trial.markers[:6])
    theirs = make_engine("opensim", choice, accuracy=1e-9).solve(scaled, few)
    ours = make_engine("fit", choice).solve(scaled, few)
    assert theirs.marker_names == ours.marker_names
    assert np.array_equal(theirs.marker_weights, ours.marker_weights)
    sure = theirs.determined & (np.array(theirs.motion_types) == "rotational")
    assert np.degrees(np.median(np.abs(theirs.coordinates - ours.coordinates)[:, sure])) < 0.01
    path = export_person(scaled, choice, folder / "model.osim", 61.5, [ours])
    assert sum(body.mass for body in OsimModel.from_file(path).model.bodies) == pytest.approx(61.5)


def test_a_model_without_pairs_is_refused(choice):
    with pytest.raises(InputError, match="no marker pairs"):
        make_engine("opensim", replace(choice, measurements=()))


def test_static_markers_without_any_pair_are_refused(choice, person, tmp_path):
    spec, trials = person
    kept = trials[0][1].select(["RTH1", "RTH2", "RTH3", "LTB1"])
    with pytest.raises(InputError, match="none of the marker pairs"):
        make_engine("opensim", choice).scale(spec, [(trials[0][0], kept)], tmp_path)


def test_d3ke_is_scaled_changed_solved_and_exported(test_data, tmp_path):
    """Couplers that end, coordinates that are locked and markers that change over, in files by OpenSim."""
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("measurement,pairs,bodies,axes\nshank,RKNE RANK;RKNI RANI,tibia_r talus_r tibia_l talus_l,Y\n")
    path = test_data / "models" / "d3ke_full_body.osim"
    choice = choose_model(virtual=False, path=path, scale_setup=pairs)
    names = choice.model.body_names
    factors = np.ones((len(names), 3))
    factors[[names.index(f"{body}_{side}") for body in ("tibia", "talus") for side in "rl"], 1] = 1.1
    true = choice.model.scale(factors)
    still = trial_of(true, np.repeat(true.tree.defaults[None], 4, axis=0), "static", noise=0.0)
    person = PersonSpec("d3ke", "made", (TrialSpec("static", (), scaling="static"),), "d3ke")
    scaled = make_engine("opensim", choice).scale(person, [(person.trials[0], still)], tmp_path)
    model = scaled.model
    assert scaled.scales == pytest.approx(factors, abs=3e-3)  # the pairs are not quite along Y
    assert {c.name for c in model.model.coordinates if c.locked} == set(choice.locked)
    assert {c.name for c in model.model.couplers}.isdisjoint(choice.couplers_off)
    assert model.model.couplers
    assert {m.name: m.frame.body for m in model.model.markers}["LANI"] == "talus_l"
    # In the static pose, which locked coordinates keep, markers are where they were placed: as measured.
    result = make_engine("fit", choice).solve(scaled, still)
    assert 1e3 * np.sqrt(np.nanmean(result.marker_errors**2)) < 1.0
    moved = replace(result, coordinates=result.coordinates.copy())
    k = model.coordinate_names.index("ribs_bending")
    moved.coordinates[:, k] += 0.1
    written = OsimModel.from_file(export_person(scaled, choice, tmp_path / "out.osim", results=[moved]))
    assert {c.name for c in written.model.coordinates if c.locked} == set(choice.locked) - {"ribs_bending"}
    shown = written(torch.from_numpy(result.coordinates)).markers.numpy()
    rows = [written.marker_names.index(name) for name in result.marker_names]
    assert np.abs(shown[:, rows] - result.model_markers).max() < 1e-6


def test_a_single_static_frame_scales_as_many_like_it_do(choice, person, tmp_path):
    """Of somebody who never stands still one frame is left, and OpenSim reads no file of one frame."""
    spec, trials = person
    trial = trials[0][1]
    frame = trial.n_frames - 5
    one = replace(trial, time=trial.time[frame : frame + 1], markers=trial.markers[frame : frame + 1])
    three = replace(one, time=one.time + np.arange(3) / 60.0, markers=np.repeat(one.markers, 3, axis=0))
    engine = make_engine("opensim", choice)
    found = [engine.scale(spec, [(trials[0][0], t)], tmp_path / f"{t.n_frames}") for t in (one, three)]
    assert np.abs(found[0].scales - found[1].scales).max() < 1e-6
    assert np.abs(found[0].marker_offsets - found[1].marker_offsets).max() < 1e-4
    assert "(1 frames)" in found[0].how["static_frames"]

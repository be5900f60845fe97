"""``biopose predict`` and ``biopose demo`` with the engine neurik, and their one-line errors."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from test_cli_errors import assert_refused

import biopose_sim as bp
from biopose_sim.bodies import save_sequence
from biopose_sim.cli.reopen import reopen
from biopose_sim.cli.walker import make_body_walker
from biopose_sim.io import write_trc
from biopose_sim.neurik.network import make_network
from biopose_sim.neurik.network_config import NetworkConfig
from biopose_sim.neurik.skeleton import Skeleton
from biopose_sim.neurik.weights import save_network
from biopose_sim.paths import default_model_path
from ik_pipeline.virtual_fit import virtual_model

MODEL = "biopose_fullbody_scaled.osim"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network that has learned nothing: near the default pose."""
    torch.manual_seed(0)
    skeleton = Skeleton(virtual_model())
    network = make_network(skeleton, NetworkConfig(window=16, hidden=32, width=16, heads=2, layers=1, blocks=1))
    network.pose_sd.fill_(0.02)
    return save_network(tmp_path_factory.mktemp("weights") / "small", network, {"licence": "Apache-2.0"})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walk")
    body = make_body_walker(default_model_path(), seed=4, noise=0.0, gaps=0.0, seconds=1.0)
    for sequence, trial in zip(body.sequences, body.trials):
        save_sequence(sequence, folder / f"{sequence.name}.npz")
        write_trc(folder / f"{trial.name}.trc", trial)
    return folder


@pytest.mark.parametrize("refine", [False, True])
def test_bodies_and_markers_give_the_same(biopose, files, weights, tmp_path, refine):
    words = ("--engine", "neurik", "--weights", weights, *(["--refine"] if refine else []))
    of_body = biopose(
        "predict", files / "walk.npz", "-o", tmp_path / "body", *words, *([] if refine else ["--no-report"])
    )
    assert of_body.code == 0, of_body.err
    of_markers = biopose("predict", files / "walk.trc", "-o", tmp_path / "markers", *words, "--no-report", "--mass", 61)
    assert of_markers.code == 0, of_markers.err
    assert "61.0 kg, was given" in of_markers.out
    one, two = (bp.io.read_mot(tmp_path / name / "walk.mot").coordinates for name in ("body", "markers"))
    assert np.degrees(np.abs(one - two)).max() < 0.5
    manifest = json.loads((tmp_path / "body" / "manifest.json").read_text())
    card = json.loads((weights / "card.json").read_text())
    assert manifest["engine"] == "neurik"
    assert manifest["scaling"]["weights"] == {"name": "small", "sha256": card["sha256"]}
    assert manifest["scaling"]["refined"] is refine
    assert str(weights / "weights.safetensors") in [entry["path"] for entry in manifest["inputs"]]
    offsets = np.array(list(manifest["scaling"]["marker_offsets_m"].values()))
    assert offsets.any() == refine
    assert (tmp_path / "body" / "report.html").exists() == refine
    again = reopen(tmp_path / "body" / MODEL, tmp_path / "body" / "walk.mot")
    assert again.degrees < 1e-3
    assert again.millimetres < 1e-2


def test_wishes_that_cannot_be(biopose, files, weights, tmp_path):
    out, engine = tmp_path / "out", ("--engine", "neurik", "--weights", weights)
    walk, body = files / "walk.trc", files / "walk.npz"
    for more, words in (
        (["--smoothness", 0.1, "--no-symmetric"], ["--smoothness, --no-symmetric", "of the fit alone"]),
        (["--model", "m.osim"], ["--model", "of the fit alone"]),
        (["--fps", 30], ["--fps", "recordings of markers have none"]),
        ([body], ["markers or bodies, not both"]),
        (["--weights", tmp_path / "none"], ["holds no weights"]),
    ):
        assert_refused(biopose("predict", walk, "-o", out, *engine, *more), out, *words)
    assert_refused(biopose("predict", body, "-o", out, "--engine", "fit", "--refine"), out, "--engine neurik")
    few = bp.io.read_trc(walk)
    write_trc(tmp_path / "few.trc", few.select(few.marker_names[:9]))
    assert_refused(biopose("predict", tmp_path / "few.trc", "-o", out, *engine), out, "has 9 of the 142 markers")


def test_who_names_no_engine_gets_the_network_unless_something_of_the_fit_is_wanted(biopose, files, weights, tmp_path):
    def engine_of(name, *words):
        answer = biopose("predict", files / "walk.npz", "-o", tmp_path / name, "--no-report", *words)
        assert answer.code == 0, answer.err
        return json.loads((tmp_path / name / "manifest.json").read_text())["engine"], answer.out

    engine, said = engine_of("network", "--weights", weights, "--threads", 1)
    assert engine == "neurik"
    assert "the network 'small'" in said
    engine, said = engine_of("fit", "--smoothness", 0.01)
    assert engine == "fit"
    assert "not taken from a network, for --smoothness was given" in said


def test_demo_compares_network_and_fit(biopose, weights, tmp_path):
    words = ("demo", "-o", tmp_path / "demo", "--seconds", 1, "--no-check")
    assert_refused(biopose(*words, "--engine", "fit", "--weights", weights), tmp_path / "demo", "--engine neurik")
    answer = biopose(*words, "--engine", "neurik", "--weights", weights)
    assert answer.code == 0, answer.err
    for title in (
        "How far NeurIK is from the body that was recorded",
        "How far the fit is from the body that was recorded",
        "How far NeurIK is from a person whose every angle is known",
        "How far a fit is from a person whose every angle is known",
    ):
        assert title in answer.out
    assert "network 'small'" in (tmp_path / "demo" / "report.html").read_text().replace("&#x27;", "'")

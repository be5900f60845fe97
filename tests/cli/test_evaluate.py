"""``biopose evaluate`` from end to end with a small network, and what it says of bad input."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import shard_runs as runs
import torch

from biopose_sim.neurik.network import make_network
from biopose_sim.neurik.network_config import NetworkConfig
from biopose_sim.neurik.skeleton import Skeleton
from biopose_sim.neurik.weights import save_network
from ik_pipeline.shards import load_model, write_shards


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    run = runs.write_run(
        tmp_path_factory.mktemp("run"), groups=("02", "03"), lengths=(70,), rate=30.0, splits=["train", "test"]
    )
    return write_shards(run).folder


@pytest.fixture(scope="module")
def weights(shards, tmp_path_factory):
    torch.manual_seed(0)
    config = NetworkConfig(hidden=16, width=16, heads=2, layers=1, blocks=1, refinements=1, window=32)
    network = make_network(Skeleton(load_model(shards)), config)
    return save_network(tmp_path_factory.mktemp("weights") / "mine", network, {"data": "none"})


def test_it_writes_tables_curves_and_a_page(biopose, weights, shards, tmp_path):
    out = tmp_path / "out"
    answer = biopose(
        "evaluate", weights, shards, "-o", out, "--persons", 1, "--baseline", "mean", "--robustness", "--seed", 3
    )
    assert answer.code == 0, answer.err
    assert "MAE_angle [deg]" in answer.out
    assert "measured on other data, from video" in answer.out
    content = json.loads((out / "evaluation.json").read_text())
    assert [m["name"] for m in content["methods"]] == ["network", "mean"]
    assert content["weights"]["sha256"] == json.loads((weights / "card.json").read_text())["sha256"]
    assert content["methods"][0]["frames"] == 70
    assert len(content["methods"][0]["angle"]) == 44
    rows = list(csv.DictReader((out / "evaluation.csv").open()))
    assert [(r["method"], r["person"], r["trial"], r["action"]) for r in rows] == [
        ("network", "03_0", "take0", "walk"), ("mean", "03_0", "take0", "walk"),
    ]  # fmt: skip
    angle = content["methods"][1]["mae_angle"]
    assert float(rows[1]["mae_angle"]) == pytest.approx(angle, rel=1e-4)
    coordinates = list(csv.DictReader((out / "coordinates.csv").open()))
    assert np.mean([float(r["mae_angle"]) for r in coordinates if r["method"] == "mean"]) == pytest.approx(angle, 1e-4)
    points = list(csv.DictReader((out / "robustness.csv").open()))
    assert {p["method"] for p in points} == {"network"}
    assert len(points) == 18
    assert "20 mm noise per axis, 20 % missing" in {p["condition"] for p in points}
    assert (out / "robustness.png").read_bytes().startswith(b"\x89PNG")
    assert "Evaluation: mine" in (out / "evaluation.html").read_text()


def bad(what: str, weights: Path, shards: Path, folder: Path) -> tuple[list, str]:
    """Arguments, and what the one line should say."""
    copy, out = folder / "copy", folder / "out"
    if what == "truncated weights":
        shutil.copytree(weights, copy)
        (copy / "weights.safetensors").write_bytes((weights / "weights.safetensors").read_bytes()[:1000])
        return [copy, shards, "-o", out], "not the file that its card describes"
    if what == "other model":
        shutil.copytree(weights, copy)
        card = json.loads((copy / "card.json").read_text())
        card["model"]["coordinates"] = card["model"]["coordinates"][1:]
        (copy / "card.json").write_text(json.dumps(card))
        return [copy, shards, "-o", out], "trained for a model of other coordinates"
    if what == "no weights":
        return ["neurik-bass", shards, "-o", out], "holds no weights"
    if what == "no shards":
        return [weights, folder / "none", "-o", out], "card.json: no such file"
    if what == "weights for shards":
        return [weights, weights, "-o", out], "holds no shards"
    if what == "shards for weights":
        return [shards, shards, "-o", out], "holds no weights of a network"
    if what == "empty split":
        return [weights, shards, "-o", out, "--split", "val"], "its split 'val' has no trials"
    if what == "no baseline":
        return [weights, shards, "-o", out, "--baseline", "fitt"], "give fit, opensim, mean or mot:NAME=FOLDER"
    if what == "no name":
        return [weights, shards, "-o", out, "--baseline", "mot:x"], "give mot:NAME=FOLDER"
    if what == "twice":
        return [weights, shards, "-o", out, "--baseline", "mean", "--baseline", "mean"], "named twice"
    if what == "no motions":
        return [weights, shards, "-o", out, "--baseline", f"mot:D3KE={folder / 'no'}"], "is no folder"
    assert what == "inside"
    return [weights, shards, "-o", shards / "out"], "lies in the data set"


CASES = [
    "truncated weights", "other model", "no weights", "no shards", "empty split", "no baseline", "no name", "twice",
    "no motions", "inside", "weights for shards", "shards for weights",
]  # fmt: skip


@pytest.mark.parametrize("what", CASES)
def test_bad_input_is_one_line(what, biopose, weights, shards, tmp_path):
    words, said = bad(what, weights, shards, tmp_path)
    answer = biopose("evaluate", *words)
    assert answer.code == 2
    assert len(answer.error_lines) == 1, answer.err
    assert said in answer.error_lines[0]
    assert not (tmp_path / "out").exists()


def test_a_baseline_that_answers_nothing_is_named(biopose, weights, shards, tmp_path):
    others = tmp_path / "others"
    others.mkdir()
    (others / "someone.mot").write_text("")
    answer = biopose("evaluate", weights, shards, "-o", tmp_path / "out", "--baseline", f"mot:D3KE={others}")
    assert answer.code == 2
    assert "no trial was compared with 'D3KE'" in answer.err
    assert "take0.mot is missing" in answer.err

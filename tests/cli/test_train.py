"""``biopose train`` and ``biopose ablate``: what they write and say, and their one-line errors."""

from __future__ import annotations

import json
import shutil

import pytest
import shard_runs as runs

from biopose_sim.cli.console import Progress

TINY = ("window=8", "hidden=16", "width=8", "heads=2", "layers=1", "refinements=1")
SETTINGS = [
    word
    for setting in (*(f"network.{text}" for text in TINY), "batch=2", "validation_windows=2")
    for word in ("--set", setting)
]


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    from ik_pipeline.shards import ShardConfig, write_shards

    run = runs.write_run(tmp_path_factory.mktemp("run"), lengths=(24, 16), rate=30.0, splits=["train", "val", "test"])
    return write_shards(run, config=ShardConfig(window=8, stride=8)).folder


def test_training_and_going_on(shards, tmp_path, biopose):
    words = ("train", "base", shards, "-o", tmp_path / "out", *SETTINGS, "--steps", "3", "--threads", "1")
    answer = biopose(*words, "--device", "cpu")
    assert answer.code == 0, answer.err
    assert "step 3 of 3, loss" in answer.out
    assert "val MAE_angle" in answer.out
    assert "ms/step" in answer.out
    weights = tmp_path / "out" / "weights"
    card = json.loads((weights / "card.json").read_text())
    assert card["name"] == "neurik-base"
    assert card["training"]["steps"] == 3
    assert card["training"]["machine"]["threads"] == 1
    assert card["training"]["configuration"]["network"]["window"] == 8
    assert card["data"]["splits"]["train"]["persons"] == 2
    assert card["licence"]["redistributable"] is True
    assert card["rate"] == 30.0
    assert 0.0 < card["metrics"]["validation"]["MAE_angle [deg]"] < 180.0
    text = (weights / "README.md").read_text()
    for part in ("# neurik-base", "| train | 2 | 4 |", "CMU motion", "- 3 steps, 6 windows seen", "MAE_angle [deg]"):
        assert part in text
    again = biopose(*words)
    assert again.code == 0
    assert "goes on from step 3 of 3" in again.out
    refused = biopose(*words, "--seed", "4")
    assert refused.code == 2
    assert refused.error_lines == [
        f"biopose: {tmp_path / 'out'}: holds a training of another configuration: seed; give another output folder, "
        "or delete this one to begin anew"
    ]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("train", "bsae", "{shards}", "-o", "{tmp}/out"), ("did you mean 'base'",)),
        (("train", "base", "{tmp}", "-o", "{tmp}/out"), ("card.json", "no such file", "biopose groundtruth")),
        (("train", "base", "{broken}", "-o", "{tmp}/out"), ("markers.npy", "truncated")),
        (("train", "base", "{shards}", "-o", "{tmp}/file/out", *SETTINGS), ("cannot be made", "choose another")),
        (("train", "base", "{shards}", "-o", "{tmp}/out"), ("has no window of 64 frames",)),
        (("train", "base", "{shards}", "-o", "{tmp}/out", "--set", "network.windo=3"), ("did you mean 'window'",)),
        (("train", "base", "{shards}", "-o", "{tmp}/out", "--device", "cuda"), ("no GPU",)),
        (("ablate", "loss", "{shards}", "-o", "{tmp}/out"), ("loss",)),
        (("ablate", "losses", "{tmp}", "-o", "{tmp}/out"), ("card.json", "no such file")),
    ],
)
def test_bad_input_is_one_line(words, parts, shards, biopose, tmp_path):
    import torch

    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    (tmp_path / "file").touch()
    broken = tmp_path / "broken"
    shutil.copytree(shards, broken)
    markers = broken / "train" / "markers.npy"
    markers.write_bytes(markers.read_bytes()[:-100])
    answer = biopose(*(str(word).format(tmp=tmp_path, shards=shards, broken=broken) for word in words))
    assert answer.code == 2, answer.err
    assert len(answer.error_lines) == 1, answer.err
    for part in parts:
        assert part in answer.error_lines[0]
    assert not (tmp_path / "out").exists()


def test_ablation(shards, tmp_path, biopose):
    answer = biopose(
        "ablate", "output", shards, "-o", tmp_path, *SETTINGS, "--steps", "1", "--trials", "1", "--threads", "1"
    )
    assert answer.code == 0, answer.err
    assert "output 2/2, all frames: MAE_angle" in answer.out
    assert "BioPose, BML-MoVi *" in answer.out
    assert "measured on other data" in answer.out
    assert {path.name for path in tmp_path.glob("output.*")} == {"output.csv", "output.json", "output.md"}


def test_lines_that_stay(capsys):
    with Progress() as progress:
        progress("working")
        progress.tell("step 1 of 2")
    assert capsys.readouterr().out == "step 1 of 2\n"

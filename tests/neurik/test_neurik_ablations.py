"""Ablations: rows differ in one thing, rows that are done are not done again, tables say whose figures they hold."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from itertools import pairwise

import pytest
import shard_runs as runs
import torch

from biopose_sim.cli import ablate
from biopose_sim.errors import InputError
from biopose_sim.neurik.ablations import PAPER_NOTE, TABLES, WINDOWS, make_rows, run_table
from biopose_sim.neurik.config import differences, load_config
from ik_pipeline.shards import ShardConfig, write_shards

SETTINGS = (
    *("network.window=8", "network.hidden=16", "network.width=8", "network.heads=2", "network.layers=1"),
    *("network.refinements=1", "batch=2", "validation_windows=2", "steps=1"),
)


def rows_of(table, settings=()):
    return make_rows(table, load_config("base", settings), load_config("paper"))


def test_tables_are_those_of_the_command():
    assert ablate.TABLES == TABLES


@pytest.mark.parametrize("table", TABLES)
def test_rows_have_one_budget_and_folders_of_their_own(table):
    rows = rows_of(table, ("steps=100", "seed=5"))
    assert len({row.folder for row in rows}) == len(rows) > 1
    frames = {(row.config.steps, row.config.seed, row.config.batch * row.config.network.window) for row in rows}
    assert frames == {(100, 5, 64 * 64)}


def test_rows_of_losses_and_windows():
    losses = {row.name: asdict(row.config.losses) for row in rows_of("losses")}
    assert list(losses) == [
        "all losses", "without joints", "without markers", "without scales", "without angles", "angles alone"
    ]  # fmt: skip
    for name in ("joints", "markers", "scales", "angles"):
        assert differences(losses["all losses"], losses[f"without {name}"]) == [name]
    assert differences(losses["all losses"], losses["angles alone"]) == ["joints", "markers", "scales"]
    assert [row.config.network.window for row in rows_of("window")] == list(WINDOWS)
    assert [row.config.network.output for row in rows_of("output")] == ["last", "all"]


def test_changes_lead_from_the_paper_to_the_other_one_by_one():
    base, paper = load_config("base"), load_config("paper")
    rows = make_rows("changes", base, paper)
    assert rows[-1].config == base
    assert set(differences(asdict(rows[0].config), asdict(paper))) <= {"batch"}
    changed = [
        {name.split(".")[0] for name in differences(asdict(a.config), asdict(b.config))} for a, b in pairwise(rows)
    ]
    assert all(changed)
    assert changed[0] == {"network", "augment"}
    assert changed[-1] == {"average"}
    steps = [row.config.network.refinements for row in rows[2:5]]
    assert steps == [0, 1, 2]
    assert len(make_rows("changes", paper, paper)) == 1


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    run = runs.write_run(tmp_path_factory.mktemp("run"), lengths=(24, 16), rate=30.0, splits=["train", "val", "test"])
    return write_shards(run, config=ShardConfig(window=8, stride=8)).folder


def test_a_table_is_made_once(shards, tmp_path):
    torch.set_num_threads(1)
    rows, said = rows_of("output", SETTINGS), []
    found = run_table("output", shards, tmp_path, rows, trials=1, tell=said.append)
    assert [row["name"] for row in found] == ["last frame", "all frames"]
    assert all(0.0 < row["MAE_angle"] < 90.0 and row["frames"] == 2 * 24 for row in found)
    assert said[0].startswith("output 1/2, last frame: MAE_angle ")
    results = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")}
    assert len(results) == 2
    assert run_table("output", shards, tmp_path, rows, trials=1) == found
    assert {path: path.stat().st_mtime_ns for path in results} == results
    shared = [replace(rows[1], name="of another table", folder="01_other")]
    assert run_table("window", shards, tmp_path, shared, trials=1) == [{**found[1], "name": "of another table"}]
    assert not list((tmp_path / "window").rglob("checkpoint.pt"))
    content = json.loads((tmp_path / "output.json").read_text())
    assert content["rows"] == json.loads(json.dumps(found))
    assert "other data" in content["paper"]["note"]
    table = list(csv.DictReader((tmp_path / "output.csv").open()))
    assert [row["note"] for row in table] == ["", "", PAPER_NOTE, PAPER_NOTE, PAPER_NOTE]
    assert table[2]["MAE_angle"] == "2.84"
    text = (tmp_path / "output.md").read_text()
    assert "| BioPose, OpenCap * | 3.19 | 26.34 | 4.87 |" in text
    assert "1 steps, seed 0; test persons, 1 trials of each" in text
    other = [replace(row, config=replace(row.config, seed=1)) for row in rows]
    with pytest.raises(InputError, match="another configuration: seed"):
        run_table("output", shards, tmp_path, other, trials=1)

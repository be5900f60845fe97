"""Configurations of training: what is shipped, and what is refused."""

from __future__ import annotations

import tomllib
from dataclasses import asdict

import pytest

from biopose_sim.errors import InputError
from biopose_sim.neurik.config import TrainConfig, config_names, differences, load_config, toml_of
from biopose_sim.paths import models_dir


def test_both_are_shipped_and_say_every_value():
    assert config_names() == ["base", "paper"]
    paper, base = load_config("paper"), load_config("base")
    assert (paper.network.kind, paper.network.frame, base.network.kind) == ("paper", "window", "base")
    for name, config in (("paper", paper), ("base", base)):
        assert config.network.window == 64
        said = tomllib.loads((models_dir() / "training" / f"{name}.toml").read_text())
        # What a network of the other kind has is not said.
        left_out = {key for key in differences(said, asdict(config)) if not key.startswith("network.")}
        mesh = {"losses.earlier", "augment.mesh", "augment.mesh_length", "augment.mesh_time"}
        bending = {
            f"augment.{key}" for key in ("bend_share", "bend_rate", "shape_share", "shape", "offset_share", "offset")
        }
        assert left_out <= {"steps"} | (mesh | bending if name == "paper" else set())


def test_paper_is_the_paper():
    paper = load_config("paper")
    weights = paper.losses
    assert (weights.joints, weights.markers, weights.scales, weights.angles) == (1.0, 2.0, 0.1, 0.06)
    assert (paper.optimiser, paper.weight_decay, paper.batch) == ("adam", 1e-3, 128)
    assert (paper.rate, paper.last_rate, paper.epochs) == (1e-3, 5e-6, 25.0)


def test_written_down_it_comes_back(tmp_path):
    config = load_config("base", ["steps=7", "network.window=32", "network.output=last"])
    assert (config.steps, config.network.window, config.network.output) == (7, 32, "last")
    (tmp_path / "own.toml").write_text(toml_of(config))
    assert load_config(tmp_path / "own.toml") == config
    assert differences(asdict(config), asdict(load_config("base"))) == ["network.output", "network.window", "steps"]


def test_a_file_of_ones_own_keeps_the_defaults(tmp_path):
    (tmp_path / "own.toml").write_text("rate = 1\n[network]\nhidden = 8\n")
    config = load_config(tmp_path / "own.toml")
    assert config.rate == 1.0
    assert config.network.hidden == 8
    assert config.batch == TrainConfig().batch


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rat = 1.0", "own.toml: has an unknown key 'rat' (did you mean 'rate'"),
        ("[network]\nwindoww = 3", "'network.windoww' (did you mean 'window'"),
        ("batch = 1.5", "'batch' is 1.5; a whole number is needed"),
        ("batch = true", "'batch' is True"),
        ("rate = nan", "'rate' is nan"),
        ("losses = 3", "a table [losses] is needed"),
        ("rate = ", "cannot be read as TOML"),
        ("batch = 0", "one at least is needed"),
        ("average = 1.0", "below 1"),
        ("optimiser = 'adan'", "did you mean 'adam'"),
        ("[network]\nframe = 'windw'", "network.frame: 'windw' (did you mean 'window'"),
        ("[network]\nwidth = 10", "no multiple of heads"),
        ("[network]\nlayers = 0", "one at least"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, words):
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(InputError) as found:
        load_config(tmp_path / "own.toml")
    assert words in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("bse", [], "did you mean 'base'"),
        ("none.toml", [], "no such file"),
        ("base", ["network.window"], "give KEY=VALUE"),
        ("base", ["network.windo=3"], "did you mean 'window'"),
        ("base", ["network.window=many"], "'many'; a whole number is needed"),
        ("base", ["batch.size=3"], "'batch' in 'batch.size=3' is no table"),
    ],
)
def test_wrong_names_and_settings(name, settings, words):
    with pytest.raises(InputError) as found:
        load_config(name, settings)
    assert words in str(found.value)

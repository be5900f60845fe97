"""The data folder is found by environment variable, repository and wheel copy, in this order."""

from __future__ import annotations

import pytest

from biopose_sim import paths
from biopose_sim.errors import InputError


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch):
    monkeypatch.delenv(paths.MODELS_VARIABLE, raising=False)


def data_folder(root):
    for name in ("fullbody", "markersets"):
        (root / name).mkdir(parents=True)
    return root


def test_repository_has_model_and_marker_set():
    assert paths.default_model_path().name == "biopose_fullbody.osim"
    assert paths.markerset_path("anatomical").is_file()
    assert (paths.tables_dir() / "segments.csv").is_file()


def test_order_is_variable_repository_wheel(monkeypatch, tmp_path):
    package = tmp_path / "site" / "biopose_sim"
    monkeypatch.setattr(paths, "_PACKAGE", package)
    with pytest.raises(InputError, match="model data of biopose-sim are missing"):
        paths.models_dir()
    wheel = data_folder(package / "_models")
    assert paths.models_dir() == wheel
    # A top-level 'models' of another package in site-packages is not ours.
    (tmp_path / "site" / "models").mkdir(parents=True)
    assert paths.models_dir() == wheel
    repository = data_folder(tmp_path / "site" / "models")
    assert paths.models_dir() == repository
    chosen = data_folder(tmp_path / "chosen")
    monkeypatch.setenv(paths.MODELS_VARIABLE, str(chosen))
    assert paths.models_dir() == chosen


def test_wrong_variable_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv(paths.MODELS_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"BIOPOSE_MODELS=.*nowhere: no folder 'fullbody' there"):
        paths.default_model_path()


def test_missing_model_names_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv(paths.MODELS_VARIABLE, str(data_folder(tmp_path / "models")))
    with pytest.raises(InputError, match="build it with 'biopose model build'"):
        paths.default_model_path()


def test_unknown_marker_set_lists_those_there_are():
    with pytest.raises(InputError, match=r"no marker set 'anatomicl' \(did you mean 'anatomical'"):
        paths.markerset_path("anatomicl")

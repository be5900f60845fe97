"""``biopose view``: pictures of result folders and files, and what it says of bad ones."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from cli_process import command_line, environment

SMALL = ("--size", "160x120")


@pytest.fixture(scope="module")
def result(walker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as fit leaves it: a model, a motion, and the recording that the manifest names."""
    import json

    from biopose_sim.io import Motion, write_mot, write_trc
    from biopose_sim.paths import default_model_path

    root = tmp_path_factory.mktemp("view")
    folder = root / "out"
    folder.mkdir()
    trial = walker.trials[-1]
    generic = walker.generic
    shutil.copy(default_model_path(), folder / "biopose_fullbody_scaled.osim")
    q = walker.coordinates[trial.name]
    write_mot(
        folder / f"{trial.name}.mot",
        Motion(trial.name, trial.time, q, generic.coordinate_names, generic.motion_types),
    )
    write_trc(root / f"{trial.name}.trc", trial)
    manifest = {
        "command": "fit",
        "trials": [{"name": trial.name, "frames": trial.n_frames}],
        "inputs": [{"path": f"{trial.name}.trc"}],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_result_folder_becomes_a_picture(biopose, result: Path, tmp_path: Path):
    from PIL import Image

    from biopose_sim.cli.view_sources import source_of

    source = source_of(result)
    assert source.markers == result.parent / "walk.trc"
    assert source.model.name == "biopose_fullbody_scaled.osim"
    answer = biopose("view", result, "--png", tmp_path / "a.png", "--time", "0.3", *SMALL)
    assert answer.code == 0, answer.err
    assert "drawings: give --geometry" in answer.err
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (160, 120)
        assert np.asarray(picture).std() > 5.0


def test_a_simulation_shows_its_own_model_motion_and_joint_forces(biopose, result: Path, tmp_path: Path):
    from biopose_sim.cli.view_sources import source_of
    from biopose_sim.forces.types import Simulation
    from biopose_sim.io import Table, write_sto

    shutil.copy(result / "biopose_fullbody_scaled.osim", tmp_path / "model.osim")
    shutil.copy(result / "walk.mot", tmp_path / "motion.mot")
    shutil.copy(result / "walk.mot", tmp_path / "zz_grf.mot")
    names = tuple(f"knee_r_on_tibia_r_in_ground_{c}" for c in ("fx", "fy", "fz", "px", "py", "pz"))
    rows = np.tile([0.0, -3000.0, 0.0, 0.0, 0.5, 0.0], (2, 1))
    write_sto(tmp_path / "jr.sto", Table("reactions", np.array([0.0, 0.6]), names, rows))
    files = {"joint_reaction_ground": "jr.sto"}
    made = Simulation("walk", "model.osim", "motion.mot", 75.0, 0.0, 0.6, 6.0, "estimated", "motion", files)
    made.write(tmp_path)
    assert source_of(tmp_path).motion == tmp_path / "motion.mot"
    arrows = {}
    for name, words in {"with": (), "without": ("--hide", "forces")}.items():
        answer = biopose("view", tmp_path, *words, "--png", tmp_path / f"{name}.png", "--time", "0.3", *SMALL)
        assert answer.code == 0, answer.err
        arrows[name] = (tmp_path / f"{name}.png").read_bytes()
    assert arrows["with"] != arrows["without"]


def test_two_results_and_hidden_parts(biopose, result: Path, tmp_path: Path):
    for name, words in {"both": [result, "--overlay"], "bare": ["--hide", "bones"]}.items():
        answer = biopose("view", result, *words, "--png", tmp_path / f"{name}.png", "--frame", "3", *SMALL)
        assert answer.code == 0, answer.err
    assert (tmp_path / "both.png").read_bytes() != (tmp_path / "bare.png").read_bytes()


def test_measured_forces_of_rajagopals_walk_are_drawn(biopose, test_data: Path, tmp_path: Path):
    from biopose_sim.io import Motion, write_mot
    from biopose_sim.kinematics.model import OsimModel

    folder = test_data / "pipelines" / "Rajagopal"
    model = OsimModel.from_file(folder / "generic_unscaled.osim")
    time = np.linspace(0.6, 1.2, 13)
    q = np.tile(model.default_coordinates.numpy(), (13, 1))
    motion = tmp_path / "still.mot"
    write_mot(motion, Motion("still", time, q, model.coordinate_names, model.motion_types))
    given = ("view", "--model", model.path, "--motion", motion, *SMALL, "--hide", "labels", "--time", "0.9")
    loads = folder / "ID" / "grf_walk.xml"
    for name, words in {"with": ("--grf", loads), "without": ()}.items():
        answer = biopose(*given, *words, "--png", tmp_path / f"{name}.png")
        assert answer.code == 0, answer.err
    assert (tmp_path / "with.png").read_bytes() != (tmp_path / "without.png").read_bytes()
    write_mot(motion, Motion("still", time + 500.0, q, model.coordinate_names, model.motion_types))
    answer = biopose(*given[:-2], "--grf", loads, "--png", tmp_path / "late.png")
    assert answer.code == 2
    assert "holds no force while the motion lasts" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "no such folder"),
        (["empty"], "holds no motion"),
        (["out", "--trial", "wlak"], "holds no trial 'wlak' (did you mean 'walk'?)"),
        (["out", "--frame", "9999", "--png", "a.png"], "there is no frame 9999; frames go from 0 to"),
        (["out", "--time", "99", "--png", "a.png"], "99 s is outside"),
        (["out", "--frame", "1"], "--frame and --time are for --png"),
        (["--model", "m.osim"], "--model and --motion belong together"),
        ([], "missing argument 'FOLDER...'"),
        (["out", "--png", "nowhere/a.png"], "folder 'nowhere' does not exist"),
        (["out", "--mp4", "nowhere/a.mp4", "--span", "0", "0.1"], "folder 'nowhere' does not exist"),
        (["out", "--geometry", "nowhere", "--png", "a.png"], "is no folder of bones"),
        (["out", "--size", "big"], "'big' is no size"),
        (["out/walk.mot"], "is no folder; for files use --model and --motion"),
    ],
)
def test_bad_input_is_one_line(biopose, result: Path, monkeypatch, words, said):
    monkeypatch.chdir(result.parent)
    (result.parent / "empty").mkdir(exist_ok=True)
    answer = biopose("view", *words, *(() if "--size" in words else SMALL))
    assert answer.code == 2
    assert len(answer.error_lines) == 1, answer.err
    assert said in answer.err


def test_without_viser_the_extra_is_named(biopose, result: Path, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "viser" else found(name, *rest)
    )
    answer = biopose("view", result)
    assert answer.code == 2
    assert 'pip install "biopose-sim[viewer]"' in answer.err


def test_ctrl_c_ends_the_server(result: Path):
    pytest.importorskip("viser")
    words = command_line("view", result, "--no-browser")
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert "http://localhost:" in process.stdout.readline()
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "ended" in out
    assert "Traceback" not in err

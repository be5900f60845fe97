"""``biopose predict`` on files that cannot be: exit code 2, one line, no traceback, nothing written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import synthetic_smpl
from readers import tiny_files as tiny

import biopose_sim

joblib = pytest.importorskip("joblib")

T = tiny.T
STILL = {"gender": np.array("female"), "betas": np.zeros(16)}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with the one model file that AMASS motions of women need."""
    root = tmp_path_factory.mktemp("body_models")
    synthetic_smpl.write_npz(root / "smplh" / "female" / "model.npz", "smplh")
    return root


@pytest.fixture
def predict(capsys, tmp_path, monkeypatch):
    """Call the command in this process, without body models of the person who runs the tests."""
    from biopose_sim.cli.main import run

    monkeypatch.delenv("BIOPOSE_BODY_MODELS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def call(*words: object) -> tuple[int, list[str]]:
        code = run(["predict", *(str(word) for word in words)])
        return code, capsys.readouterr().err.splitlines()

    return call


def assert_refused(answer: tuple[int, list[str]], out: Path, *words: str) -> None:
    code, lines = answer
    assert code == 2, lines
    assert len(lines) == 1, lines
    assert lines[0].startswith("biopose: ")
    assert "Traceback" not in lines[0]
    for word in words:
        assert word in lines[0], lines[0]
    assert not out.exists()


@pytest.mark.parametrize(
    ("body", "gender", "site", "names"),
    [
        ("smplh", "male", "https://mano.is.tue.mpg.de", ("smplh/SMPLH_MALE.npz", "smplh/male/model.npz")),
        ("smplx", "neutral", "https://smpl-x.is.tue.mpg.de", ("smplx/SMPLX_NEUTRAL.npz", "smplx/SMPLX_NEUTRAL.pkl")),
        (
            "smpl",
            "neutral",
            "https://smpl.is.tue.mpg.de",
            ("SMPL_NEUTRAL.npz", "basicmodel_neutral_lbs_10_207_0_v1.1.0"),
        ),
    ],
)
def test_a_body_model_that_is_missing(predict, tmp_path, body, gender, site, names):
    make = {"smplh": tiny.amass, "smplx": tiny.stageii, "smpl": tiny.amass}[body]
    more = {"poses": tiny.poses(24), "betas": np.zeros(10)} if body == "smpl" else {}
    path = make(tmp_path / "walk.npz", gender=np.array(gender), **more)
    out, folder = tmp_path / "out", tmp_path / "mine"
    home = str(tmp_path / "home" / ".biopose" / "body_models")
    options = ("--body-models", "BIOPOSE_BODY_MODELS")
    assert_refused(predict(path, "-o", out), out, *names, home, site, *options)
    assert_refused(predict(path, "-o", out, "--body-models", folder), out, *names, str(folder), site)


def test_a_body_model_that_is_damaged_or_another(predict, models, tmp_path):
    path, out = tiny.amass(tmp_path / "walk.npz", **STILL), tmp_path / "out"
    whole = (models / "smplh" / "female" / "model.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.npz").write_text("a model")
    np.savez(tmp_path / "objects.npz", v_template=np.array([{}], dtype=object))
    np.savez(tmp_path / "other.npz", v_template=np.zeros((6890, 3)))
    joblib.dump({"v_template": Decimal(1)}, tmp_path / "foreign.pkl")
    for name, word in (
        ("cut.npz", "is not a whole npz file"),
        ("text.npz", "is not a whole npz file"),
        ("objects.npz", "Python objects"),
        ("other.npz", "lacks shapedirs"),
        ("foreign.pkl", "'decimal.Decimal'"),
    ):
        answer = predict(path, "-o", out, "--body-models", tmp_path / name)
        assert_refused(answer, out, name, word)
        assert "unsafe" not in answer[1][0]
    assert_refused(predict(models / "smplh" / "female" / "model.npz", "-o", out), out, "is a body model, not a motion")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"betas": np.zeros(3)}, ["betas has 3 values", "10, 11 or 16"]),
        ({"betas": np.zeros(40)}, ["has 40 betas, its body model has 16", "model.npz"]),
        ({"betas": np.full(16, np.nan)}, ["betas has values that are not numbers"]),
        ({"poses": np.full((T, 156), np.nan)}, ["every frame has values that are not numbers"]),
        ({"trans": np.full((T, 3), np.inf)}, ["every frame has values that are not numbers"]),
        ({"gender": np.array("robot")}, ["gender is 'robot'", "female, male or neutral"]),
        ({"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, ["holds no frame"]),
        ({"mocap_framerate": np.array(1e6)}, ["frame rate is 1e+06 Hz", "--fps", "2000 Hz"]),
        ({"mocap_framerate": np.array(0.0)}, ["frame rate is 0 Hz"]),
        ({"mocap_framerate": np.array(np.nan)}, ["frame rate is nan Hz"]),
        ({"mocap_framerate": None}, ["holds no frame rate", "--fps 30"]),
        ({"trans": np.zeros((T + 1, 3))}, ["poses 6, trans 7"]),
    ],
)
def test_values_that_cannot_be(predict, models, tmp_path, change, words):
    path, out = tiny.amass(tmp_path / "walk_poses.npz", **{**STILL, **change}), tmp_path / "out"
    assert_refused(predict(path, "-o", out, "--body-models", models), out, "walk_poses.npz", *words)


@pytest.mark.parametrize("fps", ["nan", "1e9", "0", "-30", "fast"])
def test_an_absurd_frame_rate_of_the_user(predict, models, tmp_path, fps):
    path, out = tiny.amass(tmp_path / "walk_poses.npz", **STILL), tmp_path / "out"
    assert_refused(predict(path, "-o", out, "--body-models", models, "--fps", fps), out, "fps")


def anny(path: Path, n: int, **other) -> Path:
    """Our own file: an Anny adult at rest."""
    arrays = {
        "rotations": np.tile(np.eye(3), (n, 104, 1, 1)),
        "translation": np.tile([0.0, 0.0, 1.0], (n, 1)),
        "phenotypes": np.array([0.5, 0.75, 0.5, 0.5, 0.35, 0.5]),
        "fps": 100.0,
        **other,
    }
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"phenotypes": np.ones(7)}, ["has shape (7,)", "gender, age, muscle"]),
        ({"phenotypes": np.array([0.5, 0.75, 0.5, 9.0, 0.35, 0.5])}, ["weight is 9", "0 to 1"]),
        ({"phenotypes": np.full(6, np.nan)}, ["phenotypes has values that are not numbers"]),
        ({"rotations": np.tile(np.eye(3), (5, 120, 1, 1))}, ["rotations of 120 joints"]),
        ({"rotations": np.zeros((5, 104, 3, 3))}, ["not rotations"]),
        ({"translation": np.ones((5, 3)) * 1j}, ["translation does not hold numbers"]),
        ({"translation": np.zeros((4, 3))}, ["translation has shape (4, 3)"]),
        ({"time": np.arange(5) * 1e-7}, ["the frame rate of 'time' is 1e+07 Hz"]),
        ({"time": -np.arange(5.0)}, ["time does not increase"]),
        ({"time": np.full(5, np.nan)}, ["time does not increase"]),
        ({"time": np.arange(5) / 100, "seen": np.zeros(5, bool)}, ["seen in no frame"]),
        ({"body": "horse"}, ["body is 'horse'", "anny"]),
        ({"rotations": np.array("x")}, ["does not have its layout"]),
    ],
)
def test_our_own_file_with_values_that_cannot_be(predict, tmp_path, change, words):
    path = anny(tmp_path / "body.npz", 5, **change)
    assert_refused(predict(path, "-o", tmp_path / "out"), tmp_path / "out", "body.npz", *words)


def test_frames_with_nan_are_said_and_bridged(predict, tmp_path):
    """NaN in some frames is no reason to refuse a recording: they count as not seen, and the user is told."""
    turns = np.tile(np.eye(3), (40, 104, 1, 1))
    turns[10:13] = np.nan
    path = anny(tmp_path / "still.npz", 40, rotations=turns)
    code, lines = predict(path, "-o", tmp_path / "out", "--no-report")
    assert code == 0, lines
    assert not any("Traceback" in line for line in lines)
    motion = biopose_sim.io.read_mot(tmp_path / "out" / "still.mot")
    assert np.isfinite(motion.coordinates).all()
    assert "3 of 40 frames hold NaN" in (tmp_path / "out" / "manifest.json").read_text()


def test_a_pickle_with_a_foreign_class(predict, tmp_path):
    person = {**tiny.wham_person(np.arange(3), mesh=False), "note": Decimal(1)}
    joblib.dump({0: person}, tmp_path / "wham_output.pkl")
    words = ("'decimal.Decimal'", "refused and nothing was run")
    assert_refused(predict(tmp_path / "wham_output.pkl", "-o", tmp_path / "out"), tmp_path / "out", *words)


@pytest.mark.parametrize("key", ["Subject_3_S1", "Subject_3_I1", "Subject_3_PG2", "Subject_3_U1_amass"])
def test_another_round_of_movi(predict, tmp_path, key):
    path, out = tiny.movi_amass(tmp_path / "bodies.mat", key=key), tmp_path / "out"
    assert_refused(predict(path, "-o", out), out, f"round {key.split('_')[2]}", "only round F")


def test_files_of_movi_ask_for_an_action_and_tell_markers_from_bodies(predict, tmp_path):
    out = tmp_path / "out"
    bodies = tiny.movi_amass(tmp_path / "F_amass_Subject_3.mat")
    assert_refused(predict(bodies, "-o", out), out, "2 actions", "'walking'", "--action")
    markers = tiny.movi_markers(tmp_path / "F_v3d_Subject_3.mat")
    assert_refused(predict(markers, "-o", out), out, "no body", "F_amass_Subject_N.mat")


def test_several_people_are_listed(predict, tmp_path):
    people = {key: tiny.wham_person(np.arange(n), mesh=False) for key, n in ((0, 4), (7, 3))}
    joblib.dump(people, tmp_path / "wham_output.pkl")
    out, path = tmp_path / "out", tmp_path / "wham_output.pkl"
    answer = predict(path, "-o", out, "--fps", 30)
    assert_refused(answer, out, "2 people: '0' (4 frames), '7' (3 frames)", "--track '0'")
    assert_refused(predict(path, "-o", out, "--fps", 30, "--track", 3), out, "no track '3'", "'7' (3 frames)")


def make_all(folder: Path) -> list[Path]:
    tiny.amass(folder / "a_poses.npz")
    tiny.movi_amass(folder / "F_amass_Subject_3.mat")
    tiny.smplestx(folder / "clip_poses.npz")
    joblib.dump({0: tiny.wham_person(np.arange(3), mesh=False)}, folder / "wham_output.pkl")
    joblib.dump(tiny.phalp_frames(), folder / "demo.pkl", compress=3)
    tiny.gvhmr(folder / "hmr4d_results.pt")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("kept", [0.0, 0.4, 0.9])
def test_files_that_are_cut_off(predict, tmp_path, kept):
    pytest.importorskip("torch")
    (tmp_path / "files").mkdir()
    for path in make_all(tmp_path / "files"):
        path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
        answer = predict(path, "-o", tmp_path / "out", "--fps", 30)
        assert_refused(answer, tmp_path / "out", path.name, "is empty" if kept == 0 else " is not a whole ")


def test_a_folder_in_place_of_a_file(predict, tmp_path):
    for name in ("plain", "walk.npz", "walk.bvh"):
        (tmp_path / name).mkdir()
        assert_refused(predict(tmp_path / name, "-o", tmp_path / "out"), tmp_path / "out", name, "is a folder")


def test_results_of_sam_3d_body_have_no_markers_yet(predict, tmp_path):
    joblib.dump([tiny.sam_person(0)], tmp_path / "sam.pkl")
    words = ("topology 'mhr'", "there are markers on smpl, smplx, anny")
    assert_refused(predict(tmp_path / "sam.pkl", "-o", tmp_path / "out", "--fps", 30), tmp_path / "out", *words)


@pytest.mark.parametrize("where", ["file", "file/below", "/proc/biopose"])
def test_an_output_folder_that_cannot_be(predict, tmp_path, where):
    (tmp_path / "file").write_text("mine")
    code, lines = predict("no_such.npz", "-o", tmp_path / where)
    assert (code, len(lines)) == (2, 1)
    assert "cannot be written to" in lines[0]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """An Anny body at rest, long enough to be interrupted."""
    return anny(tmp_path_factory.mktemp("still") / "still.npz", 400)


def test_results_that_are_there_stay_when_a_run_fails(predict, models, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "walk.mot").write_text("mine")
    path = tiny.amass(tmp_path / "walk.npz", **STILL, mocap_framerate=np.array(0.0))
    assert predict(path, "-o", out, "--body-models", models)[0] == 2
    assert [(file.name, file.read_text()) for file in out.iterdir()] == [("walk.mot", "mine")]


def test_an_output_that_is_a_folder_of_that_name(predict, still, tmp_path):
    (tmp_path / "out" / "still.trc").mkdir(parents=True)
    code, lines = predict(still, "-o", tmp_path / "out", "--no-report")
    assert code == 2
    assert "still.trc: is a folder; remove it" in lines[-1]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["still.trc"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("number", "code", "written"), [(signal.SIGINT, 130, ""), (signal.SIGTERM, 143, ""), (signal.SIGINT, 130, ".trc")]
)
def test_an_interrupted_run_leaves_nothing(still, tmp_path, number, code, written):
    """Ended while it reads, and (last) while it writes: the folder that it made is gone."""
    out = tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": str(Path(biopose_sim.__file__).parents[1])}
    words = [sys.executable, "-m", "biopose_sim", "predict", str(still), "-o", str(out)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    give_up = time.monotonic() + 120
    while not [path for path in out.rglob("*") if path.suffix == written or not written]:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < give_up
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert not out.exists()

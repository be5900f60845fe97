"""``biopose predict``: from body motions to what 'biopose fit' writes, and its one-line errors."""

from __future__ import annotations

import html
import json
from dataclasses import replace

import click
import numpy as np
import pytest
from bvh_text import bvh_text
from test_cli_errors import assert_refused

import biopose_sim as bp
from biopose_sim import synthetic
from biopose_sim.bodies import load, save_sequence
from biopose_sim.bodies.body import body_for, mesh
from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.phenotypes import mass, sample_adults
from biopose_sim.cli.bodies import Reading, parse_upright, read_person
from biopose_sim.cli.predicting import lines_of
from biopose_sim.cli.reopen import reopen
from biopose_sim.cli.walker import make_body_walker
from biopose_sim.paths import default_model_path

MODEL = "biopose_fullbody_scaled.osim"


@pytest.fixture(scope="module")
def body():
    """A body that stands and walks, without noise."""
    return make_body_walker(default_model_path(), seed=4, noise=0.0, gaps=0.0, seconds=0.6)


@pytest.fixture(scope="module")
def files(body, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bodies")
    for sequence in body.sequences:
        save_sequence(sequence, folder / f"{sequence.name}.npz")
    return folder


@pytest.fixture(scope="module")
def result(files, tmp_path_factory):
    from biopose_sim.cli.main import run

    folder = tmp_path_factory.mktemp("predict") / "subject"
    words = ["predict", "--engine", "fit", files / "static.npz", files / "walk.npz", "-o", folder]
    assert run([str(word) for word in words]) == 0
    return folder


def test_files_and_what_they_mean(result, body):
    names = {f"{trial}{end}" for trial in ("static", "walk") for end in (".mot", ".trc", "_body.png")}
    assert {path.name for path in result.iterdir()} == {*names, MODEL, "report.html", "manifest.json"}
    model = bp.OsimModel.from_file(result / MODEL)
    assert len(model.marker_names) == 142
    assert sum(part.mass for part in model.model.bodies) == pytest.approx(mass(body.sequences[0].shape), rel=1e-3)
    motion = bp.io.read_mot(result / "walk.mot", dict(zip(model.coordinate_names, model.motion_types)))
    knee = model.coordinate_names.index("knee_angle_r")
    apart = np.abs(motion.coordinate("knee_angle_r") - body.coordinates["walk"][:, knee])
    assert np.degrees(apart.mean()) < 12.0
    markers = bp.io.read_trc(result / "walk.trc")
    assert np.abs(markers.markers - body.true_markers["walk"].markers).max() < 1e-5
    again = reopen(result / MODEL, result / "walk.mot")
    assert again.degrees < 1e-3
    assert again.millimetres < 1e-2


def test_manifest_and_report_say_what_was_taken_for_granted(result, files):
    manifest = json.loads((result / "manifest.json").read_text())
    assert manifest["command"] == "predict"
    assert manifest["engine"] == "fit"
    assert [entry["path"] for entry in manifest["inputs"]] == [str(files / f"{n}.npz") for n in ("static", "walk")]
    assert max(trial["marker_rms_mm"] for trial in manifest["trials"]) < 10.0
    (said,) = [line for line in manifest["assumptions"]["person"] if "volume" in line]
    assert "985 kg/m3" in said
    page = (result / "report.html").read_text()
    assert html.escape(said) in page
    assert "Body and skeleton" in page


def test_bvh_of_a_person_of_given_sex_and_stature(biopose, tmp_path):
    model = bp.OsimModel.from_file(default_model_path())
    motion = synthetic.motion_as_bvh(model, synthetic.gait_coordinates(model, 0.3, 50.0), 50.0)
    (tmp_path / "walk.bvh").write_text(bvh_text(motion))
    words = ("predict", "--engine", "fit", tmp_path / "walk.bvh", "-o", tmp_path / "out", "--no-report", "--mass", 61)
    answer = biopose(*words, "--sex", "female", "--stature", 1.7)
    assert answer.code == 0, answer.err
    assert "female, 1.70 m tall" in answer.out
    assert "61.0 kg, was given" in answer.out
    assert len(bp.io.read_mot(tmp_path / "out" / "walk.mot").time) == 16
    assert not (tmp_path / "out" / "walk_body.png").exists()


def test_mesh_file_gives_the_same_markers_and_volume(body, tmp_path):
    walk = body.sequences[1]
    frames = np.arange(0, 60, 10)
    np.savez(tmp_path / "mesh.npz", vertices=mesh(body_for(walk), walk, frames) @ walk.to_ground.T, fps=10.0)
    recorded = read_person([tmp_path / "mesh.npz"], Reading(), None)
    (sequence,) = recorded.sequences
    assert sequence.body == "mesh"
    placed = virtual_markers(sequence, body=recorded.body).markers
    assert np.abs(placed - body.true_markers["walk"].markers[frames]).max() < 1e-4
    assert recorded.mass == pytest.approx(mass(walk.shape), rel=0.03)
    assert np.abs(recorded.vertices(0, [2]) - sequence.vertices[[2]]).max() < 1e-6


def test_one_shape_where_each_frame_has_its_own(body, tmp_path):
    walk = body.sequences[1]
    shapes = np.tile(walk.shape, (len(walk.time), 1))
    shapes[:5, 3] -= 0.02
    save_sequence(replace(walk, shape=shapes), tmp_path / "tool.npz")
    (sequence,) = read_person([tmp_path / "tool.npz"], Reading(), None).sequences
    assert np.allclose(sequence.shape, walk.shape)
    assert "vary by up to 0.02" in sequence.assumptions[-1]


def test_frames_without_the_person_are_bridged(biopose, body, tmp_path):
    walk = body.sequences[1]
    seen = np.ones(len(walk.time), dtype=bool)
    seen[20:26] = False
    save_sequence(replace(walk, seen=seen), tmp_path / "walk.npz")
    answer = biopose("predict", "--engine", "fit", tmp_path / "walk.npz", "-o", tmp_path / "out", "--no-report")
    assert answer.code == 0, answer.err
    motion = bp.io.read_mot(tmp_path / "out" / "walk.mot")
    assert len(motion.time) == len(walk.time)
    assert np.isfinite(motion.coordinates).all()
    assert "frames" in answer.err


def test_a_body_that_the_model_cannot_follow_is_said(biopose, body, tmp_path):
    """A mesh whose left and right are exchanged."""
    walk = body.sequences[1]
    frames = np.arange(0, 60, 12)
    vertices = mesh(body_for(walk), walk, frames) @ walk.to_ground.T * [1.0, 1.0, -1.0]
    np.savez(tmp_path / "mirrored.npz", vertices=vertices, fps=10.0)
    answer = biopose("predict", "--engine", "fit", tmp_path / "mirrored.npz", "-o", tmp_path / "out", "--no-report")
    assert answer.code == 0, answer.err
    assert "from the model's markers: is it an adult's body" in answer.err


def test_a_model_that_was_fitted_before_fits_again(biopose, files, result, tmp_path):
    words = (
        "predict",
        "--engine",
        "fit",
        files / "walk.npz",
        "--model",
        result / MODEL,
        "-o",
        tmp_path / "out",
        "--no-report",
    )
    answer = biopose(*words, "--threads", 1)
    assert answer.code == 0, answer.err
    scales = json.loads((tmp_path / "out" / "manifest.json").read_text())["scaling"]["scales"]
    assert np.abs(np.array(list(scales.values())) - 1.0).max() < 0.15
    assert (tmp_path / "out" / "biopose_fullbody_scaled_scaled.osim").is_file()


def test_two_bodies_are_refused(biopose, files, body, tmp_path):
    other = replace(body.sequences[1], shape=sample_adults(1, 9, "female")[0])
    path, out = save_sequence(other, tmp_path / "other.npz"), tmp_path / "out"
    answer = biopose("predict", "--engine", "fit", files / "static.npz", path, "-o", out)
    assert_refused(answer, out, "other.npz", "shape values differ", "'static.npz' is of another body")


def test_body_model_file_that_is_missing(biopose, tmp_path):
    arrays = {"poses": np.zeros((20, 156)), "trans": np.zeros((20, 3)), "betas": np.zeros(16)}
    np.savez(tmp_path / "amass.npz", gender="female", mocap_framerate=120.0, **arrays)
    np.savez(tmp_path / "strange.npz", gender="none", mocap_framerate=120.0, **arrays)
    out = tmp_path / "out"
    answer = biopose(
        "predict", "--engine", "fit", tmp_path / "amass.npz", "-o", out, "--body-models", tmp_path / "models"
    )
    where = (str(tmp_path / "models"), "https://mano.is.tue.mpg.de", "--body-models")
    assert_refused(answer, out, "SMPLH_FEMALE", *where)
    assert_refused(
        biopose("predict", "--engine", "fit", tmp_path / "strange.npz", "-o", out),
        out,
        "gender",
        "female, male or neutral",
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--upright", "sideways"], ["level, body, feet or PITCH,ROLL"]),
        (["--frame", "camera"], ["no camera frame", "--frame 'world'"]),
        (["--track", "3"], ["no track '3'", "it holds '0'"]),
        (["--sex", "male"], ["BVH"]),
        (["--gender", "male"], ["Anny", "--gender"]),
        (["--engine", "guess"], ["--engine"]),
        (["--weights", "no.csv"], ["no.csv", "cannot be read"]),
    ],
)
def test_wishes_that_cannot_be(biopose, files, tmp_path, more, words):
    answer = biopose("predict", "--engine", "fit", files / "walk.npz", "-o", tmp_path / "out", *more)
    assert_refused(answer, tmp_path / "out", *words)


def test_what_a_bvh_file_cannot_have(biopose, tmp_path):
    (tmp_path / "walk.bvh").write_text("HIERARCHY")
    answer = biopose(
        "predict", "--engine", "fit", tmp_path / "walk.bvh", "-o", tmp_path / "out", "--track", "1", "--frame", "camera"
    )
    assert_refused(answer, tmp_path / "out", "--track, --frame", "one person")


def test_files_that_cannot_be(biopose, files, test_data, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "walk.trc").write_text("")
    assert_refused(biopose("predict", "--engine", "fit", tmp_path / "walk.trc", "-o", out), out, "'biopose fit'")
    assert_refused(
        biopose("predict", "--engine", "fit", tmp_path / "no.npz", "-o", out), out, "no.npz", "cannot be opened"
    )
    model = test_data / "models" / "gait2354_simbody.osim"
    answer = biopose("predict", "--engine", "fit", files / "walk.npz", "--model", model, "-o", out)
    assert_refused(answer, out, "0 of the virtual markers' names")
    np.savez(tmp_path / "mesh.npz", vertices=np.random.default_rng(0).uniform(0, 1.7, (4, 13718, 3)))
    assert_refused(biopose("predict", "--engine", "fit", tmp_path / "mesh.npz", "-o", out), out, "frame rate", "--fps")


def test_upright_as_words_and_angles():
    assert parse_upright(None) is None
    assert parse_upright("feet") == "feet"
    assert parse_upright("10,-2.5") == (10.0, -2.5)
    with pytest.raises(click.UsageError, match="PITCH,ROLL"):
        parse_upright("1,2,3")


def test_sentences_of_all_sequences_are_said_once():
    said = {"a": ("same", "only a"), "b": ("same",), "person": ("mass",)}
    assert lines_of(said) == ["mass", "same", "a: only a"]


def test_our_own_file_reads_back_as_written(files, body):
    assert np.array_equal(load(files / "walk.npz").rotations, body.sequences[1].rotations)

"""``biopose video``: what it writes of one camera and of several, that OpenSim takes it, and its one-line errors."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV is not installed (extra [video])")
from filmed_walk import RATE, SIZE, filmed, write_filmed, write_points

from biopose_sim.errors import InputError
from biopose_sim.io import read_mot, read_trc
from biopose_sim.io.calibration import read_calibration
from biopose_sim.io.camera import Camera
from biopose_sim.kinematics.model import OsimModel


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three clips with their key points, and the cameras."""
    folder = tmp_path_factory.mktemp("filmed")
    write_filmed(folder)
    return folder


def angles_apart(folder, name):
    """Mean absolute error of hips, knees and ankles [degrees], with and without constant differences.

    Key points do not show how the pelvis is tilted, so that hip flexion may be off for good.
    """
    walk = filmed()
    model = OsimModel.from_file(folder / "biopose_fullbody_scaled.osim")
    motion = read_mot(folder / f"{name}.mot", dict(zip(model.coordinate_names, model.motion_types)))
    legs = ("hip_flexion_r", "hip_flexion_l", "knee_angle_r", "knee_angle_l", "ankle_angle_r", "ankle_angle_l")
    found = np.stack([motion.coordinates[:, motion.coordinate_names.index(leg)] for leg in legs], axis=1)
    true = walk.coordinates[: len(found), [walk.names.index(leg) for leg in legs]]
    apart = np.degrees(found - true)
    return float(np.abs(apart).mean()), float(np.abs(apart - apart.mean(axis=0)).mean())


def opensim_takes(biopose, folder, name):
    """OpenSim opens model and motion together without a word."""
    answer = biopose("check", folder / "biopose_fullbody_scaled.osim", folder / f"{name}.mot", "--opensim")
    assert answer.code == 0, answer.out


def test_one_camera(files, tmp_path, biopose):
    out = tmp_path / "walk"
    focal = filmed().cameras[0].focal[0]
    given = ("--key-points", files / "cam0.npz", "--focal", f"{focal:.2f}", "--stature", "1.70", "--mass", "65")
    answer = biopose("video", files / "cam0.mp4", *given, "-o", out, "--threads", "1")
    assert answer.code == 0, answer.err
    assert "gravity is the network's estimate" in answer.out.replace("the direction of ", "")
    names = {path.name for path in out.iterdir()}
    assert names == {
        "biopose_fullbody_scaled.osim",
        "cam0.mot",
        "cam0_model_markers.trc",
        "cam0_keypoints.npz",
        "cameras.json",
        "cam0_overlay.mp4",
        "cam0_overlay.png",
        "report.html",
        "video.npz",
        "manifest.json",
    }
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["command"] == "video"
    assert manifest["size_known"] is True
    assert manifest["views"][0]["error_px"] < 4.0
    whole, moving = angles_apart(out, "cam0")
    assert whole < 10.0
    assert moving < 7.0
    page = (out / "report.html").read_text()
    assert "cam0_overlay.mp4" in page
    assert "Focal length" in page
    opensim_takes(biopose, out, "cam0")
    again = biopose("report", out)
    assert again.code == 0, again.err
    page = (out / "report.html").read_text()
    assert "cam0_overlay.mp4" in page
    assert "How well the skeleton explains the pictures" in page


def test_several_cameras_are_triangulated(files, tmp_path, biopose):
    out = tmp_path / "three"
    clips = [files / f"cam{k}.mp4" for k in range(3)]
    points = [word for k in range(3) for word in ("--key-points", files / f"cam{k}.npz")]
    answer = biopose("video", *clips, *points, "--calibration", files / "cameras.json", "-o", out, "--no-overlay")
    assert answer.code == 0, answer.err
    measured = read_trc(out / "three.trc")
    walk = filmed()
    order = [measured.index(name) for name in measured.marker_names]
    apart = np.linalg.norm(measured.markers[:, order] - walk.points, axis=-1)
    assert float(np.nanmedian(apart)) < 0.02  # a pixel is 8 mm at the person
    whole, moving = angles_apart(out, "three")
    assert whole < 7.0
    assert moving < 3.0
    assert len(read_calibration(out / "cameras.json").cameras) == 3
    opensim_takes(biopose, out, "three")


def test_key_points_without_a_clip(files, tmp_path, biopose):
    answer = biopose("video", "--key-points", files / "cam1.npz", "-o", tmp_path / "out", "--refine", "none")
    assert answer.code == 0, answer.err
    assert not list((tmp_path / "out").glob("*overlay*"))
    assert "phone's main camera" in answer.out
    assert "The size of the person is not known" in answer.out


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    """A walking Anny body as a video tool gives it: vertices in the axes of the camera, 0.3 m too far away."""
    from biopose_sim.bodies import save_sequence
    from biopose_sim.bodies.anny import AnnyBody
    from biopose_sim.bodies.body import mesh
    from biopose_sim.bodies.markers import virtual_markers
    from biopose_sim.bodies.phenotypes import sample_adults
    from biopose_sim.synthetic import body_motion
    from biopose_sim.video.points.body_points import body_points
    from ik_pipeline.virtual_fit import virtual_model

    folder = tmp_path_factory.mktemp("meshes")
    walk, model = filmed(), virtual_model()
    person = body_motion(model, walk.coordinates[:20], RATE, sample_adults(1, 8, "male")[0], "walk")
    camera, trial = walk.cameras[0], virtual_markers(person)
    points = body_points().matrix(trial.marker_names) @ trial.markers
    camera = replace(camera, position=camera.position + points.mean((0, 1)) - walk.points.mean((0, 1)))
    vertices = camera.to_camera(mesh(AnnyBody(), person) @ person.to_ground.T) + np.array([0.0, 0.0, 0.3])
    np.savez(folder / "camera.npz", vertices=vertices.astype(np.float32), fps=RATE)
    save_sequence(person, folder / "world.npz")
    write_points(folder / "points.npz", camera, points)
    return folder


def test_meshes_of_a_tool_are_placed_and_refined(meshes, tmp_path, biopose):
    focal = f"{filmed().cameras[0].focal[0]:.2f}"
    words = ("video", "--key-points", meshes / "points.npz", "--focal", focal, "--no-report", "-o", tmp_path / "out")
    answer = biopose(*words, "--hmr", meshes / "camera.npz")
    assert answer.code == 0, answer.err
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["engine"] == "hmr-file"
    assert manifest["views"][0]["error_px"] < 2.0
    whole, _ = angles_apart(tmp_path / "out", "points")
    assert whole < 12.0  # a body's legs are not the model's that drove it
    refused = biopose(*words, "--hmr", meshes / "world.npz")
    assert refused.code == 2
    assert "give meshes in the axes of the clip's camera" in refused.error_lines[0]


def test_the_vertical_of_meshes_is_the_calibrations():
    """Its axis up is named as `z`, which is no way in which meshes are turned upright."""
    from types import SimpleNamespace

    from biopose_sim.bodies.upright import up_from_angles
    from biopose_sim.cli.video_meshes import _upright

    camera = Camera.look_at([3.0, 2.5, 1.0], [0.0, 1.0, 0.0], 320, 240)
    sight = SimpleNamespace(placed=True, view=SimpleNamespace(camera=camera))
    angles = _upright(SimpleNamespace(up="z"), sight)
    np.testing.assert_allclose(up_from_angles(*angles), camera.rotation @ [0.0, 1.0, 0.0], atol=1e-9)


def test_who_never_stands_is_before_a_level_camera():
    from biopose_sim.bodies.types import BodySequence
    from biopose_sim.cli.video_meshes import _turned

    pose = np.tile(np.eye(3), (20, 24, 1, 1))
    pose[:, 1:3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]  # thighs level, as on a chair
    sitting = BodySequence("clip", "smpl", np.arange(20) / 30, pose, np.ones((20, 3)), np.zeros(10))
    assert "held level" in _turned(sitting, None).assumptions[-1]
    with pytest.raises(InputError, match="never stands"):
        _turned(sitting, "body")


def broken(folder):
    """Words of the command line, and what it says of them."""
    text, cut = folder / "notes.mp4", folder / "cut.mp4"
    text.write_text("no video\n" * 50)
    cut.write_bytes((folder / "cam0.mp4").read_bytes()[:400])
    seen = np.random.default_rng(0).uniform(20.0, 200.0, (40, 19, 3))
    np.savez(folder / "few.npz", keypoints=seen[:4, :17], fps=RATE)
    np.savez(folder / "odd.npz", keypoints=seen, fps=RATE)
    clip, points, calibration = folder / "cam0.mp4", folder / "cam0.npz", folder / "cameras.json"
    return [
        ([text], "is no video"),
        ([cut], "is no video"),
        ([folder / "absent.mp4"], "no such file"),
        ([], "name a CLIP, or --key-points"),
        ([clip, folder / "cam1.mp4"], "need their cameras: --calibration FILE"),
        ([clip, "--key-points", points, "--key-points", points], "1 clips but 2 files of key points"),
        ([clip, "--key-points", folder / "few.npz"], "has key points of 4 frames"),
        ([clip, "--key-points", folder / "odd.npz"], "19 key points, of no detector known"),
        ([clip, "--key-points", points, "--focal", "wide"], "give pixels (1500) or millimetres"),
        ([clip, "--key-points", points, "--focal", "900", "--calibration", calibration], "name one"),
        ([clip, "--key-points", points, "--up", "sideways"], "sideways"),
        ([clip, "--key-points", points, "--from", "90"], "90"),
        ([clip, "--key-points", points, "--engine", "mqhmr"], "--engine mqhmr needs --checkpoint FILE"),
        ([clip, "--key-points", points, "--checkpoint", text], "notes.mp4"),
        ([clip, "--key-points", points, "--refine", "paper"], "give --checkpoint"),
        ([clip, "--key-points", points, "--track", "1"], "--track is of a file of meshes"),
        ([clip, "--key-points", points, "--person", "7"], "holds no person '7'"),
        ([clip, "--key-points", points, "--weights", folder], "holds no weights"),
    ]


def test_bad_input_gets_one_line(files, tmp_path, biopose):
    for words, said in broken(files):
        answer = biopose("video", *words, "-o", tmp_path / "out")
        assert answer.code == 2, (words, answer.err)
        assert len(answer.error_lines) == 1, (words, answer.err)
        assert said in answer.error_lines[0], (words, answer.err)
        assert not (tmp_path / "out").exists()


def test_several_people_without_a_choice(files, tmp_path, biopose):
    walk = filmed()
    people = (walk.points, walk.points + np.array([0.0, 0.0, 0.9]))
    pair = np.stack([walk.cameras[0].project(points)[..., :2] for points in people], axis=1)
    found = np.concatenate([pair, np.ones((*pair.shape[:3], 1))], axis=-1)
    np.savez(tmp_path / "pair.npz", keypoints=found, fps=RATE, size=np.array(SIZE), layout="anny23")
    answer = biopose("video", files / "cam0.mp4", "--key-points", tmp_path / "pair.npz", "-o", tmp_path / "out")
    assert answer.code == 2
    assert "2 people are seen for long; choose one with --person" in answer.error_lines[0]

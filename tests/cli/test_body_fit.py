"""``biopose body fit``: files, one line of complaint, what ``biopose predict`` reads."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from biopose_sim.bodies.optical_person import ShapedMarkers, Size
from biopose_sim.bodies.optical_rig import JOINTS, MarkerRig, Pose, quaternion
from biopose_sim.bodies.optical_set import read_optical_set
from biopose_sim.bodies.readers import load
from biopose_sim.bodies.types import ANNY_AXES
from biopose_sim.io import Trial, write_trc


@pytest.fixture
def trial() -> Trial:
    """A few frames of a person who stands and bends the knees."""
    places = read_optical_set("optical_opencap")
    rig = MarkerRig(places.skinning())
    shape = np.array([0.8, 0.77, 0.45, 0.5, 0.36, 0.5])
    shaped = ShapedMarkers(places, rig)(Size(shape, np.zeros((len(places.names), 3))))
    joints = np.zeros((6, len(JOINTS), 3))
    for side in (".L", ".R"):
        joints[:, JOINTS.index(f"shin{side}"), 0] = np.linspace(0.0, 0.5, 6)
    pose = Pose(quaternion(np.zeros((6, 3))), np.tile([0.0, 0.0, 0.9], (6, 1)), joints)
    markers = rig.points(shaped, pose) @ ANNY_AXES.T
    return Trial.checked("bend", np.arange(6) / 30.0, markers, (*places.names[:-1], "strange"))


def test_writes_bodies_that_predict_reads(biopose, tmp_path, trial):
    write_trc(tmp_path / "bend.trc", trial)
    done = biopose("body", "fit", tmp_path / "bend.trc", "-o", tmp_path / "out", "--sex", "female", "--rate", "15")
    assert done.code == 0, done.err
    assert "strange" in done.err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"bend.npz", "bend.trc", "bend_body.png", "residuals.csv", "body.csv", "manifest.json"}
    sequence = load(tmp_path / "out" / "bend.npz")
    assert sequence.body == "anny"
    assert len(sequence.time) == 6
    assert sequence.shape[0] > 0.95
    assert "solved at 15 Hz" in " ".join(sequence.assumptions)
    rows = list(csv.DictReader((tmp_path / "out" / "residuals.csv").open(encoding="utf-8")))
    assert max(float(row["rms_mm"]) for row in rows) < 15.0
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["body"]["markers"] == len(rows)


def test_complains_in_one_line(biopose, tmp_path, trial):
    path = tmp_path / "bend.trc"
    write_trc(path, trial)
    text = path.read_text()
    for name, content, said in (
        ("units.trc", text.replace("\tm\t", "\tmm\t", 1), "Units"),
        ("names.trc", text.replace("_", "q").replace(".ASIS", "w").replace(".PSIS", "v"), "markers that the set"),
        ("cut.trc", text[: len(text) // 3], "cut.trc"),
    ):
        (tmp_path / name).write_text(content)
        answer = biopose("body", "fit", tmp_path / name, "-o", tmp_path / "out")
        assert answer.code == 2, name
        assert len(answer.error_lines) == 1
        assert said in answer.err
    answer = biopose("body", "fit", path, "-o", tmp_path / "out", "--markers", "opticl")
    assert answer.code == 2
    assert "optical" in answer.err
    assert not (tmp_path / "out").exists()

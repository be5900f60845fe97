"""The default full-body model: built from its tables, loaded by OpenSim, compared with Rajagopal2016."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from biopose_sim import paths
from biopose_sim.osim.build import build_fullbody

opensim = pytest.importorskip("opensim")
opensim.Logger.setLevelString("Error")
opensim.Logger.removeFileSink()

TABLES = Path(__file__).resolve().parents[2] / "models" / "fullbody"
DATA = Path(os.environ.get("BIOPOSE_TEST_DATA", TABLES.parents[2] / "shared" / "data"))
MIRROR = np.diag([1.0, 1.0, -1.0, 1.0])
SPINE = [f"{part}_{turn}" for part in ("lumbar", "thorax", "neck") for turn in ("bending", "rotation")]
MIRRORED_MIDDLE = ("pelvis_list", "pelvis_rotation", "pelvis_tz", *SPINE)
LEG = ("femur", "tibia", "patella", "talus", "calcn", "toes")
HAND_BONES = (
    "pisiform lunate scaphoid triquetrum hamate capitate trapezoid trapezium metacarpal1 metacarpal2 "
    "metacarpal3 metacarpal4 metacarpal5 thumb_proximal thumb_distal index_proximal index_medial "
    "index_distal middle_proximal middle_medial middle_distal ring_proximal ring_medial ring_distal "
    "little_proximal little_medial little_distal"
)
# Bones in the Geometry folder of every OpenSim installation (they come with its stock models).
STOCK_GEOMETRY = {
    *[
        "sacrum",
        "hat_ribs",
        "hat_skull",
        "hat_jaw",
        "cerv1",
        "cerv2",
        "cerv3",
        "cerv4",
        "cerv5",
        "cerv6",
        "cerv7",
    ],
    *(f"lumbar{i}" for i in range(1, 6)),
    *(f"thoracic{i}" for i in range(1, 13)),
    *(f"{s}_{b}" for s in "rl" for b in ["pelvis", "femur", "tibia", "fibula", "patella", "talus", "foot", "bofoot"]),
    *(f"{b}_{s}v" for s in "rl" for b in ["clavicle", "scapula", "humerus", "ulna", "radius"]),
    *(f"{b}_{s}vs" for s in "rl" for b in HAND_BONES.split()),
}


class Posed:
    """An OpenSim model with poses set by name; the patella takes the value of its knee."""

    def __init__(self, path: Path) -> None:
        self.model = opensim.Model(str(path))
        self.state = self.model.initSystem()
        self.coordinates = {c.getName(): c for c in self.model.getCoordinateSet()}
        self.free = [name for name in self.coordinates if not name.endswith("_beta")]

    def pose(self, q: dict[str, float]) -> None:
        for name, coordinate in self.coordinates.items():
            coordinate.setLocked(self.state, False)
            value = q.get(name.removesuffix("_beta"), coordinate.getDefaultValue())
            coordinate.setValue(self.state, value, False)
        self.model.realizePosition(self.state)

    def body(self, name: str) -> np.ndarray:
        transform = self.model.getBodySet().get(name).getTransformInGround(self.state)
        rows = [[transform.R().get(i, j) for j in range(3)] + [transform.p().get(i)] for i in range(3)]
        return np.array([*rows, [0.0, 0.0, 0.0, 1.0]])

    def markers(self) -> np.ndarray:
        places = [marker.getLocationInGround(self.state) for marker in self.model.getMarkerSet()]
        return np.array([[place.get(i) for i in range(3)] for place in places])

    def sample(self, rng: np.random.Generator) -> dict[str, float]:
        ranges = ((name, self.coordinates[name]) for name in self.free)
        return {name: rng.uniform(max(c.getRangeMin(), -2), min(c.getRangeMax(), 2)) for name, c in ranges}


@pytest.fixture(scope="module")
def ours() -> Posed:
    return Posed(TABLES / "biopose_fullbody.osim")


@pytest.fixture(scope="module")
def rajagopal() -> Posed:
    path = DATA / "models" / "Rajagopal2016.osim"
    if not path.is_file():
        pytest.skip(f"no {path}: set BIOPOSE_TEST_DATA")
    return Posed(path)


def test_committed_model_is_what_the_tables_give():
    assert (TABLES / "biopose_fullbody.osim").read_bytes() == build_fullbody(TABLES).encode("utf-8")


def test_opensim_loads_it_without_a_warning(tmp_path):
    # OpenSim writes its log beside the model that it loads.
    copy = shutil.copy(paths.default_model_path(), tmp_path)
    code = f"import opensim; m = opensim.Model({str(copy)!r}); s = m.initSystem(); "
    code += "m.realizeDynamics(s); print('mass', m.getTotalMass(s))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = (done.stdout + done.stderr).splitlines()
    # The Python wheel comes without the Geometry folder; the GUI has it.
    bad = [line for line in lines if ("warn" in line or "error" in line) and "Couldn't find file" not in line]
    assert bad == []
    assert any(line.startswith("mass 75.337") for line in lines)


def test_segments_and_names(ours):
    sides = [
        "femur",
        "tibia",
        "talus",
        "calcn",
        "toes",
        "scapula",
        "humerus",
        "ulna",
        "radius",
        "hand",
        "patella",
    ]
    expected = {"pelvis", "lumbar", "thorax", "head", *(f"{name}_{side}" for name in sides for side in "rl")}
    assert {body.getName() for body in ours.model.getBodySet()} == expected
    assert len(ours.free) == 47
    assert not any(c.getDefaultLocked() for c in ours.coordinates.values())


def test_neutral_pose_stands_upright(ours):
    ours.pose({})
    markers = dict(zip((m.getName() for m in ours.model.getMarkerSet()), ours.markers()))
    assert 1.68 < markers["HTOP"][1] < 1.72
    assert abs(ours.body("calcn_r")[1, 3]) < 0.03
    assert markers["RFAradius"][1] < markers["RLEL"][1] < markers["RACR"][1]
    assert markers["RASI"][0] > markers["RPSI"][0]
    assert markers["RASI"][2] > 0 > markers["LASI"][2]


def test_lower_limb_equals_rajagopal(ours, rajagopal):
    rng = np.random.default_rng(1)
    for _ in range(20):
        q = rajagopal.sample(rng)
        ours.pose(q)
        rajagopal.pose(q)
        for name in ("pelvis", *(f"{bone}_{side}" for bone in LEG for side in "rl")):
            # Rajagopal2016 writes the left toe axis with -3.14159 where the mirrored right one is +3.14159.
            tolerance = 1e-5 if name == "toes_l" else 1e-9
            np.testing.assert_allclose(ours.body(name), rajagopal.body(name), atol=tolerance, err_msg=name)


def test_arm_equals_rajagopal_when_the_trunk_is_straight(ours, rajagopal):
    rng = np.random.default_rng(2)
    q = {name: value for name, value in rajagopal.sample(rng).items() if not name.startswith("lumbar")}
    ours.pose(q)
    rajagopal.pose(q)
    for side in "rl":
        for bone in ("humerus", "ulna", "radius"):
            name = f"{bone}_{side}"
            np.testing.assert_allclose(ours.body(name), rajagopal.body(name), atol=1e-9, err_msg=name)
        # Rajagopal2016 rounds the right angles of the wrist's frame to 1.5708.
        np.testing.assert_allclose(ours.body(f"hand_{side}"), rajagopal.body(f"hand_{side}"), atol=3e-5)


def test_equal_values_on_both_sides_mirror_the_pose(ours):
    rng = np.random.default_rng(3)
    for _ in range(10):
        q = ours.sample(rng)
        swap = str.maketrans("rl", "lr")
        mirrored = {n[:-1] + n[-1].translate(swap) if n[-2:] in ("_r", "_l") else n: v for n, v in q.items()}
        mirrored |= {name: -q[name] for name in MIRRORED_MIDDLE}
        ours.pose(q)
        left = {b.getName(): ours.body(b.getName()) for b in ours.model.getBodySet()}
        ours.pose(mirrored)
        for name, transform in left.items():
            other = name[:-1] + name[-1].translate(swap) if name[-2:] in ("_r", "_l") else name
            np.testing.assert_allclose(MIRROR @ transform @ MIRROR, ours.body(other), atol=1e-12, err_msg=name)


def test_inertia_is_possible_and_symmetric(ours):
    for body in ours.model.getBodySet():
        m = body.getInertia().getMoments()
        p = body.getInertia().getProducts()
        matrix = np.array([[m[0], p[0], p[1]], [p[0], m[1], p[2]], [p[1], p[2], m[2]]])
        principal = np.linalg.eigvalsh(matrix)
        assert body.getMass() > 0
        assert principal[0] > 0
        assert principal[2] <= (principal[0] + principal[1]) * (1 + 1e-9), body.getName()


def test_geometry_is_stock_and_bare():
    files = [mesh.text for mesh in ET.parse(TABLES / "biopose_fullbody.osim").getroot().iter("mesh_file")]
    assert {name.removesuffix(".vtp") for name in files if name} <= STOCK_GEOMETRY
    assert all(name and name.endswith(".vtp") and "/" not in name for name in files)
    assert len(files) == len(set(files)) > 100


def test_marker_set_is_symmetric_and_sourced():
    with (TABLES.parent / "markersets" / "anatomical.csv").open(encoding="utf-8") as stream:
        rows = {row["name"]: row for row in csv.DictReader(stream)}
    for name, row in rows.items():
        z = float(row["z"])
        if name[0] == "R":
            left = rows["L" + name[1:]]
            assert (left["x"], left["y"], float(left["z"])) == (row["x"], row["y"], -z)
            assert left["body"] == (row["body"][:-2] + "_l" if row["body"].endswith("_r") else row["body"])
            assert (left["kind"], left["weight"]) == (row["kind"], row["weight"])
        elif "R" + name[1:] not in rows:
            assert z == 0, name
        assert row["source"]


def test_each_limb_segment_has_markers_off_a_line():
    with (TABLES.parent / "markersets" / "anatomical.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    on = {row["body"]: [] for row in rows}
    for row in rows:
        on[row["body"]].append([float(row[axis]) for axis in "xyz"])
    carried = {"talus_r", "talus_l", "patella_r", "patella_l"}
    bodies = {body.get("name") for body in ET.parse(TABLES / "biopose_fullbody.osim").getroot().iter("Body")}
    assert bodies - set(on) == carried
    for body, places in on.items():
        spread = np.linalg.svd(np.array(places) - np.mean(places, axis=0), compute_uv=False)
        # The toe nails lie almost along the axis of their one joint; their distance to it is what counts.
        assert spread[1] > (0.005 if body.startswith("toes") else 0.02), body


IDENTIFIED = {
    "neutral": {},
    "walk": {
        "hip_flexion_r": 30,
        "hip_flexion_l": -20,
        "knee_angle_l": 40,
        "arm_flex_r": -20,
        "elbow_flex_r": 30,
    },
    "squat": {"hip_flexion_r": 100, "hip_flexion_l": 100, "knee_angle_r": 110, "knee_angle_l": 110},
    "reach": {"arm_flex_r": 160, "arm_flex_l": 90, "clav_elevation_r": 25, "lumbar_extension": -30},
}
# Short levers: toes of 6 cm, styloids 4 cm from the forearm's axis, a hand of 9 cm.
WEAK = {"mtp_angle": 5.0, "pro_sup": 4.6, "wrist_flex": 3.7}


@pytest.mark.parametrize("pose", IDENTIFIED)
def test_markers_determine_every_coordinate(ours, pose):
    """With 5 mm of noise per marker axis no angle is uncertain by more than 3 degrees (three named: 5)."""
    q = {name: ours.coordinates[name].getDefaultValue() for name in ours.free}
    q |= {name: np.radians(angle) for name, angle in IDENTIFIED[pose].items()}
    columns = []
    for name in ours.free:
        ahead, behind = ({**q, name: q[name] + step} for step in (1e-5, -1e-5))
        ours.pose(ahead)
        there = ours.markers()
        ours.pose(behind)
        columns.append((there - ours.markers()).ravel() / 2e-5)
    jacobian = np.stack(columns, axis=1)
    deviation = 0.005 * np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)))
    for name, sigma in zip(ours.free, deviation):
        if name in ("pelvis_tx", "pelvis_ty", "pelvis_tz"):
            assert sigma < 0.003, name
        else:
            assert np.degrees(sigma) < WEAK.get(name[:-2], 3.0), name

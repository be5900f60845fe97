"""The 142 virtual markers: one list of names for all bodies, on the anatomy, left and right alike."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch

from biopose_sim.bodies.anny import AnnyBody
from biopose_sim.bodies.anny_table import PHENOTYPES, load_anny_data
from biopose_sim.bodies.markers import read_body_markers
from biopose_sim.bodies.virtual import read_virtual_markers
from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.paths import default_model_path, markerset_path

TOPOLOGIES = ("anny", "smpl", "smplx")
MARKERS = {marker.name: marker for marker in read_virtual_markers()}
PAIRS = [(name, "L" + name[1:]) for name in MARKERS if name[0] == "R" and "L" + name[1:] in MARKERS]
# Anny: each landmark, the bone whose head is near it, and how far from it at most [m].
NEAR_BONES = {
    "RLMAL": ("foot.R", 0.05),
    "RMMAL": ("foot.R", 0.05),
    "RCAL": ("foot.R", 0.08),
    "RLFC": ("lowerleg01.R", 0.07),
    "RMFC": ("lowerleg01.R", 0.07),
    "RHFB": ("lowerleg01.R", 0.09),
    "RGTR": ("upperleg01.R", 0.08),
    "RASI": ("upperleg01.R", 0.14),
    "RACR": ("upperarm01.R", 0.07),
    "RLEL": ("lowerarm01.R", 0.05),
    "RMEL": ("lowerarm01.R", 0.05),
    "ROLC": ("lowerarm01.R", 0.05),
    "RFAulna": ("wrist.R", 0.04),
    "RFAradius": ("wrist.R", 0.04),
    "RHMC2": ("finger2-1.R", 0.02),
    "RHMC5": ("finger5-1.R", 0.02),
    "RTOE": ("toe1-1.R", 0.03),
    "RMT5": ("toe5-1.R", 0.03),
    "RHLX": ("toe1-2.R", 0.03),
    "RCLV": ("clavicle.R", 0.07),
}
# Where Anny puts the head of the root bone of its middle adult [m].
ROOT = (0.0, -0.0116, 0.0754)


@pytest.fixture(scope="module")
def model() -> OsimModel:
    return OsimModel.from_file(default_model_path())


@pytest.fixture(scope="module")
def at_rest() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Vertices of a middle adult and the heads of its bones [m]; +x left, y back, z up."""
    body = AnnyBody()
    values = {"age": 0.7, "height": 0.365}
    shape = torch.tensor([values.get(name, 0.5) for name in PHENOTYPES], dtype=torch.float64)
    still = torch.eye(3, dtype=torch.float64).expand(len(body.joint_names), 3, 3)
    vertices, heads = body.vertices(still, torch.tensor(ROOT, dtype=torch.float64), shape)
    return vertices.numpy(), dict(zip(body.joint_names, heads.numpy()))


@pytest.fixture(scope="module")
def on_anny(at_rest) -> dict[str, np.ndarray]:
    """Where the markers lie on it."""
    points = read_body_markers("anny")
    return {n: at_rest[0][v[0]] for n, v in zip(points.names, points.vertices)}


def test_142_names_the_same_in_all_tables():
    assert len(MARKERS) == 142
    for topology in TOPOLOGIES:
        assert read_body_markers(topology).names == tuple(MARKERS)


def test_the_names_of_the_anatomical_set_stay():
    with markerset_path("anatomical").open(encoding="utf-8") as stream:
        old = {row["name"]: row["body"] for row in csv.DictReader(stream)}
    assert len(old) == 118
    assert {name: MARKERS[name].segment for name in old} == old


def test_each_side_has_its_twin():
    midline = set(MARKERS) - {name for pair in PAIRS for name in pair}
    assert midline == {
        "SACR",
        "L5",
        "L3",
        "L1",
        "T10",
        "T8",
        "T4",
        "C7",
        "CLAV",
        "STRN",
        "HTOP",
        "NASI",
        "CHIN",
        "NUCH",
    }
    for right, left in PAIRS:
        one, other = MARKERS[right], MARKERS[left]
        assert (one.kind, one.weight) == (other.kind, other.weight)
        assert other.segment == (one.segment[:-2] + "_l" if one.segment.endswith("_r") else one.segment)
        np.testing.assert_allclose(np.multiply(one.position, [1, 1, -1]), other.position, atol=1e-4)
        assert one.description.replace("right", "left") == other.description


def test_each_segment_that_moves_has_enough_markers(model: OsimModel):
    needed = dict.fromkeys(("pelvis", "lumbar", "thorax", "head"), 3)
    for side in "rl":
        needed |= {
            f"{s}_{side}": 3 for s in ("femur", "tibia", "calcn", "scapula", "humerus", "ulna", "radius", "hand")
        }
        needed[f"toes_{side}"] = 2
    assert {marker.segment for marker in MARKERS.values()} == set(needed) <= set(model.body_names)
    for segment, count in needed.items():
        points = np.array([marker.position for marker in MARKERS.values() if marker.segment == segment])
        assert len(points) >= count
        assert np.linalg.svd(points - points.mean(axis=0))[1][count - 2] > 0.01, segment  # [m]: not in one line


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_sides_share_their_weights_and_no_point_is_used_twice(topology: str):
    points = read_body_markers(topology)
    places = dict(zip(points.names, zip(points.vertices, points.weights)))
    assert len(set(places.values())) == len(places)
    for right, left in PAIRS:
        assert places[right][1] == places[left][1]
        assert not set(places[right][0]) & set(places[left][0]) or len(places[right][0]) > 1


def test_anny_mirrors_exactly(on_anny: dict[str, np.ndarray]):
    data, points = load_anny_data(), read_body_markers("anny")
    vertices = dict(zip(points.names, points.vertices))
    for right, left in PAIRS:
        assert tuple(data.mirror_vertices[list(vertices[right])]) == vertices[left]
        assert on_anny[right][0] < -0.01 < 0.01 < on_anny[left][0]
    for name in set(MARKERS) - {name for pair in PAIRS for name in pair}:
        assert abs(on_anny[name][0]) < 1e-4


@pytest.mark.parametrize("name", NEAR_BONES)
def test_landmarks_are_near_their_bones(name: str, on_anny: dict[str, np.ndarray], at_rest):
    bone, distance = NEAR_BONES[name]
    assert np.linalg.norm(on_anny[name] - at_rest[1][bone]) < distance


def test_landmarks_are_in_anatomical_order(on_anny: dict[str, np.ndarray]):
    up = ["SACR", "L5", "L3", "L1", "T10", "T8", "T4", "C7", "NUCH", "HTOP"]
    assert np.all(np.diff([on_anny[name][2] for name in up]) > 0.01)
    assert on_anny["RICR"][2] > on_anny["RASI"][2] > on_anny["RGTR"][2]
    front, back = (
        ["RASI", "CLAV", "STRN", "NASI", "RTH2", "RTTU", "RTB2", "RASH", "RUA3"],
        ["RPSI", "C7", "T8", "NUCH", "RTH4", "RHFB", "RTB4", "RPSH", "RUA4"],
    )
    for before, behind in zip(front, back):
        assert on_anny[before][1] < on_anny[behind][1] - 0.05
    pairs = ("RLMAL RMMAL", "RLFC RMFC", "RLEL RMEL", "RMT5 RTOE", "RTO5 RHLX", "RLCA RMCA")
    for lateral, medial in (pair.split() for pair in pairs):
        assert on_anny[lateral][0] < on_anny[medial][0] - 0.02


def test_each_place_says_where_it_is_from():
    for topology in TOPOLOGIES:
        with markerset_path(topology).open(encoding="utf-8") as stream:
            assert all(row["source"] for row in csv.DictReader(stream))


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("A,pelvis,0,0,x,landmark,1,", "could not convert"),
        ("A,pelvis,0,0,0,skin,1,", "give landmark or tracking"),
        ("A,pelvis,0,0,0,landmark,1,\nA,pelvis,0,0,0,landmark,1,", "'A' more than once"),
    ],
)
def test_a_bad_table_is_named(tmp_path, line: str, match: str):
    path = tmp_path / "set.csv"
    path.write_text(f"name,segment,x,y,z,kind,weight,description\n{line}\n")
    with pytest.raises(InputError, match=match):
        read_virtual_markers(path)


def test_anny_vertices_lie_at_the_end_of_their_rays(on_anny: dict[str, np.ndarray]):
    with markerset_path("anny").open(encoding="utf-8") as stream:
        sources = {row["name"]: row["source"] for row in csv.DictReader(stream)}
    rays = {name: text.split("ray ")[1].split(" along ") for name, text in sources.items() if "ray" in text}
    assert len(rays) + len(PAIRS) == len(MARKERS)
    for name, (start, way) in rays.items():
        direction = np.array([float(value) for value in way.split()])
        reach = on_anny[name] - [float(value) for value in start.split()]
        assert np.linalg.norm(np.cross(reach, direction)) < 0.03, name  # [m] beside the ray
        assert reach @ direction > 0.0, name

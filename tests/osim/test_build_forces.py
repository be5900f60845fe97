"""Muscles and torque actuators of the default model: their tables, and what OpenSim makes of them."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.muscles import REFERENCE, TARGET, compare, strongest
from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.build import build_fullbody
from biopose_sim.osim.process import run_script
from biopose_sim.osim.writer import export_osim
from biopose_sim.paths import default_model_path, tables_dir

NUMBERS = (
    "max_isometric_force",
    "optimal_fiber_length",
    "tendon_slack_length",
    "pennation_angle_at_optimal",
    "fiber_damping",
)
CURVES = ("ActiveForceLengthCurve", "ForceVelocityCurve", "FiberForceLengthCurve")
OPENSIM = """
def work(opensim, job):
    model = opensim.Model(job["model"])
    state = model.initSystem()
    model.equilibrateMuscles(state)
    model.realizeDynamics(state)
    return {"muscles": {m.getName(): {
        "length": m.getLength(state), "fiber": m.getOptimalFiberLength(), "tendon": m.getTendonSlackLength(),
        "stretch": m.getNormalizedFiberLength(state), "force": m.getActuation(state),
        "strength": m.getMaxIsometricForce(), "cosine": m.getCosPennationAngle(state)} for m in model.getMuscles()}}
"""


def muscles(path: Path) -> dict[str, ET.Element]:
    return {m.get("name", ""): m for m in ET.parse(path).getroot().findall(".//ForceSet/objects/*") if "Mus" in m.tag}


def in_opensim(model: Path, folder: Path) -> dict[str, dict[str, float]]:
    script = folder / "muscles_process.py"
    script.write_text(OPENSIM)
    job = {"model": str(model)}
    return run_script(script, job, folder, subject=model, doing="loading its muscles", timeout=120.0)["muscles"]


def path_of(muscle: ET.Element) -> Iterator[tuple[str, list[float]]]:
    for point in muscle.iter("PathPoint"):
        body = point.findtext("socket_parent_frame", "").rpartition("/")[2]
        yield body, [float(value) for value in point.findtext("location", "").split()]


@pytest.fixture(scope="module")
def reference(test_data: Path) -> Path:
    return test_data / "models" / REFERENCE


def test_both_sides_have_every_muscle_of_the_reference(reference: Path) -> None:
    ours, theirs = muscles(default_model_path()), muscles(reference)
    assert sorted(ours) == sorted(theirs)
    assert len(ours) == 80
    assert {name[:-2] for name in ours if name.endswith("_r")} == {name[:-2] for name in ours if name.endswith("_l")}


def test_figures_are_those_of_the_reference(reference: Path) -> None:
    theirs = muscles(reference)
    for name, muscle in muscles(default_model_path()).items():
        other = theirs[name]
        for tag in NUMBERS:
            assert float(muscle.findtext(tag, "")) == pytest.approx(float(other.findtext(tag, "")), rel=1e-12), name
        assert muscle.findtext("ignore_tendon_compliance") == other.findtext("ignore_tendon_compliance")
        for curve in CURVES:
            values = [[(p.tag, float(p.text or "")) for p in m.findall(f"{curve}/*")] for m in (muscle, other)]
            assert values[0] == values[1]
        points = [list(path_of(m)) for m in (muscle, other)]
        assert [body for body, _ in points[0]] == [body for body, _ in points[1]]
        np.testing.assert_allclose([p for _, p in points[0]], [p for _, p in points[1]], atol=1e-12, err_msg=name)


def test_groups_are_those_of_the_reference(reference: Path) -> None:
    def groups(path: Path) -> dict[str, set[str]]:
        found = ET.parse(path).getroot().iterfind(".//ForceSet/groups/ObjectGroup")
        return {group.get("name", ""): set(group.findtext("members", "").split()) for group in found}

    theirs = groups(reference)
    ours = groups(default_model_path())
    assert len(ours) == 24
    assert ours == {name: theirs[name] for name in theirs if not name.endswith("_leg")}


def test_every_coordinate_without_muscles_has_a_torque() -> None:
    root = ET.parse(default_model_path()).getroot()
    names = {c.get("name", "") for c in root.iter("Coordinate")}
    moved = {a.findtext("coordinate") for a in root.iter("CoordinateActuator")}
    by_muscles = {n for n in names if n.startswith(("hip_", "knee_", "ankle_", "subtalar_"))}
    root_joint = {n for n in names if n.startswith("pelvis_")}
    assert moved == names - by_muscles - root_joint
    assert all(float(a.findtext("optimal_force", "")) > 0.0 for a in root.iter("CoordinateActuator"))


def test_muscles_find_their_balance_at_the_neutral_pose(tmp_path: Path) -> None:
    for name, muscle in in_opensim(default_model_path(), tmp_path).items():
        assert 0.4 < muscle["stretch"] < 1.4, name
        assert 0.0 < muscle["force"] < muscle["strength"], name
        assert muscle["cosine"] > 0.7, name


def test_moment_arms_and_lengths_are_those_of_the_reference(reference: Path) -> None:
    found = compare(default_model_path(), reference, values=5, poses=3)
    assert len({c.muscle for c in found}) == 80
    assert strongest(found)[:3] == ["soleus", "vaslat", "gasmed"]
    knee = next(c for c in found if (c.muscle, c.coordinate) == ("recfem_l", "knee_angle_l"))
    assert knee.arms[1].min() < -0.03  # of an extensor [m]
    # Rajagopal2016 rounds a right angle of its left toe's axis: 2e-4 mm.
    assert max(max(c.rms) for c in found) < 1e-3


def test_a_moved_muscle_is_told(reference: Path, tmp_path: Path) -> None:
    tables = Path(shutil.copytree(tables_dir(), tmp_path / "fullbody"))
    shutil.copytree(tables_dir().parent / "markersets", tmp_path / "markersets")
    points = tables / "muscle_points.csv"
    text = points.read_text(encoding="utf-8")
    assert "soleus_r,calcn_r,0.0044," in text
    points.write_text(text.replace("soleus_r,calcn_r,0.0044,", "soleus_r,calcn_r,0.0094,"), encoding="utf-8")
    (tmp_path / "moved.osim").write_text(build_fullbody(tables), encoding="utf-8")
    found = compare(tmp_path / "moved.osim", reference, values=3, poses=1)
    wrong = {(c.muscle, c.coordinate) for c in found if c.rms[0] > TARGET}
    assert wrong == {(f"soleus_{side}", f"ankle_angle_{side}") for side in "rl"}


def test_muscles_scale_with_the_person(tmp_path: Path) -> None:
    model = OsimModel.from_file(default_model_path())
    scales = np.random.default_rng(0).uniform(0.85, 1.15, (len(model.body_names), 3))
    path = export_osim(model.scale(scales), tmp_path / "scaled.osim", mass=60.0)
    before, after = (in_opensim(p, tmp_path) for p in (default_model_path(), path))
    ratios = []
    for name, muscle in before.items():
        ratio = after[name]["length"] / muscle["length"]
        ratios.append(ratio)
        assert after[name]["fiber"] == pytest.approx(ratio * muscle["fiber"], rel=1e-9), name
        assert after[name]["tendon"] == pytest.approx(ratio * muscle["tendon"], rel=1e-9), name
        assert after[name]["strength"] == muscle["strength"]  # OpenSim leaves strength as it is
    assert np.ptp(ratios) > 0.05


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    shutil.copytree(tables_dir().parent / "markersets", tmp_path / "markersets")
    return Path(shutil.copytree(tables_dir(), tmp_path / "fullbody"))


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    [
        ("muscles", "soleus_r,6194", "soleus_r,-6194", r"'max_isometric_force' holds '-6194.*above zero"),
        ("muscles", "soleus_r,", "tibant_r,", r"muscles.csv, line \d+: duplicate name 'tibant_r'"),
        ("muscles", "0.38142888", "1.7", r"a pennation angle of 1.7 rad"),
        ("muscle_points", "soleus_r,tibia_r", "soleus_r,tibla_r", r"unknown body 'tibla_r' \(did you mean 'tibia_r'"),
        ("muscle_points", "soleus_r,tibia_r", "tibant_r,tibia_r", r"muscle 'soleus_r' has 1 points; it needs two"),
        ("wraps", "WrapCylinder", "WrapTorus", r"column 'type' holds 'WrapTorus'.*one of WrapCylinder"),
        ("wraps", ",-x,", ",-z,", r"column 'quadrant' holds '-z'"),
        ("muscle_wraps", "PS_at_brim_r,hybrid,2,3", "PS_at_brim_r,hybrid,2,9", r"muscle 'psoas_r' has no point 9"),
        ("muscle_wraps", "PS_at_brim_r,hybrid,2,3", "PS_at_brim_r,hybrid,3,2", r"wraps from point 3 to point 2"),
        ("muscle_wraps", "psoas_r,PS_at", "psoas_r,IL_at", r"wraps.csv: no muscle uses 'PS_at_brim_[rl]'"),
        ("muscle_properties", "ForceVelocityCurve", "VelocityCurve", r"column 'part' holds 'VelocityCurve'"),
        ("actuators", "neck_bending", "neck_bend", r"unknown coordinate 'neck_bend' \(did you mean 'neck_bending'"),
        ("actuators", "neck_bending,30", "neck_bending,0", r"'optimal_force' holds '0'.*above zero"),
    ],
)
def test_bad_table_is_an_input_error(tables: Path, table: str, old: str, new: str, message: str) -> None:
    path = tables / f"{table}.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        build_fullbody(tables)

"""Tables that cannot be a model are refused by file, line and remedy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from biopose_sim.errors import InputError
from biopose_sim.osim.build import build_fullbody

TABLES = Path(__file__).resolve().parents[2] / "models" / "fullbody"


@pytest.fixture
def tables(tmp_path) -> Path:
    """A copy of all tables that a test may spoil."""
    shutil.copytree(TABLES.parent / "markersets", tmp_path / "markersets")
    return Path(shutil.copytree(TABLES, tmp_path / "fullbody"))


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    [
        (
            "joints",
            "pelvis,femur_r",
            "pelvic,femur_r",
            r"joints.csv: unknown parent 'pelvic' \(did you mean 'pelvis'",
        ),
        ("segments", "\ntibia_r,", "\nfemur_r,", r"segments.csv, line 4: duplicate name 'femur_r'"),
        ("segments", "\ntibia_r,", "\nfemur_l,", r"segments.csv: duplicate name 'femur_l'"),
        ("segments", "mass", "weight", r"segments.csv: no column mass"),
        ("segments", "pelvis,11.777", "pelvis,heavy", r"column 'mass' holds 'heavy'; a number is needed"),
        ("segments", "pelvis,11.777", "pelvis,-1", r"'pelvis' are not positive definite"),
        ("segments", "0.1028,0.0871", "9,0.0871", r"'pelvis' breaks the triangle inequality"),
        (
            "joints",
            "neck,CustomJoint",
            "neck,BallJoint",
            r"'BallJoint'.*; one of CustomJoint, PinJoint, WeldJoint",
        ),
        ("joints", "lumbar,thorax", "thorax,thorax", r"'thorax' is not joined to the ground"),
        ("coordinates", "0,-40,140", "0,40,140", r"default 0 is outside 40 to 140"),
        ("coordinates", "false,false", "no,false", r"column 'clamped' holds 'no'; one of true, false"),
        ("transforms", "knee_rotation2", "knee_rotation", r"unknown spline 'knee_rotation'"),
        (
            "transforms",
            "hip_flexion_r,linear",
            "ankle_angle_r,linear",
            r"axes of 'hip_r' do not use its coordinates",
        ),
        ("geometry", "\nhead,", "\nheads,", r"unknown body 'heads' \(did you mean 'head'"),
        ("couplers", "knee_angle_r,", "knee_r,", r"unknown independent 'knee_r'"),
        (
            "splines",
            "knee_rotation2,0.174533",
            "knee_rotation2,-1",
            r"x of spline 'knee_rotation2' does not increase",
        ),
    ],
)
def test_bad_table_is_an_input_error(tables, table, old, new, message):
    path = tables / f"{table}.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        build_fullbody(tables)


def test_missing_tables_are_input_errors(tables):
    (tables / "couplers.csv").unlink()
    with pytest.raises(InputError, match=r"couplers.csv: cannot be read"):
        build_fullbody(tables)
    with pytest.raises(InputError, match="no such folder"):
        build_fullbody(tables / "nowhere")


def test_marker_without_source_or_body_is_an_input_error(tables):
    path = tables.parent / "markersets" / "anatomical.csv"
    good = path.read_text(encoding="utf-8")
    path.write_text(good + "NEW,head,0,0,0,landmark,1,a new one,\n", encoding="utf-8")
    with pytest.raises(InputError, match="the source is empty"):
        build_fullbody(tables)
    path.write_text(good + "NEW,skull,0,0,0,landmark,1,a new one,here\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"markers.csv: unknown body 'skull'"):
        build_fullbody(tables)

"""Broken models and external loads; see ``broken_files.py``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from broken_files import case
from good_files import Files, Table

# --- models


def _model(files: Files, pattern: str, new: str) -> list[Path]:
    files.sub("model.osim", pattern, new)
    return files("model.osim")


@case("F04")
def model_cut_off(files: Files) -> list[Path]:
    files.edit("model.osim", lambda s: s[: len(s) // 2])
    return files("model.osim")


@case("O03")
def joint_of_unknown_type(files: Files) -> list[Path]:
    return _model(files, r"<CustomJoint (.*?)</CustomJoint>", r"<HingeJoint \1</HingeJoint>")


@case("O04")
def coordinate_twice(files: Files) -> list[Path]:
    return _model(files, r'Coordinate name="hip_flexion_l"', 'Coordinate name="hip_flexion_r"')


@case("O05")
def foot_without_mass(files: Files) -> list[Path]:
    return _model(files, r'(Body name="toes_r">.*?<mass>)[^<]*', r"\g<1>0")


@case("O06")
def impossible_inertia(files: Files) -> list[Path]:
    return _model(files, r'(Body name="torso">.*?<inertia>)[^<]*', r"\g<1>9 0.7 1.4 0 0 0")


@case("O07", "O01")
def marker_on_absent_body(files: Files) -> list[Path]:
    return _model(files, r'(Marker name="R.ASIS">.*?<socket_parent_frame>)[^<]*', r"\1/bodyset/pelvus")


@case("O07", "O01")
def muscle_on_absent_body(files: Files) -> list[Path]:
    return _model(files, r"(<PathPoint name=.*?<socket_parent_frame>)[^<]*", r"\1/bodyset/shank")


@case("O08")
def tendon_without_length(files: Files) -> list[Path]:
    return _model(files, r"(<tendon_slack_length>)[^<]*", r"\g<1>0")


@case("O10")
def spline_without_points(files: Files) -> list[Path]:
    return _model(files, r"(<SimmSpline.*?<x>)[^<]*", r"\1")


@case("O11")
def geometry_as_ply(files: Files) -> list[Path]:
    return _model(files, r"<mesh_file>pelvis.vtp", "<mesh_file>pelvis.ply")


@case("O13")
def geometry_of_one_computer(files: Files) -> list[Path]:
    return _model(files, r"<mesh_file>pelvis.vtp", r"<mesh_file>C:\\Users\\me\\pelvis.vtp")


@case("O20")
def range_in_degrees(files: Files) -> list[Path]:
    return _model(files, r'(Coordinate name="knee_angle_r">.*?<range>)[^<]*', r"\g<1>-120 10")


@case("O09")
def default_out_of_range(files: Files) -> list[Path]:
    return _model(
        files,
        r'(Coordinate name="knee_angle_r">.*?<default_value>)[^<]*(.*?<clamped>)false',
        r"\g<1>1.5\2true",
    )


@case("O15")
def gravity_along_z(files: Files) -> list[Path]:
    return _model(files, r"(<gravity>)[^<]*", r"\g<1>0 0 -9.80665")


@case("O16", "O01")
def range_turned_round(files: Files) -> list[Path]:
    return _model(files, r'(Coordinate name="knee_angle_r">.*?<range>)[^<]*', r"\g<1>0.17 -2.09")


@case("O22")
def geometry_as_binary_vtp(files: Files) -> list[Path]:
    (files.folder / "Geometry").mkdir(parents=True)
    model = files.one("model.osim").read_text(encoding="utf-8")
    for name in set(re.findall(r"<mesh_file>([^<]+)", model)):
        kind = "appended" if name == "pelvis.vtp" else "ascii"
        (files.folder / "Geometry" / name).write_text(f'<VTKFile><DataArray format="{kind}"/></VTKFile>')
    return files("model.osim")


@case("O14")
def coupler_of_absent_coordinate(files: Files) -> list[Path]:
    files.sub("coupled.osim", r"(<independent_coordinate_names>\s*)knee_angle_r", r"\1knee_flexion_r")
    return files("coupled.osim")


# --- external loads

_LOADED = ("grf.xml", "grf.mot", "model.osim", "walk.mot")


def _forces(files: Files, change: Callable[[Table], None]) -> list[Path]:
    files.table("grf.mot", change)
    return files(*_LOADED)


@case("L01")
def load_on_absent_body(files: Files) -> list[Path]:
    files.replace("grf.xml", "calcn_r", "foot_r")
    return files(*_LOADED)


@case("L02")
def identifier_without_columns(files: Files) -> list[Path]:
    files.replace("grf.xml", " ground_force_v ", " ground_force_r_v ")
    return files(*_LOADED)


@case("L04")
def points_in_millimetres(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        for foot in ("", "1_"):
            for axis in "xyz":
                table.change(f"{foot}ground_force_p{axis}", lambda _i, v: 1000.0 * v)

    return _forces(files, change)


@case("L05")
def force_on_the_plate(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        for foot in ("", "1_"):
            for axis in "xyz":
                table.change(f"{foot}ground_force_v{axis}", lambda _i, v: -v)

    return _forces(files, change)


@case("L06")
def forces_with_z_up(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        for foot in ("", "1_"):
            y, z = (table.column(f"{foot}ground_force_v{axis}") for axis in "yz")
            for row in table.cells:
                row[y], row[z] = row[z], row[y]

    return _forces(files, change)


@case("L07")
def forces_in_body_weights(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        for foot in ("", "1_"):
            for axis in "xyz":
                table.change(f"{foot}ground_force_v{axis}", lambda _i, v: v / 712.0)

    return _forces(files, change)


@case("L08")
def feet_swapped(files: Files) -> list[Path]:
    files.edit("grf.xml", lambda s: s.replace("calcn_r", "calcn_x").replace("calcn_l", "calcn_r").replace("_x ", "_l "))
    return files(*_LOADED)


@case("L12")
def loads_of_another_time(files: Files) -> list[Path]:
    return _forces(files, lambda t: t.change("time", lambda i, v: v + 30.0))


@case("L14")
def both_plates_on_one_foot(files: Files) -> list[Path]:
    files.replace("grf.xml", "calcn_l", "calcn_r")
    return files(*_LOADED)


@case("L13")
def plates_with_another_origin(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        for foot in ("", "1_"):
            table.change(f"{foot}ground_force_px", lambda _i, v: v + 2.0)

    return _forces(files, change)


@case("L11", "L14", "L08")
def one_force_for_both_feet(files: Files) -> list[Path]:
    files.edit("grf.xml", lambda s: s.replace(" 1_ground", " ground"))
    return files(*_LOADED)


@case("L10")
def force_without_point(files: Files) -> list[Path]:
    files.replace("grf.xml", "<point_identifier> ground_force_p ", "<point_identifier> ")
    return files(*_LOADED)

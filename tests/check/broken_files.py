"""Files with one fault each, made from good ones: a trap of OPENSIM.md each, with the code it must get."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from good_files import Files, Table

Make = Callable[[Files], list[Path]]


@dataclass(frozen=True)
class Case:
    """A broken file.

    Attributes:
        name: what is wrong.
        code: what the linter must say.
        make: writes it, with what it belongs to; the files to check.
        also: further codes that this fault may bring about.
    """

    name: str
    code: str
    make: Make
    also: frozenset[str] = frozenset()


CASES: list[Case] = []


def case(code: str, *also: str) -> Callable[[Make], Make]:
    """Note a function as a case."""

    def note(make: Make) -> Make:
        CASES.append(Case(make.__name__, code, make, frozenset(also)))
        return make

    return note


# --- motions against their model


def _motion(files: Files, change: Callable[[Table], None]) -> list[Path]:
    files.table("walk.mot", change)
    return files("walk.mot", "model.osim")


def _to_radians(table: Table) -> None:
    for name in table.labels[1:]:
        if not name.startswith("pelvis_t") or name == "pelvis_tilt":
            table.change(name, lambda _i, v: math.radians(v))


@case("M05")
def degrees_called_radians(files: Files) -> list[Path]:
    files.replace("walk.mot", "inDegrees=yes", "inDegrees=no")
    return files("walk.mot", "model.osim")


@case("M05")
def degrees_not_said(files: Files) -> list[Path]:
    files.replace("walk.mot", "inDegrees=yes\n", "")
    return files("walk.mot", "model.osim")


@case("M04")
def radians_called_degrees(files: Files) -> list[Path]:
    return _motion(files, _to_radians)


@case("M01")
def coordinate_missing(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        at = table.column("knee_angle_r")
        for row in (table.labels, *table.cells):
            row.pop(at)
        table.header[:] = [line.replace("nColumns=24", "nColumns=23") for line in table.header]

    return _motion(files, change)


@case("M02", "M01")
def coordinate_misspelt(files: Files) -> list[Path]:
    files.replace("walk.mot", "knee_angle_r", "knee_flexion_r")
    return files("walk.mot", "model.osim")


@case("M06")
def coupler_contradicted(files: Files) -> list[Path]:
    files.table("coupled.mot", lambda t: t.change("knee_angle_r_beta", lambda i, v: v + 0.2))
    return files("coupled.mot", "coupled.osim")


@case("M06")
def coupled_in_degrees(files: Files) -> list[Path]:
    files.table("coupled.mot", lambda t: t.change("knee_angle_r_beta", lambda i, v: math.degrees(v)))
    return files("coupled.mot", "coupled.osim")


@case("M07")
def locked_moves(files: Files) -> list[Path]:
    files.sub("model.osim", r'(Coordinate name="knee_angle_r">.*?<locked>)false', r"\1true")
    return files("walk.mot", "model.osim")


@case("M08")
def outside_clamped_range(files: Files) -> list[Path]:
    files.sub(
        "model.osim",
        r'(Coordinate name="knee_angle_r">.*?<range>)[^<]*(</range>.*?<clamped>)false',
        r"\g<1>-0.5 0.17\2true",
    )
    return files("walk.mot", "model.osim")


@case("M10")
def whole_turn(files: Files) -> list[Path]:
    return _motion(files, lambda t: t.change("pelvis_rotation", lambda i, v: v - 360.0 * (i > 30)))


@case("M11")
def jump(files: Files) -> list[Path]:
    return _motion(files, lambda t: t.change("hip_flexion_r", lambda i, v: v + 120.0 * (i == 30)))


@case("M12")
def gap(files: Files) -> list[Path]:
    return _motion(files, lambda t: t.change("hip_flexion_r", lambda i, v: "NaN" if 20 < i < 25 else v))


@case("M20", "M11")
def translations_in_millimetres(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        for axis in "xyz":
            table.change(f"pelvis_t{axis}", lambda _i, v: 1000.0 * v)

    return _motion(files, change)


@case("M21")
def motion_with_z_up(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        y, z = table.column("pelvis_ty"), table.column("pelvis_tz")
        for row in table.cells:
            row[y], row[z] = str(-float(row[z])), row[y]

    return _motion(files, change)


@case("M21")
def motion_upside_down(files: Files) -> list[Path]:
    return _motion(files, lambda t: t.change("pelvis_ty", lambda _i, v: -v))


@case("M17", "M04")
def no_version_but_radians(files: Files) -> list[Path]:
    files.table("walk.mot", _to_radians)
    files.edit("walk.mot", lambda s: s.replace("version=1\n", "").replace("inDegrees=yes", "inDegrees=no"))
    return files("walk.mot", "model.osim")


@case("M22")
def motion_of_another_time(files: Files) -> list[Path]:
    files.table("walk.mot", lambda t: t.change("time", lambda i, v: v + 30.0))
    return files("walk.mot", "walk.trc", "model.osim")


# --- tables


@case("M14")
def rows_miscounted(files: Files) -> list[Path]:
    files.replace("walk.mot", "nRows=73", "nRows=60")
    return files("walk.mot")


@case("M15")
def columns_miscounted(files: Files) -> list[Path]:
    files.replace("walk.mot", "nColumns=24", "nColumns=23")
    return files("walk.mot")


@case("M16")
def rows_not_counted(files: Files) -> list[Path]:
    files.replace("walk.mot", "nRows=73\n", "")
    return files("walk.mot")


@case("M18")
def header_without_end(files: Files) -> list[Path]:
    files.replace("walk.mot", "endheader\n", "")
    return files("walk.mot")


@case("M19")
def time_in_capitals(files: Files) -> list[Path]:
    files.replace("walk.mot", "time\tpelvis", "Time\tpelvis")
    return files("walk.mot")


@case("D01")
def time_goes_back(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        table.cells[20], table.cells[30] = table.cells[30], table.cells[20]

    files.table("walk.mot", change)
    return files("walk.mot")


@case("D02")
def time_twice(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        table.cells.insert(40, table.cells[39])
        table.header[2] = table.header[2].replace("151", "152")

    files.trc("walk.trc", change)
    return files("walk.trc")


@case("D03")
def frames_lost(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        del table.cells[40:48]
        table.header[2] = table.header[2].replace("151", "143")

    files.trc("walk.trc", change)
    return files("walk.trc")


@case("D04")
def time_in_milliseconds(files: Files) -> list[Path]:
    files.table("walk.mot", lambda t: t.change("time", lambda i, v: 1000.0 * v))
    return files("walk.mot")


@case("D05")
def words_among_numbers(files: Files) -> list[Path]:
    files.table("walk.mot", lambda t: t.change("hip_flexion_r", lambda i, v: "#REF!" if i == 7 else v))
    return files("walk.mot")


@case("D06")
def decimal_commas(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        table.cells[:] = [[cell.replace(".", ",") for cell in row] for row in table.cells]

    files.table("walk.mot", change)
    return files("walk.mot", "model.osim")


@case("D07")
def commas_between_columns(files: Files) -> list[Path]:
    files.edit("walk.mot", lambda s: s.replace("\t", ","))
    return files("walk.mot")


@case("D08")
def cells_lacking(files: Files) -> list[Path]:
    files.table("walk.mot", lambda t: t.cells[20].pop())
    return files("walk.mot")


@case("D10", "M14")
def no_rows(files: Files) -> list[Path]:
    files.table("walk.mot", lambda t: t.cells.clear())
    return files("walk.mot")


@case("D09", "M14")
def cut_off(files: Files) -> list[Path]:
    files.edit("walk.mot", lambda s: s[: s.rstrip().rfind("\n") + 90])
    return files("walk.mot")


@case("F07")
def old_line_ends(files: Files) -> list[Path]:
    path = files.one("walk.mot")
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r"))
    return [path]


@case("F03")
def utf16(files: Files) -> list[Path]:
    path = files.one("walk.mot")
    path.write_bytes(path.read_text().encode("utf-16"))
    return [path]


@case("F02")
def pickle(files: Files) -> list[Path]:
    path = files.folder / "walk.mot"
    files.folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00]\x94(K\x01K\x02e.")
    return [path]


@case("F01")
def empty(files: Files) -> list[Path]:
    path = files.one("walk.mot")
    path.write_bytes(b"\n")
    return [path]

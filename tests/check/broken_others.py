"""Broken recordings, setups and result folders, and the list of all; see ``broken_files.py``."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import broken_models  # noqa: F401  (notes its cases)
from broken_files import CASES, case
from good_files import Files, Table

ALL = CASES


# --- recordings


def _markers(files: Files, change: Callable[[Table], None], *more: str) -> list[Path]:
    files.trc("walk.trc", change)
    return files("walk.trc", *more)


@case("T07")
def units_untrue(files: Files) -> list[Path]:
    files.replace("walk.trc", "\tmm\t", "\tm\t")
    return files("walk.trc")


@case("T12")
def markers_with_z_up(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        for row in table.cells:
            for k in range(2, len(row), 3):
                row[k + 1], row[k + 2] = f"{-float(row[k + 2]):.5f}", row[k + 1]

    return _markers(files, change)


@case("T13")
def left_and_right_swapped(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        a, b = table.labels.index("R.ASIS"), table.labels.index("L.ASIS")
        table.labels[a], table.labels[b] = "L.ASIS", "R.ASIS"

    return _markers(files, change)


@case("T13")
def mirrored(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        for row in table.cells:
            row[4::3] = [f"{-float(cell):.5f}" for cell in row[4::3]]

    return _markers(files, change)


@case("T09")
def marker_named_twice(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        table.labels[1] = table.labels[0]

    return _markers(files, change)


@case("T11")
def zeros_for_gaps(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        for row in table.cells[55:65]:
            row[2:5] = ["0.00000"] * 3

    return _markers(files, change)


@case("T14")
def labels_swapped_for_a_while(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        for row in table.cells[50:60]:
            row[2:5], row[20:23] = row[20:23], row[2:5]

    return _markers(files, change)


@case("T03")
def frames_miscounted(files: Files) -> list[Path]:
    files.replace("walk.trc", "       151\t41", "100\t41")
    return files("walk.trc")


@case("T04")
def markers_miscounted(files: Files) -> list[Path]:
    files.replace("walk.trc", "151\t41", "151\t40")
    return files("walk.trc")


@case("T02")
def header_key_misspelt(files: Files) -> list[Path]:
    files.replace("walk.trc", "NumFrames", "NFrames")
    return files("walk.trc")


@case("T05")
def axes_not_numbered(files: Files) -> list[Path]:
    files.replace("walk.trc", "X1\tY1\tZ1", "X\tY\tZ")
    return files("walk.trc")


@case("T08")
def rate_untrue(files: Files) -> list[Path]:
    files.replace("walk.trc", "60.00\t60.00", "100.00\t60.00")
    return files("walk.trc")


@case("T17")
def names_spelt_otherwise(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        table.labels[:] = [name.replace(".", "_") for name in table.labels]

    return _markers(files, change, "model.osim")


@case("T16")
def no_marker_of_the_model(files: Files) -> list[Path]:
    def change(table: Table) -> None:
        table.labels[:] = [f"*{k}" for k in range(len(table.labels))]

    return _markers(files, change, "model.osim")


@case("F08")
def byte_order_mark(files: Files) -> list[Path]:
    path = files.one("walk.trc")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    return [path]


# --- setups


@case("S01")
def file_absent(files: Files) -> list[Path]:
    files("model.osim", "walk.mot", "grf.mot", "grf.xml")
    files.replace("id.xml", "walk.mot", "ResultsIK/walk_ik.mot")
    return files("id.xml")


@case("S02", "S01")
def path_of_one_computer(files: Files) -> list[Path]:
    files("model.osim", "walk.mot", "grf.mot", "grf.xml")
    files.replace("id.xml", "walk.mot", r"C:\Users\me\Gait\walk.mot")
    return files("id.xml")


@case("S05")
def task_of_absent_coordinate(files: Files) -> list[Path]:
    files("model.osim", "walk.mot", "grf.mot", "grf.xml", "actuators.xml")
    files.edit("tasks.xml", lambda s: s.replace("knee_angle_r", "knee_flexion_r"))
    return files("rra.xml")


@case("S14")
def actuator_of_absent_coordinate(files: Files) -> list[Path]:
    files("model.osim", "walk.mot", "grf.mot", "grf.xml", "tasks.xml")
    files.replace("actuators.xml", "<coordinate> knee_angle_r", "<coordinate> knee_flexion_r")
    return files("rra.xml")


@case("S04")
def tasks_of_absent_markers(files: Files) -> list[Path]:
    files("model.osim", "walk.trc")
    files.edit("ik.xml", lambda s: s.replace('IKMarkerTask name="R.', 'IKMarkerTask name="R_'))
    return files("ik.xml")


@case("S06")
def weights_all_zero(files: Files) -> list[Path]:
    files("model.osim", "walk.trc")
    files.edit("ik.xml", lambda s: re.sub(r"<weight>[^<]*", "<weight>0", s))
    return files("ik.xml")


@case("S08")
def measurement_of_absent_marker(files: Files) -> list[Path]:
    files("generic.osim", "markers.xml", "static.trc")
    files.replace("scale.xml", "<markers> R.ASIS L.ASIS", "<markers> R.ASI L.ASI")
    return files("scale.xml")


@case("S09")
def mass_missing(files: Files) -> list[Path]:
    files("generic.osim", "markers.xml", "static.trc")
    files.sub("scale.xml", r"<mass>[^<]*</mass>", "")
    return files("scale.xml")


@case("S10")
def time_outside_of_the_data(files: Files) -> list[Path]:
    files("model.osim", "walk.trc")
    files.sub("ik.xml", r"<time_range>[^<]*", "<time_range> 10 12")
    return files("ik.xml")


@case("S13")
def time_range_turned_round(files: Files) -> list[Path]:
    files("model.osim", "walk.trc")
    files.sub("ik.xml", r"<time_range>[^<]*", "<time_range> 1.6 0.4")
    return files("ik.xml")


@case("S15")
def tool_without_data(files: Files) -> list[Path]:
    files("model.osim", "grf.mot", "grf.xml")
    files.replace("id.xml", "walk.mot", "Unassigned")
    return files("id.xml")


@case("S16")
def tracking_without_tasks(files: Files) -> list[Path]:
    files("model.osim", "walk.mot", "grf.mot", "grf.xml", "actuators.xml")
    files.replace("rra.xml", "tasks.xml", "Unassigned")
    return files("rra.xml")


# --- result folders


@case("R02")
def result_gone(files: Files) -> list[Path]:
    model = files.one("model.osim")
    outputs = {"model.osim": hashlib.sha256(model.read_bytes()).hexdigest(), "walk.mot": "0" * 64}
    (files.folder / "manifest.json").write_text(json.dumps({"outputs": outputs}), encoding="utf-8")
    return [files.folder]

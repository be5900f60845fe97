"""The linter: broken files found, false findings on OpenSim's own examples; ``--opensim``: what OpenSim makes of them.

``biopose bench check``
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.cases import data_folder
from biopose_sim.check.fix import fix_files
from biopose_sim.check.together import Report, check_files
from biopose_sim.osim.process import OpenSimError, run_script

PIPELINES = ("Gait2354_Simbody", "Gait2392_Simbody", "Gait10dof18musc", "Hamner", "Rajagopal")
BY_ID = (
    "degrees_called_radians",
    "radians_called_degrees",
    "rows_miscounted",
    "decimal_commas",
    "time_in_capitals",
    "header_without_end",
    "gap",
    "whole_turn",
    "points_in_millimetres",
    "force_on_the_plate",
    "feet_swapped",
    "both_plates_on_one_foot",
    "loads_of_another_time",
    "load_on_absent_body",
)
BY_IK = (
    "units_untrue",
    "left_and_right_swapped",
    "zeros_for_gaps",
    "markers_miscounted",
    "time_twice",
    "byte_order_mark",
    "names_spelt_otherwise",
    "tasks_of_absent_markers",
)
BY_MODEL = (
    "foot_without_mass",
    "joint_of_unknown_type",
    "coordinate_twice",
    "marker_on_absent_body",
    "tendon_without_length",
    "spline_without_points",
)
_PROCESS = Path(__file__).with_name("_check_answers.py")


def grave(report: Report) -> set[str]:
    """Codes of errors and warnings."""
    return {f.code for f in report.findings if f.severity != "note"}


def broken(data: Path, work: Path, cases: list[Any], files: Any) -> None:
    """Make every broken file, check it, mend it and check it again."""
    found = mendable = mended = 0
    began = time.process_time()
    for case in cases:
        paths = case.make(files(data, work / case.name))
        report = check_files(paths)
        hit = case.code in grave(report)
        found += hit
        if not hit:
            print(f"  missed: {case.name} ({case.code}); found {sorted(grave(report))}")
        if any(f.fixable and f.code == case.code for f in report.findings):
            mendable += 1
            fix_files(report, in_place=True)
            mended += case.code not in grave(check_files(paths))
    seconds = time.process_time() - began
    print(f"broken files: {found} of {len(cases)} found, each with its code; {len({c.code for c in cases})} codes")
    print(f"  {mended} of {mendable} that can be mended are found good then ({seconds / len(cases):.2f} CPU s a file)")


def examples(data: Path) -> None:
    """Check all of OpenSim's own files; every error and warning is listed."""
    for label, paths in (
        *((name, [data / "pipelines" / name]) for name in PIPELINES),
        ("models", sorted((data / "models").glob("*.osim"))),
    ):
        report = check_files(paths)
        listed = [f for f in report.findings if f.severity != "note"]
        counts = f"{report.count('error')} errors, {report.count('warning')} warnings, {report.count('note')} notes"
        print(f"{label}: {len(report.files)} files, {counts}")
        for f in listed:
            print(f"  {f.code} {f.file.name}: {f.where} {f.message}"[:160])


def answer(folder: Path, tool: str, file: Path | None = None) -> dict[str, float] | str:
    """What OpenSim's tool gives for the files of a folder: numbers, or why it refuses them."""
    job = {"folder": str(folder), "tool": tool, "file": str(file)}
    with tempfile.TemporaryDirectory(prefix="biopose-check-") as place:
        try:
            said = run_script(_PROCESS, job, Path(place), subject=folder.name, doing=tool, timeout=120.0)
        except OpenSimError as error:
            return error.reason
    numbers: dict[str, float] = said["numbers"]
    return numbers


def answers(data: Path, work: Path, cases: list[Any], files: Any) -> None:
    """OpenSim's own tools on good and on broken files."""
    by_name = {case.name: case for case in cases}
    groups = (
        ("ID", BY_ID, ("id.xml", "model.osim", "walk.mot", "grf.xml", "grf.mot")),
        ("IK", BY_IK, ("ik.xml", "model.osim", "walk.trc")),
        ("model", BY_MODEL, ("model.osim",)),
    )
    for tool, names, needed in groups:
        files(data, work / f"good_{tool}")(*needed)
        good = answer(work / f"good_{tool}", tool, work / f"good_{tool}" / "model.osim")
        print(f"OpenSim's {tool}, good files: {_shown(good)}")
        for name in names:
            folder = work / f"{tool}_{name}"
            by_name[name].make(files(data, folder))
            files(data, folder)(*needed)
            said = answer(folder, tool, folder / "model.osim")
            print(f"  {by_name[name].code} {name}: {_shown(said)}", flush=True)


def _shown(said: dict[str, float] | str) -> str:
    if isinstance(said, str):
        return f"refused: {' '.join(said.split())[:150]}"
    return ", ".join(f"{key} {'NaN' if math.isnan(value) else f'{value:.4g}'}" for key, value in said.items())


def main(arguments: list[str] | None = None) -> None:
    """Entry of ``biopose bench check``."""
    parser = argparse.ArgumentParser("biopose bench check", description=__doc__)
    parser.add_argument("--data", help="folder of recordings and models")
    parser.add_argument("--opensim", action="store_true", help="also run OpenSim's tools on 28 of the broken files")
    a = parser.parse_args(arguments)
    data = data_folder(a.data)
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "check"))
    from broken_others import ALL
    from good_files import Files

    with tempfile.TemporaryDirectory() as work:
        broken(data, Path(work, "broken"), ALL, Files)
        examples(data)
        if a.opensim:
            answers(data, Path(work, "opensim"), ALL, Files)


if __name__ == "__main__":
    main()

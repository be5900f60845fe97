"""Every broken file gets its code and no other; what is mended is found good."""

from __future__ import annotations

import pytest
from broken_files import Case
from broken_others import ALL
from good_files import Files

from biopose_sim.check.codes import CODES
from biopose_sim.check.fix import fix_files
from biopose_sim.check.together import Report, check_files


def graves(report: Report) -> set[str]:
    return {f.code for f in report.findings if f.severity != "note"}


def test_forty_faults_at_least():
    assert len(ALL) >= 40
    assert len({case.code for case in ALL}) >= 40
    assert {case.code for case in ALL} <= CODES.keys()


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_broken_file_is_found(case: Case, test_data, tmp_path):
    paths = case.make(Files(test_data, tmp_path / "given"))
    report = check_files(paths)
    assert case.code in graves(report), [f.message for f in report.findings]
    assert graves(report) <= {case.code, *case.also}
    fixable = {f.code for f in report.findings if f.fixable}
    if case.code in fixable:
        fix_files(report, in_place=True)
        assert graves(check_files(paths)) <= graves(report) - fixable - case.also


@pytest.mark.parametrize(
    "names",
    [
        ("walk.mot", "model.osim", "walk.trc", "grf.xml", "grf.mot"),
        ("coupled.mot", "coupled.osim"),
        ("ik.xml", "model.osim", "walk.trc"),
        ("id.xml", "model.osim", "walk.mot", "grf.xml", "grf.mot"),
        ("rra.xml", "model.osim", "walk.mot", "grf.xml", "grf.mot", "actuators.xml", "tasks.xml"),
        ("scale.xml", "generic.osim", "markers.xml", "static.trc"),
    ],
    ids=lambda names: names[0],
)
def test_files_to_break_are_good(names, test_data, tmp_path):
    assert not graves(check_files(Files(test_data, tmp_path)(*names)))

"""OpenSim's own example files, all of them: what is said against them is true."""

from __future__ import annotations

import pytest

from biopose_sim.check.finding import Finding
from biopose_sim.check.storage import read_storage
from biopose_sim.check.together import check_files

PIPELINES = ("Gait2354_Simbody", "Gait2392_Simbody", "Gait10dof18musc", "Hamner", "Rajagopal")


def is_true(f: Finding) -> bool:
    """Whether a finding states what can be seen without the linter."""
    if f.code == "S01":  # OpenSim refuses a setup whose files are absent
        written = f.message.removesuffix(" does not exist")
        return not (f.file.parent / written.replace("\\", "/")).exists()
    if f.code == "S02":
        return "C:\\" in f.file.read_text(encoding="utf-8")
    if f.code == "M05":  # a knee that bends by 69 is not in radians
        motion = read_storage(f.file)
        return "inDegrees=no" in f.file.read_text() and abs(motion.columns["knee_angle_r"]).max() > 60.0
    return False


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_have_true_findings_only(name, test_data):
    report = check_files([test_data / "pipelines" / name])
    grave = [f for f in report.findings if f.severity != "note"]
    assert not [f for f in grave if not is_true(f)]


def test_models_have_no_finding(test_data):
    report = check_files(sorted((test_data / "models").glob("*.osim")))
    assert len(report.files) >= 19
    assert not [f for f in report.findings if f.severity != "note"]


def test_laboratory_trials(test_data):
    """Subject 4: of 24 trials, those that walk over two plates have both on the right foot, which is not true."""
    folder = test_data / "opencap_lab_subject4"
    report = check_files(
        [folder / "ID" / f"{name}_id_setup.xml" for name in ("walking1", "squats1")] + [folder / "Models"]
    )
    found = {(f.file.name, f.code) for f in report.findings if f.severity != "note"}
    assert ("walking1_external_forces.xml", "L14") in found
    assert found == {
        ("walking1_external_forces.xml", "L14"),
        ("walking1_id_setup.xml", "S01"),
        ("squats1_id_setup.xml", "S01"),
    }


def test_our_own_model_has_no_finding():
    from biopose_sim.paths import models_dir

    report = check_files(sorted(models_dir().rglob("*.osim")))
    assert report.files
    assert not [f for f in report.findings if f.severity != "note"]

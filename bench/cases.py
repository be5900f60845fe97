"""The real trials on which inverse kinematics and fitting are measured against OpenSim's own tools."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from biopose_sim.errors import InputError
from biopose_sim.ik.setup_files import IKSetup, read_ik_setup
from ik_pipeline.opensim_tools import run_opensim_scale


@dataclass(frozen=True)
class Case:
    """A setup of the InverseKinematicsTool with the model and the markers that it means."""

    name: str
    setup: IKSetup
    model: Path
    markers: Path


def data_folder(given: str | None = None) -> Path:
    """The folder of recordings and models: an argument, BIOPOSE_TEST_DATA, or ../shared/data."""
    repository = Path(__file__).resolve().parents[1]
    folder = Path(given or os.environ.get("BIOPOSE_TEST_DATA", "") or repository.parent / "shared" / "data")
    if not (folder / "pipelines").is_dir():
        raise InputError(folder, "is not the folder of test data", "set BIOPOSE_TEST_DATA to it")
    return folder


def pipeline_cases(data: Path, work: Path) -> list[Case]:
    """Gait2354, Gait10dof18musc, Hamner running, Rajagopal walking and running; scaled models go to ``work``."""
    p = data / "pipelines"
    rajagopal = p / "Rajagopal"
    run = work / "rajagopal_run.osim"
    first, walk = work / "rajagopal_walk_first.osim", work / "rajagopal_walk.osim"
    scale = rajagopal / "Scale"
    if not run.exists():
        run_opensim_scale(scale / "scale_setup_run.xml", output=run)
    if not walk.exists():
        run_opensim_scale(scale / "scale_setup_walk_scaleOnly.xml", output=first)
        run_opensim_scale(scale / "scale_setup_walk.xml", model=first, output=walk)
    hamner, gait10 = p / "Hamner", p / "Gait10dof18musc"
    return [
        _case("Gait2354", p / "Gait2354_Simbody/subject01_Setup_IK.xml",
              p / "Gait2354_Simbody/OutputReference/subject01_simbody.osim"),
        _case("Gait10dof18musc", gait10 / "IK/walk_Setup_IK.xml", gait10 / "OutputReference/subject01.osim"),
        _case("Hamner running", hamner / "Setup_IK.xml", hamner / "outputReference/subject02_registered.osim"),
        _case("Rajagopal walking", rajagopal / "IK/ik_setup_walk.xml", walk),
        _case("Rajagopal running", rajagopal / "IK/ik_setup_run.xml", run),
    ]  # fmt: skip


def laboratory_cases(data: Path) -> list[Case]:
    """OpenCap-lab subject 4: all trials that have a setup on the hand-scaled model."""
    folder = data / "opencap_lab_subject4"
    cases = []
    for setup in sorted((folder / "IK").glob("*_ik_on_manually_scaled_setup.xml")):
        trial = setup.name.removesuffix("_ik_on_manually_scaled_setup.xml")
        markers = folder / "MarkerData" / f"{trial}.trc"
        cases.append(_case(f"subject 4 {trial}", setup, folder / "Models/manually_scaled.osim", markers))
    return cases


def _case(name: str, path: Path, model: Path, markers: Path | None = None) -> Case:
    setup = read_ik_setup(path)
    markers = markers or setup.marker_file
    if markers is None:
        raise InputError(path, "names no marker file")
    return Case(name, replace(setup, model_file=model, marker_file=markers), model, markers)

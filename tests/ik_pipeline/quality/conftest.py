"""Real recordings with their solutions: a laboratory's, and CMU takes on a body model."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.phenotypes import sample_adults
from biopose_sim.ik.fit import FitResult, fit
from biopose_sim.ik.landmarks import find_landmarks
from biopose_sim.ik.setup_files import read_ik_setup
from biopose_sim.ik.solver import solve_ik
from biopose_sim.ik.types import IKConfig, KinematicsResult
from biopose_sim.io import Trial, read_trial
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.calibration_data import read_takes
from ik_pipeline.virtual_fit import virtual_fit_config, virtual_model

SHAPE = sample_adults(1, 11)[0]


@dataclass(frozen=True)
class Laboratory:
    """OpenCap's subject 4 on its hand-scaled model."""

    folder: Path
    model: OsimModel
    landmarks: frozenset[str]

    def trial(self, name: str) -> Trial:
        return read_trial(self.folder / "MarkerData" / f"{name}.trc")

    def config(self, trial: Trial) -> IKConfig:
        path = self.folder / "IK" / f"{trial.name}_ik_on_manually_scaled_setup.xml"
        return read_ik_setup(path).config(self.model, trial) if path.is_file() else IKConfig()

    def solved(self, trial: Trial) -> KinematicsResult:
        return solve_ik(self.model, trial, self.config(trial))


@pytest.fixture(scope="session")
def lab(test_data: Path) -> Laboratory:
    folder = test_data / "opencap_lab_subject4"
    model = OsimModel.from_file(folder / "Models" / "manually_scaled.osim")
    return Laboratory(folder, model, find_landmarks(model.marker_names))


@pytest.fixture(scope="session")
def walk(lab: Laboratory) -> tuple[Trial, KinematicsResult]:
    trial = lab.trial("walking1")
    return trial, lab.solved(trial)


@dataclass(frozen=True)
class Virtual:
    """A random adult who walks and runs as CMU's subject 2."""

    trials: tuple[Trial, ...]
    fitted: FitResult
    landmarks: frozenset[str]


@pytest.fixture(scope="session")
def virtual(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Virtual:
    folder, wanted = tmp_path_factory.mktemp("cmu"), {"02_01.bvh", "02_03.bvh"}
    with tarfile.open(test_data / "cmu_bvh" / "cmu_daz_bvh.tar.xz") as archive:
        for member in archive:
            member.name = member.name.rsplit("/", 1)[-1]
            if member.name in wanted:
                archive.extract(member, folder, filter="data")
                wanted.remove(member.name)
            if not wanted:
                break
    trials = tuple(virtual_markers(s) for s in read_takes(folder, ["02_01", "02_03"], SHAPE))
    config = virtual_fit_config()
    return Virtual(trials, fit(virtual_model(), trials, config), config.landmarks or frozenset())

"""Forward kinematics against OpenSim: every joint type, function type, frame nesting and coupler."""

from __future__ import annotations

from pathlib import Path

import osim_text
import pytest
import synthetic_models as synthetic
from opensim_reference import differences

TOLERANCE = 1e-9
SCALES = pytest.mark.parametrize("scales", ["", "random"], ids=["unscaled", "scaled"])


def check(folder: Path, text: str, scales: str) -> None:
    path = osim_text.write(folder, text)
    found = differences(path, 25, scales, widen=0.3)
    assert max(found.values()) <= TOLERANCE, found


@SCALES
@pytest.mark.parametrize("kind", synthetic.JOINT_MODELS)
def test_joint(tmp_path: Path, kind: str, scales: str) -> None:
    check(tmp_path, synthetic.JOINT_MODELS[kind], scales)


@SCALES
@pytest.mark.parametrize("name", synthetic.FUNCTION_MODELS)
def test_function(tmp_path: Path, name: str, scales: str) -> None:
    check(tmp_path, synthetic.FUNCTION_MODELS[name], scales)


@SCALES
@pytest.mark.parametrize("kind", synthetic.BACKWARDS_MODELS)
def test_joint_that_runs_backwards(tmp_path: Path, kind: str, scales: str) -> None:
    check(tmp_path, synthetic.BACKWARDS_MODELS[kind], scales)


@SCALES
@pytest.mark.parametrize("name", synthetic.OTHER_MODELS)
def test_other(tmp_path: Path, name: str, scales: str) -> None:
    check(tmp_path, synthetic.OTHER_MODELS[name], scales)


@pytest.mark.parametrize("scales", ["", "uniform"])
def test_coupled_translation(tmp_path: Path, scales: str) -> None:
    check(tmp_path, synthetic.TRANSLATION_COUPLER, scales)

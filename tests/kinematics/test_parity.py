"""Forward kinematics against OpenSim on real models."""

from __future__ import annotations

from pathlib import Path

import pytest
from opensim_reference import differences

MODELS = (
    "DynamicJumperModel",
    "FullBodyModel_Hamner2010_v2_0",
    "LaiUhlrich2022",
    "Model_Pose2Sim_simple",
    "Rajagopal2016",
    "RajagopalLaiUhlrich2023",
    "SoccerKickingModel",
    "Tug_of_War",
    "WalkerModel",
    "arm26",
    "bouncing_block",
    "d3ke_full_body",
    "d3ke_full_body_wo_hands",
    "double_pendulum",
    "gait10dof18musc",
    "gait2354_simbody",
    "gait2392_thelen2003muscle",
    "leg6dof9musc",
    "wrist",
)
# OpenSim: "Non-uniform scaling of CoordinateCoupler constraints not implemented."
UNIFORM_ONLY = ("DynamicJumperModel",)
TOLERANCE = 1e-9


def test_every_model_is_covered(test_data: Path) -> None:
    assert {path.stem for path in (test_data / "models").glob("*.osim")} == set(MODELS)


@pytest.mark.parametrize("scaled", [False, True], ids=["unscaled", "scaled"])
@pytest.mark.parametrize("name", MODELS)
def test_parity(test_data: Path, record_property, name: str, scaled: bool) -> None:
    scales = ("uniform" if name in UNIFORM_ONLY else "random") if scaled else ""
    found = differences(test_data / "models" / f"{name}.osim", 200, scales)
    for what, value in found.items():
        record_property(what, value)
    assert max(found.values()) <= TOLERANCE, found

"""What `biopose info` says of a model."""

from __future__ import annotations

import json
from pathlib import Path

import osim_text as x
import pytest
import synthetic_models as synthetic

from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.info import describe, function_text, summary
from biopose_sim.osim.schema import Constant, LinearFunction, MultiplierFunction, SimmSpline, Sine
from biopose_sim.paths import default_model_path


def made(folder: Path, text: str) -> OsimModel:
    return OsimModel.from_file(x.write(folder, text))


def test_couplers_and_locked(tmp_path: Path) -> None:
    facts = summary(made(tmp_path, synthetic.OTHER_MODELS["couplers"]))
    assert facts["free_coordinates"] == ["base_q", "u1", "free_q"]
    assert [c["formula"] for c in facts["couplers"]] == [
        "dep = 0.9 * SimmSpline of 8 points (u2)",
        "u2 = 1.2 * (0.3 * base_q - 0.5 * u1 + 0.1)",
    ]
    assert facts["disabled_constraints"] == [["CoordinateCouplerConstraint", "off"]]
    assert facts["kinematics"] == [
        "computes dep, u2 from couplers",
        "ignores the constraint off (CoordinateCouplerConstraint), switched off in the file",
    ]


def test_units_and_states(tmp_path: Path) -> None:
    facts = summary(made(tmp_path, synthetic.OTHER_MODELS["locked"]))
    by_name = {c["name"]: c for c in facts["coordinates"]}
    assert by_name["u1"]["default"] == pytest.approx(22.918312, abs=1e-6)
    assert by_name["u1"]["unit"] == "deg"
    assert (by_name["u1"]["state"], by_name["u2"]["state"]) == ("locked", "clamped")
    assert by_name["base_q"]["state"] == "dependent"


def test_muscles_and_actuators_are_counted(test_data: Path, tmp_path: Path) -> None:
    def head(path: Path) -> str:
        return describe(OsimModel.from_file(path)).splitlines()[1]

    assert head(default_model_path()).endswith("118 markers, 80 muscles, 29 actuators")
    assert head(test_data / "models" / "Tug_of_War.osim").endswith("0 markers, 2 muscles")
    assert "muscle" not in head(x.write(tmp_path, synthetic.OTHER_MODELS["locked"]))


def test_warnings(tmp_path: Path) -> None:
    pin = x.coordinate("q", more="<default_value>3</default_value><clamped>true</clamped>")
    weld = '<WeldConstraint name="glue"></WeldConstraint>'
    joint = x.joint("PinJoint", "j", "/ground", "/bodyset/a", [pin])
    model = made(tmp_path, x.document([joint], ["a"], [x.marker("g", "/ground", (0, 0, 0))], [weld]))
    text = describe(model)
    assert "the default of q (3) lies outside of its clamped range (-1.5 .. 1.5): OpenSim refuses" in text
    assert "markers fixed to ground: 1;" in text
    assert "ignores the constraint glue (WeldConstraint)" in text


def test_what_opensim_will_not_do(test_data: Path) -> None:
    def warnings(name: str) -> str:
        return " ".join(summary(OsimModel.from_file(test_data / "models" / name))["warnings"])

    assert "couplers move tib_tx_r, tib_ty_r," in warnings("DynamicJumperModel.osim")
    rajagopal = warnings("Rajagopal2016.osim")
    assert "pelvis_tilt, pelvis_list, pelvis_rotation: clamped to less than a turn" in rajagopal
    assert "couplers move" not in rajagopal
    assert "clamped to less" not in warnings("gait10dof18musc.osim")  # a planar model


def test_text_and_json_of_every_model(test_data: Path) -> None:
    for path in sorted((test_data / "models").glob("*.osim")):
        model = OsimModel.from_file(path)
        text = describe(model)
        assert all(f"  {name} " in text for name in (*model.body_names, *model.coordinate_names))
        json.dumps(summary(model))


def test_function_text() -> None:
    assert function_text(Constant(0.5), ()) == "0.5"
    assert function_text(LinearFunction((1.0, 0.0)), ("q",)) == "q"
    assert function_text(LinearFunction((-2.0, 1.0, -0.5)), ("q", "p")) == "(-2 * q + p - 0.5)"
    assert function_text(MultiplierFunction(2.0, SimmSpline((0.0, 1.0), (0.0, 1.0))), ("q",)) == (
        "2 * SimmSpline of 2 points (q)"
    )
    assert function_text(Sine(1.0, 2.0, 3.0), ("q",)) == "Sine(q)"

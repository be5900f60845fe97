"""Files older than OpenSim 4."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from opensim_reference import differences

from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim import upgrade

_SPLINE = (
    "<SimmSpline><x>-1.123456789012 0.2345678901234 1.3456789012345</x>"
    "<y>0.1234567890123 -0.2345678901234 0.3456789012345</y></SimmSpline>"
)


def _coordinate(name: str) -> str:
    return (
        f'<Coordinate name="{name}"><motion_type>rotational</motion_type><default_value>0.1</default_value>'
        "<range>-1.5 1.5</range><clamped>true</clamped><locked>false</locked></Coordinate>"
    )


def _body(name: str, joint: str) -> str:
    inertia = "".join(f"<inertia_{k}>0.1</inertia_{k}>" for k in ("xx", "yy", "zz"))
    zeros = "".join(f"<inertia_{k}>0</inertia_{k}>" for k in ("xy", "xz", "yz"))
    return (
        f'<Body name="{name}"><mass>1</mass><mass_center>0 0 0</mass_center>{inertia}{zeros}'
        f"<Joint>{joint}</Joint></Body>"
    )


def _joint(kind: str, name: str, parent: str, coordinate: str, more: str = "") -> str:
    return (
        f'<{kind} name="{name}"><parent_body>{parent}</parent_body>'
        "<location_in_parent>0.1 -0.2 0.3</location_in_parent>"
        "<orientation_in_parent>0.2 0.1 -0.3</orientation_in_parent>"
        "<location>0 0.5 0.1</location><orientation>0.1 0 0.2</orientation>"
        f"<CoordinateSet><objects>{_coordinate(coordinate)}</objects></CoordinateSet>"
        f"<reverse>false</reverse>{more}</{kind}>"
    )


def _axis(label: str, direction: str, name: str = "", function: str = "<Constant><value>0</value></Constant>") -> str:
    return (
        f'<TransformAxis name="{label}"><coordinates>{name}</coordinates><axis>{direction}</axis>'
        f"<function>{function}</function></TransformAxis>"
    )


_SPATIAL = (
    "<SpatialTransform>"
    + _axis("rotation1", "0 0 1", "knee", "<LinearFunction><coefficients>1 0</coefficients></LinearFunction>")
    + _axis("rotation2", "0 1 0")
    + _axis("rotation3", "1 0 0")
    + _axis("translation1", "1 0 0", "knee", _SPLINE)
    + _axis("translation2", "0 1 0")
    + _axis("translation3", "0 0 1")
    + "</SpatialTransform>"
)
OLD = (
    '<?xml version="1.0" encoding="UTF-8" ?><OpenSimDocument Version="30000"><Model name="old"><BodySet><objects>'
    + _body("ground", "").replace("<Joint></Joint>", "<Joint />")
    + _body("thigh", _joint("PinJoint", "hip", "ground", "hip"))
    + _body("shank", _joint("CustomJoint", "knee_joint", "thigh", "knee", _SPATIAL))
    + '</objects></BodySet><MarkerSet><objects><Marker name="heel"><body>shank</body>'
    "<location>0.1 0.2 0.3</location></Marker></objects></MarkerSet></Model></OpenSimDocument>"
)


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    path = tmp_path / "old.osim"
    path.write_text(OLD, encoding="utf-8")
    return path


@pytest.mark.parametrize("scales", ["", "random"])
def test_parity(old_file: Path, scales: str) -> None:
    """Exactly the old numbers, though OpenSim saves the points of functions with six digits."""
    found = differences(old_file, 20, scales)
    assert max(found.values()) <= 1e-12, found


def test_model_keeps_the_old_version_and_path(old_file: Path) -> None:
    model = OsimModel.from_file(old_file)
    assert (model.model.version, model.path) == (30000, old_file)
    assert model.coordinate_names == ("hip", "knee")


def test_without_opensim(old_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        OsimModel.from_file(old_file)
    assert str(caught.value) == (
        f"{old_file}: the file is of version 30000, which only OpenSim can upgrade; "
        "install it (pip install opensim), or open the model in the OpenSim GUI and save it again"
    )


def test_refused_by_opensim(old_file: Path) -> None:
    old_file.write_text(OLD.replace("<parent_body>thigh", "<parent_body>thing"), encoding="utf-8")
    with pytest.raises(InputError, match=r"of version 30000, and OpenSim failed to upgrade it: "):
        OsimModel.from_file(old_file)


def test_opensim_dies(old_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = old_file.with_name("dies.py")
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setattr(upgrade, "_PROCESS", script)
    with pytest.raises(InputError, match=r"its process ended with code -11; open the model in the OpenSim GUI"):
        OsimModel.from_file(old_file)


def test_opensim_does_not_end(old_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = old_file.with_name("sleeps.py")
    script.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(upgrade, "_PROCESS", script)
    monkeypatch.setattr(upgrade, "TIME_LIMIT", 0.5)
    with pytest.raises(InputError, match=r"did not end within 0\.5 s"):
        OsimModel.from_file(old_file)

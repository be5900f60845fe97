"""Frames that stations define: OpenSim's own numbers, and where they are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import osim_text as x
import pytest
import synthetic_models as synthetic
from opensim_reference import differences

from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.info import describe
from biopose_sim.osim.writer import export_osim

GROUND, A, B, C = synthetic.GROUND, synthetic.A, synthetic.B, synthetic.C
POINTS = {"o": (0.02, 0.1, -0.03), "a": (0.1, 0.2, 0.3), "b": (-0.2, 0.25, 0.1), "c": (0.3, -0.1, 0.2)}


def station(name: str, frame: str, location: tuple[float, float, float]) -> str:
    return x.marker(name, frame, location).replace("Marker", "Station")


def frame(name: str, axes: str, places: tuple[str, str, str, str]) -> str:
    first, second = axes.split()
    sockets = zip(("point_a", "point_b", "point_c", "origin_point"), places)
    return (
        f'<StationDefinedFrame name="{name}">'
        + "".join(f"<socket_{point}>{place}</socket_{point}>" for point, place in sockets)
        + f"<ab_axis>{first}</ab_axis><ab_x_ac_axis>{second}</ab_x_ac_axis></StationDefinedFrame>"
    )


def text(axes: str = "+x +y", points: dict[str, tuple[float, float, float]] | None = None) -> str:
    """A joint from a station-defined frame on body a, with one of its stations on an offset frame and one a marker."""
    found = POINTS | (points or {})
    inner = x.offset_frame("inner", "..", (0.02, 0.03, -0.1), (0.3, 0.2, -0.5))
    held = [station(name, "..", found[name]) for name in ("a", "b")]
    held.append(station("c", "/bodyset/a/inner", found["c"]))
    places = ("../a", "/bodyset/a/b", "../../a/c", "/markerset/origin")
    body = x.body("a", f"<components>{inner}{''.join(held)}{frame('sdf', axes, places)}</components>")
    nested = x.offset_frame("nested", "/bodyset/a/sdf", (0.1, -0.05, 0.07), (-0.4, 0.1, 0.2))
    joints = [
        x.joint("FreeJoint", "base", GROUND, A, [x.coordinate(f"f{i}") for i in range(6)]),
        x.joint("BallJoint", "ball", "/bodyset/a/sdf", B, [x.coordinate(f"b{i}") for i in range(3)], offsets=False),
        x.joint("PinJoint", "pin", "/nested", C, [x.coordinate("p")], offsets=False),
    ]
    markers = [x.marker("origin", A, found["o"]), x.marker("on_frame", "/bodyset/a/sdf", (0.1, 0.2, 0.3))]
    return x.document(joints, [body, "b", "c"], markers, components=[nested])


AXES = ("+x +y", "-y +x", "z -x", "-Z -Y", "+y +y", "y what", "+z", "none -z")


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("scales", ["", "uniform"])
def test_parity(tmp_path: Path, axes: str, scales: str) -> None:
    path = x.write(tmp_path, text(axes if " " in axes else f"{axes} {axes}"))
    found = differences(path, 10, scales)
    assert max(found.values()) <= 1e-12, found


def test_quarter_turns(tmp_path: Path) -> None:
    """Frames along the body's axes, where Euler angles are not unique."""
    flat = {"a": (0.0, 0.0, 0.0), "b": (0.0, 0.0, -0.2), "o": (0.1, 0.0, 0.0)}
    for axes in ("+x +y", "+y +z", "-z +x", "-x -y"):
        found = differences(x.write(tmp_path, text(axes, flat)), 5)
        assert max(found.values()) <= 1e-12, (axes, found)


def test_factors_that_differ_between_axes(tmp_path: Path) -> None:
    model = OsimModel.from_file(x.write(tmp_path, text()))
    assert "takes the frames /bodyset/a/sdf (on a) from their stations" in describe(model)
    factors = np.ones((3, 3))
    factors[1] = (1.1, 0.9, 1.2)
    export_osim(model.scale(factors), tmp_path / "written.osim")  # of another body
    factors[0] = (1.1, 0.9, 1.2)
    with pytest.raises(
        InputError, match=r"turns the station-defined frame /bodyset/a/sdf .* give a one factor for all"
    ):
        export_osim(model.scale(factors), tmp_path / "written.osim")


BAD = {
    "no triangle": (
        text(points={"b": POINTS["a"]}),
        "points a, b and c of frame '/bodyset/a/sdf' are no triangle",
    ),
    "other body": (
        text().replace("/bodyset/a/inner</socket_parent_frame>", "/bodyset/b</socket_parent_frame>"),
        "the stations of frame '/bodyset/a/sdf' lie on several bodies (a, b); one is needed",
    ),
    "no station": (
        text().replace("/bodyset/a/b<", "/bodyset/a/onner<"),
        "the point_b of frame '/bodyset/a/sdf' is '/bodyset/a/onner', which is no station of the model",
    ),
    "circle": (
        text().replace("/bodyset/a/inner</socket_parent_frame>", "/bodyset/a/sdf</socket_parent_frame>"),
        "station '/bodyset/a/c' is attached to a circle of offset frames (/bodyset/a/sdf)",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_refused(tmp_path: Path, name: str) -> None:
    document, problem = BAD[name]
    with pytest.raises(InputError) as caught:
        OsimModel.from_file(x.write(tmp_path, document))
    assert problem in str(caught.value)

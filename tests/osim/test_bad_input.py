"""Bad models end in one clear line that names the file and what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import osim_text as x
import pytest
import synthetic_models as synthetic

from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel

A, B, C = synthetic.A, synthetic.B, synthetic.C
PIN = x.joint("PinJoint", "hip", "/ground", A, [x.coordinate("q")])
PIN_B = x.joint("PinJoint", "knee", A, B, [x.coordinate("k")])
SLIDE_AXIS = x.axis("rotation1", (1, 0, 0), "c", x.linear(1, 0))


def custom(function: str = x.linear(1, 0), direction: tuple[float, ...] = (1, 0, 0), names: str = "c") -> str:
    axes = x.spatial({"rotation1": x.axis("rotation1", direction, names, function)})
    return x.joint("CustomJoint", "hip", "/ground", A, [x.coordinate("c")], axes)


def one_pin(old: str, new: str) -> str:
    text = x.document([PIN], ["a"])
    assert old in text
    return text.replace(old, new, 1)


SUPPORTED_JOINTS = (
    "CustomJoint, WeldJoint, PinJoint, SliderJoint, UniversalJoint, PlanarJoint, GimbalJoint, BallJoint, "
    "FreeJoint, EllipsoidJoint, ScapulothoracicJoint"
)
SUPPORTED_FUNCTIONS = (
    "Constant, LinearFunction, PolynomialFunction, SimmSpline, PiecewiseLinearFunction, "
    "PiecewiseConstantFunction, GCVSpline, Sine, StepFunction, MultiplierFunction"
)
CASES: dict[str, tuple[str, str]] = {
    "joint_type": (
        x.document([PIN.replace("PinJoint", "MagicJoint")], ["a"]),
        f"joint 'hip' is of type MagicJoint; supported are {SUPPORTED_JOINTS}",
    ),
    "function_type": (
        x.document([custom("<MagicFunction></MagicFunction>")], ["a"]),
        f"axis rotation1 of joint 'hip' uses the function type MagicFunction; supported are {SUPPORTED_FUNCTIONS}",
    ),
    "empty": ("", "the file is empty; an OpenSim XML file is needed"),
    "text": ("hello", "not XML (syntax error: line 1, column 0); an OpenSim XML file is needed"),
    "cut_off": (
        "<OpenSimDocument Version='40000'><Model>",
        "the file is cut off (no element found: line 1, column 40); an OpenSim XML file is needed",
    ),
    "other_xml": ("<html/>", "not an OpenSim document (its root element is <html>)"),
    "no_model": (
        '<OpenSimDocument Version="40000"><ForceSet/></OpenSimDocument>',
        "holds no <Model>; an .osim model file is needed",
    ),
    "no_version": (
        "<OpenSimDocument><Model/></OpenSimDocument>",
        "Version='' is not an OpenSim document version",
    ),
    "motion_file": (
        "Coordinates\nversion=1\nnRows=1\nnColumns=2\ninDegrees=yes\nendheader\ntime\tq\n0\t1\n",
        "not XML (syntax error: line 1, column 0); an OpenSim XML file is needed",
    ),
    "nan_in_offset": (
        one_pin("<translation>0.1 ", "<translation>nan "),
        "<translation> of 'hip_in_parent' holds 'nan -0.2 0.05'; numbers are needed",
    ),
    "infinite_orientation": (
        one_pin("<orientation>0.2 ", "<orientation>inf "),
        "<orientation> of 'hip_in_parent' holds 'inf -0.1 0.4'; numbers are needed",
    ),
    "text_in_offset": (
        one_pin("<translation>0.1 ", "<translation>one "),
        "<translation> of 'hip_in_parent' holds 'one -0.2 0.05'; numbers are needed",
    ),
    "two_numbers": (
        one_pin("<location>0.11 ", "<location>"),
        "<location> of 'm_a' has 2 numbers; three are needed",
    ),
    "nan_default": (
        one_pin("<range>", "<default_value>NaN</default_value><range>"),
        "<default_value> of 'q' holds 'NaN'; numbers are needed",
    ),
    "range_backwards": (
        one_pin("<range>-1.5 1.5", "<range>2 1"),
        "the range of coordinate 'q' is (2.0, 1.0); lowest and highest are needed",
    ),
    "duplicate_body": (x.document([PIN], ["a", "a"]), "the body 'a' occurs twice; names must be unique"),
    "duplicate_coordinate": (
        x.document([PIN, PIN_B.replace('"k"', '"q"')], ["a", "b"]),
        "the coordinate 'q' occurs twice; names must be unique",
    ),
    "duplicate_marker": (
        x.document([PIN], ["a"], [x.marker("m_a", A, (0, 0, 0))]),
        "the marker 'm_a' occurs twice; names must be unique",
    ),
    "nameless": (one_pin('name="q"', 'name=""'), "a coordinate has no name; every one needs a name"),
    "unknown_frame": (
        x.document([x.joint("PinJoint", "hip", "/ground", "/bodyset/pelvi", offsets=False)], ["pelvis"]),
        "joint 'hip' is attached to '/bodyset/pelvi', which is no body or frame of the model (did you mean 'pelvis'?)",
    ),
    "marker_on_unknown_frame": (
        x.document([PIN], ["a"], [x.marker("m", "/bodyset/zzz", (0, 0, 0))]),
        "marker 'm' is attached to '/bodyset/zzz', which is no body or frame of the model",
    ),
    "marker_without_frame": (
        x.document([PIN], ["a"], [x.marker("m", "", (0, 0, 0))]),
        "marker 'm' is attached to no frame; name a body or a frame",
    ),
    "circle_of_frames": (
        x.document(
            [PIN],
            ["a"],
            [x.marker("m", "/one", (0, 0, 0))],
            components=[x.offset_frame("one", "/two"), x.offset_frame("two", "/one")],
        ),
        "marker 'm' is attached to a circle of offset frames (/one)",
    ),
    "loop": (
        x.document([PIN, PIN_B, x.joint("WeldJoint", "again", "/ground", B)], ["a", "b"]),
        "joint 'again' closes a loop between 'ground' and 'b'; "
        "forward kinematics needs a tree; make one joint of the loop a constraint",
    ),
    "to_itself": (
        x.document([PIN, x.joint("WeldJoint", "self", B, B)], ["a", "b"]),
        "joint 'self' connects 'b' to itself; two bodies are needed",
    ),
    "not_on_ground": (
        x.document([x.joint("WeldJoint", "w", A, B)], ["a", "b"]),
        "the joints 'w' are not connected to ground; a tree is needed",
    ),
    "loose_body": (
        x.document([PIN], ["a", x.body("b").replace("<mass>1<", "<mass>0<")]),
        "no joint holds the body 'b'; connect every body by a joint",
    ),
    "circle_of_couplers": (
        x.document(
            [PIN, PIN_B],
            ["a", "b"],
            constraints=[
                x.coupler("c1", "q", "k", x.linear(1, 0)),
                x.coupler("c2", "k", "q", x.linear(1, 0)),
            ],
        ),
        "the couplers 'c1', 'c2' depend on each other in a circle",
    ),
    "coupled_twice": (
        x.document(
            [PIN, PIN_B],
            ["a", "b"],
            constraints=[
                x.coupler("c1", "q", "k", x.linear(1, 0)),
                x.coupler("c2", "q", "k", x.linear(1, 0)),
            ],
        ),
        "two couplers compute the same coordinate",
    ),
    "coupler_of_unknown": (
        x.document(
            [x.joint("PinJoint", "hip", "/ground", A, [x.coordinate("knee_angle")])],
            ["a"],
            constraints=[x.coupler("c1", "knee_angl", "knee_angle", x.linear(1, 0))],
        ),
        "coupler 'c1' names the coordinate 'knee_angl', which no joint has (did you mean 'knee_angle'?)",
    ),
    "coupler_arguments": (
        x.document([PIN, PIN_B], ["a", "b"], constraints=[x.coupler("c1", "q", "k", x.linear(1, 2, 0))]),
        "coupler 'c1' gives 1 coordinates to a LinearFunction of 2 arguments",
    ),
    "number_of_coordinates": (
        x.document([x.joint("UniversalJoint", "hip", "/ground", A, [x.coordinate("q")])], ["a"]),
        "the UniversalJoint 'hip' has 1 coordinates; 2 are needed",
    ),
    "unused_coordinate": (
        x.document([custom(names="", function=x.constant(0))], ["a"]),
        "joint 'hip' has the coordinate 'c', which moves none of its axes",
    ),
    "collinear": (
        x.document([custom(direction=(0, 1, 0))], ["a"]),
        "the CustomJoint 'hip' has collinear axes; its axes must differ in direction",
    ),
    "spline_of_one_point": (
        x.document([custom(x.points("SimmSpline", [1], [2]))], ["a"]),
        "the SimmSpline of axis rotation1 of joint 'hip' has 1 x and 1 y values; "
        "two or more of each, equally many, are needed",
    ),
    "spline_backwards": (
        x.document([custom(x.points("SimmSpline", [1, 0, 2], [2, 1, 0]))], ["a"]),
        "the x values of the SimmSpline of axis rotation1 of joint 'hip' do not increase; sort its points",
    ),
    "smoothing_spline": (
        x.document([custom(x.gcv_spline(2, range(8), range(8), "<error_variance>0.1</error_variance>"))], ["a"]),
        "the GCVSpline of axis rotation1 of joint 'hip' has error_variance 0.1, a smoothing fit; "
        "an interpolating one (error_variance 0) is needed",
    ),
    "ellipsoid_without_radii": (
        x.document([x.joint("EllipsoidJoint", "e", "/ground", A)], ["a"]),
        "the EllipsoidJoint 'e' has no <radii_x_y_z>; three radii are needed",
    ),
    "foreign_frame": (
        x.document(
            [PIN],
            ["a"],
            [x.marker("m", "/odd", (0, 0, 0))],
            components=['<MagicFrame name="odd"></MagicFrame>'],
        ),
        "marker 'm' is attached to '/odd', a frame of type MagicFrame; "
        "supported are Body, Ground, PhysicalOffsetFrame and StationDefinedFrame",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_message(tmp_path: Path, name: str) -> None:
    text, expected = CASES[name]
    path = x.write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        OsimModel.from_file(path)
    assert str(caught.value) == f"{path}: {expected}"


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="file not found"):
        OsimModel.from_file(tmp_path / "none.osim")
    with pytest.raises(InputError, match="is a folder; name a file"):
        OsimModel.from_file(tmp_path)


def accepted(path: Path, data: bytes) -> bool:
    """Whether the bytes are taken for a model; anything but an InputError is a failure of ours."""
    path.write_bytes(data)
    try:
        OsimModel.from_file(path)
    except InputError as error:
        return "\n" in str(error)  # a message is one line
    return True


def without_muscles(path: Path) -> bytes:
    from biopose_sim.osim.xml import without_forces

    return without_forces(path.read_bytes())


def test_truncated_anywhere(tmp_path: Path, test_data: Path) -> None:
    data = without_muscles(test_data / "models" / "gait10dof18musc.osim")
    places = np.random.default_rng(0).integers(0, len(data) - 30, 200)
    assert not any(accepted(tmp_path / "cut.osim", data[:place]) for place in places)


def test_flipped_bytes(tmp_path: Path, test_data: Path) -> None:
    data = without_muscles(test_data / "models" / "gait10dof18musc.osim")
    rng = np.random.default_rng(1)
    for _ in range(200):
        changed = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            changed[place] = rng.integers(0, 256)
        accepted(tmp_path / "flipped.osim", bytes(changed))


def test_changed_numbers_and_words(tmp_path: Path, test_data: Path) -> None:
    """Well-formed XML with other values: the deeper checks."""
    import re

    text = without_muscles(test_data / "models" / "gait10dof18musc.osim").decode()
    rng = np.random.default_rng(2)
    values = [m.span(1) for m in re.finditer(r">([^<>\n]+)<", text)]
    odd = ["", "nan", "-1e400", "0", "1 2", "abc", "true", "-3", "/ground", "knee_angle_r", "1,2,3"]
    for _ in range(200):
        start, end = values[rng.integers(len(values))]
        changed = text[:start] + odd[rng.integers(len(odd))] + text[end:]
        accepted(tmp_path / "changed.osim", changed.encode())

"""Small models that between them hold every joint type and every function type."""

from __future__ import annotations

import osim_text as x

GROUND, A, B, C, D = "/ground", "/bodyset/a", "/bodyset/b", "/bodyset/c", "/bodyset/d"
MANY_X = (-1.4, -0.9, -0.35, 0.1, 0.3, 0.75, 1.1, 1.3)
MANY_Y = (0.2, -0.1, 0.35, 0.3, -0.25, 0.1, 0.4, 0.15)

FUNCTIONS: dict[str, str] = {
    "Constant": x.constant(0.37),
    "LinearFunction": x.linear(-0.7, 0.2),
    "LinearFunction_identity": x.linear(1, 0),
    "LinearFunction_backwards": x.linear(-1, 0),
    "PolynomialFunction": x.polynomial(0.3, -0.2, 0.5, 0.1),
    "PolynomialFunction_constant": x.polynomial(0.3),
    "SimmSpline_2": x.points("SimmSpline", (-0.5, 0.8), (0.1, 0.6)),
    "SimmSpline_3": x.points("SimmSpline", (-0.5, 0.2, 0.8), (0.1, -0.2, 0.6)),
    "SimmSpline_4": x.points("SimmSpline", (-0.5, 0.0, 0.3, 0.8), (0.1, 0.3, -0.2, 0.6)),
    "SimmSpline_many": x.points("SimmSpline", MANY_X, MANY_Y),
    "PiecewiseLinearFunction_2": x.points("PiecewiseLinearFunction", (-0.5, 0.8), (0.1, 0.6)),
    "PiecewiseLinearFunction": x.points("PiecewiseLinearFunction", MANY_X, MANY_Y),
    "PiecewiseConstantFunction": x.points("PiecewiseConstantFunction", MANY_X, MANY_Y),
    "GCVSpline_1": x.gcv_spline(1, MANY_X, MANY_Y),
    "GCVSpline_2": x.gcv_spline(2, MANY_X, MANY_Y),
    "GCVSpline_3": x.gcv_spline(3, MANY_X, MANY_Y),
    "GCVSpline_4": x.gcv_spline(4, MANY_X, MANY_Y),
    "GCVSpline_fewest": x.gcv_spline(2, MANY_X[:4], MANY_Y[:4]),
    "GCVSpline_fewest_quintic": x.gcv_spline(3, MANY_X[:6], MANY_Y[:6], "<error_variance>0</error_variance>"),
    "Sine": x.sine(0.4, 1.7, 0.3, -0.1),
    "StepFunction": x.step(-0.4, 0.9, 0.1, 0.6),
    "StepFunction_falling": x.step(-0.4, 0.9, 0.5, -0.3),
    "MultiplierFunction": x.multiplier(1.4, x.points("SimmSpline", MANY_X, MANY_Y)),
    "MultiplierFunction_nested": x.multiplier(-0.8, x.multiplier(1.3, x.sine(0.4, 1.7, 0.3, -0.1))),
    "MultiplierFunction_linear": x.multiplier(1.2, x.linear(1, 0)),
}

_PIN = x.joint("PinJoint", "base", GROUND, A, [x.coordinate("base_q")])


def function_model(function: str) -> str:
    """Ground, a pin, then a joint driven by the function on a body and one on ground."""
    joints = [
        _PIN,
        x.one_function_joint("moving", A, B, function, -2.0, 2.0),
        x.one_function_joint("grounded", GROUND, C, function, -2.0, 2.0),
    ]
    return x.document(joints, ["a", "b", "c"])


_SLANTED = {
    "rotation1": x.axis("rotation1", (0.9, 0.3, -0.2), "q1", x.linear(1, 0)),
    "rotation2": x.axis("rotation2", (0.5, 1.7, 0.4), "q2", x.linear(-1, 0.1)),
    "rotation3": x.axis("rotation3", (0.2, -0.3, 0.7), "q1 q2", x.linear(0.4, -0.3, 0.1)),
    "translation1": x.axis("translation1", (2.0, 0.5, 0.0), "q3", x.linear(1, 0)),
    "translation2": x.axis("translation2", (0.1, -0.8, 0.3), "q3 q1", x.linear(0.4, 0.2, -0.1)),
    "translation3": x.axis("translation3", (0.3, 0.2, -1.5), "", x.constant(0.21)),
}
_ELLIPSOID = "<radii_x_y_z>0.1 0.17 0.13</radii_x_y_z>"
_SCAPULA = (
    "<thoracic_ellipsoid_radii_x_y_z>0.08 0.19 0.12</thoracic_ellipsoid_radii_x_y_z>"
    "<scapula_winging_axis_origin>0.05 -0.03</scapula_winging_axis_origin>"
    "<scapula_winging_axis_direction>0.6</scapula_winging_axis_direction>"
)
# type: (number of coordinates, further XML)
_JOINTS: dict[str, tuple[int, str]] = {
    "WeldJoint": (0, ""),
    "PinJoint": (1, ""),
    "SliderJoint": (1, ""),
    "UniversalJoint": (2, ""),
    "PlanarJoint": (3, ""),
    "GimbalJoint": (3, ""),
    "BallJoint": (3, ""),
    "FreeJoint": (6, ""),
    "EllipsoidJoint": (3, _ELLIPSOID),
    "ScapulothoracicJoint": (4, _SCAPULA),
    "CustomJoint": (3, x.spatial(_SLANTED)),
}


def _chain(kind: str) -> str:
    """Ground - pin - the joint - the joint at the end of another pin; one more on ground."""
    count, more = _JOINTS[kind]

    def made(name: str, parent: str, child: str, offsets: bool = True) -> str:
        names = [f"{name}_q{i + 1}" for i in range(count)]
        text = more
        for i in range(count, 0, -1):
            text = text.replace(f"q{i}", names[i - 1])
        return x.joint(kind, name, parent, child, [x.coordinate(n) for n in names], text, offsets)

    joints = [_PIN, made("one", A, B), made("grounded", GROUND, C), made("bare", B, D, offsets=False)]
    return x.document(joints, ["a", "b", "c", "d"])


JOINT_MODELS: dict[str, str] = {kind: _chain(kind) for kind in _JOINTS}


def _frames_model() -> str:
    """Nested, rotated offset frames on bodies, ground and the model; and markers on them."""
    inner = x.offset_frame("inner", "..", (0.02, 0.03, -0.1), (0.3, 0.2, -0.5))
    nested = x.offset_frame("nested", "/bodyset/a/inner", (0.1, -0.05, 0.07), (-0.4, 0.1, 0.2))
    body_a = x.body("a", f"<components>{inner}{nested}</components>")
    loose = x.offset_frame("loose", "/bodyset/b", (0.1, 0.2, 0.3), (0.1, 0.2, 0.3))
    on_ground = x.offset_frame("stand", "/ground", (0.3, 0.2, 0.1), (0.3, 0.2, 0.1))
    joints = [
        x.joint("FreeJoint", "base", GROUND, A, [x.coordinate(f"f{i}") for i in range(6)]),
        x.joint("PinJoint", "hinge", "/bodyset/a/nested", B, [x.coordinate("hinge_q")], offsets=False),
        x.joint("BallJoint", "ball", "/loose", C, [x.coordinate(f"ball{i}") for i in range(3)], offsets=False),
        x.joint("GimbalJoint", "other", "/stand", D, [x.coordinate(f"g{i}") for i in range(3)]),
    ]
    markers = [
        x.marker("on_inner", "/bodyset/a/inner", (0.1, 0.2, 0.3)),
        x.marker("on_nested", "/bodyset/a/nested", (0.1, 0.2, 0.3)),
        x.marker("on_loose", "/loose", (-0.1, 0.2, 0.3)),
        x.marker("on_joint_frame", "/jointset/base/base_in_child", (0.1, 0.2, -0.3)),
        x.marker("on_ground", "/ground", (0.1, 0.2, -0.3)),
        x.marker("on_stand", "/stand", (0.1, 0.2, -0.3)),
    ]
    return x.document(joints, [body_a, "b", "c", "d"], markers, components=[loose, on_ground])


def _disordered() -> str:
    """Coordinates in the file in another order than in the axes; joints before their parents."""
    axes = {
        "rotation1": x.axis("rotation1", (0, 1, 1), "second", x.linear(1, 0)),
        "rotation2": x.axis("rotation2", (1, 0, 0), "third", x.points("SimmSpline", MANY_X, MANY_Y)),
        "translation2": x.axis("translation2", (0, 1, 0), "first", x.linear(1, 0)),
        "translation3": x.axis("translation3", (0, 0, 1), "third second", x.linear(0.2, 0.3, 0.05)),
    }
    names = [
        x.coordinate("first", -0.3, 0.4, "<default_value>0.1</default_value>"),
        x.coordinate("second", -1.0, 1.1, "<default_value>0.2</default_value>"),
        x.coordinate("third", -1.2, 1.2, "<default_value>0.3</default_value>"),
    ]
    joints = [
        x.joint("SliderJoint", "last", B, C, [x.coordinate("slide")]),
        x.joint("CustomJoint", "mixed", A, B, names, x.spatial(axes)),
        _PIN,
    ]
    return x.document(joints, ["a", "b", "c"])


def _backwards(kind: str) -> str:
    """A joint whose child is already held, so that its parent hangs from it."""
    count, more = _JOINTS[kind]
    joints = [
        _PIN,
        x.joint(kind, "back", B, A, [x.coordinate(f"q{i + 1}") for i in range(count)], more),
        x.joint("PinJoint", "tip", B, C, [x.coordinate("tip_q")]),
    ]
    return x.document(joints, ["a", "b", "c"])


# OpenSim itself dies of a ScapulothoracicJoint that runs backwards.
BACKWARDS_MODELS: dict[str, str] = {kind: _backwards(kind) for kind in _JOINTS if kind != "ScapulothoracicJoint"}


def _couplers(translation: bool) -> str:
    """A chain of couplers, in disorder, one with two independents; one is switched off."""
    patella = {
        "rotation3": x.axis("rotation3", (0, 0, 1), "dep", x.points("SimmSpline", MANY_X, MANY_Y)),
        "translation1": x.axis(
            "translation1",
            (1, 0, 0),
            "dep_t" if translation else "dep",
            x.linear(1 if translation else 0.7, 0),
        ),
        "translation2": x.axis("translation2", (0, 1, 0), "dep", x.sine(0.3, 1.1, 0.2, 0.0)),
    }
    names = [x.coordinate("dep")] + ([x.coordinate("dep_t")] if translation else [])
    joints = [
        _PIN,
        x.joint("UniversalJoint", "u", A, B, [x.coordinate("u1"), x.coordinate("u2")]),
        x.joint("CustomJoint", "patella", B, C, names, x.spatial(patella)),
        x.joint("PinJoint", "free", C, D, [x.coordinate("free_q")]),
    ]
    constraints = [
        x.coupler("second", "dep", "u2", x.points("SimmSpline", MANY_X, MANY_Y), 0.9),
        x.coupler("first", "u2", "base_q u1", x.linear(0.3, -0.5, 0.1), 1.2),
        x.coupler("off", "free_q", "u1", x.linear(2, 0), more="<isEnforced>false</isEnforced>"),
    ]
    if translation:
        constraints.append(x.coupler("third", "dep_t", "base_q", x.polynomial(0.1, 0.05, 0.02), 1.1))
    return x.document(joints, ["a", "b", "c", "d"], constraints=constraints)


_LOCKED = x.document(
    [
        _PIN,
        x.joint(
            "UniversalJoint",
            "u",
            A,
            B,
            [
                x.coordinate("u1", more="<default_value>0.4</default_value><locked>true</locked>"),
                x.coordinate("u2", more="<default_value>-0.3</default_value><clamped>true</clamped>"),
            ],
        ),
    ],
    ["a", "b"],
    constraints=[x.coupler("of_locked", "base_q", "u1", x.linear(0.5, 0.1))],
)


def _left_out() -> str:
    """What a file may leave out: coordinates, axes, functions (absent, empty, without a name), offsets, ranges."""

    def bare(label: str, inside: str) -> str:
        return f'<TransformAxis name="{label}">{inside}</TransformAxis>'

    first = (
        bare("rotation1", "<coordinates>absent</coordinates><axis>1 0 0</axis>")
        + bare("rotation2", "<coordinates>empty</coordinates><axis>0 1 0</axis><function />")
        + bare("translation2", f"<coordinates>direct</coordinates><axis>0 1 0</axis>{x.linear(0.5, 0.1)}")
    )
    named = x.linear(1, 0).replace("<LinearFunction>", '<LinearFunction name="function">')
    second = bare("rotation1", "<axis>0 1 0</axis>") + bare("rotation2", f"<coordinates>named</coordinates>{named}")
    joints = [
        x.joint("PinJoint", "hip", GROUND, A),
        x.joint("CustomJoint", "one", A, B, [], f"<SpatialTransform>{first}</SpatialTransform>"),
        x.joint("CustomJoint", "two", B, C, [x.coordinate("named")], f"<SpatialTransform>{second}</SpatialTransform>"),
    ]
    return x.document(joints, ["a", "b", "c"])


OTHER_MODELS: dict[str, str] = {
    "left_out": _left_out(),
    "frames": _frames_model(),
    "disordered": _disordered(),
    "couplers": _couplers(translation=False),
    "locked": _LOCKED,
}
TRANSLATION_COUPLER = _couplers(translation=True)
FUNCTION_MODELS: dict[str, str] = {name: function_model(function) for name, function in FUNCTIONS.items()}

"""What a file leaves out and OpenSim fills in: values from <defaults>, joints of bodies without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import osim_text as x
import synthetic_models as synthetic
import torch
from opensim_reference import differences

from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.info import describe
from biopose_sim.osim.process import run_script
from biopose_sim.osim.writer import export_osim

GROUND, A, B, C = synthetic.GROUND, synthetic.A, synthetic.B, synthetic.C
DEFAULTS = (
    "<defaults>"
    '<Coordinate name="default"><range>-0.7 0.9</range><clamped>true</clamped>'
    "<default_value>0.3</default_value></Coordinate>"
    '<Marker name="default"><location>0.1 0.2 0.3</location><fixed>true</fixed></Marker>'
    '<PhysicalOffsetFrame name="default"><socket_parent>/nowhere</socket_parent>'
    "<translation>0.5 0.6 0.7</translation><orientation>0.1 0.2 0.3</orientation></PhysicalOffsetFrame>"
    '<TransformAxis name="default"><axis>0.1 1 0.2</axis></TransformAxis>'
    '<Body name="default"><mass>2.5</mass><mass_center>0.1 0.2 0.3</mass_center></Body>'
    '<CoordinateCouplerConstraint name="default"><scale_factor>0.6</scale_factor></CoordinateCouplerConstraint>'
    '<SimmSpline name="default"><x>0 1 2</x><y>5 6 7</y></SimmSpline>'
    "</defaults>"
)


def with_defaults(defaults: str = DEFAULTS) -> str:
    bare = x.offset_frame("off", B).replace("<translation>0.0 0.0 0.0</translation>", "")
    bare = bare.replace("<orientation>0.0 0.0 0.0</orientation>", "")
    assert "orientation" not in bare
    assert "translation" not in bare
    no_direction = x.axis("rotation2", (0, 0, 0), "toe_q", x.linear(1, 0)).replace("<axis>0.0 0.0 0.0</axis>", "")
    coupler = x.coupler("couple", "k", "toe_q", x.linear(0.5, 0.1)).replace("<scale_factor>1.0</scale_factor>", "")
    assert "scale_factor" not in coupler
    joints = [
        x.joint("PinJoint", "hip", GROUND, A, ['<Coordinate name="q" />']),
        x.joint(
            *("PinJoint", "knee", A, "off", ['<Coordinate name="k"><clamped>false</clamped></Coordinate>']),
            more=f"<frames>{bare}</frames>",
            offsets=False,
        ),
        x.joint("CustomJoint", "toe", B, C, [x.coordinate("toe_q")], x.spatial({"rotation2": no_direction})),
    ]
    marker = '<Marker name="m"><socket_parent_frame>/bodyset/b</socket_parent_frame></Marker>'
    text = x.document(joints, ['<Body name="a" />', "b", "c"], [marker], [coupler])
    return text.replace("</Model>", defaults + "</Model>")


# In a process of its own: OpenSim keeps the defaults of a file for all that it reads afterwards.
REFERENCE = """
def work(opensim, job):
    model = opensim.Model(job["model"])
    state = model.initSystem()
    coordinates = [model.getCoordinateSet().get(i) for i in range(model.getCoordinateSet().getSize())]
    markers = [model.getMarkerSet().get(i) for i in range(model.getMarkerSet().getSize())]
    places = []
    for row in job["values"]:
        for coordinate, value in zip(coordinates, row):
            coordinate.setValue(state, value, False)
        model.realizePosition(state)
        places.append([[m.getLocationInGround(state).get(i) for i in range(3)] for m in markers])
    told = [
        [c.getName(), [c.getRangeMin(), c.getRangeMax()], c.getDefaultValue(), c.get_clamped()] for c in coordinates
    ]
    fixed = [m.get_fixed() for m in markers]
    return {"coordinates": told, "places": places, "fixed": fixed, "mass": model.getBodySet().get("a").getMass()}
"""


def test_values_from_defaults(tmp_path: Path) -> None:
    path, script = x.write(tmp_path, with_defaults()), tmp_path / "reference.py"
    script.write_text(REFERENCE)
    model = OsimModel.from_file(path)
    out = model(torch.from_numpy(np.random.default_rng(0).uniform(-1.0, 1.0, (5, len(model.coordinate_names)))))
    job = {"model": str(path), "values": out.coordinates.tolist()}
    theirs = run_script(script, job, tmp_path, subject=path, doing="reading", timeout=60)
    ours = [[c.name, list(c.range), c.default, c.clamped] for c in model.model.coordinates]
    assert ours == theirs["coordinates"]
    assert ours[0] == ["q", [-0.7, 0.9], 0.3, True]
    np.testing.assert_allclose(out.markers, theirs["places"], rtol=0, atol=1e-12)
    assert [m.fixed for m in model.model.markers] == theirs["fixed"] == [True] * 4
    assert model.model.bodies[0].mass == theirs["mass"] == 2.5


def test_written_with_defaults(tmp_path: Path) -> None:
    model = OsimModel.from_file(x.write(tmp_path, with_defaults()))
    written = OsimModel.from_file(export_osim(model, tmp_path / "written.osim"))
    assert written.model.coordinates == model.model.coordinates
    q = torch.from_numpy(np.random.default_rng(0).uniform(-1.0, 1.0, (5, len(model.coordinate_names))))
    np.testing.assert_allclose(written(q).markers, model(q).markers, rtol=0, atol=1e-12)


PIN = x.joint("PinJoint", "hip", GROUND, A, [x.coordinate("q")])


def test_bodies_without_joints(tmp_path: Path) -> None:
    """OpenSim adds FreeJoints behind the others; in a file with offset frames it fails, unless we write the model."""
    path = x.write(tmp_path, x.document([PIN], ["b", "a", "c"]))
    model = OsimModel.from_file(path)
    free = [f"free_{body}_coord_{i}" for body in ("b", "c") for i in range(6)]
    assert model.coordinate_names == ("q", *free)
    assert [j.name for j in model.model.joints] == ["hip", "free_b", "free_c"]
    assert "no joint holds the body b: it gets the FreeJoint free_b" in describe(model)
    factors = np.random.default_rng(0).uniform(0.8, 1.2, (3, 3))
    written = export_osim(model.scale(factors), tmp_path / "written.osim")
    assert "no joint" not in describe(OsimModel.from_file(written))
    found = differences(written, 10)
    assert max(found.values()) <= 1e-12, found
    bare = x.joint("PinJoint", "hip", GROUND, A, [x.coordinate("q")], offsets=False)
    found = differences(x.write(tmp_path, x.document([bare], ["b", "a", "c"])), 10, "random")
    assert max(found.values()) <= 1e-12, found

"""Reading setup files of inverse kinematics and scaling."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.ik.setup_files import read_ik_setup, read_ik_tasks, read_scale_setup
from biopose_sim.ik.setup_tasks import interpolate
from biopose_sim.io import Motion, Trial, write_mot
from biopose_sim.kinematics.model import OsimModel

TASKS = """<IKTaskSet><objects>
  <IKMarkerTask name="a"><apply>true</apply><weight>5</weight></IKMarkerTask>
  <IKMarkerTask name="b"><apply>false</apply><weight>7</weight></IKMarkerTask>
  <IKMarkerTask name="c"><weight>0</weight></IKMarkerTask>
  {coordinates}
</objects></IKTaskSet>"""
IK = """<?xml version="1.0"?>
<OpenSimDocument Version="40000"><InverseKinematicsTool name="walk">
  <model_file>../Models/m.osim</model_file><marker_file>data\\walk.trc</marker_file>
  <coordinate_file>{coordinate_file}</coordinate_file>
  <time_range>{time_range}</time_range><accuracy>1e-007</accuracy><constraint_weight>Inf</constraint_weight>
  {tasks}
</InverseKinematicsTool></OpenSimDocument>"""


def write(folder: Path, text: str, name: str = "setup.xml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def ik_setup(folder: Path, coordinates: str = "", coordinate_file: str = "Unassigned", time_range: str = "0 1") -> Path:
    tasks = TASKS.format(coordinates=coordinates)
    return write(folder, IK.format(tasks=tasks, coordinate_file=coordinate_file, time_range=time_range))


def coordinate_task(name: str, kind: str, value: float = 0.0, weight: float = 3.0) -> str:
    return (
        f'<IKCoordinateTask name="{name}"><apply>true</apply><weight>{weight}</weight>'
        f"<value_type>{kind}</value_type><value>{value}</value></IKCoordinateTask>"
    )


@pytest.fixture(scope="module")
def model(test_data: Path) -> OsimModel:
    return OsimModel.from_file(test_data / "models" / "gait10dof18musc.osim")


def trial(start: float = 0.0, end: float = 2.0, n: int = 21) -> Trial:
    return Trial.checked("walk", np.linspace(start, end, n), np.zeros((n, 1, 3)) + 0.5, ["a"])


def test_reads_files_numbers_and_tasks(tmp_path: Path) -> None:
    setup = read_ik_setup(ik_setup(tmp_path))
    assert setup.name == "walk"
    assert setup.model_file == tmp_path / "../Models/m.osim"
    assert setup.marker_file == tmp_path / "data/walk.trc"  # a backslash of Windows
    assert setup.coordinate_file is None
    assert setup.time_range == (0.0, 1.0)
    assert setup.accuracy == 1e-7
    assert setup.constraint_weight == math.inf
    assert setup.tasks.weights == {"a": 5.0, "b": 0.0, "c": 0.0}


def test_config_leaves_out_markers_without_task(tmp_path: Path, model: OsimModel) -> None:
    config = read_ik_setup(ik_setup(tmp_path)).config(model, trial())
    assert config.default_weight == 0.0
    assert config.weights["a"] == 5.0


def test_without_marker_tasks_all_markers_weigh_one(tmp_path: Path, model: OsimModel) -> None:
    path = write(tmp_path, IK.format(tasks="", coordinate_file="", time_range="-1 -1"))
    setup = read_ik_setup(path)
    assert setup.time_range is None
    assert setup.config(model, trial()).default_weight == 1.0


def test_coordinate_tasks_manual_in_radians_default_and_file(tmp_path: Path, model: OsimModel) -> None:
    time = np.linspace(-0.1, 2.1, 45)
    values = np.stack([np.sin(time), 0.1 * time], axis=1)
    names, kinds = ("hip_flexion_r", "pelvis_tx"), ("rotational", "translational")
    write_mot(tmp_path / "q.mot", Motion("q", time, values, names, kinds))
    tasks = coordinate_task("knee_angle_r", "manual_value", -0.3) + coordinate_task("pelvis_ty", "default_value")
    tasks += coordinate_task("hip_flexion_r", "from_file", weight=9.0) + coordinate_task("pelvis_tx", "From_File")
    setup = read_ik_setup(ik_setup(tmp_path, tasks, "q.mot"))
    targets = setup.config(model, trial()).coordinate_targets
    assert targets["knee_angle_r"].value == -0.3
    default = model.tree.defaults[model.coordinate_names.index("pelvis_ty")]
    assert targets["pelvis_ty"].value == default
    assert targets["hip_flexion_r"].weight == 9.0
    np.testing.assert_allclose(targets["hip_flexion_r"].value, np.sin(trial().time), atol=1e-6)
    np.testing.assert_allclose(targets["pelvis_tx"].value, 0.1 * trial().time, atol=1e-8)


def test_spline_through_file_is_opensims() -> None:
    opensim = pytest.importorskip("opensim")
    opensim.Logger.removeFileSink()
    rng = np.random.default_rng(0)
    knots, values = np.cumsum(rng.uniform(0.1, 1.0, 9)), rng.normal(size=9)
    spline = opensim.GCVSpline()
    spline.setDegree(5)
    for x, y in zip(knots, values):
        spline.addPoint(float(x), float(y))
    at = np.linspace(knots[0], knots[-1], 33)
    expected = [spline.calcValue(opensim.Vector(1, float(t))) for t in at]
    np.testing.assert_allclose(interpolate(knots, values, at), expected, atol=1e-9)


def test_frames_nearest_to_the_range(tmp_path: Path) -> None:
    setup = read_ik_setup(ik_setup(tmp_path, time_range="0.44 1.06"))
    cut = setup.cut(trial())
    np.testing.assert_allclose(cut.time[[0, -1]], [0.4, 1.1])
    assert read_ik_setup(ik_setup(tmp_path, time_range="-Inf Inf")).cut(trial()).n_frames == 21


def test_tasks_in_a_file_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, TASKS.format(coordinates=""), "tasks.xml")  # without an OpenSimDocument around it
    path = write(tmp_path, IK.format(tasks='<IKTaskSet file="tasks.xml"/>', coordinate_file="", time_range="0 1"))
    assert read_ik_setup(path).tasks == read_ik_tasks(tmp_path / "tasks.xml")
    assert read_ik_tasks(tmp_path / "tasks.xml").weights["a"] == 5.0
    assert read_ik_tasks(ik_setup(tmp_path)).weights["a"] == 5.0


def test_setup_of_the_old_iktool(tmp_path: Path) -> None:
    text = f"""<IKTool name="old"><model_file>m.osim</model_file>{TASKS.format(coordinates="")}
    <IKTrialSet><objects><IKTrial name="t"><marker_file>w.trc</marker_file><time_range>0.5 1.5</time_range>
    </IKTrial></objects></IKTrialSet></IKTool>"""
    setup = read_ik_setup(write(tmp_path, text))
    assert setup.marker_file == tmp_path / "w.trc"
    assert setup.time_range == (0.5, 1.5)
    assert setup.tasks.weights["a"] == 5.0


def test_shipped_ik_setups(test_data: Path) -> None:
    found = sorted((test_data / "pipelines").glob("*/**/*etup_IK.xml")) + sorted(
        (test_data / "pipelines").glob("*/IK/ik_setup*.xml")
    )
    found += sorted((test_data / "opencap_lab_subject4" / "IK").glob("*setup.xml"))
    assert len(found) >= 29
    for path in found:
        setup = read_ik_setup(path)
        assert sum(w > 0.0 for w in setup.tasks.weights.values()) >= 12, path
        assert setup.marker_file is not None
        assert setup.model_file is not None
    gait = read_ik_setup(test_data / "pipelines" / "Gait2354_Simbody" / "subject01_Setup_IK.xml")
    assert [t.name for t in gait.tasks.coordinates] == [
        "subtalar_angle_r",
        "mtp_angle_r",
        "subtalar_angle_l",
        "mtp_angle_l",
    ]
    assert gait.constraint_weight == 20.0


def test_missing_model_names_where_it_lies(test_data: Path) -> None:
    setup = read_ik_setup(test_data / "opencap_lab_subject4" / "IK" / "DJ1_ik_on_manually_scaled_setup.xml")
    with pytest.raises(InputError, match=r"<model_file> .* does not exist; such a file lies at .*manually_scaled"):
        setup.load_model()
    assert setup.load_trial().n_markers > 40


def test_reads_scale_setup(test_data: Path) -> None:
    setup = read_scale_setup(test_data / "pipelines" / "Hamner" / "Setup_Scale.xml")  # no OpenSimDocument around it
    assert setup.name == "subject02"
    assert setup.mass == 65.9
    assert setup.height == 1830.0
    assert setup.model_file is None
    scaling, placement = setup.scaling, setup.placement
    assert scaling is not None
    assert placement is not None
    assert scaling.order == ("measurements", "manualScale")
    assert scaling.preserve_mass_distribution
    assert scaling.time_range == (0.0, 4.983)
    thigh = next(m for m in scaling.measurements if m.name == "thigh")
    assert thigh.pairs == (("R.ASIS", "R.Knee.Lat"), ("L.ASIS", "L.Knee.Lat"))
    assert thigh.bodies == (("femur_r", (0, 1, 2)), ("femur_l", (0, 1, 2)))
    assert sum(m.apply for m in scaling.manual) == 6
    manual = {t.name: t for t in placement.tasks.coordinates}["hip_rotation_r"]
    assert (manual.value_type, manual.value, manual.weight) == ("manual_value", -0.08726646, 5.0)
    assert placement.max_marker_movement == -1.0


def test_scale_setup_that_scales_nothing(test_data: Path) -> None:
    setup = read_scale_setup(test_data / "pipelines" / "Rajagopal" / "Scale" / "scale_setup_walk.xml")
    assert setup.mass is None
    assert setup.scaling is not None
    assert setup.scaling.order == ()
    assert setup.scaling.time_range is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "not XML"),
        ("", "empty"),
        ('<OpenSimDocument Version="40000"><IKTool', "cut off|not XML"),
        (
            '<OpenSimDocument Version="40000"><ScaleTool/></OpenSimDocument>',
            "holds <ScaleTool>; a file with <InverseK",
        ),
        ('<OpenSimDocument Version="40000"/>', "is empty; a file with <InverseKinematicsTool>"),
    ],
)
def test_foreign_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_ik_setup(write(tmp_path, text))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.xml: file not found"):
        read_ik_setup(tmp_path / "none.xml")
    with pytest.raises(InputError, match="file not found"):
        read_scale_setup(tmp_path / "none.xml")


@pytest.mark.parametrize(
    ("coordinates", "message"),
    [
        (
            coordinate_task("knee_angle_r", "manual", 0.0),
            r"'knee_angle_r' has value_type 'manual'; use default_value",
        ),
        (coordinate_task("knee_angle_r", "default_value", weight=-1.0), "weight of 'knee_angle_r' is -1"),
    ],
)
def test_bad_tasks(tmp_path: Path, coordinates: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_ik_setup(ik_setup(tmp_path, coordinates))


def test_tasks_that_do_not_fit(tmp_path: Path, model: OsimModel) -> None:
    unknown = read_ik_setup(ik_setup(tmp_path, coordinate_task("knee_angel_r", "default_value")))
    with pytest.raises(InputError, match=r"'knee_angel_r'.*did you mean 'knee_angle_r'"):
        unknown.config(model, trial())
    no_file = read_ik_setup(ik_setup(tmp_path, coordinate_task("knee_angle_r", "from_file")))
    with pytest.raises(InputError, match="names no <coordinate_file>"):
        no_file.config(model, trial())
    gone = read_ik_setup(ik_setup(tmp_path, coordinate_task("knee_angle_r", "from_file"), "gone.mot"))
    with pytest.raises(InputError, match=r"<coordinate_file> .*gone\.mot does not exist"):
        gone.config(model, trial())
    time = np.linspace(0.0, 1.0, 11)
    short = Motion("q", time, np.zeros((11, 1)), ("knee_angle_r",), ("rotational",))
    write_mot(tmp_path / "short.mot", short)
    cut = read_ik_setup(ik_setup(tmp_path, coordinate_task("knee_angle_r", "from_file"), "short.mot"))
    with pytest.raises(InputError, match="runs from 0 to 1 s; coordinates from 0 to 2 s are needed"):
        cut.config(model, trial())


def test_time_ranges(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'2 1'; a start and a later end"):
        read_ik_setup(ik_setup(tmp_path, time_range="2 1"))
    with pytest.raises(InputError, match="5 to 6 s lies outside of the trial 'walk'; that runs from 0 to 2 s"):
        read_ik_setup(ik_setup(tmp_path, time_range="5 6")).cut(trial())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<scaling_order>measurement</scaling_order>", "'measurement'; use measurements and manualScale"),
        (
            '<MeasurementSet><objects><Measurement name="thigh"><MarkerPairSet><objects><MarkerPair>'
            "<markers>a b c</markers></MarkerPair></objects></MarkerPairSet></Measurement></objects>"
            "</MeasurementSet>",
            "'thigh' names 3 markers; name two",
        ),
        (
            '<MeasurementSet><objects><Measurement name="thigh"><BodyScaleSet><objects><BodyScale name="f">'
            "<axes>X W</axes></BodyScale></objects></BodyScaleSet></Measurement></objects>"
            "</MeasurementSet>",
            "axes 'X W'",
        ),
    ],
)
def test_bad_scale_setups(tmp_path: Path, body: str, message: str) -> None:
    tool = f"<ScaleTool><ModelScaler>{body}</ModelScaler></ScaleTool>"
    text = f'<OpenSimDocument Version="40000">{tool}</OpenSimDocument>'
    with pytest.raises(InputError, match=message):
        read_scale_setup(write(tmp_path, text))

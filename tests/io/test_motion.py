""".mot and .sto: real files, round trips, and every way a file can be bad."""

from __future__ import annotations

import math
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from biopose_sim.errors import InputError
from biopose_sim.io import (
    BioposeWarning,
    Motion,
    Table,
    guess_motion_type,
    read_mot,
    read_sto,
    write_mot,
    write_sto,
)

TYPES = {"knee_angle_r": "rotational", "pelvis_tx": "translational", "knee_angle_r_beta": "coupled"}


def sto(labels="time\ta\tb", rows=("0\t1\t2", "0.1\t3\t4"), *, keys=("nRows=2", "nColumns=3", "inDegrees=no")):
    return "\n".join(["Coordinates", "version=1", *keys, "", "endheader", labels, *rows, ""])


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "a.mot"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def motion(values, names=tuple(TYPES), types=("rotational", "translational", "coupled")):
    return Motion("m", np.arange(len(values)) / 100, np.array(values, dtype=float), tuple(names), tuple(types))


def test_written_text(tmp_path):
    path = write_mot(tmp_path / "a.mot", motion([[math.pi / 2, 0.5, 0.25], [-math.pi, -1, 0]]))
    lines = path.read_text().split("\n")
    assert lines[:5] == ["Coordinates", "version=1", "nRows=2", "nColumns=4", "inDegrees=yes"]
    assert lines[lines.index("endheader") + 1 :] == [
        "time\tknee_angle_r\tpelvis_tx\tknee_angle_r_beta",
        "0.00000000\t90.00000000\t0.50000000\t0.25000000",
        "0.01000000\t-180.00000000\t-1.00000000\t0.00000000",
        "",
    ]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=hnp.arrays(float, st.tuples(st.integers(1, 6), st.just(3)), elements=st.floats(-6, 6)),
    deg=st.booleans(),
)
def test_round_trip(tmp_path, values, deg):
    original = motion(values)
    path = write_mot(tmp_path / "a.mot", original, in_degrees=deg)
    for types in (TYPES, None):
        again = read_mot(path, types)
        np.testing.assert_allclose(again.coordinates, values, atol=6e-9, rtol=0)
        np.testing.assert_allclose(again.time, original.time, atol=6e-9)
        assert again.coordinate_names == original.coordinate_names
        assert again.motion_types == original.motion_types


def test_any_object_with_the_attributes_is_written(tmp_path):
    result = SimpleNamespace(name="r", time=[0, 1], coordinates=[[1.0], [2.0]], coordinate_names=["q"])
    result.motion_types = ["rotational"]
    assert read_mot(write_mot(tmp_path / "a.mot", result)).coordinate("q") == pytest.approx([1, 2])


def test_nan_is_written_and_told(tmp_path):
    with pytest.warns(BioposeWarning, match="coordinates that are not numbers everywhere: 'pelvis_tx'"):
        path = write_mot(tmp_path / "a.mot", motion([[1, math.nan, 1]]))
    assert np.isnan(read_mot(path).coordinate("pelvis_tx")).all()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            motion([[1, 2, 3]], types=("rotational", "turning", "coupled")),
            "'pelvis_tx' has motion type 'turning'",
        ),
        (motion([[1, 2, 3]], types=("rotational",)), "1 motion types for 3 coordinates"),
        (motion([[1, 2, 3]], names=("a", "b")), "do not fit"),
        (motion([[1, 2, 3]], names=("a", "b", "a")), "column 'a' occurs more than once"),
        (motion([[1, 2, 3]], names=("a", "b", "c d")), "'c d' is blank or holds white space"),
        (
            SimpleNamespace(**{**vars(motion([[1, 2, 3]] * 2)), "time": [1, 1]}),
            r"does not increase at row 2 \(1 s\)",
        ),
    ],
)
def test_bad_motions(tmp_path, bad, message):
    with pytest.raises(InputError, match=message):
        write_mot(tmp_path / "a.mot", bad)


def test_paths_and_states(file):
    labels = (
        "time\t/jointset/walker_knee_r/knee_angle_r/value\t/jointset/walker_knee_r/knee_angle_r/speed"
        "\t/jointset/ground_pelvis/pelvis_tx/value\t/forceset/soleus_r/activation"
    )
    path = file(sto(labels, ["0\t90\t1\t2\t0.5"], keys=("nRows=1", "nColumns=5", "inDegrees=yes")))
    read = read_mot(path)
    assert read.coordinate_names == ("knee_angle_r", "pelvis_tx")
    assert read.coordinates[0] == pytest.approx([math.pi / 2, 2])
    old = file(sto("time\tq\tq_u\tsoleus_r.activation\tsoleus_r/activation", ["0\t1\t2\t3\t4"], keys=()))
    with pytest.warns(BioposeWarning, match="does not state"):
        assert read_mot(old).coordinate_names == ("q",)


def test_missing_in_degrees_is_radians(file):
    assert read_mot(file(sto(keys=("nRows=2", "nColumns=3")))).coordinates[1].tolist() == [3, 4]


@pytest.mark.parametrize(("keys", "what"), [((), "no inDegrees"), (("inDegrees=no",), "inDegrees=no")])
def test_degrees_that_pose_as_radians_are_told(file, keys, what):
    path = file(sto("time\tknee", ["0\t65"], keys=("nRows=1", "nColumns=2", *keys)))
    with pytest.warns(
        BioposeWarning, match=f"has {what}, .* but 'knee' looks like degrees; if so, write inDegrees=yes"
    ):
        read_mot(path)


def test_model_decides_what_is_a_coordinate(file):
    with pytest.warns(BioposeWarning, match="the model does not know are passed over: 'b'"):
        assert read_mot(file(sto()), {"a": "coupled"}).motion_types == ("coupled",)
    with pytest.raises(InputError, match=r"no column that the model knows; the first is 'a' \(did you mean 'aa'\?\)"):
        read_mot(file(sto()), {"aa": "coupled"})
    with pytest.raises(
        InputError, match="coordinate 'a' has motion type 'odd'; use rotational, translational, coupled"
    ):
        read_mot(file(sto()), {"a": "odd", "b": "coupled"})


def test_no_coordinates(file):
    with pytest.raises(InputError, match="holds no coordinates; its columns are 'a/speed', 'b/speed'"):
        read_mot(file(sto("time\ta/speed\tb/speed")))
    with pytest.raises(InputError, match="holds the coordinate 'a' more than once"):
        read_mot(file(sto("time\ta\t/jointset/j/a/value")))
    with pytest.raises(InputError, match=r"has no coordinate 'knee_l' \(did you mean 'knee_r'\?\)"):
        read_mot(file(sto("time\tknee_r\tb"))).coordinate("knee_l")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pelvis_ty", "translational"),
        ("knee_angle_r_beta", "coupled"),
        ("knee_angle_beta_l", "coupled"),
        ("hip_flexion_r", "rotational"),
        ("mtp_txx", "rotational"),
    ],
)
def test_guesses(name, kind):
    assert guess_motion_type(name) == kind


def test_table_round_trip(tmp_path):
    data = np.array([[1.23456789012, -1e-9], [1e9, math.nan]])
    path = write_sto(tmp_path / "a.sto", Table("Forces", np.array([0, 0.001]), ("f_vx", "f/b|c"), data))
    again = read_sto(path)
    assert (again.name, again.names, again.in_degrees, again.source) == (
        "Forces",
        ("f_vx", "f/b|c"),
        False,
        path,
    )
    np.testing.assert_allclose(again.data, data, rtol=1e-11)
    np.testing.assert_array_equal(again.columns(["f/b|c", "f_vx"]), again.data[:, ::-1])
    with pytest.raises(InputError, match=r"has no column 'f_vy' \(did you mean 'f_vx'"):
        again.column("f_vy")


@pytest.mark.parametrize(
    "text",
    [
        sto().replace("\n", "\r\n"),
        sto().replace("\t", "   "),
        sto("\ttime\ta\tb\t\t", ["\t0\t1\t2\t\t", "", "  0.1  3\t4"]),
        sto(keys=("NROWS=2", "nColumns = 3", "inDegrees=no", "otherwise=7")),
        "name a\ndatacolumns 3\ndatarows 2\nrange 0 1\nendheader\t\t\ntime a b\n0 1 2\n0.1 3 4",
    ],
)
def test_variants_read_alike(file, text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = read_sto(file(text))
    assert table.names == ("a", "b")
    np.testing.assert_array_equal(table.data, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time\ta\n0\t1\n", "has no line 'endheader'"),
        (sto().split("time")[0], "has no column names after 'endheader'"),
        (sto().split("0\t1")[0], "has no rows"),
        (sto(rows=()), "has no rows"),
        (sto("t\ta\tb"), "line 8: the first column is 't'; it must be 'time'"),
        (sto("time\ta\ta"), "line 8: column 'a' occurs more than once"),
        (sto("time\t\ta"), "line 8: column 2 has no name"),
        (sto(rows=("0\t1\t2", "0.1\t3")), "line 10 has 2 cells, not 3"),
        (sto(rows=("0\t1\t2", "0.1\t3\t4\t5")), "line 10 has 4 cells, not 3"),
        (sto(rows=("0\t1\t2", "0.1\t3\tx")), "line 10, column 3: 'x' is not a number"),
        (sto(rows=("0\t1\t2",)), "the header says nRows=2 but the file has 1; was it cut short?"),
        (sto(keys=("nRows=2", "nColumns=4")), "the header says nColumns=4 but the file has 3"),
        (sto(rows=("0\t1\t2", "0\t3\t4")), r"does not increase at row 2 \(line 10\): 0 s after 0 s"),
        (sto(rows=("0\t1\t2", "nan\t3\t4")), "line 10: the row has no time"),
        (b"Coordinates\0", "is not a text file"),
    ],
)
def test_bad_files(file, text, message):
    with pytest.raises(InputError, match=message):
        read_sto(file(text))


def test_real_files(test_data):
    files = sorted([*test_data.rglob("*.mot"), *test_data.rglob("*.sto")])
    assert len(files) > 60
    for path in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BioposeWarning)
            table = read_sto(path, unique=False)
        assert table.data.shape == (len(table.time), len(table.names)), path
        assert np.isfinite(table.data).all(), path


def test_real_motion(test_data):
    folder = test_data / "opencap_lab_subject4/IK"
    ours = read_mot(folder / "walking1_manual_scaling_ik.mot")
    assert ours.coordinate("pelvis_tilt")[0] == pytest.approx(math.radians(2.20065217))
    assert ours.coordinate("pelvis_tx")[0] == -0.14560860
    assert ours.coordinate("knee_angle_r_beta")[0] == 0.05381550  # radians, as OpenSim leaves it
    assert read_mot(folder / "walking1_ik.mot").coordinate("pelvis_tilt")[0] == 0.0245129


def test_real_results_in_degrees_with_a_wrong_header(test_data):
    path = test_data / "pipelines/Gait2392_Simbody/subject01_walk1_RRA_Kinematics_q.sto"
    with pytest.warns(BioposeWarning, match="'hip_flexion_r' looks like degrees"):
        read_mot(path)


def test_writes_fast(tmp_path):
    """510 x 40: 3-5 ms on an idle core; the bound leaves room for a busy machine."""
    names = tuple(f"q{i}" for i in range(40))
    big = motion(np.random.default_rng(0).normal(size=(510, 40)), names, ("rotational",) * 40)
    times = []
    for _ in range(10):
        start = time.perf_counter()
        write_mot(tmp_path / "a.mot", big)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.02

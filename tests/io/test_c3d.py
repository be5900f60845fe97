"""C3D: real files in three byte orders, made files, and damaged ones."""

from __future__ import annotations

import random
import warnings

import ezc3d
import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.io import BioposeWarning, read_c3d
from biopose_sim.io.axes import ground_from_screen, ground_from_up

NAMES = (
    "Dec_real",
    "PiG_Calibration-FlatFoot-Full",
    "PiG_Motion-FlatFoot-Full",
    "cmu_02_05",
    "pc_real",
    "sgi_int",
)


def make(path, labels, points, *, units="mm", rate=100.0, screen=None, extra=(), labels2=()):
    """Write a C3D; points (T, M, 3) in ``units``, NaN for a gap."""
    c3d = ezc3d.c3d()
    point = c3d["parameters"]["POINT"]
    point["RATE"]["value"] = [rate]
    point["LABELS"]["value"] = list(labels)
    c3d.add_parameter("POINT", "UNITS", [units] if units else [])
    if labels2:
        c3d.add_parameter("POINT", "LABELS2", list(labels2))
    if screen:
        c3d.add_parameter("POINT", "X_SCREEN", [screen[0]])
        c3d.add_parameter("POINT", "Y_SCREEN", [screen[1]])
    for key, values in extra:
        c3d.add_parameter("POINT", key, values)
    data = np.ones((4, points.shape[1], len(points)))
    data[:3] = points.transpose(2, 1, 0)
    c3d["data"]["points"] = data
    c3d.write(str(path))
    return path


@pytest.fixture
def cloud():
    return np.random.default_rng(0).uniform(100, 1500, (4, 3, 3)).round(2)


SCREEN = ("+X", "+Z")


def test_units_gaps_prefix_and_axes(tmp_path, cloud):
    cloud[1, 2] = np.nan
    trial = read_c3d(make(tmp_path / "a.c3d", ["S:A", "S:B ", "S:C"], cloud, screen=SCREEN))
    assert trial.marker_names == ("A", "B", "C")
    expected = np.stack([cloud[..., 0], cloud[..., 2], -cloud[..., 1]], axis=-1) / 1000
    np.testing.assert_allclose(trial.markers, expected, rtol=1e-6)
    assert trial.missing.sum() == 1
    assert trial.rate == pytest.approx(100)


def test_prefix_stays_where_labels_would_be_alike(tmp_path, cloud):
    path = make(tmp_path / "a.c3d", ["S1:A", "S2:A", "S2:B"], cloud, screen=SCREEN)
    assert read_c3d(path).marker_names == ("S1:A", "S2:A", "B")
    assert read_c3d(path, keep_prefix=True).marker_names == ("S1:A", "S2:A", "S2:B")


def test_repeated_and_blank_labels(tmp_path, cloud):
    path = make(tmp_path / "a.c3d", ["A", "A", ""], cloud, screen=SCREEN)
    with pytest.warns(BioposeWarning, match="labels that occur more than once get a number: 'A'"):
        assert read_c3d(path).marker_names == ("A", "A_2", "point_3")


def test_more_labels_than_255(tmp_path):
    points = np.random.default_rng(0).uniform(100, 1500, (2, 300, 3))
    labels = [f"M{i}" for i in range(300)]
    path = make(tmp_path / "a.c3d", labels, points, screen=SCREEN)
    assert read_c3d(path).marker_names == tuple(labels)


def test_model_outputs_are_no_markers(tmp_path, cloud):
    extra = [("ANGLES", ["S:LKneeAngles"]), ("TYPE_GROUPS", ["WORK", "J"]), ("WORK", ["W"])]
    path = make(tmp_path / "a.c3d", ["A", "S:LKneeAngles", "W"], cloud, screen=SCREEN, extra=extra)
    assert read_c3d(path).marker_names == ("A",)
    path = make(tmp_path / "a.c3d", ["A"], cloud[:, :1], screen=SCREEN, extra=[("FORCES", ["A"])])
    with pytest.raises(InputError, match="has no markers among its points"):
        read_c3d(path)


@pytest.mark.parametrize(("units", "scale"), [("m", 1.0), ("cm", 0.01), ("mm", 0.001), ("", 0.001)])
def test_units(tmp_path, cloud, units, scale):
    path = make(tmp_path / "a.c3d", "ABC", cloud * 1e-3 / scale, units=units, screen=("+X", "+Y"))
    with warnings.catch_warnings():
        warnings.simplefilter("error" if units else "ignore")
        np.testing.assert_allclose(read_c3d(path).markers, cloud / 1000, rtol=1e-6)
    if not units:
        with pytest.warns(BioposeWarning, match="POINT:UNITS is missing; millimetres are assumed"):
            read_c3d(path)


def test_bad_units(tmp_path, cloud):
    with pytest.raises(InputError, match="POINT:UNITS is 'inch'; it must be one of mm, cm, dm, m"):
        read_c3d(make(tmp_path / "a.c3d", "ABC", cloud, units="inch"))


def test_up_axis(tmp_path, cloud):
    path = make(tmp_path / "a.c3d", "ABC", cloud)
    with pytest.warns(BioposeWarning, match="do not say which axis is up: Z is assumed; pass up="):
        assumed = read_c3d(path)
    np.testing.assert_array_equal(assumed.markers, read_c3d(path, up="z").markers)
    np.testing.assert_allclose(read_c3d(path, up="y").markers, cloud / 1000, rtol=1e-6)
    np.testing.assert_allclose(read_c3d(path, up="x").markers[..., 1], cloud[..., 0] / 1000, rtol=1e-6)
    with pytest.raises(InputError, match="up axis: is 'w'; give 'x', 'y', 'z' or 'auto'"):
        read_c3d(path, up="w")


def test_rotations_are_proper():
    screens = [ground_from_screen(a + x, b + y) for a in "+-" for b in "+-" for x in "XYZ" for y in "XYZ" if x != y]
    for rotation in [*screens, *(ground_from_up(up) for up in "xyz")]:
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3))
        assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_array_equal(ground_from_screen("+X", "+Z"), ground_from_up("z"))
    np.testing.assert_array_equal(ground_from_screen("-Y", "Z") @ [0, -1, 0], [1, 0, 0])
    assert ground_from_screen("", "+Z") is None
    assert ground_from_screen("+Z", "+Z") is None
    assert ground_from_screen("+-X", "+Z") is None


@pytest.mark.parametrize("name", NAMES)
def test_real_files_are_people_standing_up(test_data, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trial = read_c3d(test_data / f"c3d/{name}.c3d")
    extent = np.nanmax(trial.markers, axis=(0, 1)) - np.nanmin(trial.markers, axis=(0, 1))
    assert 1.3 < extent[1] < 1.9
    assert not any(name.endswith(("Angles", "Power", "Moment", "Force")) for name in trial.marker_names)


@pytest.mark.parametrize("name", ["PiG_Motion-FlatFoot-Full", "pc_real"])
def test_same_as_ezc3d(test_data, name):
    path = test_data / f"c3d/{name}.c3d"
    trial, raw = read_c3d(path), ezc3d.c3d(str(path))
    labels = raw["parameters"]["POINT"]["LABELS"]["value"]
    column = labels.index(trial.marker_names[5])
    up = np.nan_to_num(raw["data"]["points"][2, column] / 1000)
    np.testing.assert_allclose(np.nan_to_num(trial.markers[:, 5, 1]), up, atol=1e-9)
    np.testing.assert_array_equal(trial.analog.data.T, raw["data"]["analogs"][0])


def test_clock_of_a_cut_recording(test_data):
    trial = read_c3d(test_data / "c3d/PiG_Motion-FlatFoot-Full.c3d")
    assert trial.time[0] == pytest.approx(1.47)
    assert trial.analog.time[0] == pytest.approx(1.47)
    assert (trial.analog.rate, trial.analog.data.shape) == (1000, (3150, 38))
    assert (trial.analog.names[0], trial.analog.units[3]) == ("Fx1", "Nmm")


def test_force_plates_push_up_under_the_feet(test_data):
    trial = read_c3d(test_data / "c3d/PiG_Motion-FlatFoot-Full.c3d")
    assert [plate.type for plate in trial.force_plates] == [2, 2]
    for plate in trial.force_plates:
        assert 400 < plate.forces[:, 1].max() < 700  # of a person of 47.5 kg
        np.testing.assert_allclose(plate.normal, [0, 1, 0], atol=1e-6)
        pressure = plate.center_of_pressure(min_force=100)
        loaded = ~np.isnan(pressure[:, 0])
        low, high = plate.corners.min(axis=0), plate.corners.max(axis=0)
        assert ((pressure[loaded] >= low - 0.02) & (pressure[loaded] <= high + 0.02)).all()
        peak = plate.time[int(np.argmax(plate.forces[:, 1]))]
        frame = int(np.argmin(np.abs(trial.time - peak)))
        heels = [trial.marker(name)[frame] for name in ("LHEE", "RHEE", "LTOE", "RTOE")]
        middle = pressure[int(np.argmax(plate.forces[:, 1]))]
        assert min(np.linalg.norm((heel - middle)[[0, 2]]) for heel in heels) < 0.2


def test_three_byte_orders_hold_the_same(test_data):
    intel, dec, sgi = (read_c3d(test_data / f"c3d/{name}.c3d") for name in ("pc_real", "Dec_real", "sgi_int"))
    np.testing.assert_array_equal(intel.markers, dec.markers)
    np.testing.assert_allclose(sgi.markers, intel.markers, atol=3e-4)  # integers of 0.28 mm
    assert intel.marker_names == dec.marker_names == sgi.marker_names
    for a, b in zip(intel.force_plates, sgi.force_plates):
        np.testing.assert_allclose(a.forces, b.forces, atol=1e-3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"PathFileType\t4", "is not a C3D file; its second byte must be 0x50"),
        (b"\x02\x50" + bytes(1500), "has an unknown processor type 0"),
        (b"\xff\x50" + bytes(1500), "has no parameter section"),
        (b"\x02\x50" + bytes(510) + b"\x01\x50\x01\x54" + bytes(1000), "has no POINT parameters"),
    ],
)
def test_not_c3d(tmp_path, content, message):
    path = tmp_path / "a.c3d"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_c3d(path)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"a\.c3d: file not found"):
        read_c3d(tmp_path / "a.c3d")


def test_no_points(tmp_path, cloud):
    path = make(tmp_path / "a.c3d", [], cloud[:, :0])
    with pytest.raises(InputError, match="has no points"):
        read_c3d(path)


def test_damaged_files_never_crash(tmp_path, cloud):
    whole = make(tmp_path / "a.c3d", "ABC", cloud, screen=SCREEN).read_bytes()
    rng = random.Random(0)
    path = tmp_path / "b.c3d"
    messages = []
    for round_ in range(300):
        data = bytearray(whole)
        if round_ % 3 == 0:
            del data[rng.randrange(len(data)) :]
        else:
            for _ in range(rng.choice([1, 3, 10])):
                data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(bytes(data))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BioposeWarning)
            try:
                read_c3d(path)
            except InputError as error:
                messages.append(str(error))
    assert len(messages) > 100
    assert not any("\n" in message for message in messages)

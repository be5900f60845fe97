"""TRC: real files of several laboratories, round trips, and every way a file can be bad."""

from __future__ import annotations

import math
import time
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from biopose_sim.errors import InputError
from biopose_sim.io import BioposeWarning, Trial, read_trc, read_trial, write_trc

HEADER = "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames"
ROWS = (
    "1\t0.00\t0\t900\t100\t10\t1000\t150\t20\t80\t300",
    "2\t0.01\t1\t901\t101\t\t\t\t21\t81\t301",
    "3\t0.02\t2\t902\t102\t12\t1002\t152\tNaN\tnan\tNaN",
)


def trc(
    rows=ROWS,
    *,
    header=HEADER,
    units="mm",
    names="LASI\t\t\tRASI\t\t\tLANK\t\t",
    frames=3,
    markers=3,
    end="\n",
):
    lines = [
        "PathFileType\t4\t(X/Y/Z)\ta.trc",
        header,
        f"100\t100\t{frames}\t{markers}\t{units}\t100\t1\t{frames}",
        f"Frame#\tTime\t{names}",
        "\t\tX1\tY1\tZ1\tX2\tY2\tZ2\tX3\tY3\tZ3",
        "",
        *rows,
        "",
    ]
    return end.join(lines)


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "a.trc"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def read_silent(path):
    """Read; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_trc(path)


def test_gaps_names_units(file):
    trial = read_silent(file(trc()))
    assert trial.marker_names == ("LASI", "RASI", "LANK")
    np.testing.assert_allclose(trial.time, [0, 0.01, 0.02])
    np.testing.assert_allclose(trial.markers[0, 1], [0.01, 1.0, 0.15])
    assert trial.missing.tolist() == [[False] * 3, [False, True, False], [False, False, True]]
    assert trial.name == "a"
    assert trial.rate == pytest.approx(100)


@pytest.mark.parametrize(
    "text",
    [
        trc(end="\r\n"),
        trc(end="\r"),
        trc(units="   mm"),
        trc(units="MM"),
        trc(header=HEADER + "\t\t\t").replace("\ta.trc", "\ta.trc\t\t\t\t"),
        trc(header=HEADER.lower()),
        trc(header=HEADER.replace("\t", "\t\t")),
        trc(names="LASI\tRASI\tLANK"),
        trc(names="LASI\t\t\tRASI\t\t\tLANK\t\t\t\t\t\t\t\t"),
        trc(["\t" * 12, *[f"  {row}\t\t\t" for row in ROWS], "\t\t", ""]),
        trc().replace("\t\tX1", "X1"),
        trc().replace("\t\tX1\tY1\tZ1\tX2\tY2\tZ2\tX3\tY3\tZ3\n\n", ""),
        "\ufeff" + trc(),
        trc().replace("a.trc", "C:\\Ä ö.trc").encode("latin-1"),
    ],
)
def test_variants_read_alike(file, text):
    trial = read_silent(file(text))
    expected = [[0, 900, 100], [1, 901, 101], [2, 902, 102]]
    np.testing.assert_allclose(trial.markers[:, 0], np.array(expected) / 1000)
    assert trial.marker_names == ("LASI", "RASI", "LANK")
    assert trial.missing.sum() == 2


def test_slot_without_name_is_left_out(file):
    with pytest.warns(BioposeWarning, match="NumMarkers 3, the file has 2"):
        trial = read_trc(file(trc(names="LASI\t\t\t\t\t\tLANK\t\t")))
    assert trial.marker_names == ("LASI", "LANK")
    np.testing.assert_allclose(trial.markers[0, 1], [0.02, 0.08, 0.3])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            trc([r.replace("0\t900\t100", "0\t0\t0") for r in ROWS]),
            r"exact zeros \(0, 0, 0\).* 1 places of 'LASI'",
        ),
        (
            trc(["\t".join([*row.split("\t")[:8], "", "", ""]) for row in ROWS]),
            "without any value are dropped: 'LANK'",
        ),
        (trc(frames=5), "the header says NumFrames 5, the file has 3"),
        (trc(markers=4), "the header says NumMarkers 4, the file has 3"),
        (trc([row + "\t7\t8\t9" for row in ROWS]), "columns without a marker name are ignored"),
        (trc().replace("100\t100\t3", "50\t50\t3"), "DataRate says 50 Hz but the times say 100 Hz"),
    ],
)
def test_repairs_are_told(file, text, message):
    with pytest.warns(BioposeWarning, match=message):
        read_trc(file(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello\nworld\n", "is not a TRC file; its first line must begin with 'PathFileType'"),
        (trc()[:120], "is cut short: it has 2 lines"),
        (trc(header=HEADER.replace("Units", "Unit")), r"line 2 lacks 'Units' \(did you mean 'Unit'\?\)"),
        (
            trc(header="DataRate\tNumFrames"),
            "lacks 'CameraRate', 'NumMarkers', 'Units', .*; line 2 must name DataRate",
        ),
        (trc(units=""), "line 3 has 7 values for the 8 keys"),
        (trc(units="inch"), "unknown Units 'inch' in header line 3; write mm or m"),
        (trc(frames="x"), "line 3: NumFrames is 'x'; give a positive number"),
        (trc().replace("100\t100\t3", "nan\t100\t3"), "line 3: DataRate is 'nan'"),
        (trc(units="m"), r"Units say 'm', which makes the person \d+ m large; set Units to mm"),
        (
            trc().replace("Frame#\tTime", "Foo\tBar"),
            "line 4 does not name columns; it must begin with 'Frame#'",
        ),
        (trc(names=""), "line 4 names no marker"),
        (trc(names="A\t\t\tB\t\t\tA"), "line 4 names the marker 'A' more than once"),
        (trc([]), "has no frames"),
        (trc([*ROWS[:2], "3\t0.02\t2\t902"]), "line 9 is cut short: 4 cells, not 11 for 3 markers"),
        (trc([r.replace("\t", " ") for r in ROWS]), "line 7, column 1: .* is not a number"),
        (trc([ROWS[0], ROWS[1].replace("901", "9O1")]), "line 8, column 4: '9O1' is not a number"),
        (trc([ROWS[0], ROWS[1].replace("901", "901,5")]), "write decimals with a point"),
        (trc([ROWS[0], ROWS[0]]), r"does not increase at frame 2 \(line 8\): 0 s after 0 s; sort the frames"),
        (trc([ROWS[0], ROWS[2], ROWS[1]]), r"frame 3 \(line 9\): 0.01 s after 0.02 s"),
        (trc([ROWS[0], ROWS[1].replace("0.01", "")]), "line 8: the frame has no time"),
        (trc([f"{i + 1}\t{i / 100}" + "\t" * 9 for i in range(3)]), "every marker is empty in every frame"),
        (trc([ROWS[0].replace("900", "inf")]), "marker 'LASI' is infinite at frame 1"),
        (b"PathFileType\0\x01", r"is not a text file \(it holds binary data\)"),
        (b"", "is empty"),
    ],
)
def test_bad_files(file, text, message):
    with pytest.raises(InputError, match=message):
        read_trc(file(text))


def test_metres_called_millimetres(file):
    rows = ["1\t0\t0.1\t0.9\t0.1\t0.2\t1.0\t0.1\t0.1\t0.1\t0.3"]
    with pytest.raises(InputError, match=r"Units say 'mm', which makes the person .* mm large; set Units to m"):
        read_silent(file(trc(rows, frames=1)))
    assert read_silent(file(trc(rows, frames=1, units="m"))).n_frames == 1


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match=r"no\.trc: file not found"):
        read_trc(tmp_path / "no.trc")
    with pytest.raises(InputError, match="is a folder; give the path of a file"):
        read_trc(tmp_path)


def test_read_trial_lists_suffixes(tmp_path):
    with pytest.raises(InputError, match=r"unknown suffix '.trcx' \(did you mean '.trc'\?\); .* from .trc or .c3d"):
        read_trial(tmp_path / "a.trcx")
    path = tmp_path / "A.TRC"
    path.write_text(trc())
    assert read_trial(path).n_markers == 3


coordinates = hnp.arrays(float, st.tuples(st.integers(1, 5), st.integers(3, 5), st.just(3)), elements=st.floats(-3, 3))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(markers=coordinates, units=st.sampled_from(["m", "mm"]), data=st.data())
def test_round_trip(tmp_path, markers, units, data):
    n_frames, n_markers, _ = markers.shape
    markers += np.arange(1, n_markers * 3 + 1).reshape(n_markers, 3) / 2  # a cloud as large as persons
    gap = data.draw(hnp.arrays(bool, (n_frames, n_markers)))
    gap[0] = False
    markers[gap] = np.nan
    markers[..., 0] += 4  # no zeros: they are gaps
    names = [f"M {i}.ä" for i in range(n_markers)]
    trial = Trial.checked("a", np.arange(n_frames) / 120 + 0.5, markers, names, nominal_rate=120)
    path = write_trc(tmp_path / "a.trc", trial, units=units)
    again = read_trc(path)
    assert again.marker_names == trial.marker_names
    np.testing.assert_allclose(again.markers, trial.markers, atol=6e-9, rtol=0)
    np.testing.assert_allclose(again.time, trial.time, atol=6e-9, rtol=0)
    assert again.rate == pytest.approx(120, rel=1e-4)


def test_written_header(tmp_path):
    trial = Trial.checked("a", [0, 0.01], [[[1, 2, 3], [4, 5, 6]], [[math.nan] * 3, [7, 8, -9]]], ["A", "B"])
    lines = write_trc(tmp_path / "a.trc", trial, units="mm").read_text().split("\n")
    assert lines[1:] == [
        HEADER,
        "100\t100\t2\t2\tmm\t100\t1\t2",
        "Frame#\tTime\tA\t\t\tB\t\t",
        "\t\tX1\tY1\tZ1\tX2\tY2\tZ2",
        "",
        "1\t0.00000000\t1000.00000\t2000.00000\t3000.00000\t4000.00000\t5000.00000\t6000.00000",
        "2\t0.01000000\t\t\t\t7000.00000\t8000.00000\t-9000.00000",
        "",
    ]


def test_bad_writes(tmp_path):
    trial = Trial.checked("a", [0], [[[1, 2, 3]]], ["A\tB"])
    with pytest.raises(InputError, match="unknown units 'inch'; write 'm' or 'mm'"):
        write_trc(tmp_path / "a.trc", trial, units="inch")
    with pytest.raises(InputError, match="holds a tab or a line break"):
        write_trc(tmp_path / "a.trc", trial)


def test_real_files(test_data):
    files = sorted(test_data.rglob("*.trc"))
    assert len(files) >= 37
    for path in files:
        with warnings.catch_warnings():
            warnings.simplefilter("error" if "Hamner/subject02_running" not in path.as_posix() else "ignore")
            trial = read_trc(path)
        assert 40 <= trial.n_markers <= 64, path
        extent = np.nanmax(trial.markers[0], axis=0) - np.nanmin(trial.markers[0], axis=0)
        assert 0.9 < extent[1] < 2.2, path
        assert trial.rate == pytest.approx(trial.nominal_rate, rel=1e-3), path


def test_real_values(test_data):
    trial = read_trc(test_data / "pipelines/Rajagopal/ExpData/motion_capture_run.trc")
    assert (trial.n_frames, trial.n_markers, trial.rate) == (510, 42, pytest.approx(100))
    assert trial.time[[0, -1]].tolist() == [0.23, 5.32]
    np.testing.assert_array_equal(trial.marker("LPSI")[0], np.array([878.948715, 1067.420124, -433.885912]) * 1e-3)


def test_reads_fast(test_data):
    """510 frames: 3-5 ms on an idle core; the bound leaves room for a busy machine."""
    path = test_data / "pipelines/Rajagopal/ExpData/motion_capture_run.trc"
    read_trc(path)
    times = []
    for _ in range(10):
        start = time.perf_counter()
        read_trc(path)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.02

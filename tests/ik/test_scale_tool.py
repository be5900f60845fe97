"""Measurement-based scaling and marker placement, against what OpenSim's ScaleTool wrote."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.ik.scale_tool import measure_factors, outer_frames, run_scale_setup
from biopose_sim.ik.setup_files import Measurement, ScaleSetup, read_scale_setup
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel

pytestmark = pytest.mark.filterwarnings("ignore::biopose_sim.io.BioposeWarning")


@pytest.fixture(scope="module")
def rajagopal(test_data: Path) -> Path:
    return test_data / "pipelines" / "Rajagopal"


@pytest.fixture(scope="module")
def run_setup(rajagopal: Path) -> ScaleSetup:
    return read_scale_setup(rajagopal / "Scale" / "scale_setup_run.xml")


@pytest.fixture(scope="module")
def model(run_setup: ScaleSetup) -> OsimModel:
    return run_setup.load_model()


def written_scales(path: Path, bodies: tuple[str, ...]) -> np.ndarray:
    found = {}
    for element in ET.parse(path).getroot().iter("Scale"):
        found[element.findtext("segment", "").strip()] = [float(v) for v in element.findtext("scales", "").split()]
    return np.array([found[name] for name in bodies])


@pytest.mark.parametrize(
    ("setup", "written", "stale", "tolerance"),
    [
        (
            "Rajagopal/Scale/scale_setup_walk_scaleOnly.xml",
            "Rajagopal/Scale/scaleSet_applied_walk.xml",
            (),
            1e-12,
        ),
        # Its shank was measured before the markers of the shipped model moved.
        (
            "Rajagopal/Scale/scale_setup_run.xml",
            "Rajagopal/Scale/scaleSet_applied_run.xml",
            ("tibia_r", "tibia_l"),
            1e-12,
        ),
        # Written with six digits.
        (
            "Gait2354_Simbody/subject01_Setup_Scale.xml",
            "Gait2354_Simbody/OutputReference/subject01_scaleSet_applied.xml",
            (),
            5e-6,
        ),
    ],
)
def test_factors_are_those_that_opensim_wrote(
    test_data: Path, setup: str, written: str, stale: tuple[str, ...], tolerance: float
) -> None:
    result = run_scale_setup(test_data / "pipelines" / setup)
    bodies = result.model.body_names
    expected = written_scales(test_data / "pipelines" / written, bodies)
    current = [name not in stale for name in bodies]
    np.testing.assert_allclose(result.scales[current], expected[current], rtol=0, atol=tolerance)


def test_placed_markers_lie_on_the_measured_ones(run_setup: ScaleSetup, model: OsimModel) -> None:
    result = run_scale_setup(run_setup, model)
    pose, placement = result.pose, run_setup.placement
    assert pose is not None
    assert placement is not None
    static = run_setup.load_trial(placement)
    mean = dict(zip(static.marker_names, np.nanmean(static.markers, axis=0)))
    points = dict(zip(result.model.marker_names, result.model(_tensor(pose.coordinates[0])).markers.numpy()))
    fixed = {m.name for m in model.model.markers if m.fixed}
    for name, point in points.items():
        if name not in fixed:
            np.testing.assert_allclose(point, mean[name], atol=1e-9)
    np.testing.assert_allclose(result.model.scales, result.scales)
    assert pose.marker_rmse[0] < 0.03


def test_fixed_markers_stay(rajagopal: Path) -> None:
    result = run_scale_setup(rajagopal / "Scale" / "scale_setup_walk_scaleOnly.xml")
    fixed = [m.fixed for m in result.model.model.markers]
    assert any(fixed)
    assert not all(fixed)
    assert np.all(result.marker_offsets[fixed] == 0.0)


def test_without_placement_nothing_moves(run_setup: ScaleSetup, model: OsimModel) -> None:
    result = run_scale_setup(replace(run_setup, placement=None), model)
    assert result.pose is None
    assert result.model.marker_names == model.marker_names
    assert np.all(result.marker_offsets == 0.0)
    assert result.factors["thigh"] == pytest.approx(1.1089045059995883)


def test_a_gap_in_the_static_trial_is_averaged_over(run_setup: ScaleSetup, model: OsimModel) -> None:
    assert run_setup.scaling is not None
    trial = run_setup.load_trial(run_setup.scaling)
    markers = trial.markers.copy()
    markers[:50, 0] = np.nan
    measurements = [m for m in run_setup.scaling.measurements if m.apply]
    whole = measure_factors(model, trial, measurements)
    gapped = measure_factors(model, replace(trial, markers=markers), measurements)
    for name, factor in whole.items():
        assert gapped[name] == pytest.approx(factor, rel=1e-3)


def test_frames_as_opensim_takes_them(tmp_path: Path) -> None:
    trial = _trial(np.arange(6) / 10.0)
    source = tmp_path / "s.xml"
    assert np.flatnonzero(outer_frames(trial, (0.1, 0.3), source)).tolist() == [1, 2, 3]
    assert np.flatnonzero(outer_frames(trial, (0.15, 0.31), source)).tolist() == [1, 2, 3, 4]
    assert np.flatnonzero(outer_frames(trial, (-1.0, 9.0), source)).tolist() == [0, 1, 2, 3, 4, 5]
    assert outer_frames(trial, None, source).all()


def test_measured_factor_is_the_mean_of_ratios(model: OsimModel) -> None:
    points = dict(zip(model.marker_names, model(model.default_coordinates).markers.numpy()))
    a, b, c = model.marker_names[:3]
    stretched = np.array([points[a], points[a] + 2.0 * (points[b] - points[a]), points[c]])
    trial = Trial.checked("s", [0.0, 1.0], np.stack([stretched, stretched]), [a, b, c])
    factors = measure_factors(model, trial, [Measurement("m", ((a, b), (a, c)), (("pelvis", (0,)),))])
    assert factors == {"m": pytest.approx(1.5)}


def _tensor(values: np.ndarray):  # type: ignore[no-untyped-def]
    import torch

    return torch.from_numpy(np.ascontiguousarray(values))


def _trial(time: np.ndarray) -> Trial:
    return Trial.checked("static", time, np.ones((len(time), 1, 3)), ["a"])


def _measure(model: OsimModel, trial: Trial, *pairs: tuple[str, str], span: tuple[float, float] | None = None) -> None:
    measure_factors(model, trial, [Measurement("thigh", pairs, (("femur_r", (0, 1, 2)),))], span, "setup.xml")


def test_bad_measurements(model: OsimModel, run_setup: ScaleSetup) -> None:
    assert run_setup.scaling is not None
    trial = run_setup.load_trial(run_setup.scaling)
    a, b = (n for n in model.marker_names[:2])
    with pytest.raises(InputError, match=rf"'thigh' uses '{a}x', which the model .* lacks \(did you mean '{a}'"):
        _measure(model, trial, (a + "x", b))
    with pytest.raises(InputError, match=rf"'thigh' uses '{b}', which the trial .* lacks.*<apply>"):
        _measure(model, trial.drop([b]), (a, b))
    with pytest.raises(InputError, match=r"'thigh' gives the factor \d{3,}; .*check the units"):
        _measure(model, replace(trial, markers=trial.markers * 1000.0), (a, b))
    with pytest.raises(InputError, match=r"<time_range> 50 to 60 s lies outside of the trial"):
        _measure(model, trial, (a, b), span=(50.0, 60.0))
    hidden = trial.markers.copy()
    hidden[:, trial.index(a)] = np.nan
    with pytest.raises(InputError, match="never seen together"):
        _measure(model, replace(trial, markers=hidden), (a, b))
    with pytest.raises(InputError, match="at one place in the model"):
        _measure(model, trial, (a, a))


def test_missing_files(run_setup: ScaleSetup, model: OsimModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"names no <model_file>"):
        run_scale_setup(replace(run_setup, model_file=None))
    with pytest.raises(InputError, match=r"<model_file> .*no\.osim does not exist"):
        run_scale_setup(replace(run_setup, model_file=tmp_path / "no.osim"))
    with pytest.raises(InputError, match=r"<marker_set_file> .*no\.xml does not exist"):
        run_scale_setup(replace(run_setup, marker_set_file=tmp_path / "no.xml"))
    assert run_setup.scaling is not None
    gone = replace(run_setup.scaling, marker_file=tmp_path / "no.trc")
    with pytest.raises(InputError, match=r"<marker_file> .*no\.trc does not exist"):
        run_scale_setup(replace(run_setup, scaling=gone), model)


def test_unknown_bodies_and_movement_are_told(run_setup: ScaleSetup, model: OsimModel) -> None:
    scaling, placement = run_setup.scaling, run_setup.placement
    assert scaling is not None
    assert placement is not None
    first = replace(scaling.measurements[0], bodies=(("tail", (0,)), *scaling.measurements[0].bodies))
    setup = replace(
        run_setup,
        scaling=replace(scaling, measurements=(first, *scaling.measurements[1:])),
        placement=replace(placement, max_marker_movement=0.1),  # in the file's unit: mm
    )
    warnings = " ".join(run_scale_setup(setup, model).warnings)
    assert "'tail'" in warnings
    assert "move by more than" in warnings


def test_wanted_values_hold_where_no_weighted_marker_tells(test_data: Path) -> None:
    setup = read_scale_setup(test_data / "pipelines" / "Gait2354_Simbody" / "subject01_Setup_Scale.xml")
    assert setup.placement is not None
    tasks = setup.placement.tasks
    changed = tuple(
        replace(t, value_type="manual_value", value=0.1) if t.name == "mtp_angle_r" else t for t in tasks.coordinates
    )
    weights = tuple(replace(t, apply=t.apply and ".Toe" not in t.name) for t in tasks.markers)
    tasks = replace(tasks, coordinates=changed, markers=weights)
    result = run_scale_setup(replace(setup, placement=replace(setup.placement, tasks=tasks)))
    assert result.pose is not None
    assert result.pose.coordinate("mtp_angle_r")[0] == pytest.approx(0.1, abs=1e-6)

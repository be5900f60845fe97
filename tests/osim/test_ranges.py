"""A motion that leaves a clamped range of the root: OpenSim shows the written model as we do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from biopose_sim.io import Motion, read_mot, write_mot
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.ranges import range_notices, widened_ranges
from biopose_sim.osim.writer import export_osim


@pytest.fixture(scope="module")
def model(test_data: Path) -> OsimModel:
    return OsimModel.from_file(test_data / "models" / "Rajagopal2016.osim")


def motion_of(model: OsimModel, frames: int = 3, **degrees: float) -> Motion:
    """A motion at the defaults, with coordinates that go from their default to the given angles."""
    values = np.tile(model.tree.defaults, (frames, 1))
    for name, angle in degrees.items():
        column = model.coordinate_names.index(name)
        values[:, column] = np.linspace(values[0, column], np.radians(angle), frames)
    with torch.no_grad():
        values = model(torch.from_numpy(values)).coordinates.numpy()  # dependent ones from their couplers
    return Motion("turn", np.arange(frames) / 100.0, values, model.coordinate_names, model.motion_types)


def degrees_of(model: OsimModel, *motions: Motion) -> dict[str, tuple[float, float]]:
    return {k: (np.degrees(low), np.degrees(high)) for k, (low, high) in widened_ranges(model, motions).items()}


def test_which_ranges(model: OsimModel) -> None:
    """Rajagopal2016 clamps the three rotations of the pelvis to 90 deg, and the knee to 0 .. 120."""
    assert degrees_of(model) == {}
    assert degrees_of(model, motion_of(model, pelvis_rotation=90.0, pelvis_tilt=-89.0)) == {}
    assert degrees_of(model, motion_of(model, knee_angle_r=150.0)) == {}
    turned = motion_of(model, pelvis_rotation=-100.0)
    assert degrees_of(model, turned) == {"pelvis_rotation": pytest.approx((-180.0, 180.0))}
    found = degrees_of(model, turned, motion_of(model, pelvis_tilt=179.0, pelvis_rotation=500.0))
    assert found == {
        "pelvis_tilt": pytest.approx((-180.0, 180.0)),
        "pelvis_rotation": pytest.approx((-180.0, 540.0)),
    }
    assert range_notices(model, [turned]) == [
        "the written model clamps pelvis_rotation to -180 .. 180 deg, not to -90 .. 90, since the motion leaves that"
    ]


def opensim_markers(path: Path, motion: Path) -> np.ndarray:
    """Markers (T, n, 3) [m] as OpenSim shows the motion: values clamped to their ranges, locks and couplers kept."""
    opensim = pytest.importorskip("opensim", reason="OpenSim is the reference of this test")
    opensim.Logger.setLevelString("Critical")
    opensim.Logger.removeFileSink()
    model = opensim.Model(str(path))
    state = model.initSystem()
    table = opensim.TimeSeriesTable(str(motion))
    names = list(table.getColumnLabels())
    frames = []
    for row in range(table.getNumRows()):
        for name, value in zip(names, table.getRowAtIndex(row).to_numpy()):
            coordinate = model.getCoordinateSet().get(name)
            if not coordinate.getLocked(state):
                in_file = np.radians(value) if coordinate.getMotionType() == 1 else value
                coordinate.setValue(state, float(in_file), True)  # True: within its range
        model.realizePosition(state)
        markers = model.getMarkerSet()
        frames.append([markers.get(i).getLocationInGround(state).to_numpy() for i in range(markers.getSize())])
    return np.array(frames)


def test_opensim_shows_what_we_computed(model: OsimModel, tmp_path: Path) -> None:
    motion = motion_of(model, pelvis_rotation=205.0, pelvis_list=-100.0, knee_angle_r=60.0)
    path = export_osim(model, tmp_path / "turned.osim", motions=[motion])
    moved = write_mot(tmp_path / "turned.mot", motion)
    written = OsimModel.from_file(path)
    again = read_mot(moved, dict(zip(written.coordinate_names, written.motion_types)))
    ours = written(torch.from_numpy(again.coordinates)).markers.numpy()
    assert np.abs(opensim_markers(path, moved) - ours).max() < 1e-4  # its accuracy of constraints
    plain = export_osim(model, tmp_path / "plain.osim")
    assert np.abs(opensim_markers(plain, moved) - ours).max() > 0.1

    changed = {c.name: c for c in written.model.coordinates}
    for before in model.model.coordinates:
        after = changed.pop(before.name)
        wide = before.name in ("pelvis_rotation", "pelvis_list")
        assert (after.range == before.range) is not wide
        assert (after.clamped, after.default, after.locked) == (before.clamped, before.default, before.locked)
    assert not changed

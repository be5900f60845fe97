"""Steps and strides: found in walking and running at the times of the force plates, and in nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from biopose_sim.gait.contacts import loaded
from biopose_sim.gait.events import find_events
from biopose_sim.io import Motion, read_mot
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.paths import default_model_path
from biopose_sim.synthetic import frame_times, gait_coordinates

WALKING = [f"walking{n}" for n in ("1", "2", "4", "TI1", "TO2", "TS3")]
OTHERS = ["DJ1", "DJAsym2", "STS1", "STSweakLegs1", "squats1", "squatsAsym1"]


@dataclass(frozen=True)
class Pulse:
    """The force on a foot: a load where ``on``."""

    on: np.ndarray

    @property
    def force(self) -> np.ndarray:
        return np.outer(np.where(self.on, 700.0, 0.0), [0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Plates:
    time: np.ndarray
    feet: dict[str, Pulse] = field(default_factory=dict)
    origin: str = "measured"

    def foot(self, side: str) -> Pulse | None:
        return self.feet.get(side)


@pytest.fixture(scope="module")
def laboratory(test_data: Path) -> tuple[OsimModel, Path]:
    folder = test_data / "opencap_lab_subject4"
    return OsimModel.from_file(folder / "Models/manually_scaled.osim"), folder


def motion_of(model: OsimModel, path: Path) -> Motion:
    return read_mot(path, dict(zip(model.coordinate_names, model.motion_types)))


@pytest.mark.parametrize("trial", WALKING)
def test_a_stride_of_the_laboratory(laboratory, trial):
    """The recordings begin with a strike of the right foot on the first plate and end after its next."""
    model, folder = laboratory
    events = find_events(model, motion_of(model, folder / f"IK/{trial}_manual_scaling_ik.mot"))
    assert events.kind == "walking"
    assert events.source == "kinematics"
    (cycle,) = events.cycles
    assert cycle.side == "r"
    assert cycle.start < 0.05
    assert 1.0 < cycle.duration < 1.25
    assert 0.55 < (cycle.foot_off - cycle.start) / cycle.duration < 0.7


@pytest.mark.parametrize("trial", OTHERS)
def test_no_gait_in_other_movements(laboratory, trial):
    model, folder = laboratory
    events = find_events(model, motion_of(model, folder / f"IK/{trial}_manual_scaling_ik.mot"))
    assert events.kind == "none"
    assert events.cycles == ()
    assert events.note


def test_running(test_data: Path):
    folder = test_data / "pipelines/Hamner/outputReference"
    model = OsimModel.from_file(folder / "subject02_registered.osim")
    events = find_events(model, motion_of(model, folder / "ResultsIK/subject02_running_ik.mot"))
    assert events.kind == "running"
    assert len(events.of("r")) >= 12
    assert len(events.of("l")) >= 12
    assert np.allclose([c.duration for c in events.cycles], 0.69, atol=0.04)


@pytest.fixture(scope="module")
def walk() -> tuple[OsimModel, Motion]:
    model = OsimModel.from_file(default_model_path())
    time = frame_times(5.0, 100.0)
    return model, Motion("walk", time, gait_coordinates(model, 5.0, 100.0), model.coordinate_names, model.motion_types)


def turned(model: OsimModel, motion: Motion, angle: float) -> Motion:
    """The same motion with another direction of walking."""
    q = motion.coordinates.copy()
    x, z, turn = (model.coordinate_names.index(n) for n in ("pelvis_tx", "pelvis_tz", "pelvis_rotation"))
    c, s = np.cos(angle), np.sin(angle)
    q[:, x], q[:, z] = c * q[:, x] + s * q[:, z], -s * q[:, x] + c * q[:, z]
    q[:, turn] += angle
    return replace(motion, coordinates=q)


def test_any_direction_and_treadmills_give_the_same_events(walk):
    model, motion = walk
    straight = find_events(model, motion)
    assert straight.kind == "walking"
    assert len(straight.cycles) >= 6
    other = find_events(model, turned(model, motion, 2.0))
    q = motion.coordinates.copy()
    x = model.coordinate_names.index("pelvis_tx")
    q[:, x] -= np.polyval(np.polyfit(motion.time, q[:, x], 1), motion.time)
    belt = find_events(model, replace(motion, coordinates=q))
    for events in (other, belt):
        assert [c.side for c in events.cycles] == [c.side for c in straight.cycles]
        assert np.allclose([c.start for c in events.cycles], [c.start for c in straight.cycles], atol=0.011)


def test_backwards_is_not_taken_for_gait(walk):
    model, motion = walk
    assert find_events(model, replace(motion, coordinates=motion.coordinates[::-1].copy())).kind == "none"


def test_measured_force_gives_the_time(walk):
    model, motion = walk
    seen = find_events(model, motion)
    first = seen.strikes["r"][1]
    later = first + 0.03
    plates = Plates(motion.time, {"r": Pulse((motion.time > later) & (motion.time < later + 0.6))})
    events = find_events(model, motion, plates)
    assert events.source == "force"
    assert np.abs(events.strikes["r"] - later).min() < 0.011
    assert np.abs(events.strikes["r"] - first).min() > 0.015
    assert np.allclose(events.strikes["l"], seen.strikes["l"])
    estimated = find_events(model, motion, replace(plates, origin="estimated"))
    assert estimated.source == "kinematics"
    assert np.allclose(estimated.strikes["r"], seen.strikes["r"])


def test_contacts_that_the_recording_cuts_have_no_strike_or_no_off():
    time = np.arange(0.0, 2.0, 0.01)
    on = (time < 0.3) | ((time > 0.6) & (time < 1.2)) | ((time > 1.225) & (time < 1.3)) | (time > 1.8)
    on |= (time > 1.5) & (time < 1.53)  # too short for a contact
    strikes, offs = loaded(Plates(time, {"r": Pulse(on)}), "r")
    assert np.allclose(strikes, [0.6, 1.8], atol=0.011)
    assert np.allclose(offs, [0.3, 1.3], atol=0.011)
    assert all(len(moments) == 0 for moments in loaded(Plates(time), "r"))


def test_a_model_without_feet(walk, test_data: Path):
    model = OsimModel.from_file(test_data / "models/arm26.osim")
    time = frame_times(1.0, 100.0)
    q = np.tile(model.default_coordinates.numpy(), (len(time), 1))
    events = find_events(model, Motion("arm", time, q, model.coordinate_names, model.motion_types))
    assert events.kind == "none"
    assert "calcn_r" in events.note

"""Two results side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.io import Motion
from ik_pipeline.compare import compare_angles, compare_results, compare_scales
from ik_pipeline.engines import make_engine
from ik_pipeline.types import ScaledPerson


@pytest.fixture(scope="module")
def result(choice, person):
    return make_engine("fit", choice).solve(ScaledPerson(choice.model, None, None), person[1][1][1])


def test_a_result_equals_itself(choice, result):
    found = compare_results(choice.model, result, result)
    assert found.frames == len(result.time)
    assert found.rms[0] == found.rms[1] > 0.0
    assert found.angles.largest == 0.0
    assert max(m.largest for m in found.markers) == 0.0
    assert {d.name for d in found.coordinates} == {
        n for n, sure in zip(result.coordinate_names, result.determined) if sure
    }


def test_a_turned_knee_is_found_and_whole_turns_are_none(choice, result):
    other = replace(result, coordinates=result.coordinates.copy())
    knee, hip = (result.coordinate_names.index(n) for n in ("knee_angle_r", "pelvis_rotation"))
    other.coordinates[:, knee] += np.radians(2.0)
    other.coordinates[:, hip] += 2.0 * np.pi
    found = {d.name: d for d in compare_results(choice.model, result, other).coordinates}
    assert found["knee_angle_r"].median == pytest.approx(2.0)
    assert found["knee_angle_r"].unit == "deg"
    assert found["pelvis_rotation"].largest < 1e-9
    table = compare_results(choice.model, result, other).table(("a", "b"), rows=1)
    assert "knee_angle_r" in table
    assert "pelvis_rotation" not in table
    assert "marker RMS a" in table


def test_frames_are_matched_by_time_and_undetermined_coordinates_left_out(choice, result):
    part = replace(
        result,
        **{name: getattr(result, name)[5:15] for name in ("time", "coordinates", "model_markers", "marker_errors")},
        sensitivity=np.where(np.array(result.coordinate_names) == "hip_flexion_r", 1.0, result.sensitivity),
    )
    found = compare_results(choice.model, result, part)
    assert found.frames == 10
    assert found.angles.largest == 0.0
    assert "hip_flexion_r" in found.undetermined
    with pytest.raises(InputError, match="no frame or coordinate in common"):
        compare_results(choice.model, result, replace(part, time=part.time + 0.005))


def test_angles_of_a_laboratory_are_compared_by_name_and_time(result):
    keep = [result.coordinate_names.index(n) for n in ("knee_angle_r", "pelvis_tx")]
    motion = Motion(
        "lab", result.time[::2], result.coordinates[::2][:, keep] + 0.01, ("knee_angle_r", "pelvis_tx"),
        ("rotational", "translational"),
    )  # fmt: skip
    assert compare_angles(result, motion).median == pytest.approx(np.degrees(0.01))
    assert compare_angles(result, replace(motion, time=motion.time + 100.0)) is None


def test_scales_are_compared_body_by_body(choice):
    ones = np.ones((len(choice.model.body_names), 3))
    wide = ones.copy()
    wide[choice.model.body_names.index("pelvis"), 2] = 1.1
    zero = np.zeros((len(choice.model.marker_names), 3))
    a, b = (ScaledPerson(choice.model.scale(s), s, zero) for s in (ones, wide))
    found = compare_scales(a, b)
    pelvis = next(d for d in found.bodies if d.name == "pelvis")
    assert pelvis.largest == pytest.approx(100.0 * (1.0 - 1.0 / 1.1))
    assert found.overall.median == 0.0
    across = [abs(m.location[2]) for m in choice.model.model.markers if m.frame.body == "pelvis"]
    assert found.markers.largest == pytest.approx(100.0 * max(across))  # [mm]: 10 %
    assert "1.000  1.000  1.100" in found.table()

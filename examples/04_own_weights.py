"""Solve a recording with weights of your own: trust bony landmarks, leave a marker out, prefer a straight neck."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import biopose_sim as bp
from biopose_sim import synthetic
from biopose_sim.ik.types import CoordinateTarget
from biopose_sim.paths import default_model_path

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
out.mkdir(parents=True, exist_ok=True)

model = bp.OsimModel.from_file(default_model_path())
q = synthetic.gait_coordinates(model, duration=1.0, rate=100.0)
walk = synthetic.markers_from_coordinates(model, q, synthetic.frame_times(1.0, 100.0), name="walk")

config = bp.IKConfig(
    weights={"RASI": 10.0, "LASI": 10.0, "RPSI": 10.0, "LPSI": 10.0, "C7": 0.0},
    coordinate_targets={"neck_extension": CoordinateTarget(0.0, weight=1e-3)},
)
result = bp.solve_ik(model, walk, config)
bp.io.write_mot(out / "walk.mot", result)

equal = bp.solve_ik(model, walk, replace(config, weights={}, coordinate_targets={}))
pelvis = [result.marker_names.index(name) for name in ("RASI", "LASI", "RPSI", "LPSI")]
for name, found in (("own weights", result), ("equal weights", equal)):
    errors = 1e3 * np.nanmean(found.marker_errors[:, pelvis])
    print(f"{name}: pelvis markers {errors:.1f} mm from the model's, {found.converged.mean():.0%} of frames converged")
uncertain = np.degrees(result.sensitivity[result.determined].max())
print(
    f"1 mm of marker noise moves the least certain of {result.determined.sum()} coordinates by {uncertain:.1f} degrees"
)

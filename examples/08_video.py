"""From 2D key points of one camera to a motion of the OpenSim model: lifted, refined, compared with the truth."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import biopose_sim as bp
from biopose_sim import synthetic
from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.phenotypes import sample_adults, stature
from biopose_sim.io.camera import Camera
from biopose_sim.video.points.body_points import body_points
from biopose_sim.video.points.keypoints import KeyPoints
from ik_pipeline.virtual_fit import virtual_model

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
out.mkdir(parents=True, exist_ok=True)

# A random adult (Anny) walks past a camera; a detector sees 23 points with 2 % of noise.
model, rate, size = virtual_model(), 30.0, (1280, 720)
person = sample_adults(1, 5, "female")[0]
body = synthetic.body_motion(model, synthetic.gait_coordinates(model, 2.0, rate), rate, person, "walk")
trial = virtual_markers(body)
points = body_points().matrix(trial.marker_names) @ trial.markers
middle = points.mean(axis=(0, 1))
camera = Camera.look_at(middle + np.array([2.0, 0.3, 4.5]), middle, *size, view_angle=40.0)
pixels = camera.project(points)[..., :2]
box = np.ptp(pixels, axis=1).max(axis=1)
pixels += 0.02 * box[:, None, None] * np.random.default_rng(0).normal(size=pixels.shape)
found = KeyPoints("walk", trial.time, pixels, np.ones(pixels.shape[:2]), "anny23", size, rate)

# Yours: biopose_sim.video.points.files.read_detections and following.follow, or biopose video CLIP.
lens = Camera.level(*size, camera.focal[0])
start = bp.Lifter.from_pretrained().lift(found, lens, stature=float(stature(person)))
refined = bp.refine_joint(start)
print(f"in the picture {np.nanmean(refined.before):.1f} px off, refined {np.nanmean(refined.after):.1f} px")

# The truth: the model fitted to the body's 142 markers.
true = bp.NeurIK.from_pretrained().predict(trial)
knee = model.coordinate_names.index("knee_angle_r")
for name, estimate in (("lifted", start), ("refined", refined.estimate)):
    apart = np.degrees(np.abs(estimate.coordinates[:, knee] - true.coordinates[:, knee]))
    print(f"right knee, {name}: {apart.mean():.1f} degrees off")

motion = replace(true, coordinates=refined.estimate.coordinates)
bp.export_osim(refined.estimate.model, out / "person.osim", motions=[motion])
bp.io.write_mot(out / "walk.mot", motion)

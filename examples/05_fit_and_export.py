"""Fit two recordings of a person, export model and motions for the OpenSim GUI, and read them back."""

import sys
from pathlib import Path

import numpy as np
import torch

import biopose_sim as bp
from biopose_sim import synthetic
from biopose_sim.paths import default_model_path

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
out.mkdir(parents=True, exist_ok=True)

# Two recordings. Yours: bp.io.read_trc("static.trc"), bp.io.read_c3d("walk.c3d")
generic = bp.OsimModel.from_file(default_model_path())
person = generic.scale(synthetic.random_anthropometry(generic, np.random.default_rng(4)))
times = synthetic.frame_times(0.6, 100.0)
poses = {
    "static": np.tile(synthetic.static_pose(person), (len(times), 1)),
    "walk": synthetic.gait_coordinates(person, 0.6, 100.0),
}
trials = [synthetic.markers_from_coordinates(person, q, times, name=name) for name, q in poses.items()]

fitted = bp.fit(generic, trials)
bp.export_osim(fitted.model, out / "person.osim", mass=68.0, name="person")
for result in fitted.results:
    bp.io.write_mot(out / f"{result.name}.mot", result)

model = bp.OsimModel.from_file(out / "person.osim")
motion = bp.io.read_mot(out / "walk.mot", dict(zip(model.coordinate_names, model.motion_types)))
again = model(torch.from_numpy(motion.coordinates)).markers.numpy()
columns = [model.marker_names.index(name) for name in fitted.results[1].marker_names]
away = np.abs(again[:, columns] - fitted.results[1].model_markers).max()
print(f"files mean the same as the result, to {1e3 * away:.5f} mm")
print(f"femur: {fitted.scales[model.body_names.index('femur_r')].round(3)} of the generic one")

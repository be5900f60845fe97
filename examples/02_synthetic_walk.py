"""Make a random person walk, record markers with noise and gaps, and draw the skeleton."""

import sys
from pathlib import Path

import numpy as np

import biopose_sim as bp
from biopose_sim import synthetic
from biopose_sim.paths import default_model_path

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
out.mkdir(parents=True, exist_ok=True)

generic = bp.OsimModel.from_file(default_model_path())
person = generic.scale(synthetic.random_anthropometry(generic, np.random.default_rng(7)))
time = synthetic.frame_times(duration=2.0, rate=100.0)
q = synthetic.gait_coordinates(person, duration=2.0, rate=100.0, speed=1.3)
trial = synthetic.markers_from_coordinates(person, q, time, name="walk", noise=0.0015, soft_tissue=0.004)
bp.io.write_trc(out / "walk.trc", trial)

figure = bp.viz.plot_skeleton(person, q, time=time, measured=trial.markers, views=("side", "oblique"))
(out / "walk.png").write_bytes(bp.viz.to_png(figure))
print(f"{trial}\nwritten: {out / 'walk.trc'}, {out / 'walk.png'}")

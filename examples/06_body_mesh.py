"""A body mesh that walks: virtual markers on it, the model fitted to them, and a picture of both."""

import sys
from pathlib import Path

import numpy as np

import biopose_sim as bp
from biopose_sim import synthetic
from biopose_sim.bodies import load, save_sequence
from biopose_sim.bodies.body import body_for, mesh
from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.phenotypes import sample_adults
from biopose_sim.paths import default_model_path
from ik_pipeline.virtual_fit import virtual_fit_config, virtual_model

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
out.mkdir(parents=True, exist_ok=True)

# A random woman who walks with the project's own gait. Yours: any file of AMASS, WHAM, 4D-Humans, GVHMR, ...
generic = bp.OsimModel.from_file(default_model_path())
person = sample_adults(1, seed=10, sex="female")[0]
gait = synthetic.gait_coordinates(generic, duration=1.2, rate=60.0)
save_sequence(synthetic.body_motion(generic, gait, 60.0, person, "walk"), out / "walk.npz")

sequence = load(out / "walk.npz")
trial = virtual_markers(sequence)
fitted = bp.fit(virtual_model(), [trial], virtual_fit_config())
(walk,) = fitted.results
bp.io.write_mot(out / "walk.mot", walk)

frames = np.linspace(0, len(walk.time) - 1, 4).round().astype(int)
body = body_for(sequence)
vertices = mesh(body, sequence, frames) @ sequence.to_ground.T
figure = bp.viz.plot_body(
    fitted.model,
    walk.coordinates[frames],
    vertices,
    body.faces,
    markers=trial.markers[frames],
    time=walk.time[frames],
    views=("side", "front"),
)
(out / "walk.png").write_bytes(bp.viz.to_png(figure))
print(f"{trial}\nmarker error {1e3 * np.sqrt(np.mean(walk.marker_errors**2)):.1f} mm RMS, picture: {out / 'walk.png'}")

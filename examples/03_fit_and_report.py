"""Fit a model to a static and a walking trial, compare with the truth, write .mot files and the report."""

import sys
from pathlib import Path

import numpy as np

import biopose_sim as bp
from biopose_sim import synthetic
from biopose_sim.paths import default_model_path

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
out.mkdir(parents=True, exist_ok=True)

generic = bp.OsimModel.from_file(default_model_path())
true_scales = synthetic.random_anthropometry(generic, np.random.default_rng(7))
person = generic.scale(true_scales)
truth = {
    "static": np.tile(synthetic.static_pose(person), (20, 1)),
    "walk": synthetic.gait_coordinates(person, duration=1.5, rate=100.0),
}
trials = [
    synthetic.markers_from_coordinates(person, q, np.arange(len(q)) / 100.0, name=name, noise=0.0015, soft_tissue=0.004)
    for name, q in truth.items()
]

fitted = bp.fit(generic, trials)
for result in fitted.results:
    bp.io.write_mot(out / f"{result.name}.mot", result)
    print(f"{result.name}: marker error {1e3 * np.sqrt(np.nanmean(result.marker_errors**2)):.1f} mm RMS")
report = bp.viz.write_report(
    out / "report.html",
    title="A walking person",
    model=fitted.model,
    results=fitted.results,
    trials=trials,
    truth=truth,
    scales=fitted.scales,
    true_scales=true_scales,
    notes=fitted.warnings,
)
print(f"open {report}")

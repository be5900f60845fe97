"""From a motion to joint moments without force plates: estimated ground reaction, OpenSim's inverse dynamics."""

import sys
from pathlib import Path

import biopose_sim as bp
from biopose_sim import synthetic
from biopose_sim.io import read_sto
from biopose_sim.io.motion import Motion
from biopose_sim.paths import default_model_path

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
out.mkdir(parents=True, exist_ok=True)

# A walk on the default model. Yours: the .osim and .mot that fit, predict and ik write.
model = bp.OsimModel.from_file(default_model_path())
seconds, rate = 1.2, 100.0
motion = Motion(
    "walk",
    synthetic.frame_times(seconds, rate),
    synthetic.gait_coordinates(model, seconds, rate),
    tuple(model.coordinate_names),
    tuple(model.motion_types),
)
bp.io.write_mot(out / "walk.mot", motion)

reaction = bp.estimate_ground_reaction(model, motion)
weight = 9.80665 * sum(body.mass for body in model.model.bodies)
print(f"the feet carry {reaction.total[:, 1].mean() / weight:.2f} body weights on average")

config = bp.SimulationConfig(
    model=default_model_path(), motion=out / "walk.mot", folder=out / "simulation", grf=reaction, tools=("id",)
)
simulation = bp.simulate(config)
moments = read_sto(out / "simulation" / simulation.files["inverse_dynamics"])
knee = moments.column("knee_angle_r_moment")
print(f"right knee: {knee.min():.0f} to {knee.max():.0f} N m; ground reaction {simulation.grf_origin}")

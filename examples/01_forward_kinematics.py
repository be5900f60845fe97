"""Read a model, move its right knee, and get markers and their derivatives."""

import torch

import biopose_sim as bp
from biopose_sim.paths import default_model_path

model = bp.OsimModel.from_file(default_model_path())
q = model.default_coordinates.clone()
knee = model.coordinate_names.index("knee_angle_r")
q[knee] = torch.deg2rad(torch.tensor(60.0, dtype=q.dtype))
q.requires_grad_(True)

out = model(q)
ankle = out.markers[model.marker_names.index("RLMAL")]
(gradient,) = torch.autograd.grad(ankle[0], q)
print(f"{model.name}: {len(model.body_names)} bodies, {len(model.marker_names)} markers")
print("right ankle marker [m]:", [round(x, 3) for x in ankle.tolist()])
print(f"it moves forward by {float(gradient[knee]):+.3f} m per radian of knee flexion")

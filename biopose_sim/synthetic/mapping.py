"""Which coordinates of a model follow which gait curve, and with which sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.synthetic.curves import normative_curves

Array = NDArray[np.float64]
LEFT_LAG = 0.5

# Curve -> coordinates that share it, with their shares (White & Panjabi 1990 Clinical Biomechanics of the
# Spine: axial rotation happens mostly above L1, flexion mostly below); the shares of absent coordinates go
# to the others.
_CENTRAL = {
    "pelvis_tilt": {"pelvis_tilt": 1.0},
    "pelvis_list": {"pelvis_list": 1.0},
    "pelvis_rotation": {"pelvis_rotation": 1.0},
    "trunk_extension": {"lumbar_extension": 0.6, "thorax_extension": 0.4},
    "trunk_bending": {"lumbar_bending": 0.5, "thorax_bending": 0.5},
    "trunk_rotation": {"lumbar_rotation": 0.3, "thorax_rotation": 0.7},
    "neck_extension": {"neck_extension": 1.0},
    "neck_bending": {"neck_bending": 1.0},
    "neck_rotation": {"neck_rotation": 1.0},
}
LEG_CURVES = {
    "hip_flexion": "hip_flexion",
    "hip_adduction": "hip_adduction",
    "hip_rotation": "hip_rotation",
    "knee_flexion": "knee_angle",
    "ankle_dorsiflexion": "ankle_angle",
    "subtalar_inversion": "subtalar_angle",
    "toe_extension": "mtp_angle",
}
_ARM_CURVES = {
    "shoulder_flexion": "arm_flex",
    "shoulder_adduction": "arm_add",
    "shoulder_rotation": "arm_rot",
    "elbow_flexion": "elbow_flex",
    "forearm_pronation": "pro_sup",
}


@dataclass(frozen=True)
class Track:
    """A coordinate that follows ``factor * curve(phase - lag)``.

    Attributes:
        coordinate: index in the model.
        curve: name of the gait curve.
        factor: sign and share.
        lag: 0 for the right side and the centre of the body, half a cycle for the left side.
    """

    coordinate: int
    curve: str
    factor: float
    lag: float = 0.0

    def values(self, phase: Array) -> Array:
        """Values [rad] at phases of the right leg's cycle."""
        return self.factor * normative_curves()[self.curve](np.asarray(phase) - self.lag)


def gait_tracks(model: OsimModel) -> list[Track]:
    """Return a track for each movable coordinate of the model that a gait curve drives.

    Raises:
        InputError: the model lacks the pelvis, hip, knee or ankle coordinates of the Rajagopal family.
    """
    index = movable(model)
    require_walker(model)
    tracks = []
    for curve, shares in _CENTRAL.items():
        present = {name: share for name, share in shares.items() if name in index}
        total = sum(present.values())
        tracks += [Track(index[name], curve, share / total) for name, share in present.items()]
    for curve, stem in {**LEG_CURVES, **_ARM_CURVES}.items():
        for side, lag in (("r", 0.0), ("l", LEFT_LAG)):
            name = f"{stem}_{side}"
            if name in index:
                tracks.append(Track(index[name], curve, coordinate_sign(model, name), lag))
    return tracks


def movable(model: OsimModel) -> dict[str, int]:
    """Return the index of each coordinate that is neither locked nor dependent, by name."""
    fixed = model.tree.locked | model.tree.dependent
    return {name: i for i, name in enumerate(model.coordinate_names) if not fixed[i]}


def require_walker(model: OsimModel) -> None:
    """Refuse a model without the coordinates and bodies that walking needs."""
    legs = [f"{stem}_{side}" for stem in ("hip_flexion", "knee_angle", "ankle_angle") for side in "rl"]
    needed = ["pelvis_tilt", "pelvis_tx", "pelvis_ty", "pelvis_tz", *legs]
    missing = [name for name in needed if name not in model.coordinate_names]
    missing += [body for body in ("calcn_r", "calcn_l") if body not in model.body_names]
    if missing:
        raise InputError(
            model.name,
            f"cannot walk: it has no {', '.join(missing)}",
            "synthetic gait needs a model of the Rajagopal family (pelvis, hips, knees, ankles, calcanei)",
        )


def coordinate_sign(model: OsimModel, name: str) -> float:
    """Return +1 or -1 so that a positive value of the curve moves the model's coordinate the same way.

    The families differ in the knee (Rajagopal: flexion positive; Hamner: negative) and in the joints of the
    foot, so these are probed by moving them: flexion brings the shank back, inversion leans the foot's up
    axis outwards, toe extension lifts the toes.
    """
    stem, side = name[:-2], name[-1]
    probes = {
        "knee_angle": (f"calcn_{side}", (-1.0, 0.0, 0.0), 3),
        "subtalar_angle": (f"calcn_{side}", (0.0, 0.0, 1.0 if side == "r" else -1.0), 1),
        "mtp_angle": (f"toes_{side}", (0.0, 1.0, 0.0), 0),
    }
    if stem not in probes or probes[stem][0] not in model.body_names:
        return 1.0
    body, direction, column = probes[stem]
    q = model.default_coordinates.repeat(2, 1)
    q[1, model.coordinate_names.index(name)] += 0.1
    moved = model(q).transforms[:, model.body_names.index(body), :3, column]
    along = (moved[1] - moved[0]) @ torch.tensor(direction, dtype=q.dtype)
    return 1.0 if float(along) >= 0.0 else -1.0

"""A person who turns further than the model allows: the written model and motion still fit together."""

from __future__ import annotations

import numpy as np
import torch

import biopose_sim as bp
from biopose_sim.cli.reopen import reopen
from biopose_sim.io import Trial, write_trc


def test_fit_widens_the_range_that_the_motion_leaves(biopose, test_data, tmp_path):
    source = test_data / "models" / "Rajagopal2016.osim"
    model = bp.OsimModel.from_file(source)
    turn = model.coordinate_names.index("pelvis_rotation")
    assert model.model.coordinates[turn].clamped
    frames = 12
    q = np.tile(model.tree.defaults, (frames, 1))
    q[:, turn] = np.radians(np.linspace(0.0, 140.0, frames))
    with torch.no_grad():
        markers = model(torch.from_numpy(q)).markers.numpy()
    trial = Trial.checked("turn", np.arange(frames) / 100.0, markers, model.marker_names)
    write_trc(tmp_path / "turn.trc", trial)

    out = tmp_path / "out"
    answer = biopose("fit", tmp_path / "turn.trc", "--model", source, "-o", out, "--no-report")
    assert answer.code == 0, answer.err
    assert "the written model clamps pelvis_rotation to -180 .. 180 deg, not to -90 .. 90" in answer.err
    written = bp.OsimModel.from_file(out / "Rajagopal2016_scaled.osim")
    motion = bp.io.read_mot(out / "turn.mot", dict(zip(written.coordinate_names, written.motion_types)))
    assert np.degrees(motion.coordinate("pelvis_rotation").max()) > 130.0
    low, high = np.degrees(written.model.coordinates[turn].range)
    assert (low, high) == (-180.0, 180.0)
    again = reopen(out / "Rajagopal2016_scaled.osim", out / "turn.mot")
    assert again.degrees < 0.01
    assert again.millimetres < 0.01

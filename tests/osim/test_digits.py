"""Functions keep all their digits, though OpenSim saves six of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import osim_text as x
import pytest
import synthetic_models as synthetic
import torch

from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.digits import restore_digits
from biopose_sim.osim.writer import export_osim
from biopose_sim.paths import default_model_path

HEAD, END = b"<OpenSimDocument>", b"</OpenSimDocument>"


def restored(original: bytes, saved: bytes) -> bytes:
    return restore_digits(HEAD + original + END, saved)


def test_rounded_lists_become_exact() -> None:
    exact = b"<x>0.123456789 1</x><y>a b</y><coefficients> 1.0000001\n2 </coefficients>"
    assert restored(exact, b"<x>0.123457 1</x><y>a b</y>") == b"<x>0.123456789 1</x><y>a b</y>"
    assert restored(exact, b"<y>0.123457 1</y><x>0.5</x>") == b"<y>0.123457 1</y><x>0.5</x>"  # another list
    assert restored(exact, b"<coefficients>1 2</coefficients>") == b"<coefficients> 1.0000001\n2 </coefficients>"


def test_the_rest_stays_byte_for_byte() -> None:
    saved = b"<!--a note--><HuntCrossleyForce::ContactParameters><x>0.123457</x></HuntCrossleyForce::ContactParameters>"
    original = b"<HuntCrossleyForce::ContactParameters><x>0.123456789</x></HuntCrossleyForce::ContactParameters>"
    assert restored(original, saved) == saved.replace(b"0.123457", b"0.123456789")


def test_lists_that_are_rounded_to_the_same() -> None:
    exact = b"<x>0.12345671</x><x>0.12345672</x>"
    assert restored(exact, b"<x>0.123457</x><x>0.123457</x>") == exact
    assert restored(exact, b"<x>0.123457</x>") == b"<x>0.123457</x>"  # which of the two?
    assert restored(exact[:17] * 2, b"<x>0.123457</x>") == exact[:17]


def long_numbers(folder: Path) -> Path:
    """A joint whose rotation and translation follow a spline and a polynomial of many digits."""
    rng = np.random.default_rng(0)
    spline = x.points("SimmSpline", np.sort(rng.uniform(-1.5, 1.5, 7)), rng.normal(0.0, 0.3, 7))
    joints = [
        x.one_function_joint("hip", synthetic.GROUND, synthetic.A, spline),
        x.one_function_joint("knee", synthetic.A, synthetic.B, x.polynomial(*rng.normal(0.0, 0.1, 4))),
        x.one_function_joint("toe", synthetic.B, synthetic.C, x.linear(*rng.normal(0.0, 0.3, 2))),
    ]
    return x.write(folder, x.document(joints, ["a", "b", "c"]))


@pytest.mark.parametrize("name", ["small", "Rajagopal2016", "default"])
def test_written_model(test_data: Path, tmp_path: Path, name: str) -> None:
    paths = {"default": default_model_path(), "Rajagopal2016": test_data / "models" / "Rajagopal2016.osim"}
    path = paths[name] if name in paths else long_numbers(tmp_path)
    model = OsimModel.from_file(path)
    rng = np.random.default_rng(1)
    model = model.scale(rng.uniform(0.8, 1.25, (len(model.body_names), 3)))
    written = OsimModel.from_file(export_osim(model, tmp_path / "written.osim"))
    low, high = np.clip(model.tree.ranges, -3.0, 3.0).T
    q = torch.from_numpy(rng.uniform(low, high, (50, len(low))))
    ours, theirs = model(q), written(q)
    np.testing.assert_allclose(theirs.transforms, ours.transforms, rtol=0, atol=1e-12)
    np.testing.assert_allclose(theirs.markers, ours.markers, rtol=0, atol=1e-12)

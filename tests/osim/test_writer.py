"""Exported models: OpenSim's scaling and our kinematics must say the same."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import torch

from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim import writer
from biopose_sim.osim.markerset import keep_markers, with_markers
from biopose_sim.osim.process import OpenSimError, run_script
from biopose_sim.osim.schema import Frame, Marker
from biopose_sim.osim.writer import export_osim

pytest.importorskip("opensim", reason="OpenSim writes the models")
MODELS = (
    "Rajagopal2016.osim",
    "LaiUhlrich2022.osim",
    "FullBodyModel_Hamner2010_v2_0.osim",
    "gait10dof18musc.osim",
    "d3ke_full_body_wo_hands.osim",
    "Model_Pose2Sim_simple.osim",
    "WalkerModel.osim",
    "arm26.osim",
)
_LOAD = """
import sys, opensim
opensim.Logger.removeFileSink()
model = opensim.Model(sys.argv[1])
state = model.initSystem()
print("MASS", repr(model.getTotalMass(state)))
"""


def scaled_model(path: Path, seed: int = 0) -> OsimModel:
    """A model with random factors, moved markers and new ones on the first body and on ground."""
    rng = np.random.default_rng(seed)
    model = OsimModel.from_file(path)
    first = Frame(model.body_names[0])
    model = with_markers(model, [Marker("new", first, (0.01, 0.02, 0.03)), Marker("floor", Frame("ground"), (1, 0, 2))])
    factors = rng.uniform(0.8, 1.25, (len(model.body_names), 3))
    return model.scale(factors, rng.normal(0.0, 0.01, (len(model.marker_names), 3)))


def opened(path: Path, folder: Path) -> tuple[list[str], float]:
    """What OpenSim says when it opens a file, without the file's name, and the total mass [kg]."""
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, str(path)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    lines = (done.stdout + done.stderr).splitlines()
    mass = next(float(line.split()[1]) for line in lines if line.startswith("MASS"))
    said = {re.sub(r"'?[^ ']*\.osim'?", "FILE", line) for line in lines if "[warning]" in line or "[error]" in line}
    return sorted(said), mass


def check_kinematics(model: OsimModel, written: OsimModel) -> None:
    q = torch.from_numpy(np.random.default_rng(1).uniform(-1.0, 1.0, (20, len(model.coordinate_names))))
    ours, theirs = model(q), written(q)
    assert written.body_names == model.body_names
    assert set(written.marker_names) == set(model.marker_names)
    order = [written.marker_names.index(name) for name in model.marker_names]
    np.testing.assert_allclose(theirs.transforms, ours.transforms, rtol=0, atol=1e-9)
    np.testing.assert_allclose(theirs.markers[:, order], ours.markers, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_written_kinematics(test_data: Path, tmp_path: Path, name: str) -> None:
    model = scaled_model(test_data / "models" / name)
    path = export_osim(model, tmp_path / "scaled.osim")
    check_kinematics(model, OsimModel.from_file(path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scaled.osim"]


def test_opens_as_the_original_does(test_data: Path, tmp_path: Path) -> None:
    source = test_data / "models" / "Rajagopal2016.osim"
    path = export_osim(scaled_model(source), tmp_path / "scaled.osim")
    before, mass_before = opened(source, tmp_path)
    after, mass_after = opened(path, tmp_path)
    assert after == before
    assert mass_after == pytest.approx(mass_before, rel=1e-12)

    def meshes(file: Path) -> list[str | None]:
        return [e.text for e in ET.parse(file).getroot().iter("mesh_file")]

    assert meshes(path) == meshes(source)


def test_mass_name_and_locks(test_data: Path, tmp_path: Path) -> None:
    model = OsimModel.from_file(test_data / "models" / "Rajagopal2016.osim")
    locked = [n for n, is_locked in zip(model.coordinate_names, model.tree.locked) if is_locked]
    assert locked
    path = export_osim(model, tmp_path / "a.osim", mass=61.5, unlock=locked[:1], name="Ada")
    written = OsimModel.from_file(path)
    assert written.name == "Ada"
    assert sum(b.mass for b in written.model.bodies) == pytest.approx(61.5, rel=1e-12)
    shares = [b.mass / 61.5 for b in written.model.bodies]
    total = sum(b.mass for b in model.model.bodies)
    assert shares == pytest.approx([b.mass / total for b in model.model.bodies])
    still = [n for n, is_locked in zip(written.coordinate_names, written.tree.locked) if is_locked]
    assert still == locked[1:]


def test_unscaled_model_and_fewer_markers(test_data: Path, tmp_path: Path) -> None:
    model = OsimModel.from_file(test_data / "models" / "Rajagopal2016.osim")
    few = keep_markers(model, model.marker_names[:5])
    written = OsimModel.from_file(export_osim(few, tmp_path / "few.osim"))
    assert written.marker_names == model.marker_names[:5]
    check_kinematics(few, written)


def test_uniform_factors_only(test_data: Path, tmp_path: Path) -> None:
    model = OsimModel.from_file(test_data / "models" / "DynamicJumperModel.osim")
    shape = (len(model.body_names), 3)
    with pytest.raises(InputError, match=r"DynamicJumper.*only uniformly.*same factor for all three axes"):
        export_osim(model.scale(np.random.default_rng(0).uniform(0.9, 1.1, shape)), tmp_path / "a.osim")
    assert list(tmp_path.iterdir()) == []
    uniform = model.scale(np.full(shape, 1.1))
    check_kinematics(uniform, OsimModel.from_file(export_osim(uniform, tmp_path / "a.osim")))


def test_bad_requests(test_data: Path, tmp_path: Path) -> None:
    path = test_data / "models" / "Rajagopal2016.osim"
    model = OsimModel.from_file(path)
    with pytest.raises(InputError, match=r"no coordinate 'knee_angel_r' to unlock \(did you mean 'knee_angle_r'"):
        export_osim(model, tmp_path / "a.osim", unlock=["knee_angel_r"])
    with pytest.raises(InputError, match="mass: is -3 kg"):
        export_osim(model, tmp_path / "a.osim", mass=-3.0)
    with pytest.raises(InputError, match=r"folder .* does not exist"):
        export_osim(model, tmp_path / "none" / "a.osim")
    wrist = OsimModel.from_file(test_data / "models" / "wrist.osim")
    with pytest.raises(InputError, match="no mass to scale to 70 kg"):
        export_osim(wrist, tmp_path / "a.osim", mass=70.0)
    copy = tmp_path / "copy.osim"
    copy.write_bytes(path.read_bytes())
    gone = OsimModel.from_file(copy)
    copy.unlink()
    with pytest.raises(InputError, match="file is gone"):
        export_osim(gone, tmp_path / "a.osim")
    assert list(tmp_path.iterdir()) == []


def test_failures_leave_nothing(test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = OsimModel.from_file(test_data / "models" / "arm26.osim")
    old = tmp_path / "a.osim"
    old.write_text("old")
    script = tmp_path / "dies.py"
    script.write_text("import os, signal\nprint('[error] so it goes')\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setattr(writer, "_PROCESS", script)
    with pytest.raises(OpenSimError, match=r"arm26\.osim: OpenSim failed while scaling the model: its process ended"):
        export_osim(model, old)
    assert old.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.osim", "dies.py"]


def test_what_a_process_says(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("def work(opensim, job):\n    return {'version': opensim.GetVersion(), 'twice': 2 * job['n']}\n")
    answer = run_script(script, {"n": 4}, tmp_path, subject="x.osim", doing="scaling", timeout=60)
    assert answer["twice"] == 8
    assert answer["version"][0].isdigit()
    assert not (tmp_path / "opensim.log").exists()
    script.write_text("def work(opensim, job):\n    opensim.Model('none.osim')\n")
    with pytest.raises(OpenSimError, match=r"x\.osim: OpenSim failed while scaling: .*none\.osim"):
        run_script(script, {}, tmp_path, subject="x.osim", doing="scaling", timeout=60)
    script.write_text("print('[error] the cause')\ndef work(opensim, job):\n    raise RuntimeError('see messages')\n")
    with pytest.raises(OpenSimError, match=r"see messages \(the cause\)"):
        run_script(script, {}, tmp_path, subject="x.osim", doing="scaling", timeout=60)
    script.write_text("import time\ntime.sleep(30)\n")
    with pytest.raises(OpenSimError, match=r"it did not end within 0\.5 s"):
        run_script(script, {}, tmp_path, subject="x.osim", doing="scaling", timeout=0.5)
    assert OpenSimError.exit_code == 1


def test_opensim_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "opensim.py").write_text("raise ImportError('No module named opensim')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(InputError, match=r"x\.osim: scaling needs OpenSim \(No module.*pip install opensim"):
        run_script(tmp_path / "none.py", {}, tmp_path, subject="x.osim", doing="scaling", timeout=60)

"""The commands of the README and the examples do what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bvh_text import bvh_text

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
EXAMPLES = sorted((REPOSITORY / "examples").glob("[0-9][0-9]_*.py"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def environment(folder: Path) -> dict[str, str]:
    """An environment in which ``biopose`` and ``python`` are those of this test run."""
    tools = folder / "tools"
    tools.mkdir()
    for name, words in (("biopose", "-m biopose_sim"), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        (tools / name).chmod(0o755)
    own = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    paths = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": own}
    return {**os.environ, **paths}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A folder with the files that the README speaks of: recordings, setups."""
    from biopose_sim.cli.walker import make_walker
    from biopose_sim.io import write_trc
    from biopose_sim.kinematics.model import OsimModel
    from biopose_sim.paths import default_model_path
    from biopose_sim.synthetic import gait_coordinates, motion_as_bvh

    folder = tmp_path_factory.mktemp("lab")
    for trial in make_walker(default_model_path(), seed=2, noise=0.002, gaps=0.0, seconds=0.5).trials:
        write_trc(folder / f"{trial.name}.trc", trial)
        person = folder / "lab" / "P01"
        person.mkdir(parents=True, exist_ok=True)
        write_trc(person / f"{trial.name}.trc", trial)
    generic = OsimModel.from_file(default_model_path())
    motion = motion_as_bvh(generic, gait_coordinates(generic, 0.3, 50.0), 50.0)
    (folder / "walk.bvh").write_text(bvh_text(motion))
    film(folder / "walk.mp4", generic)
    model = "subject01/biopose_fullbody_scaled.osim"
    tool = (
        f"<InverseKinematicsTool name='walk'><model_file>{model}</model_file><marker_file>walk.trc</marker_file>"
        "<output_motion_file>walk_ik.mot</output_motion_file><IKTaskSet><objects/></IKTaskSet></InverseKinematicsTool>"
    )
    (folder / "ik_setup.xml").write_text(f"<OpenSimDocument Version='40000'>{tool}</OpenSimDocument>")
    (folder / "scale_setup.xml").write_text(f"<OpenSimDocument Version='40000'>{scale_tool()}</OpenSimDocument>")
    return folder


def film(path: Path, model) -> None:
    """A rendered person (Anny) who walks past, as a phone would film them."""
    from biopose_sim.bodies.markers import virtual_markers
    from biopose_sim.bodies.phenotypes import sample_adults
    from biopose_sim.synthetic import body_motion, gait_coordinates
    from biopose_sim.video.synthetic.clip import standing_camera, synthetic_clip
    from biopose_sim.viz.film import write_pictures

    rate = 25.0
    person = body_motion(model, gait_coordinates(model, 1.0, rate), rate, sample_adults(1, 5, "female")[0])
    camera = standing_camera(virtual_markers(person).markers, 480, 360, side=0.8)
    write_pictures(path, synthetic_clip(person, camera, seed=1).pictures(), rate=rate, camera=True)


def scale_tool() -> str:
    from biopose_sim.paths import default_model_path

    pair = "<MarkerPair name='p'><markers>RASI LASI</markers></MarkerPair>"
    body = "<BodyScale name='pelvis'><axes>X Y Z</axes></BodyScale>"
    measurement = (
        f"<Measurement name='pelvis'><apply>true</apply><MarkerPairSet><objects>{pair}</objects></MarkerPairSet>"
        f"<BodyScaleSet><objects>{body}</objects></BodyScaleSet></Measurement>"
    )
    return (
        f"<ScaleTool name='me'><mass>70</mass><GenericModelMaker><model_file>{default_model_path()}</model_file>"
        "</GenericModelMaker><ModelScaler><apply>true</apply><scaling_order>measurements</scaling_order>"
        f"<MeasurementSet><objects>{measurement}</objects></MeasurementSet><marker_file>static.trc</marker_file>"
        "<output_model_file>me_scaled.osim</output_model_file></ModelScaler></ScaleTool>"
    )


def test_commands_and_program_of_the_readme(lab):
    """All in one, as each block needs what the one before wrote."""
    surroundings = environment(lab)
    for block in blocks("sh"):
        done = subprocess.run(
            ["bash", "-euc", block], cwd=lab, env=surroundings, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr
    for block in blocks("python"):
        (lab / "program.py").write_text(block)
        done = subprocess.run(
            ["python", "program.py"],
            cwd=lab,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        for comment in re.findall(r"# (\([\d, ]+\)).*?; (\([\d, ]+\))", block):
            assert all(shape in done.stdout for shape in comment)
    for name in (
        "walker/walk_body.mot",
        "dancer/walk_body.png",
        "from_video/walk_overlay.mp4",
        "demo_output/report.html",
        "angles/walk.mot",
        "walk_ik.mot",
        "me_scaled.osim",
        "me.osim",
    ):
        assert (lab / name).is_file(), name


def test_the_readme_shows_enough_commands():
    words = {line.split()[1] for block in blocks("sh") for line in block.splitlines() if line.startswith("biopose ")}
    assert words >= {"demo", "fit", "predict", "ik", "info", "model"}


def test_make_has_the_two_commands_and_they_set_up_everything(tmp_path):
    for target in ("demo", "test"):
        assert f"make {target}" in README
        done = subprocess.run(
            ["make", "-n", target, f"VENV={tmp_path / 'venv'}"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "-m venv" in done.stdout
        assert "torch==2.13.0" in done.stdout
        assert ".[all,dev]" in done.stdout


def test_pictures_and_files_of_the_readme_are_there_and_small():
    for name in re.findall(r"!\[.*?\]\((.*?)\)", README, re.DOTALL):
        assert (REPOSITORY / name).is_file(), name
        assert (REPOSITORY / name).stat().st_size < 300_000, name
    for name in re.findall(r"`((?:docs|examples|models)/[\w/.]*)`", README):
        assert (REPOSITORY / name).exists(), name


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(path, tmp_path):
    done = subprocess.run(
        [sys.executable, path, "out"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()

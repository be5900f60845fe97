"""Gait and forces in a report; the page opens in a browser without an error."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scenes import Scene, make_scene
from test_report import _read

from biopose_sim import synthetic
from biopose_sim.forces.types import Simulation
from biopose_sim.viz.report import Known, write_report
from biopose_sim.viz.style import new_figure, to_png

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass(frozen=True)
class Figures:
    """What the quality of a trial says."""

    frames_at_limits: float = 0.25
    limits: tuple[tuple[str, float], ...] = (("knee_angle_r", 0.25),)
    floor_from: str | None = "ground"
    floor: float | None = 0.0
    penetration: float | None = 12.0
    skate: float | None = 250.0
    slip: float | None = None
    standing: float | None = 0.9


@pytest.fixture(scope="module")
def long_walk(model) -> Scene:
    return make_scene(model, synthetic.gait_coordinates(model, 3.0, 50.0), "walk")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulation")
    (folder / "moments.png").write_bytes(to_png(new_figure(1.0, 1.0)))
    (folder / "summary.csv").write_text(
        "quantity,side,name,value,unit,time,note\n"
        "joint_moment_max,r,knee_angle_r,0.7,N m/kg,1.0,\n"
        "joint_moment_min,r,knee_angle_r,-0.4,N m/kg,1.1,\n"
        "joint_moment_max,r,wrist_flex_r,9.9,N m/kg,1.0,\n"
        "ground_reaction_y_max,l,calcn_l,1.15,BW,1.0,\n"
    )
    Simulation(
        trial="walk", model="m.osim", motion="m.mot", mass=70.0, start=0.0, end=1.0, filter_hz=6.0,
        grf_origin="estimated", grf_source="Newton-Euler", files={"summary": "summary.csv"},
        pictures=("moments.png",), warnings=("residuals are large",),
    ).write(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, long_walk: Scene, simulated: Path) -> Path:
    return write_report(
        tmp_path_factory.mktemp("page") / "report.html",
        title="A walk",
        model=long_walk.model,
        results=[long_walk.result],
        trials=[long_walk.trial],
        subject=[("Height of the standing model", "1.75 m")],
        qualities={"walk": Figures()},
        simulations={"walk": simulated},
    )


def test_gait_is_told(page: Path):
    text, _ = _read(page)
    assert "Walking: " in text
    for expected in ("Cadence", "Step length", "Double support", "Asymmetry", "42 healthy adults", "1.75 m"):
        assert expected in text


def test_estimated_forces_are_called_so(page: Path):
    text, _ = _read(page)
    assert "ESTIMATED from the motion, not measured" in text
    assert "residuals are large" in text
    assert "-0.40 to 0.70" in text
    assert "9.90" not in text


def test_limits_and_feet_are_told(page: Path):
    text, _ = _read(page)
    assert "Knee angle, right (25 %)" in text
    assert "250" in text
    source = page.read_text()
    assert '<span class="bad">250</span>' in source
    assert '<span class="good">12</span>' in source


def test_what_is_missing_is_said(tmp_path: Path, static: Scene):
    unknown = Known(convergence=False, iterations=False, determination=False, sensitivity=False)
    result = static.result
    bare = type(result)(**{**vars(result), "marker_errors": np.full_like(result.marker_errors, np.nan)})
    text, _ = _read(write_report(tmp_path / "r.html", title="x", model=static.model, results=[bare], known=unknown))
    assert "static: the person stands still." in text
    assert "No forces were simulated" in text
    assert "The measured markers are not known" in text
    assert "It is not known which coordinates the markers determine" in text
    assert "Converged" not in text


def test_contents_point_to_the_parts(page: Path):
    source = page.read_text()
    targets = re.findall(r'href="#([^"]+)"', source)
    assert {"gait", "forces", "quality", "joint-angles-over-time"} <= set(targets)
    assert all(f'<h2 id="{target}">' in source for target in targets)
    assert len(set(targets)) == len(targets)


def test_a_broken_simulation_does_not_break_the_page(tmp_path: Path, static: Scene):
    (tmp_path / "simulation.json").write_text("{")
    path = write_report(
        tmp_path / "r.html",
        title="x",
        model=static.model,
        results=[static.result],
        simulations={"static": tmp_path},
    )
    assert "The simulation cannot be read" in _read(path)[0]


def test_it_opens_in_a_browser_and_prints(page: Path, tmp_path: Path):
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium on this machine")
    words = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    printed = tmp_path / "page.pdf"
    done = subprocess.run(
        [*words, "--enable-logging=stderr", f"--print-to-pdf={printed}", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "CONSOLE" not in done.stderr
    assert printed.read_bytes().startswith(b"%PDF")

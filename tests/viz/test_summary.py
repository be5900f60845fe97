"""The summary of a run: one page that stands alone, the worst first, light for thousands of trials."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenes import Scene

from biopose_sim.viz.summary import (
    PersonSummary,
    RunSummary,
    TrialSummary,
    worst_case_picture,
    worst_cases,
    write_summary,
)
from biopose_sim.viz.summary_tables import _kind

PNG = b"\x89PNG\r\n"


def quality(rms: float = 8.0, **more: object) -> dict[str, object]:
    """What the pipeline measures of a trial."""
    return {
        "frames": 300, "seconds": 5.0, "rate": 60.0, "markers": 142, "marker_rms": rms, "landmark_rms": rms + 1.0,
        "tracking_rms": rms - 1.0, "largest_error": 4.0 * rms, "largest_marker": "RASI", "worst_frame": 7,
        "worst_markers": [["RASI", 3.0 * rms], ["C7", 2.0 * rms]], "segments": [["pelvis", rms], ["femur_r", 3.0]],
        "masked_landmarks": 0.1, "missing": 0.0, "frozen": 0.0, "marker_jumps": 0, "jumping_markers": [],
        "at_limits": 0.02, "frames_at_limits": 0.3, "limits": [["clav_elevation_r", 0.25]], "jumps": 2,
        "jump_frames": 0.01, "jumping": [["arm_flex_r", 2]], "wraps": 0, "jerk": 300.0, "jerk_ratio": 1.0,
        "floor": 0.0, "floor_from": "ground", "feet": "soles", "penetration": 12.0, "penetrating": 0.0,
        "standing": 0.9, "skate": 40.0, "slip": 12.0, "upside_down": 0.0, "lying": 0.0, "converged": 1.0,
        "undetermined": [],
    } | more  # fmt: skip


def person(name: str, **more: object) -> PersonSummary:
    measured = {
        "size": 1.02, "marker_rms": 8.0, "model_stature": 1.74, "landmark_offset": 12.0, "asymmetry": 0.0,
        "parts": [["pelvis", [1.1, 0.9, 1.0]], ["thigh", [1.0, 1.05, 1.2]]],
    }  # fmt: skip
    values = {"dataset": "cmu", "sex": "female", "stature": 1.72, "split": "train", "quality": measured} | more
    return PersonSummary(name, "ok", **values)  # type: ignore[arg-type]


def run_of(count: int, **more: object) -> RunSummary:
    """A run whose trials get worse from first to last, 10 of a person; every fourth is rejected."""
    reason = ("markers are off by 28.1 mm RMS (limit 25)",)
    trials = tuple(
        TrialSummary(f"p{k // 10}", f"take_{k}", *(("rejected", reason) if k % 4 == 3 else ("ok", ())),
                     action="walk" if k % 2 else "run", severity=k / count, quality=quality(5.0 + k % 30))
        for k in range(count)
    )  # fmt: skip
    persons = tuple(person(f"p{k}", split="test" if k % 5 == 4 else "train") for k in range(-(-count // 10)))
    return replace(RunSummary("A run", persons, trials), **more)  # type: ignore[arg-type]


def written(path: Path, run: RunSummary, picture=None) -> tuple[str, list[list[object]]]:
    """The page and the rows of its table of trials."""
    text = write_summary(path, run, picture).read_text(encoding="utf-8")
    data = re.search(r'<script id="trial-data" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    return text, json.loads(data[1])["rows"]


def test_page_stands_alone_and_holds_all(tmp_path):
    run = run_of(
        43,
        bad_files=(("lost.bvh", "is cut off at line 812"),),
        notices=("Two takes were left out",),
        about=(("Engine", "fit"),),
    )
    failed = TrialSummary("p0", "broken", "failed", ("broken.c3d: holds no marker",))
    text, rows = written(tmp_path / "summary.html", replace(run, trials=(*run.trials, failed)))
    assert len(rows) == 44
    assert rows[3][:6] == ["p0", "take_3", "rejected", "train", "walk", 300]
    assert rows[3][6] == 8.0
    assert rows[-1][5:7] == [None, None]
    for part in ("lost.bvh", "is cut off at line 812", "Two takes were left out", "holds no marker", "Engine"):
        assert part in text
    for part in ("33", "trials accepted of 44", "trials rejected", "markers are off by … mm RMS", "<td>test</td>"):
        assert part in text or part.replace("<td>", '<td class="name">') in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "http" not in re.sub(r"base64,[^\"]*", "", text)
    assert text.count("data:image/png;base64,") == 5


def test_the_worst_of_many_come_first_and_only_they_are_drawn(tmp_path):
    asked: list[tuple[str, str]] = []

    def draw(who: str, trial: str) -> bytes | None:
        asked.append((who, trial))
        return None if len(asked) == 2 else PNG

    run = run_of(4000, notices=tuple(f"notice {k}" for k in range(300)))
    text, _ = written(tmp_path / "summary.html", run, draw)
    assert asked[:4] == [("p399", "take_3999"), ("p399", "take_3995"), ("p399", "take_3991"), ("p398", "take_3987")]
    assert all(int(name.removeprefix("take_")) % 4 == 3 for _, name in asked)
    assert [(t.person, t.trial) for t in worst_cases(run.trials)] == asked
    assert text.count('class="case"') == 12
    assert len(text) < 2e6
    assert "284 more are in the manifest" in text
    assert text.count("Frame 8 of 300") >= 12


def test_names_cannot_break_the_page(tmp_path):
    evil = "</script><b>x & 'y'</b>"
    trial = TrialSummary(evil, evil, "rejected", (evil,), evil, 2.0, quality())
    run = RunSummary(evil, (person(evil),), (trial,), ((evil, evil),), (evil,), ((evil, evil),))
    text, rows = written(tmp_path / "summary.html", run)
    assert "<b>x" not in text
    assert rows[0][0] == rows[0][1] == rows[0][-1] == evil


@pytest.mark.parametrize("what", ["nothing", "only failed", "nothing measured"])
def test_poor_runs_have_a_page_too(tmp_path, what):
    run = RunSummary("Empty", (), ())
    if what == "only failed":
        run = RunSummary(
            "Failed", (PersonSummary("p", "failed", ("no markers",)),), (TrialSummary("p", "t", "failed"),)
        )
    if what == "nothing measured":
        unknown = {k: v if isinstance(v, (list, int)) else None for k, v in quality().items()} | {"seconds": 0.0}
        trial = TrialSummary("p", "t", "ok", quality=unknown | {"worst_markers": [], "segments": [], "frames": 0})
        run = RunSummary("Bare", (person("p", sex=None, stature=None),), (trial,))
    text, rows = written(tmp_path / "summary.html", run)
    assert len(rows) == len(run.trials)
    assert "no markers" in text or what != "only failed"


def test_reasons_are_counted_by_kind():
    assert _kind("marker LPSH is off by 138 mm RMS (limit 75)") == "marker … is off by … mm RMS"
    assert _kind("markers on scapula_l are off by 1.2e+03 mm RMS (limit 55)") == "markers on … are off by … mm RMS"
    assert _kind("markers are off by 41.9 mm RMS (limit 25)") == "markers are off by … mm RMS"
    kind = "… of the landmark samples are off by more than 2 cm"
    assert _kind("32.4 % of the landmark samples are off by more than 2 cm (limit 30 %)") == kind


def test_picture_shows_markers_and_bears_absurd_ones(walk: Scene):
    q, own = walk.truth[0], walk.result.model_markers[0]
    near = own + 0.001
    plain = worst_case_picture(walk.model, q, near, own)
    absurd = near.copy()
    absurd[0], absurd[1] = np.nan, [500.0, 3.0, -800.0]
    moved = near.copy()
    moved[2] += [0.2, 0.2, 0.0]
    pictures = [plain, worst_case_picture(walk.model, q, absurd, own), worst_case_picture(walk.model, q, moved, own)]
    assert len(set(pictures)) == 3
    for png in pictures:
        assert len(png) < 60_000
        image = np.asarray(Image.open(BytesIO(png)).convert("L"))
        assert image.shape[1] > image.shape[0] > 200
        # The person fills the picture, also where a marker is a kilometre away.
        assert np.ptp(np.flatnonzero((image < 128).any(axis=1))) > 0.7 * image.shape[0]
    assert worst_case_picture(walk.model, q, near, own) == plain

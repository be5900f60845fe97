"""The report is one page that stands alone, whatever it is given."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from scenes import Scene

from biopose_sim.errors import InputError
from biopose_sim.viz import report
from biopose_sim.viz.report import write_report

_VOID = {"meta", "img", "br", "hr"}


class _Page(HTMLParser):
    """Collects the text and checks that tags are closed in order and nothing is loaded from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert name != "href" or str(value).startswith("#")
            if name == "src":
                assert str(value).startswith("data:image/png;base64,")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _read(path: Path) -> tuple[str, _Page]:
    source = path.read_text(encoding="utf-8")
    page = _Page()
    page.feed(source)
    page.close()
    assert page.open == []
    assert path.stat().st_size < 5e6
    outside = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", source)
    assert not re.search(r"https?:|url\(|@import|<script", outside)
    return " ".join(page.text), page


def test_a_full_report(tmp_path: Path, walk: Scene, static: Scene) -> None:
    scales = np.full((len(walk.model.body_names), 3), 1.02)
    scales[walk.model.body_names.index("femur_l")] = 0.93
    result = walk.result.with_warnings("marker RTH2 is far away")
    path = write_report(
        tmp_path / "report.html",
        title="Demo",
        model=walk.model,
        results=[static.result, result],
        trials=[static.trial, walk.trial],
        truth={"walk": walk.truth},
        scales=scales,
        true_scales=np.ones_like(scales),
        notes=["A synthetic person."],
    )
    text, page = _read(path)
    assert page.tags.count("img") == 8  # of them two of gait
    for expected in (
        "Demo",
        "marker RTH2 is far away",
        "femur_l",
        "93.0",
        "tibia (both sides)",
        "Knee angle",
        "numpy",
    ):
        assert expected in text
    assert "mean joint-angle error to the known truth" in text
    assert "A synthetic person." in text
    assert "wrist_flex_r" in text  # is not determined
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_names_cannot_break_the_page(tmp_path: Path, static: Scene) -> None:
    evil = "<b>&\"'</b><script>alert(1)</script>$x^"
    names = (evil, *static.result.marker_names[1:])
    result = replace(static.result, name=evil, marker_names=names, warnings=(evil,))
    text, page = _read(
        write_report(tmp_path / "r.html", title=evil, model=static.model, results=[result], notes=[evil])
    )
    assert evil in text
    assert "script" not in page.tags


@pytest.mark.filterwarnings("error")
def test_nan_errors_one_frame_no_markers_and_failures(tmp_path: Path, walk: Scene) -> None:
    base = walk.result
    one = replace(
        base,
        name="one",
        time=base.time[:1],
        coordinates=base.coordinates[:1],
        marker_errors=base.marker_errors[:1],
        converged=np.zeros(1, dtype=bool),
        iterations=base.iterations[:1],
    )
    gone = replace(one, name="gone", marker_errors=np.full_like(one.marker_errors, np.nan))
    bare = replace(one, name="bare", marker_names=(), marker_weights=np.ones(0), marker_errors=np.zeros((1, 0)))
    text, _ = _read(write_report(tmp_path / "r.html", title="x", model=walk.model, results=[one, gone, bare]))
    assert "one: 1 of 1 frames did not converge" in text
    assert "No marker was measured" not in text  # that is in the picture
    assert "nan" not in text.lower().replace("determinan", "")


def test_many_trials_stay_light(tmp_path: Path, static: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_TRIALS_WITH_FIGURES", 2)
    results = [replace(static.result, name=f"trial{i:02d}") for i in range(30)]
    text, page = _read(write_report(tmp_path / "r.html", title="many", model=static.model, results=results))
    assert all(f"trial{i:02d}" in text for i in range(30))
    assert "Figures of 28 further trials are left out" in text
    assert page.tags.count("img") == 5


def test_wrong_arguments_are_named_and_leave_no_file(tmp_path: Path, walk: Scene, static: Scene) -> None:
    target = tmp_path / "r.html"
    common = {"title": "x", "model": walk.model}
    with pytest.raises(InputError, match="no result"):
        write_report(target, results=[], **common)
    with pytest.raises(InputError, match="2 trials but 1 results"):
        write_report(target, results=[walk.result], trials=[walk.trial, walk.trial], **common)
    with pytest.raises(InputError, match="number of frames"):
        write_report(target, results=[walk.result], trials=[static.trial], **common)
    with pytest.raises(InputError, match=r"truth of 'walk'.*shape"):
        write_report(target, results=[walk.result], truth={"walk": walk.truth[:4]}, **common)
    with pytest.raises(InputError, match="other coordinates"):
        write_report(target, results=[replace(walk.result, coordinate_names=("a",))], **common)
    with pytest.raises(InputError, match="does not exist"):
        write_report(tmp_path / "none" / "r.html", results=[static.result], **common)
    assert not list(tmp_path.iterdir())

"""The part of a report on the clip."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from scenes import Scene

from biopose_sim.viz import style
from biopose_sim.viz.report import write_report
from biopose_sim.viz.report_video import Fact, VideoPage, VideoView, video_part
from biopose_sim.viz.video_figures import plot_views
from biopose_sim.viz.video_flags import flag_words

FRAMES, POINTS = 50, ("nose", "left_knee", "right_knee")
NASTY = 'Läufer "1" <script>alert(1)</script> & ?#'
JPEG = b"\xff\xd8\xff\xe0 no real picture"


class Page(HTMLParser):
    """Texts and attributes of a piece of HTML."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def first(self, tag: str) -> dict[str, str | None]:
        return next(attributes for name, attributes in self.tags if name == tag)


def view(name: str = "walk") -> VideoView:
    found = np.ones((FRAMES, 3), dtype=bool)
    found[:25, 1] = False
    errors = np.where(found, [4.0, 6.0, 20.0], np.nan)
    return VideoView(
        name,
        after=np.full(FRAMES, 10.0),
        before=np.full(FRAMES, 20.0),
        found=found,
        confidence=np.where(found, 0.9, 0.0),
        point_errors=errors,
        repairs=("whole body, frames 3 to 9",),
        person_height=500.0,
        film="walk_overlay.mp4",
        poster=JPEG,
        sheet=style.to_png(style.new_figure(1.0, 1.0)),
    )


@pytest.fixture
def page() -> VideoPage:
    flags = ["ok"] * 40 + ["few_points"] * 3 + ["", "ok", "few_points", "odd_thing", "ok", "ok", "ok"]
    facts = (Fact("Focal length", "1681 px", "calibration <file>"),)
    return VideoPage(np.arange(FRAMES) / 50.0, (view(),), POINTS, flags, facts, False, ("Frames 0 to 49.",))


def test_figures_are_those_of_the_views(page: VideoPage):
    text = Page(video_part(page)).text
    assert "walk 83 % 10.0 20.0 −50 % 2.0 % 10.0" in text
    assert "Left knee 50 % 0.90 6.0" in text
    assert "whole body, frames 3 to 9" in text
    assert "Few key points: carried by the frames around it 40–42, 45 4 (8 %)" in text
    assert "Odd thing 46 1 (2 %)" in text
    assert "Focal length 1681 px calibration <file>" in text


def test_whether_the_size_is_known_is_said(page: VideoPage):
    assert "The size of the person is not known" in Page(video_part(page)).text
    known = Page(video_part(replace(page, size_known=True))).text
    assert "The size of the person is known" in known
    assert "--stature" not in known


def test_the_film_lies_beside_the_page(page: VideoPage):
    source = video_part(page)
    film = Page(source).first("video")
    assert film["src"] == "./walk_overlay.mp4"
    assert "controls" in film
    assert str(film["poster"]).startswith("data:image/jpeg;base64,")
    silent = replace(page, views=(replace(page.views[0], film=None, sheet=None),))
    assert "<video" not in video_part(silent)
    assert "There is no clip to draw on" in video_part(silent)


def test_names_cannot_break_the_page(page: VideoPage, tmp_path: Path, static: Scene):
    nasty = replace(view(NASTY), film=f"{NASTY}.mp4", repairs=(NASTY,))
    page = replace(
        page, views=(nasty, view()), facts=(Fact(NASTY, NASTY, NASTY),), notes=(NASTY,), flags=[NASTY] * FRAMES
    )
    path = write_report(tmp_path / "r.html", title=NASTY, model=static.model, results=[static.result], video=page)
    source = path.read_text(encoding="utf-8")
    assert "<script" not in source
    parsed = Page(source)
    assert not [tag for tag, _ in parsed.tags if tag == "script"]
    assert NASTY in parsed.text
    assert (
        parsed.first("video")["src"]
        == "./L%C3%A4ufer%20%221%22%20%3Cscript%3Ealert%281%29%3C/script%3E%20%26%20%3F%23.mp4"
    )
    assert "#video" in source


def test_nothing_seen_is_no_failure(page: VideoPage):
    empty = VideoView("dark", np.full(FRAMES, np.nan), None, np.zeros((FRAMES, 3), bool), np.zeros((FRAMES, 3)))
    text = Page(video_part(replace(page, views=(empty,), flags=["ok"] * FRAMES, facts=(), notes=()))).text
    assert "dark 0 % – – – – –" in text
    assert "None of the 50 frames has a flag" in text
    assert "Nothing was exchanged" in text
    single = replace(view(), after=np.ones(1), before=None, found=np.ones((1, 3), bool), confidence=np.ones((1, 3)),
                     point_errors=None)  # fmt: skip
    assert "walk 100 % 1.0" in Page(video_part(VideoPage(np.zeros(1), (single,), POINTS, ["behind"], (), True))).text
    assert video_part(None) == ""


def test_counts_that_do_not_fit_are_refused(page: VideoPage):
    with pytest.raises(ValueError, match="3 flags for 50 frames"):
        video_part(replace(page, flags=["ok"] * 3))
    with pytest.raises(ValueError, match=r"view 'walk': shape \(49,\), expected \(50,\)"):
        video_part(replace(page, views=(replace(page.views[0], after=np.ones(49)),)))


def test_one_outlier_does_not_flatten_the_curves():
    after = np.full(200, 10.0)
    after[7] = 900.0
    figure = plot_views(np.arange(200) / 50.0, [("walk", None, after)], ["ok"] * 199 + ["at_limits"])
    assert figure.axes[0].get_ylim()[1] < 100.0
    start, width = figure.axes[1].collections[0].get_paths()[0].get_extents().intervalx
    assert (start, width) == pytest.approx((198.5 / 50.0, 199.5 / 50.0))


def test_flags_are_told_in_words():
    assert flag_words("ok") == ""
    assert flag_words("at_limits") == "many joints at the end of their range"
    assert flag_words("new_kind") == "new kind"

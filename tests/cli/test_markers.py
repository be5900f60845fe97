"""``biopose markers``: table, picture and page."""

from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from biopose_sim.viz.body_markers import MarkerScene, marker_scene
from biopose_sim.viz.marker_pictures import VIEWS, visible_markers


@pytest.fixture(scope="module")
def scene() -> MarkerScene:
    return marker_scene("anny")


def test_list_prints_each_marker(biopose):
    answer = biopose("markers", "list")
    assert answer.code == 0
    assert len(answer.out.splitlines()) == 143
    assert re.search(
        r"^RASI +pelvis .* landmark +[\d.]+ +right anterior superior iliac spine$", answer.out, re.MULTILINE
    )
    assert re.search(r"^RHLX .* 6617 +right hallux", biopose("markers", "list", "--body", "smplh").out, re.MULTILINE)


def test_show_writes_a_picture_and_a_page(biopose, tmp_path):
    answer = biopose("markers", "show", "-o", tmp_path / "m.png", "--html", tmp_path / "m.html")
    assert answer.code == 0, answer.err
    picture = np.asarray(Image.open(BytesIO((tmp_path / "m.png").read_bytes())).convert("RGB"))
    assert min(picture.shape[:2]) > 1000
    assert (picture < 200).any(axis=2).mean() > 0.02
    page = (tmp_path / "m.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=|https?://|import ", page)  # nothing from elsewhere
    text = re.search(r'<script id="scene" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert text is not None
    content = json.loads(text[1])
    assert len(content["markers"]) == 142
    assert len(content["bones"]) > 20


def test_page_alone(biopose, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert biopose("markers", "show", "--html", "m.html").code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["m.html"]


def test_body_without_model_file_says_where_it_is_from(biopose, tmp_path):
    answer = biopose("markers", "show", "--body", "smplx", "--models", tmp_path, "-o", tmp_path / "m.png")
    assert answer.code == 2
    assert len(answer.error_lines) == 1
    assert "smpl-x.is.tue.mpg.de" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_body_and_skeleton_stand_alike(scene: MarkerScene):
    at = {m.name: k for k, m in enumerate(scene.markers)}
    for points in (scene.on_body, scene.on_skeleton):
        assert points[at["HTOP"], 1] == pytest.approx(1.7, abs=0.12)
        assert points[at["RASI"], 0] > points[at["RPSI"], 0] + 0.05  # X forward
        assert points[at["RACR"], 2] > 0.1 > -0.1 > points[at["LACR"], 2]  # Z to the right
    assert scene.vertices[:, 1].min() == pytest.approx(0.0, abs=1e-9)


def test_each_view_shows_what_it_can_see(scene: MarkerScene):
    seen = {view: {scene.markers[k].name for k in visible_markers(scene, camera)} for view, camera in VIEWS.items()}
    assert {"RASI", "LASI", "STRN", "NASI"} <= seen["front"] - seen["back"]
    assert {"C7", "SACR", "LPSI", "RCAL"} <= seen["back"] - seen["front"]
    assert {"RLMAL", "RTRG"} <= seen["right side"]
    assert not {"LLMAL", "LTRG", "RMFC"} & seen["right side"]


@pytest.mark.parametrize("body", ["smpl", "smplh", "smplx"])
def test_bodies_of_the_users_files_are_placed(body: str, tmp_path, monkeypatch):
    """On a made-up model file: a cloud of vertices, so only that each marker finds its place."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "bodies"))
    from synthetic_smpl import write_npz

    scene = marker_scene(body, model_folder=write_npz(tmp_path / f"{body.upper()}_NEUTRAL.npz", body))
    assert scene.on_body.shape == scene.on_skeleton.shape == (142, 3)
    assert np.isfinite(scene.on_body).all()

"""The page of an evaluation: what it says, that nothing breaks it, and its figures."""

from __future__ import annotations

import copy
import re

import pytest

from biopose_sim.viz import evaluation_figures as figures
from biopose_sim.viz.evaluation import write_evaluation

NAMES = ("pelvis_tilt", "knee_angle_r", "knee_angle_l", "wrist_dev_l")


def measures(angle):
    return {
        "frames": 100, "mae_angle": angle, "mae_angle_determined": angle, "mpblpe": 10 * angle, "mae_body": None,
        "orientation": 2 * angle, "beyond": 0.0,
    }  # fmt: skip


def method(name, angle):
    trials = [
        {"person": p, "trial": t, "action": "walk", **measures(angle + k), "worst": [["knee_angle_r", 9.0]]}
        for k, (p, t) in enumerate([("p1", "<b>take</b>"), ("p2", "take2")])
    ]
    angles = dict.fromkeys(NAMES, angle) | {"wrist_dev_l": None}
    return {
        "name": name, "label": f"{name} (label)", **measures(angle), "seconds": 1.0, "frames_per_second": 200.0,
        "angle": angles, "angle_determined": angles, "persons": {"p1": measures(angle), "p2": measures(angle + 1)},
        "actions": {"walk": measures(angle)}, "trials": trials,
    }  # fmt: skip


def point(name, kind, level, angle):
    return {
        "method": name, "kind": kind, "level": level, "condition": f"{kind} {level}", "noise_mm": 0.0, "missing": 0.0,
        "mesh_mm": 0.0, "moved_mm": 1.0, "missed": 0.125, **measures(angle),
    }  # fmt: skip


@pytest.fixture
def content():
    levels = [("noise", 0.0), ("noise", 20.0), ("missing", 10.0), ("missing", 50.0), ("mesh", 40.0), ("named", 0.0)]
    return {
        "biopose_sim": "0", "created": "today", "seconds": 1.0, "versions": {"numpy": "2"},
        "weights": {"name": "neurik-base", "folder": "w", "sha256": "abc", "card_sha256": "d", "card": {}},
        "data": {
            "folder": "shards", "card_sha256": "123", "model_sha256": "4", "source": "cmu", "engine": "fit",
            "split": "test", "of_persons": 5, "of_trials": 9,
        },
        "options": {"persons": 2, "trials": None}, "coordinates": list(NAMES),
        "methods": [method("network", 1.5), method("fit", 2.5)],
        "robustness": [point(n, kind, level, 1 + level) for n in ("network", "fit") for kind, level in levels],
        "paper": {
            "note": "the paper's, measured on other data, from video",
            "rows": [{"method": "OpenCap", "dataset": "OpenCap", "body": None, "landmarks": None, "angle": 4.5}],
        },
        "notices": ["a < b"],
    }  # fmt: skip


def test_the_page_says_it_all_and_refers_to_nothing(content, tmp_path):
    text = write_evaluation(tmp_path / "e.html", content).read_text()
    for part in (
        "Evaluation: neurik-base", "2 of 5 persons", "a &lt; b", "The paper&#x27;s, measured on other data, from video",
        "By coordinate", "Robustness", "By person", "By action", "Worst trials first", "knee_angle_r (9.0)", "abc",
        "&lt;b&gt;take&lt;/b&gt;", "fit (label)",
    ):  # fmt: skip
        assert part in text, part
    assert "<b>take" not in text
    assert "nan" not in re.sub('"data:[^"]*"', "", text).lower()
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    # The worst trial comes first.
    worst = text[text.index("Worst trials first") :]
    assert worst.index("take2") < worst.index("&lt;b&gt;take")


def test_a_page_without_actions_and_robustness(content, tmp_path):
    bare = copy.deepcopy(content)
    bare["robustness"], bare["notices"] = [], []
    for entry in bare["methods"]:
        entry["actions"] = {}
    text = write_evaluation(tmp_path / "e.html", bare).read_text()
    assert "names no actions" in text
    assert "<h2>Robustness" not in text


def test_curves_begin_at_undisturbed_markers(content):
    figure = figures.plot_robustness(content["robustness"])
    noise, missing, mesh = figure.axes[:3]
    assert [list(axes.lines[0].get_xdata()) for axes in (noise, missing, mesh)] == [[0, 20], [0, 10, 50], [0, 40]]
    assert list(missing.lines[1].get_ydata()) == [1.0, 11.0, 51.0]


def test_every_coordinate_has_its_bar(content):
    figure = figures.plot_coordinates(content["methods"])
    labels = [text.get_text() for axes in figure.axes for text in axes.get_yticklabels()]
    assert labels == list(NAMES)
    assert [bar.get_width() for bar in figure.axes[0].patches] == [1.5, 1.5]


def test_methods_have_colours_of_their_own():
    names = ["network", "network + refine", "fit", "opensim", "mean", "D3KE", "OpenCap"]
    assert len(set(figures.colours(names).values())) == len(names)
    assert figures.colours(["fit"])["fit"] == figures.colours(names)["fit"]


def test_all_curves_are_inside_their_panels(content):
    for axes in figures.plot_robustness(content["robustness"]).axes:
        most = max(max(line.get_ydata()) for line in axes.lines)
        assert axes.get_ylim()[0] == 0.0
        assert axes.get_ylim()[1] >= most

"""The page of an evaluation: one HTML file with tables and figures, from the plain numbers of evaluation.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from biopose_sim.io import atomic_write
from biopose_sim.viz import evaluation_figures as figures
from biopose_sim.viz import summary_tables as tables
from biopose_sim.viz._html import Html, bullets, element, join, page, picture, table
from biopose_sim.viz.report_tables import DASH, number

MOST_TRIALS, MOST_PERSONS = 40, 30
_DIGITS = {
    "mae_angle": 2,
    "mae_angle_determined": 2,
    "orientation": 2,
    "mpblpe": 1,
    "mae_body": 2,
    "beyond": 2,
}
_HEADS = {
    "mae_angle": "MAE_angle [deg]",
    "mae_angle_determined": "MAE_angle, determined [deg]",
    "orientation": "Segment orientation [deg]",
    "mpblpe": "MPBLPE [mm]",
    "mae_body": "MAE_body [mm]",
    "beyond": "Most beyond a range [deg]",
}
_SHORT = ("mae_angle", "orientation", "mpblpe", "mae_body")
_STYLE = """<style>
main { max-width: 1180px; } th { white-space: normal; min-width: 4.5em; } th.name { min-width: 6em; }
td.name { white-space: nowrap; } td.name:nth-child(4) { white-space: normal; }
</style>"""
_COORDINATES = "Bars: the first method; marks: the others, at the axis' end with their number where they are beyond it"
_EXPLAINED = (
    "MAE_angle: mean absolute difference of angles, the short way round, first over all frames of a coordinate, then "
    "over the coordinates that are angles, neither locked nor dependent, and were solved for in the truth; tilt, list "
    "and rotation of the pelvis are among them.",
    "Determined: the same, over the coordinates that the markers of the trial determine.",
    "Segment orientation: mean angle by which predicted segments are turned against the true ones in ground, over all "
    "segments with markers. Near a gimbal lock of pelvis or shoulder two angles can be far off while the segment is "
    "not: MAE_angle shows it, this does not. Errors of a limb add up along it.",
    "MPBLPE: mean distance of bony landmarks after the origins of the pelvis are put together: the person's own, "
    "against where the method says that they are (where scaling alone puts them, if it says nothing).",
    "MAE_body: mean error of each segment's longest dimension (x for head, toes and calcaneus; z for scapulae; all "
    "three for the pelvis; y for all others).",
    "Frames per second: of the method alone, on this machine, with all that it does for a person; reading not counted.",
)


def write_evaluation(path: str | Path, content: Mapping[str, Any]) -> Path:
    """Write the page as one self-contained HTML file, whole or not at all.

    Args:
        path: where to; its folder must exist.
        content: of evaluation.json.

    Returns:
        The path of the file.

    Raises:
        InputError: an unwritable path.
    """
    methods = content["methods"]
    title = f"Evaluation: {content['weights']['name']}"
    parts = [
        Html(_STYLE),
        element("h1", title),
        element("p", _subtitle(content), css="soft"),
        _cards(methods[0]),
        _notices(content["notices"]),
        element("h2", "All methods"),
        _methods(methods),
        bullets(_EXPLAINED),
        _paper(content["paper"]),
        element("h2", "By coordinate"),
        picture(figures.plot_coordinates(methods), _COORDINATES),
        *_robustness(content["robustness"]),
        element("h2", "By person"),
        picture(figures.plot_persons(methods), "A dot is a person; line: middle half, stroke: median"),
        _persons(methods),
        *_actions(methods),
        _worst(methods[0]),
        tables.about(_about(content)),
    ]
    return atomic_write(Path(path), page(title, join(part for part in parts if part)))


def _subtitle(content: Mapping[str, Any]) -> str:
    data = content["data"]
    persons = len(content["methods"][0]["persons"])
    trials = len(content["methods"][0]["trials"])
    return (
        f"{persons} of {data['of_persons']} persons and {trials:,} of {data['of_trials']:,} trials of the split "
        f"'{data['split']}' of {data['source']}; truth by the engine '{data['engine']}'."
    )


def _cards(method: Mapping[str, Any]) -> Html:
    cards = [
        (f"{_cell(method, 'mae_angle')}°", f"MAE_angle of the {method['name']}"),
        (f"{_cell(method, 'orientation')}°", "segment orientation"),
        (f"{_cell(method, 'mpblpe')} mm", "bony landmarks (MPBLPE)"),
        (f"{_cell(method, 'mae_body')} mm", "segment size (MAE_body)"),
        (f"{method['frames']:,}", "frames compared"),
        (_speed(method), "frames per second"),
    ]
    return element(
        "div", *(element("div", element("b", a), element("span", b), css="card") for a, b in cards), css="cards"
    )


def _notices(notices: Sequence[str]) -> Html:
    return element("div", element("b", "Please note"), bullets(notices), css="warn") if notices else Html("")


def _methods(methods: Sequence[Mapping[str, Any]]) -> Html:
    head = ["Method", *_HEADS.values(), "Frames", "Frames/s"]
    rows = [[m["label"], *(_cell(m, key) for key in _HEADS), f"{m['frames']:,}", _speed(m)] for m in methods]
    return table(head, rows, "All trials, each frame counts alike")


def _paper(paper: Mapping[str, Any]) -> Html:
    rows = [
        [row["method"], row["dataset"], *(_text(row[key], 2) for key in ("angle", "landmarks", "body"))]
        for row in paper["rows"]
    ]
    head = ["Method", "Data set", "MAE_angle [deg]", "MPBLPE [mm]", "MAE_body [mm]"]
    about = "BioPose, Table 2. Video is harder than virtual markers: the numbers are a scale, not a comparison."
    return join(
        [element("h3", paper["note"].capitalize()), element("p", about, css="soft"), table(head, rows, names=2)]
    )


def _robustness(rows: Sequence[Mapping[str, Any]]) -> list[Html]:
    if not rows:
        return []
    names = list(dict.fromkeys(row["method"] for row in rows))
    of = {(row["condition"], row["method"]): row for row in rows}
    conditions = {row["condition"]: row for row in rows}
    keys = (("mae_angle", "MAE_angle [deg]", 2), ("mpblpe", "MPBLPE [mm]", 1))
    head = ["Markers", "Moved [mm]", "Missing [%]", *(f"{name}: {title}" for name in names for _, title, _ in keys)]
    shown = []
    for condition, any_row in conditions.items():
        cells = [number(any_row["moved_mm"], 1), number(100.0 * any_row["missed"], 1)]
        found = [of.get((condition, name), {}) for name in names]
        shown.append([condition, *cells, *(_text(row.get(key), digits) for row in found for key, _, digits in keys)])
    about = (
        "All methods see the same disturbed markers. White noise is independent for each marker, frame and axis, and "
        "given by its standard deviation per axis: its mean length is 1.6 times as large. Of missing samples about "
        "half miss throughout a trial and half for a stretch of it. Mesh errors are what video tools make: smooth over "
        "the body, half of their variance for the whole trial and along with the segments (a wrong body shape), half "
        "changing over time; given by their mean length."
    )
    return [
        element("h2", "Robustness"),
        element("p", about),
        picture(figures.plot_robustness(rows), "Errors against disturbances; all curves begin at undisturbed markers"),
        table(head, shown, "Moved: mean displacement of the markers that are seen"),
    ]


def _persons(methods: Sequence[Mapping[str, Any]]) -> Html:
    own = methods[0]["persons"]
    worst = sorted(own, key=lambda person: -(own[person]["mae_angle"] or 0.0))
    rows = [[p, f"{own[p]['frames']:,}", *(_cell(own[p], key) for key in _SHORT)] for p in worst[:MOST_PERSONS]]
    caption = f"{methods[0]['label']}: worst persons first"
    parts = [table(["Person", "Frames", *(_HEADS[key] for key in _SHORT)], rows, caption)]
    return join([*parts, _left_out(len(worst) - MOST_PERSONS)])


def _actions(methods: Sequence[Mapping[str, Any]]) -> list[Html]:
    own = methods[0]["actions"]
    if not own:
        return [element("h2", "By action"), element("p", "The data set names no actions.", css="soft")]
    order = sorted(own, key=lambda name: -(own[name]["mae_angle"] or 0.0))
    head = ["Action", "Frames", *(m["name"] for m in methods)]
    rows = [
        [name, f"{own[name]['frames']:,}", *(_text(m["actions"].get(name, {}).get("mae_angle"), 2) for m in methods)]
        for name in order
    ]
    return [
        element("h2", "By action"),
        picture(figures.plot_actions(methods), "Bars: the first method; marks: the others"),
        table(head, rows, "MAE_angle [deg]"),
    ]


def _worst(method: Mapping[str, Any]) -> Html:
    order = sorted(method["trials"], key=lambda trial: -(trial["mae_angle"] or 0.0))
    rows = []
    for trial in order[:MOST_TRIALS]:
        worst = ", ".join(f"{name} ({value:.1f})" for name, value in trial["worst"])
        cells = (_cell(trial, key) for key in _SHORT)
        rows.append([trial["person"], trial["trial"], trial["action"] or DASH, worst, trial["frames"], *cells])
    head = ["Person", "Trial", "Action", "Worst coordinates [deg]", "Frames", *(_HEADS[key] for key in _SHORT)]
    parts = [element("h2", "Worst trials first"), table(head, rows, method["label"], names=4)]
    return join([*parts, _left_out(len(order) - MOST_TRIALS)])


def _left_out(count: int) -> Html:
    return element("p", f"{count} more are in evaluation.csv.", css="soft") if count > 0 else Html("")


def _about(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    weights, data = content["weights"], content["data"]
    rows: dict[str, Any] = {
        "weights": weights["folder"],
        "weights SHA-256": weights["sha256"],
        "data": data["folder"],
        "data card SHA-256": data["card_sha256"],
        "model SHA-256": data["model_sha256"],
        "biopose-sim": content["biopose_sim"],
        "made": content["created"],
        **{key.replace("_", " "): value for key, value in content["options"].items() if value is not None},
        **{f"version of {name}": value for name, value in content["versions"].items()},
    }
    return [(key, str(value)) for key, value in rows.items()]


def _cell(of: Mapping[str, Any], key: str) -> str:
    return _text(of[key], _DIGITS[key])


def _speed(method: Mapping[str, Any]) -> str:
    speed = method["frames_per_second"]
    return DASH if speed is None else f"{speed:,.{0 if speed >= 10.0 else 1}f}"


def _text(value: float | None, digits: int) -> str:
    return DASH if value is None else number(value, digits)

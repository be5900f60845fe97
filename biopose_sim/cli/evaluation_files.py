"""What an evaluation writes: all of it as JSON, tables as CSV, a page; and what it prints."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from biopose_sim import __version__
from biopose_sim.cli.console import print_table
from biopose_sim.cli.folder import ResultFolder
from biopose_sim.io import atomic_write
from biopose_sim.io.record import plain, sha256, versions
from biopose_sim.neurik.evaluate import TrialScores, by
from biopose_sim.neurik.metrics import Scores
from biopose_sim.neurik.paper import NOTE, PUBLISHED
from biopose_sim.neurik.robustness import Point
from biopose_sim.neurik.scoring import counts
from biopose_sim.neurik.weights import CARD, WEIGHTS, read_card
from ik_pipeline.shards.types import CARD as DATA_CARD

if TYPE_CHECKING:
    from biopose_sim.cli.evaluating import Evaluation

JSON, TRIALS, COORDINATES, PAGE = "evaluation.json", "evaluation.csv", "coordinates.csv", "evaluation.html"
ROBUSTNESS, CURVES = "robustness.csv", "robustness.png"
MEASURES = ("frames", "mae_angle", "mae_angle_determined", "mpblpe", "mae_body", "orientation", "beyond")
# What a card of weights tells of itself, its names aside.
_NOT_OF_CARD = ("network", "model", "markers")
_DASH = "–"


def content_of(found: Evaluation) -> dict[str, Any]:
    """Return everything that was found, as JSON has it."""
    wishes, data = found.wishes, found.data
    names = [c["name"] for c in data.card.content["model"]["coordinates"] if counts(c)]
    card = data.card.content
    content = {
        "biopose_sim": __version__,
        "command": "evaluate",
        "arguments": sys.argv[1:],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": found.seconds,
        "versions": versions(),
        "weights": {
            "name": found.weights.name,
            "folder": str(found.weights),
            "sha256": sha256(found.weights / WEIGHTS),
            "card_sha256": sha256(found.weights / CARD),
            "card": {key: value for key, value in read_card(found.weights).items() if key not in _NOT_OF_CARD},
        },
        "data": {
            "folder": str(data.folder),
            "card_sha256": sha256(data.folder / DATA_CARD),
            "model_sha256": card["model"]["sha256"],
            "source": card["source"]["name"],
            "engine": card["source"]["engine"],
            "split": data.split,
            "of_persons": len(data.persons),
            "of_trials": len(data.trials),
        },
        "options": {
            "persons": wishes.persons,
            "trials": wishes.trials,
            "opensim_frames": wishes.opensim_frames if "opensim" in found.scores else None,
            "seed": wishes.seed,
            "threads": wishes.threads,
        },
        "coordinates": names,
        "methods": [_method(name, scores, names, wishes.opensim_frames) for name, scores in found.scores.items()],
        "robustness": [_point(point) for point in found.points],
        "paper": {"note": NOTE, "rows": [asdict(row) for row in PUBLISHED]},
        "notices": [*_notices(found), *found.notes],
    }
    plained: dict[str, Any] = plain(content)
    return plained


def write_files(folder: ResultFolder, content: Mapping[str, Any], *, page: bool) -> None:
    """Write all files into the folder; figures and page need matplotlib."""
    trials, coordinates = _trial_rows(content), _coordinate_rows(content)
    if page:
        from biopose_sim.viz.evaluation import write_evaluation

        write_evaluation(folder.file(PAGE), content)
    atomic_write(folder.file(TRIALS), _csv(("method", "person", "trial", "action", *MEASURES), trials))
    atomic_write(
        folder.file(COORDINATES), _csv(("method", "coordinate", "mae_angle", "mae_angle_determined"), coordinates)
    )
    if content["robustness"]:
        from biopose_sim.viz.evaluation_figures import plot_robustness
        from biopose_sim.viz.style import to_png

        head = tuple(content["robustness"][0])
        atomic_write(folder.file(ROBUSTNESS), _csv(head, ([row[key] for key in head] for row in content["robustness"])))
        atomic_write(folder.file(CURVES), to_png(plot_robustness(content["robustness"])))
    atomic_write(folder.file(JSON), json.dumps(content, indent=1, allow_nan=False) + "\n")


def tell(content: Mapping[str, Any]) -> None:
    """Print the table of methods and the paper's numbers."""
    head = ("method", "MAE_angle [deg]", "MPBLPE [mm]", "MAE_body [mm]", "orientation [deg]", "frames", "frames/s")
    rows = []
    for method in content["methods"]:
        numbers = (_number(method[key], 2) for key in ("mae_angle", "mpblpe", "mae_body", "orientation"))
        speed = method["frames_per_second"]
        digits = 0 if speed is None or speed >= 10.0 else 1
        rows.append((method["label"], *numbers, f"{method['frames']:,}", _number(speed, digits)))
    print_table(head, rows)
    click.echo(f"\n{content['paper']['note'].capitalize()}:")
    shown = [
        (f"{row['method']}, {row['dataset']}", *(_number(row[key], 2) for key in ("angle", "landmarks", "body")))
        for row in content["paper"]["rows"]
    ]
    print_table(head[:4], shown)
    if content["robustness"]:
        click.echo("\nDisturbed markers, MAE_angle [deg]:")
        print_table(*_robustness_table(content["robustness"]))


def _method(name: str, scores: list[TrialScores], coordinates: Sequence[str], opensim_frames: int) -> dict[str, Any]:
    whole = by(scores, "all")["all"]
    seconds = sum(entry.seconds for entry in scores)
    label = f"{name} (first {opensim_frames} frames of a trial)" if name == "opensim" else name
    return {
        "name": name,
        "label": label,
        **_measures(whole),
        "seconds": seconds,
        "frames_per_second": whole.frames / seconds if seconds > 0.0 else math.nan,
        "angle": _angles(whole, coordinates),
        "angle_determined": dict(zip(whole.names, whole.angle_determined)) if len(whole.angle_determined) else {},
        "persons": {person: _measures(own) for person, own in by(scores, "person").items()},
        "actions": {action: _measures(own) for action, own in by(scores, "action").items() if action != "None"},
        "trials": [
            {"person": t.person, "trial": t.trial, "action": t.action, **_measures(t.scores), "worst": _worst(t.scores)}
            for t in scores
        ],
    }


def _measures(scores: Scores) -> dict[str, Any]:
    values = (
        scores.frames,
        scores.mean_angle,
        scores.mean_angle_determined,
        scores.landmarks,
        scores.body,
        scores.orientation,
        scores.beyond,
    )
    return dict(zip(MEASURES, values))


def _angles(scores: Scores, coordinates: Sequence[str]) -> dict[str, float]:
    return {name: float(scores.angle[scores.names.index(name)]) for name in coordinates}


def _worst(scores: Scores, count: int = 3) -> list[tuple[str, float]]:
    """The coordinates that are furthest off, and how far [deg]."""
    known = [(name, float(value)) for name, value in zip(scores.names, scores.angle) if math.isfinite(value)]
    return sorted(known, key=lambda item: -item[1])[:count]


def _point(point: Point) -> dict[str, Any]:
    condition = point.condition
    measured = {key: value for key, value in _measures(point.scores).items() if key != "mae_angle_determined"}
    return {
        "method": point.method,
        "kind": condition.kind,
        "level": condition.level,
        "condition": condition.text,
        "noise_mm": condition.noise,
        "missing": condition.missing,
        "mesh_mm": condition.mesh,
        "moved_mm": point.moved,
        "missed": point.missed,
        **measured,
    }


def _notices(found: Evaluation) -> list[str]:
    engine, wishes = found.data.card.content["source"]["engine"], found.wishes
    notices = []
    if engine in found.scores:
        notices.append(
            f"The truth of these shards was made by the engine '{engine}' from the same markers, undisturbed: what it "
            "differs by here says how little its answer depends on the trials it sees, not how right it is."
        )
    if "opensim" in found.scores:
        notices.append(f"OpenSim solved the first {wishes.opensim_frames} frames of each trial; it scaled from all.")
    trained = read_card(found.weights).get("data")
    if found.data.split != "test":
        notices.append(f"These are persons of the split '{found.data.split}', not those kept for tests.")
    if trained is None:
        notices.append("The card of the weights does not say what they were trained on.")
    return notices


def _trial_rows(content: Mapping[str, Any]) -> Iterable[list[Any]]:
    for method in content["methods"]:
        for trial in method["trials"]:
            keys = ("person", "trial", "action", *MEASURES)
            yield [method["name"], *(trial[key] for key in keys)]


def _coordinate_rows(content: Mapping[str, Any]) -> Iterable[list[Any]]:
    for method in content["methods"]:
        for name, value in method["angle"].items():
            yield [method["name"], name, value, method["angle_determined"].get(name)]


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([f"{v:.6g}" if isinstance(v, float) else v for v in row] for row in rows)
    return text.getvalue()


def _robustness_table(rows: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    methods = list(dict.fromkeys(row["method"] for row in rows))
    of = {(row["condition"], row["method"]): row["mae_angle"] for row in rows}
    conditions = dict.fromkeys(row["condition"] for row in rows)
    return ("markers", *methods), [(c, *(_number(of.get((c, m)), 2) for m in methods)) for c in conditions]


def _number(value: float | None, digits: int) -> str:
    return _DASH if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"

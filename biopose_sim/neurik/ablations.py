"""Ablations: networks that differ in one thing, trained with the same small budget, evaluated on test persons."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from biopose_sim.io import atomic_write
from biopose_sim.io.record import plain, sha256, versions
from biopose_sim.neurik.config import TrainConfig
from biopose_sim.neurik.evaluate import by, evaluate, network_method
from biopose_sim.neurik.model_card import machine, rate_of
from biopose_sim.neurik.paper import NOTE, PUBLISHED
from biopose_sim.neurik.predict import Predictor
from biopose_sim.neurik.train import Trainer
from ik_pipeline.shards import ShardData
from ik_pipeline.shards.types import CARD

TABLES = ("losses", "output", "window", "changes")
WINDOWS = (16, 32, 64, 128)
RESULT = "result.json"
METRICS = {"MAE_angle": "deg", "MPBLPE": "mm", "MAE_body": "mm"}
# The paper's figures: of its appendix's tables none are known here.
PAPER = [p for p in PUBLISHED if p.method == "MQ-HMR + NeurIK with 2D refinement"]
PAPER_NOTE = f"BioPose, Table 2, {PAPER[0].method}: {NOTE}"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """A row of a table: what is trained.

    Attributes:
        name: for people.
        folder: for files.
        config: of its training.
    """

    name: str
    folder: str
    config: TrainConfig


def make_rows(table: str, config: TrainConfig, paper: TrainConfig) -> list[Row]:
    """Return the rows of a table.

    Args:
        table: one of `TABLES`.
        config: that is varied, with the budget: steps, batch and seed.
        paper: where ``changes`` begins; its budget is that of the other.
    """
    makers: dict[str, Callable[[], list[tuple[str, TrainConfig]]]] = {
        "losses": lambda: _losses(config),
        "output": lambda: _outputs(config),
        "window": lambda: _windows(config),
        "changes": lambda: _changes(config, paper),
    }
    return [Row(name, _folder(k, name), row) for k, (name, row) in enumerate(makers[table](), start=1)]


def _losses(config: TrainConfig) -> list[tuple[str, TrainConfig]]:
    without = {"joints": 0.0, "markers": 0.0, "scales": 0.0, "angles": 0.0}
    rows = [("all losses", config)]
    rows += [
        (f"without {name}", replace(config, losses=replace(config.losses, **{name: 0.0})))
        for name in ("joints", "markers", "scales", "angles")
    ]
    alone = replace(config.losses, **without | {"angles": config.losses.angles})
    return [*rows, ("angles alone", replace(config, losses=alone))]


def _outputs(config: TrainConfig) -> list[tuple[str, TrainConfig]]:
    names = {"last": "last frame", "all": "all frames"}
    return [(name, _with_network(config, output=output)) for output, name in names.items()]


def _windows(config: TrainConfig) -> list[tuple[str, TrainConfig]]:
    """As many frames in each step, whatever the window."""
    frames = config.batch * config.network.window
    return [
        (f"{window} frames", replace(_with_network(config, window=window), batch=max(1, frames // window)))
        for window in WINDOWS
    ]


def _changes(config: TrainConfig, paper: TrainConfig) -> list[tuple[str, TrainConfig]]:
    """From the paper's configuration to the other, one change after the other; what changes nothing is left out."""
    network = config.network
    now = replace(paper, batch=config.batch, steps=config.steps, seed=config.seed, epochs=config.epochs)
    now = replace(
        now,
        network=replace(now.network, window=network.window),
        log_steps=config.log_steps,
        validation_steps=config.validation_steps,
        validation_windows=config.validation_windows,
    )
    rows = [("as published", now)]
    still = replace(now.augment, turn=config.augment.turn, translation=config.augment.translation)
    changes: list[tuple[str, dict[str, Any]]] = [
        ("heading taken off", {"network": replace(now.network, frame=network.frame), "augment": still}),
        ("base encoder", {"network": replace(network, refinements=0) if network.kind == "base" else network}),
    ]
    learned = replace(network, correction="learned")
    changes += [
        (f"{n} learned correction{'s' if n > 1 else ''}", {"network": replace(learned, refinements=n)})
        for n in range(1, network.refinements + 1 if network.kind == "base" else 0)
    ]
    unbent = replace(config.augment, bend_share=0.0, shape_share=0.0, offset_share=0.0)
    changes += [
        ("corrections by Gauss-Newton steps", {"network": network}),
        ("weights of the losses", {"losses": config.losses}),
        ("mesh errors", {"augment": unbent}),
        ("bent windows, other proportions, moved markers", {"augment": config.augment}),
    ]
    for name, change in changes:
        rows.append((name, replace(rows[-1][1], **change)))
    rows.append(("optimiser", replace(config, average=rows[-1][1].average)))
    rows.append(("averaged weights", config))
    kept = [rows[0]]
    for name, row in rows[1:]:
        if row != kept[-1][1]:
            kept.append((f"+ {name}", row))
    return kept


def run_table(
    table: str,
    shards: Path,
    output: Path,
    rows: Sequence[Row],
    *,
    trials: int | None = None,
    device: str = "cpu",
    progress: Tell = lambda text: None,
    tell: Tell = lambda text: None,
) -> list[dict[str, Any]]:
    """Train and evaluate the rows that are not done yet, and write the table after each.

    Args:
        table: its name, of the files too.
        shards: that are trained on.
        output: folder; each row has one of its own in it.
        rows: to be done.
        trials: of each test person; None takes all.
        device: to train on.
        progress: is told how far it is, often.
        tell: is told of each row that is done.

    Returns:
        A dict for each row: name, figures by name, parameters, seconds.

    Raises:
        InputError: no shards there, or a row's folder holds another training.
    """
    done: list[dict[str, Any]] = []
    for k, row in enumerate(rows, start=1):
        folder = output / table / row.folder
        at = f"{table} {k}/{len(rows)}, {row.name}"
        asked = {
            "config": plain(asdict(row.config)),
            "shards": sha256(_card(shards)),
            "trials": trials,
        }
        found = _known(folder, asked) or _known_elsewhere(output, row.name, asked)
        if found is None:
            found = _do(row, shards, folder, trials, device, lambda text, at=at: progress(f"{at}: {text}"))  # type: ignore[misc]
            atomic_write(folder / RESULT, json.dumps({"asked": asked, "found": found}, indent=1) + "\n")
        tell(f"{at}: " + ", ".join(f"{name} {found[name]:.2f} {unit}" for name, unit in METRICS.items()))
        done.append(found)
        write_table(output / table, table, done, row.config, trials)
    return done


def _card(shards: Path) -> Path:
    ShardData(shards, "test", quantities=())  # says what is wrong with them
    return shards / CARD


def _known(folder: Path, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was found before, if the same was asked."""
    try:
        content = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = isinstance(content, dict) and content.get("asked") == json.loads(json.dumps(asked))
    return content["found"] if same else None


def _known_elsewhere(output: Path, name: str, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """What another table found of the same training, under this row's name: tables share rows."""
    for path in sorted(output.glob(f"*/*/{RESULT}")):
        found = _known(path.parent, asked)
        if found is not None:
            return {**found, "name": name}
    return None


def _do(row: Row, shards: Path, folder: Path, trials: int | None, device: str, progress: Tell) -> dict[str, Any]:
    trainer = Trainer(shards, folder, row.config, device)
    network = trainer.run(progress, progress).cpu()
    data = ShardData(shards, "test")
    method = network_method(Predictor(network, rate_of(data.card)))
    scores = by(evaluate(data, trainer.skeleton.model, method, most_trials=trials, progress=progress), "all")["all"]
    return {
        "name": row.name,
        "MAE_angle": scores.mean_angle,
        "MPBLPE": scores.landmarks,
        "MAE_body": scores.body,
        "frames": scores.frames,
        "parameters": sum(p.numel() for p in network.parameters()),
        "seconds": round(trainer.seconds, 1),
        "machine": machine(trainer.device),
    }


def paper_rows() -> list[dict[str, Any]]:
    """Return the paper's figures as rows of a table."""
    return [dict(zip(("name", *METRICS), (f"BioPose, {p.dataset}", p.angle, p.landmarks, p.body))) for p in PAPER]


def write_table(
    path: Path, table: str, found: Sequence[Mapping[str, Any]], config: TrainConfig, trials: int | None
) -> None:
    """Write a table beside its folder as ``.csv``, ``.json`` and ``.md``, the paper's figures below ours."""
    paper = paper_rows()
    keys = ["name", *METRICS, "frames", "parameters", "seconds"]
    lines = [",".join([*keys, "note"])]
    lines += [",".join(_cell(row.get(key, "")) for key in keys) + "," for row in found]
    lines += [",".join(_cell(row.get(key, "")) for key in keys) + f',"{PAPER_NOTE}"' for row in paper]
    atomic_write(path.with_suffix(".csv"), "\n".join(lines) + "\n")
    budget = {"steps": config.steps, "seed": config.seed, "trials_per_person": trials}
    content = {"table": table, **budget, "rows": found, "paper": {"note": PAPER_NOTE, "rows": paper}}
    atomic_write(path.with_suffix(".json"), json.dumps(plain({**content, "versions": versions()}), indent=1) + "\n")
    atomic_write(path.with_suffix(".md"), _markdown(table, found, paper, budget))


def _markdown(
    table: str, found: Sequence[Mapping[str, Any]], paper: Sequence[Mapping[str, Any]], budget: Mapping[str, Any]
) -> str:
    head = [*(f"{name} [{unit}]" for name, unit in METRICS.items()), "parameters", "training [min]"]
    lines = [f"# Ablation: {table}", "", f"| | {' | '.join(head)} |", "|---|" + "---:|" * len(head)]
    for row in found:
        figures = [f"{row[name]:.2f}" for name in METRICS]
        lines.append(f"| {row['name']} | {' | '.join(figures)} | {row['parameters']:,} | {row['seconds'] / 60:.1f} |")
    lines += [f"| {row['name']} * | {' | '.join(f'{row[name]:.2f}' for name in METRICS)} | | |" for row in paper]
    of = "all trials" if budget["trials_per_person"] is None else f"{budget['trials_per_person']} trials"
    lines += [
        "",
        f"Each row: {budget['steps']} steps, seed {budget['seed']}; test persons, {of} of each, markers undisturbed.",
        "",
        f"\\* {PAPER_NOTE}.",
        "",
    ]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f'"{text}"' if "," in text else text


def _with_network(config: TrainConfig, **changes: Any) -> TrainConfig:
    return replace(config, network=replace(config.network, **changes))


def _folder(number: int, name: str) -> str:
    return f"{number}_{''.join(c if c.isalnum() else '_' for c in name).strip('_')}"

"""The card of shards: what is in them, for programs and for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from biopose_sim import __version__
from biopose_sim.io import atomic_write
from biopose_sim.io.record import sha256, versions
from ik_pipeline.shards.types import ARRAYS, CARD, FORMAT, SPLITS, ShardConfig

CARD_TEXT = "CARD.md"
_BY = ("dataset", "sex", "action")
FRAMES_OF_REFERENCE = (
    "Ground frame of OpenSim: X forward, Y up, Z right, metres; angles in radians; coordinates in the model's order; "
    "body axes are those of the model's bodies; indices count from 0."
)


def split_counts(persons: Sequence[Mapping[str, Any]], trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the number of persons, groups, trials, frames and windows, in all and by data set, sex and action.

    Args:
        persons: rows of the table of persons.
        trials: rows of the table of trials, with ``frames`` and ``windows``.
    """
    of = {person["id"]: person for person in persons}
    counts: dict[str, Any] = {
        "persons": len(persons),
        "groups": sorted({person["group"] for person in persons}),
        "trials": len(trials),
        "frames": sum(trial["frames"] for trial in trials),
        "windows": sum(trial["windows"] for trial in trials),
        "seconds": round(sum(trial["frames"] / trial["rate"] for trial in trials), 3),
        "rates": sorted({round(trial["rate"], 6) for trial in trials}),
    }
    for key in _BY:
        found: dict[str, Counter[str]] = {}
        for trial in trials:
            value = trial["action"] if key == "action" else of[trial["person"]][key]
            found.setdefault(value or "unknown", Counter()).update(
                trials=1, frames=trial["frames"], windows=trial["windows"]
            )
        if key != "action":
            for person in persons:
                found[person[key] or "unknown"].update(persons=1)
        counts[f"by_{key}"] = {value: dict(sorted(found[value].items())) for value in sorted(found)}
    return counts


def write_card(
    folder: Path,
    config: ShardConfig,
    manifest: Mapping[str, Any],
    model: Mapping[str, Any],
    counts: Mapping[str, Any],
    **more: Any,
) -> dict[str, Any]:
    """Write ``card.json`` and ``CARD.md`` beside the files that they tell of, and return the content."""
    written = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in written
    }
    content = {
        "format": FORMAT,
        "biopose_sim": __version__,
        "versions": versions(),
        "source": {"name": manifest["source"].get("name"), "engine": (manifest.get("engine") or {}).get("name")},
        "configuration": asdict(config),
        "conventions": FRAMES_OF_REFERENCE,
        "arrays": {
            name: {"dtype": dtype, "dimensions": list(dimensions), "holds": holds}
            for name, (dtype, dimensions, holds) in ARRAYS.items()
        },
        "model": model,
        "splits": {split: counts[split] for split in SPLITS},
        **more,
        "files": files,
    }
    content["notices"] = notices(content)
    # What the program reads is what stands in the file: lists for tuples.
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    atomic_write(folder / CARD_TEXT, card_text(json.loads(text)))
    atomic_write(folder / CARD, text)
    return json.loads(text)


def notices(content: Mapping[str, Any]) -> list[str]:
    """Return what a user should know, a sentence each."""
    found = []
    for split, counts in content["splits"].items():
        if not counts["windows"]:
            found.append(f"The split {split} is empty: few groups, or shares that leave it none.")
    rates = {rate for counts in content["splits"].values() for rate in counts["rates"]}
    if len(rates) > 1:
        listed = ", ".join(f"{rate:g}" for rate in sorted(rates))
        found.append(f"Trials are of different rates ({listed} Hz): set a rate to make windows equally long in time.")
    if content["left_out"]:
        found.append(f"{len(content['left_out'])} trials of the run are not in the shards, see left_out.")
    return found


def card_text(content: Mapping[str, Any]) -> str:
    """Return the card for people to read, as Markdown."""
    config, names = content["configuration"], content["names"]
    rate = "each trial's own rate" if config["rate"] is None else f"{config['rate']:g} Hz"
    lines = [
        f"# Training shards: {content['source']['name']}",
        "",
        f"Windows of {config['window']} frames every {config['stride']} frames at {rate}, solved by the engine "
        f"`{content['source']['engine']}`.",
        f"Written by biopose-sim {content['biopose_sim']}, format {content['format']}.",
        "",
        content["conventions"],
        "",
        *_table("split", content["splits"]),
        "",
    ]
    for key in _BY:
        total: dict[str, Counter[str]] = {}
        for counts in content["splits"].values():
            for value, row in counts[f"by_{key}"].items():
                total.setdefault(value, Counter()).update(row)
        lines += [*_table(key, dict(sorted(total.items()))), ""]
    lines += ["## Licence", "", *(f"- {name}: {note}" for name, note in content["licence"]["data"].items())]
    lines += [f"- {content['licence']['model']}", "", "## Arrays of a split", ""]
    for name, entry in content["arrays"].items():
        shape = ", ".join(f"{d} {len(names[d])}" if d in names else "3" for d in entry["dimensions"])
        lines.append(f"- `{name}.npy` {entry['dtype']}" + (f" ({shape})" if shape else "") + f": {entry['holds']}")
    reasons = Counter(item["reason"] for item in content["left_out"])
    lines += ["", "## Left out", "", *(f"- {n} trials: {why}" for why, n in sorted(reasons.items()))]
    lines += ["- nothing"] if not reasons else []
    if content["notices"]:
        lines += ["", "## Notices", "", *(f"- {notice}" for notice in content["notices"])]
    lines += ["", "Names, statistics of the training split, the model's joints and hashes: `card.json`.", ""]
    return "\n".join(lines)


def _table(title: str, rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    columns = [c for c in ("persons", "trials", "frames", "windows") if any(c in row for row in rows.values())]
    head = [f"| {title} | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    return head + [f"| {name} | {' | '.join(f'{row.get(c, 0):,}' for c in columns)} |" for name, row in rows.items()]

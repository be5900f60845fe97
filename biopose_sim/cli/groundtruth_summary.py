"""What a run over a data set found: a page to open, and a few lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from biopose_sim.cli.console import complain, warn_user
from biopose_sim.viz.summary import PersonSummary, RunSummary, TrialSummary, worst_case_picture, write_summary
from ik_pipeline.quality import Rules, TrialQuality, trial_severity
from ik_pipeline.runner.folder import RunFolder
from ik_pipeline.runner.records import person_folder
from ik_pipeline.runner.run import RunResult
from ik_pipeline.store import SCALING, read_stored_scaling, read_stored_trial
from ik_pipeline.types import ModelChoice

# So many are named; the manifest has them all.
_MOST_NAMED = 10
# So many notices of one kind are shown one by one.
_FEW_ALIKE = 2


def write_page(path: Path, folder: Path, manifest: Mapping[str, Any], choice: ModelChoice) -> Path:
    """Write the summary of a run as one HTML page."""
    pictures = _Pictures(folder, choice, manifest)
    return write_summary(path, summary_of(manifest), pictures.draw)


def summary_of(manifest: Mapping[str, Any]) -> RunSummary:
    """What the page shows of a manifest."""
    persons = tuple(
        PersonSummary(
            id=person["id"],
            state=person["status"],
            reasons=tuple(person["reasons"]),
            dataset=person["dataset"],
            sex=person["sex"],
            stature=person["stature"],
            split=person["split"],
            quality=person["quality"],
        )
        for person in manifest["persons"]
    )
    rules = Rules(**manifest["rules"])
    trials = tuple(
        TrialSummary(
            person=person["id"],
            trial=trial["name"],
            state=trial["status"],
            reasons=tuple(trial["reasons"]),
            action=trial["action"],
            quality=trial["quality"],
            severity=trial_severity(TrialQuality.from_json(trial["quality"]), rules) if trial["quality"] else 0.0,
        )
        for person in manifest["persons"]
        for trial in person["trials"]
    )
    source, model = manifest["source"], manifest["model"]
    about = {
        "source": f"{source['name']}, {source['folder']}",
        "engine": manifest["engine"]["name"],
        "model": model["path"],
        "model SHA-256": model["sha256"],
        "marker set": model["markers"] or "the model's own",
        "biopose-sim": manifest["biopose_sim"],
        **{f"version of {name}": text for name, text in manifest["versions"].items()},
        **{f"limit: {name}": str(value) for name, value in manifest["rules"].items()},
    }
    return RunSummary(
        title=f"Ground truth: {source['name']}",
        persons=persons,
        trials=trials,
        bad_files=tuple((entry["path"], entry["reason"]) for entry in manifest["bad_files"]),
        notices=_collapsed(manifest["notices"]),
        about=tuple(about.items()),
    )


def _collapsed(notices: Sequence[str]) -> tuple[str, ...]:
    """Notices; of those that begin alike and end with different figures, one and how many there are."""
    alike: dict[str, list[str]] = {}
    for notice in notices:
        head, colon, tail = notice.partition(":")
        alike.setdefault(head if colon and any(c.isdigit() for c in tail) else notice, []).append(notice)
    few = _FEW_ALIKE
    return tuple(
        line
        for head, lines in alike.items()
        for line in (lines if len(lines) <= few else [f"{head} ({len(lines)} times), as in: {lines[0]}"])
    )


class _Pictures:
    """Draws the worst frame of a trial."""

    def __init__(self, folder: Path, choice: ModelChoice, manifest: Mapping[str, Any]) -> None:
        self.folder, self.choice = folder, choice
        self.frames = {
            (person["id"], trial["name"]): trial["quality"].get("worst_frame", 0)
            for person in manifest["persons"]
            for trial in person["trials"]
            if trial["outputs"]
        }

    def draw(self, person: str, trial: str) -> bytes | None:
        """A PNG; None where there is no result."""
        if (person, trial) not in self.frames:
            return None
        place = person_folder(self.folder, person)
        scaling = read_stored_scaling(place / f"{SCALING}.npz")
        stored = read_stored_trial(place / f"{trial}.npz")
        model = self.choice.model.scale(scaling.scales)
        row = min(self.frames[person, trial], len(stored.time) - 1)
        return worst_case_picture(
            model, stored.coordinates[row], stored.markers[row].astype(np.float64), stored.model_markers[row]
        )


def tell_run(folder: RunFolder, result: RunResult, shards: Path | None, page: Path | None) -> int:
    """Print what was done; returns the exit code: 1 where something failed."""
    manifest, tally = result.manifest, result.ledger.tally
    warn_user(f"{entry['path']}: {entry['reason']}" for entry in manifest["bad_files"][:_MOST_NAMED])
    code = tell_failures(manifest, folder.manifest)
    counts = manifest["counts"]
    for what in ("persons", "trials"):
        click.echo(f"{what}: {', '.join(f'{number:,} {status}' for status, number in counts[what].items())}")
    click.echo(f"frames: {counts['frames']:,} ok, {counts['frames_rejected']:,} of rejected trials")
    kept = f"; {tally.kept:,} trials were done before" if tally.kept else ""
    seconds = manifest["timings"]["seconds"]
    click.echo(f"this run: {tally.frames:,} frames in {seconds:.1f} s, {tally.frames / seconds:,.0f} frames/s{kept}")
    click.echo(f"marker RMS: {_rms_line(manifest)}")
    click.echo("")
    for path in (folder.manifest, page, shards):
        if path is not None:
            click.echo(f"  {path}")
    return code


def tell_failures(manifest: Mapping[str, Any], path: Path) -> int:
    """Print what failed; returns the exit code: 1 where something did."""
    failed = _named(manifest, "failed")
    for line in failed[:_MOST_NAMED]:
        complain(line)
    if len(failed) > _MOST_NAMED:
        complain(f"... and {len(failed) - _MOST_NAMED} more: see {path}")
    return 1 if failed else 0


def _named(manifest: Mapping[str, Any], status: str) -> list[str]:
    """Persons and trials of a status with their first reason; trials of such a person are not named."""
    lines = []
    for person in manifest["persons"]:
        if person["status"] == status:
            lines.append(f"{person['id']}: {_first(person['reasons'])}")
        lines += [
            f"{person['id']}, {trial['name']}: {_first(trial['reasons'])}"
            for trial in person["trials"]
            if trial["status"] == status and person["key"] is not None
        ]
    return lines


def _first(reasons: Sequence[str]) -> str:
    return reasons[0] if reasons else "no reason known"


def _rms_line(manifest: Mapping[str, Any]) -> str:
    """Marker errors over all frames of good trials [mm]."""
    qualities = [t["quality"] for p in manifest["persons"] for t in p["trials"] if t["status"] == "ok"]
    parts = []
    for name, key in (("all", "marker_rms"), ("landmarks", "landmark_rms"), ("tracking", "tracking_rms")):
        known = [(q[key], q["frames"]) for q in qualities if q[key] is not None]
        if known:
            values, frames = np.array(known).T
            parts.append(f"{name} {np.sqrt(np.average(values**2, weights=frames)):.2f} mm")
    return ", ".join(parts) or "nothing was solved"

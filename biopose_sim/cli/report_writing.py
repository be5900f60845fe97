"""The work of ``biopose report``: read what lies there, write the page, tell."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from biopose_sim.cli.console import Progress, warn_user
from biopose_sim.cli.report_run import person_of_run, read_person
from biopose_sim.cli.report_sources import Found, read_results, read_sources
from biopose_sim.cli.reporting import write_page
from biopose_sim.cli.view_sources import Source
from biopose_sim.errors import InputError
from biopose_sim.gait.events import find_events
from biopose_sim.gait.types import GaitEvents

if TYPE_CHECKING:
    from biopose_sim.forces.types import GroundReaction
    from biopose_sim.viz.report import Section
    from biopose_sim.viz.report_video import VideoPage

_PAGE = "report.html"
_LABELS = (
    ("id", "Person", "{}"),
    ("dataset", "Data set", "{}"),
    ("sex", "Sex", "{}"),
    ("stature", "Height", "{:.2f} m"),
)


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The command line of ``biopose report``; see its help."""

    folder: Path | None = None
    model: Path | None = None
    motion: Sequence[Path] = ()
    markers: Sequence[Path] = ()
    person: str | None = None
    name: str | None = None
    grf: Path | None = None
    output: Path | None = None

    def check(self) -> None:
        """Complain of what is missing or contradicts itself."""
        if self.folder is None and (self.model is None or not self.motion):
            raise click.UsageError("missing argument 'OUT', or --model with --motion")
        if self.folder is not None and (self.model is not None or self.motion or self.markers):
            raise click.UsageError("give a folder of results, or files with --model and --motion, not both")


@dataclass(frozen=True)
class Reported:
    """The page, and what is to be said of it."""

    path: Path
    notes: tuple[str, ...]
    seconds: float


def report(wishes: Wishes) -> Reported:
    """Do what ``biopose report`` does, without a word."""
    start = time.perf_counter()
    wishes.check()
    with Progress() as progress:
        progress("reading")
        found, where = _read(wishes)
        events = _events(found, wishes.grf)
        progress("drawing")
        path = wishes.output or where / _PAGE
        if not path.parent.is_dir():
            raise InputError(path.parent, "is no folder", "make it first")
        _write(path, found, events, wishes)
    return Reported(path, found.notes, time.perf_counter() - start)


def tell_report(done: Reported) -> None:
    """Print what could not be found, and where the page is."""
    warn_user(done.notes)
    click.echo(f"{done.path} in {done.seconds:.1f} s")


def _read(wishes: Wishes) -> tuple[Found, Path]:
    """Results, and the folder that the page belongs to."""
    if wishes.folder is None:
        assert wishes.model is not None  # checked
        markers = {path.stem: path for path in wishes.markers}
        sources = {
            path.stem: Source(path.stem, wishes.model, path, markers=markers.pop(path.stem, None))
            for path in wishes.motion
        }
        if markers:
            path = next(iter(markers.values()))
            raise InputError(path, "belongs to no motion", "markers and motion have the same name: walk.trc, walk.mot")
        return read_sources(sources, {}), wishes.motion[0].parent
    if not wishes.folder.exists():
        raise InputError(wishes.folder, "no such folder", "give the output folder of fit, predict, ik or demo")
    if (person := person_of_run(wishes.folder, wishes.person)) is not None:
        return read_person(person), person
    if wishes.person is not None:
        raise InputError(wishes.folder, "is no run over a data set", "--person is for folders of 'biopose groundtruth'")
    return read_results(wishes.folder), wishes.folder


def _events(found: Found, grf: Path | None) -> dict[str, GaitEvents]:
    """Gait timed by measured force, in the trials of which force is known; the report seeks that of the others."""
    reactions: dict[str, GroundReaction] = {}
    if grf is not None:
        if len(found.results) != 1:
            raise InputError(
                grf, f"is one ground reaction, but there are {len(found.results)} trials", "name one trial"
            )
        from biopose_sim.forces.loads import read_loads

        reactions[found.results[0].name] = read_loads(grf)
    else:
        reactions = _simulated(found.simulations)
    by_name = {result.name: result for result in found.results}
    return {
        name: find_events(found.model, by_name[name], reaction)
        for name, reaction in reactions.items()
        if name in by_name
    }


def _simulated(simulations: Mapping[str, Path]) -> dict[str, GroundReaction]:
    """Measured forces that simulations were made with."""
    from biopose_sim.forces.types import read_simulation

    reactions = {}
    for trial, folder in simulations.items():
        simulation = read_simulation(folder)
        loads = simulation.files.get("external_loads")
        if simulation.grf_origin == "measured" and loads is not None and (folder / loads).is_file():
            from biopose_sim.forces.loads import read_loads

            reactions[trial] = read_loads(folder / loads)
    return reactions


def _write(path: Path, found: Found, events: Mapping[str, GaitEvents], wishes: Wishes) -> None:
    from biopose_sim.viz.report import Known

    rows = {row.get("name") for row in found.manifest.get("trials", ()) if isinstance(row, dict)}
    told = found.manifest.get("command") == "groundtruth" or all(result.name in rows for result in found.results)
    measured = any(found.measured)
    person = dict(found.manifest.get("person", {}))
    mass = dict(found.manifest.get("configuration", {})).get("mass_kg") or person.get("mass")
    write_page(
        path,
        title=wishes.name or person.get("id") or _title(found),
        model=found.model,
        results=found.results,
        trials=found.trials if measured else None,
        mass=mass,
        subject=_subject(found, wishes),
        sections=_sections(found),
        simulations=found.simulations,
        events=events,
        scales=_scales(found),
        known=Known(convergence=told, iterations=False, determination=told, sensitivity=False),
        notes=found.notes,
        video=_video(wishes.folder),
    )


def _video(folder: Path | None) -> VideoPage | None:
    """What 'biopose video' kept for the page; None where it did not run."""
    from biopose_sim.cli.video_page_file import FILE, read_page_file

    return read_page_file(folder / FILE) if folder is not None and (folder / FILE).is_file() else None


def _title(found: Found) -> str:
    names = [result.name for result in found.results]
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _subject(found: Found, wishes: Wishes) -> list[tuple[str, str]]:
    """What names the person, and how the results were made."""
    person = dict(found.manifest.get("person", {}))
    lines = [("Name", wishes.name)] if wishes.name else []
    lines += [(label, form.format(person[key])) for key, label, form in _LABELS if key in person]
    command = found.manifest.get("command")
    if command and "created" in found.manifest:
        lines.append(("Made by", f"biopose {command}, {str(found.manifest['created']).replace('T', ' ')}"))
    return [(label, value) for label, value in lines if value]


def _scales(found: Found) -> np.ndarray | None:
    scales = dict(found.manifest.get("scaling", {})).get("scales", {})
    if set(scales) != set(found.model.body_names):
        return None
    return np.array([scales[name] for name in found.model.body_names], dtype=float)


def _sections(found: Found) -> list[Section]:
    from biopose_sim.viz.report import Section

    sections = []
    said: dict[str, Any] = dict(found.manifest.get("assumptions", {}) or {})
    if said:
        from biopose_sim.cli.predicting import lines_of

        sections.append(Section("What was taken for granted", points=tuple(lines_of(said))))
    if found.pictures:
        drawn = [
            (path.read_bytes(), f"{name}: the fitted skeleton in the mesh") for name, path in found.pictures.items()
        ]
        sections.append(Section("Body and skeleton", pictures=tuple(drawn)))
    return sections

"""The work of ``biopose demo``."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

from biopose_sim.bodies.readers import save_sequence
from biopose_sim.cli.bodies import Recorded, recorded_person
from biopose_sim.cli.comparison import Comparison, compare_bodies, compare_models, print_comparison
from biopose_sim.cli.console import Progress
from biopose_sim.cli.folder import ResultFolder
from biopose_sim.cli.learned import LEARNED, learned_person
from biopose_sim.cli.person import Page, Paper, Person, Run, fitted_person, tell, with_range_notices, write_person
from biopose_sim.cli.predicting import assumptions_of, body_section, lines_of, model_and_config
from biopose_sim.cli.walker import RATE, BodyWalker, Walker, make_body_walker, make_walker
from biopose_sim.ik.fit import FitConfig
from biopose_sim.ik.types import IKConfig, KinematicsResult
from biopose_sim.io import atomic_write, write_trc
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.paths import default_model_path
from biopose_sim.viz.report import Section
from ik_pipeline.virtual_fit import virtual_model

WORDS = {"female": "woman", "male": "man"}
# What the picture of angles shows: title and coordinate stem.
PANELS = (
    ("Hip flexion", "hip_flexion"),
    ("Knee flexion", "knee_angle"),
    ("Ankle dorsiflexion", "ankle_angle"),
)
# Moments of the walk that are drawn: five over a stride's length of time, in the middle.
_MOMENTS, _SPAN = 5, 0.84
# Length of the walk of the second person [s]: long enough for the figures.
_MODEL_SECONDS = 2.0


@dataclass(frozen=True)
class DemoWishes:
    """The command line of ``biopose demo``: noise in mm, gaps in percent."""

    seed: int
    noise: float
    gaps: float
    seconds: float
    smoothness: float
    check: bool
    engine: str = LEARNED
    weights: Path | None = None

    def __post_init__(self) -> None:
        """Complain of what contradicts itself."""
        if self.weights is not None and self.engine != LEARNED:
            raise click.UsageError(f"--weights are of a network: give --engine {LEARNED}")


def show(output: Path, wishes: DemoWishes) -> None:
    """Make the person, fit, draw, compare and print; see ``biopose demo --help``."""
    start = time.perf_counter()
    noise, gaps = 1e-3 * wishes.noise, 1e-2 * wishes.gaps
    ik = IKConfig(smoothness=wishes.smoothness)
    with Progress() as progress, ResultFolder(output) as folder:
        progress("making a walking person")
        walker = make_body_walker(
            default_model_path(), seed=wishes.seed, noise=noise, gaps=gaps, seconds=wishes.seconds
        )
        save_sequence(walker.sequences[-1], folder.file("walk_body.npz"))
        for trial in walker.trials:
            write_trc(folder.file(f"{trial.name}.trc"), trial)
        recorded = recorded_person(walker.sequences)
        model, path, config = model_and_config(None, ik)
        progress(f"fitting {len(walker.trials)} recordings, {sum(t.n_frames for t in walker.trials)} frames")
        fitted = person = with_range_notices(fitted_person(model, walker.trials, config, recorded.mass))
        how: tuple[str, ...] = ()
        comparisons = [compare_bodies(fitted, walker)]
        if wishes.engine == LEARNED:
            progress("NeurIK sees the same recordings")
            person, network = learned_person(walker.trials, wishes.weights, False, recorded.mass)
            person, how = with_range_notices(person), network.lines(False)
            comparisons.insert(0, _by_network(compare_bodies(person, walker)))
        progress("comparing with a person whose every angle is known")
        comparisons += _known_person(wishes, noise, gaps, ik)
        progress("drawing and writing")
        said = {"person": (*_notes(wishes, walker), *assumptions_of(recorded, None, how)["person"])}
        paper = Paper(
            command="demo",
            inputs=[],
            model=path,
            ik=config.ik,
            started=start,
            page=lambda: _page(folder, person, recorded, walker, comparisons, lines_of(said)),
            more={"assumptions": said, "comparison": {c.title: dict(c.figures) for c in comparisons}},
        )
        write_person(folder, person, walker.trials, paper)
    run = Run(person, folder.files, time.perf_counter() - start)
    opened = None
    if wishes.check:
        with Progress() as progress:
            opened = _opened(progress, output)
    tell(replace(run, seconds=time.perf_counter() - start))
    for comparison in comparisons:
        print_comparison(comparison)
    if opened is not None:
        click.echo(f"\nOpenSim opens model and motion: {opened}")
    click.echo(f"\nOpen {output / 'report.html'}")


def _known_person(wishes: DemoWishes, noise: float, gaps: float, ik: IKConfig) -> list[Comparison]:
    """The fit of a person made of the OpenSim model itself: only there are the true angles known."""
    seconds = min(wishes.seconds, _MODEL_SECONDS)

    def made(generic: OsimModel | None = None) -> Walker:
        return make_walker(
            default_model_path(), seed=wishes.seed, noise=noise, gaps=gaps, seconds=seconds, generic=generic
        )

    walker = made()
    person = fitted_person(walker.generic, walker.trials, FitConfig(ik=ik), None)
    found = [compare_models(person, walker)]
    if wishes.engine == LEARNED:
        seen = made(virtual_model())
        learned, _ = learned_person(seen.trials, wishes.weights, False, None)
        found.insert(0, _by_network(compare_models(learned, seen)))
    return found


def _by_network(comparison: Comparison) -> Comparison:
    title = comparison.title.replace("a fit", "NeurIK").replace("the fit", "NeurIK")
    return replace(comparison, title=title, note=comparison.note.replace("118 markers", "the 142 virtual markers"))


def _notes(wishes: DemoWishes, walker: BodyWalker) -> tuple[str, ...]:
    who = f"a {WORDS[walker.sex]} of {walker.stature:.2f} m"
    return (
        f"The person is made up: an Anny body drawn at random (seed {wishes.seed}: {who}) that walks with the "
        f"project's own normative gait; its virtual markers were recorded with noise of {wishes.noise:g} mm per axis "
        f"and {wishes.gaps:g} % gaps.",
        f"The motion is smooth by a weight of {wishes.smoothness:g}; 0 would solve each frame for itself.",
    )


def _page(
    folder: ResultFolder,
    person: Person,
    recorded: Recorded,
    walker: BodyWalker,
    comparisons: list[Comparison],
    said: list[str],
) -> Page:
    walk = person.results[-1]
    middle, half = len(walk.time) // 2, round(_SPAN / 2 * RATE)
    first, last = max(middle - half, 0), min(middle + half, len(walk.time) - 1)
    moments = {walk.name: [int(k) for k in np.linspace(first, last, _MOMENTS).round()]}
    pictures = body_section(folder, person, recorded, walker.trials, moments)
    angles = _angles(folder, walk, walker)
    distances = [
        Section(
            comparison.title,
            text=(comparison.note,),
            points=tuple(f"{name}: {text}" for name, text in comparison.lines),
            pictures=((angles, "Angles found and the gait that drove the body"),)
            if comparison is comparisons[0]
            else (),
        )
        for comparison in comparisons
    ]
    granted = Section("What this is", points=tuple(said))
    return Page(title="A walking body, measured by markers", sections=(granted, pictures, *distances))


def _angles(folder: ResultFolder, walk: KinematicsResult, walker: BodyWalker) -> bytes:
    """Picture of the legs' angles with those of the gait that drove the body."""
    from biopose_sim.viz import plot_angles, to_png
    from biopose_sim.viz.plots import Panel

    driven = replace(walk, coordinates=walker.coordinates[walk.name])
    panels = [Panel(title, (f"{stem}_r", f"{stem}_l")) for title, stem in PANELS]
    png = to_png(plot_angles(walk, driven, panels=panels, reference_label="gait that drove the body"), colours=128)
    atomic_write(folder.file("walk_angles.png"), png)
    return png


def _opened(progress: Progress, output: Path) -> str:
    """Let OpenSim open the model and the motion; returns what it says in a few words."""
    from biopose_sim.cli.reopen import reopen

    progress("opening the results in OpenSim")
    return reopen(output / f"{default_model_path().stem}_scaled.osim", output / "walk.mot").text

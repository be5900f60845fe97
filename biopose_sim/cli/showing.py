"""The work of ``biopose demo``."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

from biopose_sim.cli.console import Progress
from biopose_sim.cli.folder import ResultFolder
from biopose_sim.cli.manifest import rms
from biopose_sim.cli.person import Known, Run, Wishes, fit_person, tell
from biopose_sim.cli.walker import Walker, make_walker, marker_errors_to_truth, segment_errors
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import atomic_write, write_trc
from biopose_sim.paths import default_model_path

# What the picture of angles shows: title and coordinate stem.
PANELS = (
    ("Hip flexion", "hip_flexion"),
    ("Knee flexion", "knee_angle"),
    ("Ankle dorsiflexion", "ankle_angle"),
)


@dataclass(frozen=True)
class DemoWishes:
    """The command line of ``biopose demo``: noise in mm, gaps in percent."""

    seed: int
    noise: float
    gaps: float
    seconds: float
    smoothness: float
    check: bool


def show(output: Path, wishes: DemoWishes) -> None:
    """Make the person, fit, draw, compare and print; see ``biopose demo --help``."""
    start = time.perf_counter()
    model = default_model_path()
    with ResultFolder(output) as folder, Progress() as progress:
        progress("making a walking person")
        walker = make_walker(
            model, seed=wishes.seed, noise=1e-3 * wishes.noise, gaps=1e-2 * wishes.gaps, seconds=wishes.seconds
        )
        for trial in walker.trials:
            write_trc(folder.file(f"{trial.name}.trc"), trial)
    recordings = [output / f"{trial.name}.trc" for trial in walker.trials]
    notes = [
        f"The person is made up: size drawn at random (seed {wishes.seed}), normative gait, marker noise of "
        f"{wishes.noise:g} mm per axis and {wishes.gaps:g} % of the markers missing. The truth is dashed.",
        f"The motion is smooth by a weight of {wishes.smoothness:g}; 0 would solve each frame for itself.",
    ]
    known = Known("A walking person of known size and motion", walker.coordinates, walker.scales, notes)
    fit = Wishes(trials=recordings, output=output, model=model, smoothness=wishes.smoothness)
    run = fit_person(fit, known)
    walk = run.person.results[-1]
    with Progress() as progress:
        progress("drawing")
        pictures = _draw(output, run, walk, walker)
        opened = _opened(progress, run, output) if wishes.check else None
    tell(replace(run, files=[*recordings, *run.files, *pictures], seconds=time.perf_counter() - start))
    _compare(run, walk, walker)
    if opened is not None:
        click.echo(f"  OpenSim opens both     {opened}")
    click.echo(f"\nOpen {output / 'report.html'}")


def _draw(output: Path, run: Run, walk: KinematicsResult, walker: Walker) -> list[Path]:
    """Two pictures: the skeleton, and the angles of the legs with the truth."""
    from biopose_sim.viz import plot_angles, plot_skeleton, to_png
    from biopose_sim.viz.plots import Panel

    trial = walker.trials[-1].select(walk.marker_names)
    skeleton = plot_skeleton(run.person.model, walk.coordinates, time=walk.time, measured=trial.markers)
    truth = replace(walk, coordinates=walker.coordinates[walk.name])
    panels = [Panel(title, (f"{stem}_r", f"{stem}_l")) for title, stem in PANELS]
    angles = plot_angles(walk, truth, panels=panels, reference_label="truth")
    figures = {"walk_skeleton.png": skeleton, "walk_angles.png": angles}
    return [atomic_write(output / name, to_png(figure, colours=128)) for name, figure in figures.items()]


def _compare(run: Run, walk: KinematicsResult, walker: Walker) -> None:
    """Print how far the result is from the truth."""
    from biopose_sim.viz.report_tables import angle_errors

    lengths = segment_errors(run.person.model, walker.model)
    worst = max(lengths, key=lengths.__getitem__)
    angles, names = angle_errors(walk, walker.coordinates[walk.name])
    means = angles.mean(axis=0)
    click.echo("\nHow far that is from the truth:")
    click.echo(
        f"  segment lengths        median {100 * np.median(list(lengths.values())):.2f} %, "
        f"worst {100 * lengths[worst]:.2f} % ({worst})"
    )
    click.echo(
        f"  joint angles           mean {means.mean():.2f}° over {len(names)} angles, "
        f"worst {means.max():.2f}° ({names[int(np.argmax(means))]})"
    )
    to_truth, to_measured = rms(1e3 * marker_errors_to_truth(walk, walker)), rms(1e3 * walk.marker_errors)
    click.echo(f"  markers                {to_truth:.2f} mm RMS; {to_measured:.2f} mm from the noisy ones")


def _opened(progress: Progress, run: Run, output: Path) -> str:
    """Let OpenSim open the model and the motion; returns what it says in a few words."""
    from biopose_sim.cli.reopen import reopen

    progress("opening the results in OpenSim")
    return reopen(run.files[0], output / "walk.mot").text

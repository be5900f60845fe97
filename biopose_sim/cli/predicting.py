"""The work of ``biopose predict``: read, place markers, fit, write, tell."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.virtual import read_virtual_markers
from biopose_sim.cli import inputs
from biopose_sim.cli.bodies import BVH, MARKER_FILES, Reading, Recorded, parse_upright, read_person
from biopose_sim.cli.console import Progress
from biopose_sim.cli.folder import ResultFolder
from biopose_sim.cli.learned import AUTO, FITTED, LEARNED, learned_person
from biopose_sim.cli.manifest import rms
from biopose_sim.cli.person import Page, Paper, Person, Run, fitted_person, tell, with_range_notices, write_person
from biopose_sim.errors import InputError
from biopose_sim.ik.fit import FitConfig
from biopose_sim.ik.types import IKConfig
from biopose_sim.io import Trial, atomic_write, write_trc
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.paths import default_model_path
from ik_pipeline.virtual_fit import virtual_fit_config, virtual_model

if TYPE_CHECKING:
    from biopose_sim.viz.report import Section

# Said of all sequences together, beside those of each.
PERSON = "person"
# So many sequences get a picture; as in the report.
_MOST_PICTURES = 6
_FEWEST_MARKERS = 10
_MOMENTS = 5
# Markers of a body that the model can follow lie within this of the model's, root mean square [mm]: those of a model
# whose markers were fitted, and those of one whose markers lie where its size says.
_FAR, _FAR_UNFITTED = 20.0, 35.0
_OF_BODIES = ("fps", "track", "action", "upright", "gender", "body_models", "sex", "stature")
# A person whose markers stray less than this from their mean place stands still [m].
_STILL = 0.01


@dataclass(frozen=True, kw_only=True)
class Wishes(inputs.SolverWishes):
    """The command line of ``biopose predict``; see its help."""

    sequences: Sequence[Path]
    output: Path
    engine: str = AUTO
    refine: bool = False
    fps: float | None = None
    track: str | None = None
    action: str | None = None
    frame: str = "auto"
    upright: str | None = None
    gender: str | None = None
    body_models: Path | None = None
    sex: str | None = None
    stature: float | None = None
    model: Path | None = None
    mass: float | None = None
    symmetric: bool = True
    model_markers: bool = False
    report: bool = True

    def check(self) -> None:
        """Complain of what contradicts itself."""
        super().check()
        self._check_engine()
        self._check_markers()
        is_bvh = [path.suffix.lower() == BVH for path in self.sequences]
        if (self.sex or self.stature) and not all(is_bvh):
            raise click.UsageError("--sex and --stature are of BVH files, which have no body; others bring their own")
        others = {"--track": self.track, "--action": self.action, "--upright": self.upright, "--gender": self.gender}
        given = [name for name, value in others.items() if value is not None]
        given += ["--frame"] if self.frame != "auto" else []
        if given and any(is_bvh):
            raise click.UsageError(f"{', '.join(given)}: BVH files have one person, upright, without a gender")

    def _check_engine(self) -> None:
        """Options of the engine that was not chosen have no meaning."""
        if self.chosen != LEARNED:
            if self.refine:
                raise click.UsageError(f"--refine polishes what a network says: give --engine {LEARNED}")
            return
        if given := self._of_fit:
            raise click.UsageError(f"{', '.join(given)}: of the fit alone; give --engine fit, or leave it away")

    @property
    def _of_fit(self) -> list[str]:
        """Options that only the fit knows, as far as they are given."""
        of_fit = {
            "--model": self.model is not None,
            "--smoothness": self.smoothness != 0.0,
            "--prior": self.prior != 0.0,
            "--continuity": self.continuity is not None,
            "--free": bool(self.free),
            "--no-symmetric": not self.symmetric,
        }
        return [name for name, is_given in of_fit.items() if is_given]

    @property
    def chosen(self) -> str:
        """The engine; where none is named the network, unless something is wanted that only the fit knows."""
        if self.engine != AUTO:
            return self.engine
        of_markers = self.weights is not None and self.weights.is_file()
        return FITTED if self._of_fit or of_markers else LEARNED

    def why_chosen(self) -> tuple[str, ...]:
        """What is to be said where the fit was not asked for by its name."""
        if self.engine != AUTO or self.chosen != FITTED:
            return ()
        wanted = ", ".join([*self._of_fit, *(["--weights with a file"] if self.weights is not None else [])])
        return (f"Size and motion were fitted, not taken from a network, for {wanted} was given.",)

    def _check_markers(self) -> None:
        """Recordings of markers bring everything but the mass."""
        if self.chosen != LEARNED or not self.of_markers:
            return
        if not all(path.suffix.lower() in MARKER_FILES for path in self.sequences):
            raise click.UsageError("give recordings of markers or bodies, not both: of bodies, more is known")
        given = [f"--{name.replace('_', '-')}" for name in _OF_BODIES if getattr(self, name) is not None]
        given += ["--frame"] if self.frame != "auto" else []
        if given:
            raise click.UsageError(f"{', '.join(given)}: of body motions; recordings of markers have none")

    @property
    def of_markers(self) -> bool:
        """Whether markers were recorded, not a body."""
        return any(path.suffix.lower() in MARKER_FILES for path in self.sequences)

    @property
    def reading(self) -> Reading:
        """What they say of the files."""
        return Reading(
            fps=self.fps,
            track=self.track,
            action=self.action,
            frame=self.frame,
            upright=parse_upright(self.upright),
            gender=self.gender,
            sex=self.sex,
            stature=self.stature,
        )


@dataclass(frozen=True)
class Prediction:
    """What a run found, and what it took for granted: sentences by sequence, and of the person."""

    run: Run
    assumptions: Mapping[str, Sequence[str]]


def predict_person(wishes: Wishes) -> Prediction:
    """Do what ``biopose predict`` does, without a word."""
    start = time.perf_counter()
    wishes.check()
    reading = wishes.reading
    with Progress() as progress, ResultFolder(wishes.output) as folder:
        progress("reading")
        recorded, trials = _read(wishes, reading, progress)
        n_frames = sum(trial.n_frames for trial in trials)
        known_mass = None if recorded is None else recorded.mass
        mass = known_mass if wishes.mass is None else wishes.mass
        path, ik, sources = default_model_path(), IKConfig(), [*wishes.sequences]
        if wishes.chosen == LEARNED:
            progress(f"NeurIK sees {len(trials)} sequences, {n_frames} frames")
            person, network = learned_person(trials, wishes.weights, wishes.refine, mass, wishes.threads)
            sources += network.files
            how = network.lines(wishes.refine)
        else:
            model, path, config = model_and_config(wishes.model, wishes.applied(IKConfig()), wishes.symmetric)
            progress(f"fitting {len(trials)} sequences, {n_frames} frames")
            person = fitted_person(model, trials, config, mass)
            ik, how = config.ik, wishes.why_chosen()
            sources += wishes.files
        person = with_range_notices(person)
        far = _FAR_UNFITTED if wishes.chosen == LEARNED and not wishes.refine else _FAR
        person = replace(person, warnings=(*person.warnings, *_far_off(person, far)))
        said = assumptions_of(recorded, wishes.mass, how)
        progress("writing")
        for trial in trials:
            write_trc(folder.file(f"{trial.name}.trc"), trial)
        paper = Paper(
            command="predict",
            inputs=[source for source in sources if source.is_file()],
            model=path,
            ik=ik,
            started=start,
            symmetric=wishes.symmetric,
            model_markers=wishes.model_markers,
            page=(lambda: _page(folder, person, recorded, trials, said)) if wishes.report else None,
            more={"engine": wishes.chosen, "assumptions": said},
        )
        write_person(folder, person, trials, paper)
    return Prediction(Run(person, folder.files, time.perf_counter() - start), said)


def _read(wishes: Wishes, reading: Reading, progress: Progress) -> tuple[Recorded | None, list[Trial]]:
    """The body motions, where there are bodies, and their markers."""
    if wishes.chosen == LEARNED and wishes.of_markers:
        return None, inputs.load_trials(wishes.sequences)
    recorded = read_person(wishes.sequences, reading, wishes.body_models)
    progress("placing markers on the body")
    return recorded, [virtual_markers(sequence, body=recorded.body) for sequence in recorded.sequences]


def tell_prediction(prediction: Prediction) -> None:
    """Print warnings, a line per sequence, what was taken for granted and where the files are."""
    tell(prediction.run)
    click.echo("\nTaken for granted:")
    for line in lines_of(prediction.assumptions):
        click.echo(f"  {line}")


def model_and_config(path: Path | None, ik: IKConfig, symmetric: bool = True) -> tuple[OsimModel, Path, FitConfig]:
    """The model to fit, its file and how: our own with the virtual markers, or one with markers of these names."""
    markers = read_virtual_markers()
    if path is None:
        model, source = virtual_model(), default_model_path()
    else:
        model, source = inputs.load_model(path), path
        markers = tuple(marker for marker in markers if marker.name in model.marker_names)
        if len(markers) < _FEWEST_MARKERS:
            has = f"has {len(markers)} of the virtual markers' names"
            raise InputError(path, has, "'biopose markers list' shows them; leave --model away for our own model")
    return model, source, replace(virtual_fit_config(markers, ik), symmetric=symmetric)


def assumptions_of(
    recorded: Recorded | None, mass: float | None, how: Sequence[str] = ()
) -> dict[str, tuple[str, ...]]:
    """What was taken for granted, by sequence and of the person.

    Args:
        recorded: the bodies; None where markers were recorded.
        mass: that was given [kg].
        how: further sentences of the person.
    """
    if recorded is None:
        lines = ["Recordings of markers: they are taken to lie where the virtual markers of their names do."]
        return {PERSON: (*lines, _mass_line(None, mass), *how)}
    said = {sequence.name: sequence.assumptions for sequence in recorded.sequences}
    first = recorded.sequences[0]
    body = f"The body is '{first.body}'" + (f", {first.gender}" if first.body != "anny" else "")
    if first.body == "mesh":
        body = f"The file holds a mesh, by its number of vertices that of '{first.topology}'"
    lines = [f"{body}; 142 virtual markers lie on it."]
    if first.body == "mesh" and len(recorded.sequences) > 1:
        lines.append("The meshes are taken to be of one person.")
    return {**said, PERSON: (*lines, _mass_line(recorded, mass), *how)}


def _mass_line(recorded: Recorded | None, mass: float | None) -> str:
    if mass is not None:
        return f"The mass, {mass:.1f} kg, was given."
    if recorded is not None and recorded.mass is not None and recorded.volume is not None:
        litres = 1e3 * recorded.volume
        return f"The mass, {recorded.mass:.1f} kg, is the body's volume, {litres:.1f} l, times 985 kg/m3."
    return "The mass is that of the unscaled model: the volume of the body is not known (--mass gives it)."


def _far_off(person: Person, most: float) -> list[str]:
    """Warnings of sequences that the model cannot follow."""
    found = [(result.name, 1e3 * rms(result.marker_errors)) for result in person.results]
    hint = "is it an adult's body, upright, in metres?"
    return [
        f"{name}: the mesh is {far:.0f} mm (RMS) from the model's markers: {hint}" for name, far in found if far > most
    ]


def lines_of(assumptions: Mapping[str, Sequence[str]]) -> list[str]:
    """The sentences, each with its sequence; what all sequences share is said once."""
    own = {name: list(said) for name, said in assumptions.items() if name != PERSON}
    shared = [text for text in next(iter(own.values()), []) if all(text in said for said in own.values())]
    lines = [*assumptions.get(PERSON, ()), *shared]
    return lines + [f"{name}: {text}" for name, said in own.items() for text in said if text not in shared]


def _page(
    folder: ResultFolder,
    person: Person,
    recorded: Recorded | None,
    trials: Sequence[Trial],
    said: Mapping[str, Sequence[str]],
) -> Page:
    from biopose_sim.viz.report import Section

    granted = Section("What was taken for granted", points=tuple(lines_of(said)))
    return Page(sections=(granted, *([] if recorded is None else [body_section(folder, person, recorded, trials)])))


def body_section(
    folder: ResultFolder,
    person: Person,
    recorded: Recorded,
    trials: Sequence[Trial],
    moments: Mapping[str, Sequence[int]] | None = None,
) -> Section:
    """Draw mesh, skeleton and markers of each sequence into a file of its own, and the part of the report with them.

    Args:
        folder: where the pictures go.
        person: the fit.
        recorded: the meshes.
        trials: the markers that were fitted.
        moments: frames to draw, by name; spread over the recording where none are named.
    """
    from biopose_sim.viz.body import choose_frames, plot_body
    from biopose_sim.viz.report import Section
    from biopose_sim.viz.style import to_png

    pictures = []
    for index, (result, trial) in enumerate(zip(person.results[:_MOST_PICTURES], trials)):
        seen = np.isfinite(trial.markers).all(axis=2).any(axis=1)
        still = float(np.nanstd(trial.markers[seen], axis=0).mean()) < _STILL
        frames = list((moments or {}).get(result.name, choose_frames(seen, 1 if still else _MOMENTS)))
        figure = plot_body(
            person.model,
            result.coordinates[frames],
            recorded.vertices(index, frames),
            None if recorded.body is None else recorded.body.faces,
            markers=trial.markers[frames],
            time=result.time[frames],
        )
        png = to_png(figure, 130, colours=256)
        atomic_write(folder.file(f"{result.name}_body.png"), png)
        pictures.append((png, f"{result.name}: the fitted skeleton in the mesh"))
    left = len(person.results) - len(pictures)
    text = (f"Pictures of {left} further sequences are left out.",) if left > 0 else ()
    return Section("Body and skeleton", text=text, pictures=tuple(pictures))

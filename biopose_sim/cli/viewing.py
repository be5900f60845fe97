"""The work of ``biopose view``: from files to a scene, and the scene to a browser, a picture or a film."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from biopose_sim.cli import inputs
from biopose_sim.cli.console import Progress, warn_user
from biopose_sim.cli.view_sources import Source, source_of
from biopose_sim.errors import InputError
from biopose_sim.io import Motion, Trial, read_mot, read_trial
from biopose_sim.viz.pixels import write_png
from biopose_sim.viz.viewer.forces import check_overlap, ground_forces, joint_forces
from biopose_sim.viz.viewer.geometry import geometry_folders, read_geometry
from biopose_sim.viz.viewer.picture import Layers, Painter
from biopose_sim.viz.viewer.scene import Figure, Forces, Scene, Skin, make_figure, make_scene

if TYPE_CHECKING:
    from biopose_sim.cli.bodies import Reading

# A mesh further from the recorded virtual markers is not the one that was solved [m].
_SAME_BODY = 0.03
_SKINS_KEPT = 64


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The command line of ``biopose view``; see its help."""

    folders: Sequence[Path]
    trial: str | None = None
    model: Path | None = None
    motion: Path | None = None
    trc: Path | None = None
    grf: Path | None = None
    geometry: Sequence[Path] = ()
    overlay: bool = False
    png: Path | None = None
    mp4: Path | None = None
    frame: int | None = None
    moment: float | None = None
    span: tuple[float, float] | None = None
    size: tuple[int, int] = (1280, 720)
    view: str = "oblique"
    rate: float = 30.0
    speed: float = 1.0
    hide: Sequence[str] = ()
    port: int | None = None
    browser: bool = True

    def check(self) -> None:
        """Complain of what is missing or contradicts itself."""
        if (self.model is None) != (self.motion is None):
            raise click.UsageError("--model and --motion belong together")
        if not self.folders and self.model is None:
            raise click.UsageError("missing argument 'FOLDER...' (or --model and --motion)")
        if self.frame is not None and self.moment is not None:
            raise click.UsageError("give --frame or --time, not both")
        if (self.frame is not None or self.moment is not None) and self.png is None:
            raise click.UsageError("--frame and --time are for --png")

    @property
    def layers(self) -> Layers:
        """What is drawn."""
        return Layers(**dict.fromkeys(self.hide, False))


def show(wishes: Wishes) -> None:
    """Do what ``biopose view`` does."""
    wishes.check()
    live = wishes.png is None and wishes.mp4 is None
    if live:
        from biopose_sim.viz.viewer.live import check_installed

        check_installed()
    with Progress() as progress:
        progress("reading")
        scene = _scene(wishes)
    warn_user(note for figure in scene.figures for note in figure.notes)
    if live:
        _serve(scene, wishes)
        return
    width, height = wishes.size
    painter = Painter(scene, width, height, view=wishes.view, layers=wishes.layers)
    if wishes.png is not None:
        click.echo(f"{write_png(wishes.png, painter.image(_moment(scene, wishes)))}")
    if wishes.mp4 is not None:
        _film(painter, wishes, wishes.mp4)


def _scene(wishes: Wishes) -> Scene:
    sources = [source_of(folder, wishes.trial) for folder in wishes.folders]
    if wishes.model is not None and wishes.motion is not None:
        sources.append(Source(wishes.motion.stem, wishes.model, wishes.motion))
    if wishes.trc is not None or wishes.grf is not None:
        if len(sources) > 1:
            raise click.UsageError("--trc and --grf are for one result")
        sources = [replace(sources[0], markers=wishes.trc or sources[0].markers, loads=wishes.grf or sources[0].loads)]
    return make_scene([_figure(source, wishes) for source in sources], overlay=wishes.overlay)


def _figure(source: Source, wishes: Wishes) -> Figure:
    model = inputs.load_model(source.model)
    motion = read_mot(source.motion, dict(zip(model.coordinate_names, model.motion_types)))
    return make_figure(
        source.name,
        model,
        motion,
        read_geometry(model, geometry_folders(source.model, wishes.geometry)),
        measured=None if source.markers is None else read_trial(source.markers),
        forces=_forces(source, motion),
        skin=None if "skin" in wishes.hide else _skin(source, motion),
    )


def _forces(source: Source, motion: Motion) -> list[Forces]:
    found = []
    estimated = source.simulation is not None and source.simulation[0].grf_origin == "estimated"
    if source.loads is not None:
        from biopose_sim.forces.loads import read_loads

        reaction = read_loads(source.loads)
        ground = ground_forces(replace(reaction, origin="estimated") if estimated else reaction, motion.time)
        check_overlap(ground, source.loads)
        found.append(ground)
    if source.simulation is not None:
        simulation, folder = source.simulation
        path = folder / simulation.files.get("joint_reaction_ground", "")
        if path.is_file():
            joints = joint_forces(path, motion.time, estimated=estimated)
            found += [] if joints is None else [joints]
    return found


def _skin(source: Source, motion: Motion) -> Skin | None:
    """The body mesh that a result was made from; None where there is none or it is not at hand."""
    if source.body is None:
        return None
    from biopose_sim.cli.bodies import read_person

    try:
        recorded = read_person([source.body], _reading(source.arguments), None)
    except InputError:  # licensed body models may be absent; the skeleton is what is to be seen
        return None
    sequence = recorded.sequences[0]
    if recorded.body is None or not _same_body(source, recorded.body.faces, recorded.vertices(0, [0])[0]):
        return None
    nearest = np.abs(sequence.time[:, None] - motion.time[None]).argmin(axis=0)
    seen = sequence.seen

    @lru_cache(maxsize=_SKINS_KEPT)
    def vertices(frame: int) -> np.ndarray:
        index = int(nearest[frame])
        points = recorded.vertices(0, [index])[0]
        return points if seen is None or seen[index] else np.full_like(points, np.nan)

    return Skin(np.asarray(recorded.body.faces, dtype=np.int32), vertices)


def _reading(arguments: Sequence[str]) -> Reading:
    """How the command that made the result read the body's file."""
    from biopose_sim.cli.bodies import Reading, parse_upright
    from biopose_sim.cli.predict import command

    if not arguments or arguments[0] != "predict":
        return Reading()
    try:
        said = command.make_context("predict", list(arguments[1:]), resilient_parsing=True).params
    except click.ClickException:
        return Reading()
    given: dict[str, Any] = {name: said[name] for name in Reading.__dataclass_fields__ if said.get(name) is not None}
    if isinstance(given.get("upright"), str):
        given["upright"] = parse_upright(given["upright"])
    return Reading(**given)


def _same_body(source: Source, faces: np.ndarray, vertices: np.ndarray) -> bool:
    """Whether the mesh's first frame surrounds the markers of the result: else it was read in another way."""
    if source.markers is None:
        return True
    markers: Trial = read_trial(source.markers)
    first = markers.markers[0][np.isfinite(markers.markers[0]).all(axis=1)]
    if not len(first):
        return True
    far = np.linalg.norm(first[:, None] - vertices[None, :: max(1, len(vertices) // 4000)], axis=2).min(axis=1)
    return bool(np.median(far) < _SAME_BODY)


def _moment(scene: Scene, wishes: Wishes) -> float:
    """The moment of a picture [s]: that asked for, else the middle."""
    clock = scene.time
    if wishes.moment is not None:
        if not clock[0] - 1e-9 <= wishes.moment <= clock[-1] + 1e-9:
            raise InputError(
                "--time", f"{wishes.moment:g} s is outside", f"it lasts from {clock[0]:g} to {clock[-1]:g} s"
            )
        return wishes.moment
    index = len(clock) // 2 if wishes.frame is None else wishes.frame
    if not 0 <= index < len(clock):
        raise InputError("--frame", f"there is no frame {index}", f"frames go from 0 to {len(clock) - 1}")
    return float(clock[index])


def _film(painter: Painter, wishes: Wishes, path: Path) -> None:
    from biopose_sim.viz.viewer.film import film_moments, write_film

    start = time.perf_counter()
    moments = film_moments(painter, rate=wishes.rate, speed=wishes.speed, span=wishes.span)
    with Progress() as progress:
        write_film(
            path,
            painter,
            moments,
            rate=wishes.rate,
            threads=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            tell=lambda done: progress(f"drawing {done} of {len(moments)}"),
        )
    seconds = time.perf_counter() - start
    click.echo(f"{path} ({len(moments)} pictures in {seconds:.1f} s)")


def _serve(scene: Scene, wishes: Wishes) -> None:
    from biopose_sim.viz.viewer.live import LiveView

    view = LiveView(scene, wishes.port, wishes.view)
    click.echo(f"Open {view.address} (Ctrl-C ends)")
    if wishes.browser:
        import webbrowser

        webbrowser.open(view.address)
    try:
        view.play()
    except KeyboardInterrupt:
        click.echo("\nended")
    finally:
        view.stop()

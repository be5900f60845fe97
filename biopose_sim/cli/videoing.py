"""The work of ``biopose video``: see, estimate, refine, write, tell."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from biopose_sim.bodies.upright import up_from_angles
from biopose_sim.cli import outcome
from biopose_sim.cli.console import Progress, print_table, warn_user
from biopose_sim.cli.folder import ResultFolder
from biopose_sim.cli.video_sources import Asked, Sight, read_sights
from biopose_sim.errors import InputError
from biopose_sim.io.camera import Camera
from biopose_sim.video.points.keypoints import Array
from biopose_sim.video.types import Estimate, View
from biopose_sim.viz.overlay_painter import weighted_errors

if TYPE_CHECKING:
    from biopose_sim.video.refine.joint import Refined

AUTO, KEY_POINTS, NETWORK, MESHES = "auto", "keypoints", "mqhmr", "hmr-file"
JOINT, PAPER, NONE = "joint", "paper", "none"
_LEVEL = (0.0, 0.0)
_FEWEST_FRAMES = 2
_MISSED = 10.0  # % of the person; refined clips miss by 1 to 3


@dataclass(frozen=True, kw_only=True)
class Wishes(Asked):
    """The command line of ``biopose video``; see its help."""

    output: Path
    engine: str = AUTO
    hmr: Path | None = None
    checkpoint: Path | None = None
    track: str | None = None
    body_models: Path | None = None
    sync: str | None = None
    stature: float | None = None
    mass: float | None = None
    refine: str = JOINT
    weights: Path | None = None
    overlay: bool = True
    threads: int = 0
    report: bool = True

    def check(self) -> None:
        """Complain of what contradicts itself."""
        if self.hmr is not None and self.checkpoint is not None:
            raise click.UsageError("--hmr and --checkpoint: meshes come from a file or from a network, not both")
        needs = {NETWORK: ("--checkpoint", self.checkpoint), MESHES: ("--hmr", self.hmr)}
        for engine, (option, value) in needs.items():
            if self.engine == engine and value is None:
                raise click.UsageError(f"--engine {engine} needs {option} FILE")
            if self.engine not in (AUTO, engine) and value is not None:
                raise click.UsageError(f"{option} is of --engine {engine}")
        if self.chosen != KEY_POINTS and len(self.clips) > 1:
            raise click.UsageError("meshes are of one clip; several clips are triangulated from their key points")
        if self.refine == PAPER and self.chosen != NETWORK:
            raise click.UsageError(
                "--refine paper changes the tokens of a network: give --checkpoint, or leave it away"
            )
        if self.weights is not None and self.chosen != KEY_POINTS:
            raise click.UsageError("--weights are of the lifter, which starts from key points")
        if self.track is not None and self.hmr is None:
            raise click.UsageError("--track is of a file of meshes (--hmr); in a clip --person says who")
        if self.sync is not None and len(self.clips or self.key_points) < 2:
            raise click.UsageError("--sync is of several clips")
        self.starts()
        self.camera_up()

    @property
    def chosen(self) -> str:
        """The engine."""
        if self.engine != AUTO:
            return self.engine
        return MESHES if self.hmr is not None else NETWORK if self.checkpoint is not None else KEY_POINTS

    def starts(self) -> Sequence[float] | str | None:
        """When each clip starts [s], or "auto"; None where all start together."""
        if self.sync is None or self.sync == AUTO:
            return self.sync
        try:
            starts = [float(word) for word in self.sync.split(",")]
        except ValueError:
            starts = []
        count = len(self.clips or self.key_points)
        if len(starts) != count or not np.isfinite(starts).all():
            raise click.UsageError(
                f"--sync {self.sync}: give auto, or seconds for each of {count} clips, as 0,0.2,-0.1"
            )
        return starts

    def camera_up(self) -> Array | None:
        """Direction (3,) against gravity in camera axes as it was given; None where it is to be seen."""
        if self.up is None or self.up == AUTO or self.calibration_up is not None:
            return None
        try:
            pitch, roll = _LEVEL if self.up == "level" else (float(word) for word in self.up.split(","))
        except ValueError:
            pitch = roll = float("nan")
        if not (abs(pitch) <= 90.0 and abs(roll) <= 180.0):
            known = "auto, level, PITCH,ROLL in degrees (at most 90 and 180), or an axis of the calibration"
            raise click.UsageError(f"--up {self.up}: give {known}")
        return up_from_angles(pitch, roll)


@dataclass(frozen=True, eq=False)
class Video:
    """What a run found and wrote.

    Attributes:
        estimate: the motion as written.
        start: as it was before refinement.
        refined: None where it was not refined on the model.
        sights: of the cameras.
        files: that were written.
        seconds: that it took.
        notes: what was taken for granted.
        starts: (V,) when each clip starts on the clock of the motion [s]; empty where there is one.
    """

    estimate: Estimate
    start: Estimate
    refined: Refined | None
    sights: tuple[Sight, ...]
    files: Sequence[Path]
    seconds: float
    notes: tuple[str, ...]
    starts: Sequence[float] = ()

    def moved_points(self) -> Array | None:
        """(T, 23, 3) how far the person's key points lie off the usual places [m], in ground; None if not refined."""
        import torch

        from biopose_sim.video.points.body_points import body_points

        if self.refined is None:
            return None
        model = self.estimate.model
        bodies = [model.body_names.index(segment) for segment in body_points().segments]
        with torch.no_grad():
            found = model(torch.from_numpy(np.ascontiguousarray(self.estimate.coordinates)))
        turns: Array = found.transforms.numpy()[:, bodies, :3, :3]
        return np.einsum("tkij,kj->tki", turns, self.refined.offsets)

    def start_of(self, number: int) -> float:
        """When a clip starts on the clock of the motion [s]."""
        return float(self.starts[number]) if len(self.starts) else 0.0


def video_person(wishes: Wishes) -> Video:
    """Do what ``biopose video`` does, without a word."""
    import torch

    started = time.perf_counter()
    wishes.check()
    if wishes.threads:
        torch.set_num_threads(wishes.threads)
    # "." has no name.
    output = wishes.output if wishes.output.name not in ("", "..") else wishes.output.resolve()
    picture = output.parent / f"{output.name}_people.png"
    with Progress() as progress, ResultFolder(wishes.output) as folder:
        sights = read_sights(wishes, picture, progress)
        sights, start, starts = _start(wishes, sights, progress)
        refined = _refined(wishes, sights, start, progress) if wishes.refine == JOINT else None
        estimate = start if refined is None else refined.estimate
        video = Video(estimate, start, refined, sights, (), 0.0, _notes(sights, estimate, refined), starts)
        progress("writing")
        from biopose_sim.cli.video_writing import write_video

        write_video(folder, wishes, video, started, progress)
    return replace(video, files=folder.files, seconds=time.perf_counter() - started)


Started = tuple[tuple[Sight, ...], Estimate, Sequence[float]]


def _start(wishes: Wishes, sights: tuple[Sight, ...], progress: Progress) -> Started:
    """The sights, the motion before it is refined, and when each of several clips starts [s]."""
    if len(sights) > 1:
        return sights, *_triangulated(wishes, sights, progress)
    if wishes.chosen == KEY_POINTS:
        return *_lifted(wishes, sights[0], progress), ()
    from biopose_sim.cli.video_meshes import estimate_from_file, estimate_from_network

    meshes = estimate_from_file if wishes.chosen == MESHES else estimate_from_network
    return sights, meshes(wishes, sights[0], progress), ()


def _lifted(wishes: Wishes, sight: Sight, progress: Progress) -> tuple[tuple[Sight, ...], Estimate]:
    """The motion by the lifter, and the sight with left and right as the body has them."""
    from biopose_sim.video.lifter.lifter import FEWEST_POINTS, Lifter
    from biopose_sim.video.sides import decide

    frames = int((sight.view.key_points.seen.sum(1) >= FEWEST_POINTS).sum())
    if frames < _FEWEST_FRAMES:
        problem = f"shows {FEWEST_POINTS} or more key points of the person in {frames} frames"
        remedy = "film the whole person, or take another detector's key points"
        raise InputError(sight.view.key_points.source or sight.name, problem, remedy)
    progress("lifting the key points into space")
    lifter = Lifter.from_pretrained() if wishes.weights is None else Lifter.from_pretrained(wishes.weights)
    camera = sight.view.camera
    up = _placed_up(camera) if sight.placed else wishes.camera_up()
    found = decide(
        sight.view.key_points,
        lambda key_points: lifter.lift(key_points, camera, stature=wishes.stature, up=up),
        lambda estimate: _refined(wishes, (sight,), estimate, progress),
    )
    if found.note:
        sight = replace(sight, notes=(*sight.notes, found.note))
    return (sight.exchanged() if found.exchanged else sight,), found.estimate


def _placed_up(camera: Camera) -> Array:
    return camera.rotation @ np.array([0.0, 1.0, 0.0])


def _triangulated(wishes: Wishes, sights: tuple[Sight, ...], progress: Progress) -> tuple[Estimate, Sequence[float]]:
    from biopose_sim.video.triangulation.synchrony import align
    from biopose_sim.video.triangulation.triangulated import triangulated_estimate

    progress(f"triangulating {len(sights)} views")
    aligned = align([sight.view for sight in sights], wishes.starts())
    found = triangulated_estimate(aligned.views, stature=wishes.stature)
    name = wishes.output.resolve().name
    return replace(found, name=name, notes=(*aligned.notes, *found.notes)), aligned.offsets.tolist()


def _refined(wishes: Wishes, sights: tuple[Sight, ...], start: Estimate, progress: Progress) -> Refined:
    from biopose_sim.video.refine.joint import JointConfig, refine_joint

    progress(f"refining {len(start.time)} frames by the key points")
    unknown = not all(sight.focal_known for sight in sights)
    return refine_joint(start, replace(JointConfig(), estimate_focal=unknown))


def _notes(sights: Sequence[Sight], estimate: Estimate, refined: Refined | None) -> tuple[str, ...]:
    """What was taken for granted; with several clips each says whose it is."""
    said = []
    for sight in sights:
        before = f"{sight.name}: " if len(sights) > 1 else ""
        said += [text if text.startswith(before) else f"{before}{text}" for text in sight.notes]
        if not sight.focal_known:
            said.append(f"{before}the focal length was {sight.camera_told}.")
    size = "" if estimate.size_known else "The size of the person is not known (--stature gives it): it is a guess."
    later = () if refined is None else refined.notes  # also why it was given up
    return tuple(dict.fromkeys(text for text in (*said, *estimate.notes, *later, _unseen(estimate), size) if text))


def _unseen(estimate: Estimate) -> str:
    """What the motion is in frames without the person."""
    frames = np.flatnonzero(~estimate.seen)
    if not len(frames):
        return ""
    where = f"frame {frames[0]}" if len(frames) == 1 else f"{len(frames)} frames between {frames[0]} and {frames[-1]}"
    return f"The person is not seen in {where} of {len(estimate.seen)}: the motion there is a guess from the others."


def tell_video(video: Video) -> None:
    """Print warnings, how well the model explains each view, what was taken for granted and where the files are."""
    warn_user(warnings_of(video))
    head = ("view", "frames", "seen", "2D error [px]", "before", "of the person [%]")
    print_table(head, [_row(video, number) for number in range(len(video.sights))])
    outcome.print_files(video.files, video.seconds)
    click.echo("\nTaken for granted:")
    for line in video.notes:
        click.echo(f"  {line}")


def warnings_of(video: Video) -> list[str]:
    """What deserves a look: views that the model does not explain, frames that were not refined."""
    views = zip(video.sights, video.estimate.views, strict=True)
    shares = [(s.name, 100.0 * float(np.nanmean(errors_px(v, video))) / person_height(v)) for s, v in views]
    missed = [
        f"{name}: the model misses the key points by {share:.0f} % of the person: look at the overlay"
        for name, share in shares
        if share > _MISSED
    ]
    if video.refined is None:
        return missed
    count = {flag: video.refined.flags.count(flag) for flag in dict.fromkeys(video.refined.flags) if flag != "ok"}
    told = {
        "few_points": "show fewer than half of the key points: the frames around carry them",
        "outside_picture": "show the person partly outside of the picture",
        "far_from_start": "were refined far from where they started: look at them",
        "at_limits": "have joints at the limits of their ranges",
        "unrefined": "were not refined: the key points do not fit the motion",
    }
    return missed + [f"{number} of {len(video.refined.flags)} frames {told[flag]}" for flag, number in count.items()]


def errors_px(view: View, video: Video, start: bool = False) -> Array:
    """Mean distance of found and modelled key points in each frame by confidence, (T,) [px]; NaN where none was found.

    That is what refinement makes less: with the person's own offsets of the key points.
    """
    apart = np.linalg.norm(modelled(view, video, start) - view.key_points.points, axis=-1)
    return weighted_errors(apart, view.key_points.confidence)


def modelled(view: View, video: Video, start: bool = False) -> Array:
    """Where a view should see the key points, (T, 23, 2) [px], at the end or at the start."""
    from biopose_sim.video.points.body_points import body_points

    estimate = video.start if start else video.estimate
    points = body_points().matrix(estimate.model.marker_names) @ markers_of(estimate)
    if not start and (moved := video.moved_points()) is not None:
        points = points + moved
    return view.camera.project(points)[..., :2]


def person_height(view: View) -> float:
    """Usual size of the person in the picture [px], the longer side of the box; NaN where nothing was found."""
    points = view.key_points.points[view.key_points.seen.sum(axis=1) > 1]
    if not len(points):
        return float("nan")
    return float(np.median((np.nanmax(points, axis=1) - np.nanmin(points, axis=1)).max(axis=-1)))


def markers_of(estimate: Estimate) -> Array:
    """Virtual markers of the motion (T, 142, 3) [m]."""
    import torch

    with torch.no_grad():
        found: Array = estimate.model(torch.from_numpy(np.ascontiguousarray(estimate.coordinates))).markers.numpy()
    return found


def _row(video: Video, number: int) -> tuple[str, ...]:
    view, before = video.estimate.views[number], video.start.views[number]
    error, start = errors_px(view, video), errors_px(before, video, start=True)
    seen = 100.0 * float(view.key_points.seen.mean())
    return (
        video.sights[number].name,
        str(len(video.estimate.time)),
        f"{seen:.0f} %",
        f"{np.nanmean(error):.1f}",
        f"{np.nanmean(start):.1f}",
        f"{100.0 * float(np.nanmean(error)) / person_height(view):.1f}",
    )


def manifest_entries(wishes: Wishes, video: Video) -> dict[str, Any]:
    """What the manifest says besides files and figures of the motion."""
    refined = video.refined
    views = [
        {
            "name": sight.name,
            "layout": sight.followed.key_points.layout,
            "person": str(sight.followed.person),
            "repairs": len(sight.followed.repairs),
            "focal_px": list(view.camera.focal),
            "focal_from": sight.camera_told,
            "error_px": float(np.nanmean(errors_px(view, video))),
        }
        for sight, view in zip(video.sights, video.estimate.views, strict=True)
    ]
    flags = {} if refined is None else {flag: refined.flags.count(flag) for flag in dict.fromkeys(refined.flags)}
    return {
        "engine": wishes.chosen,
        "refinement": wishes.refine,
        "views": views,
        "size_known": video.estimate.size_known,
        "source": video.estimate.source,
        "flags": flags,
        "notes": list(video.notes),
    }

"""The page about a result from video: what the views say, what is known, what was taken for granted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from biopose_sim.cli.reporting import write_page
from biopose_sim.cli.video_page_file import write_page_file
from biopose_sim.cli.videoing import Video, Wishes, errors_px, modelled, person_height, warnings_of
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.video.points.keypoints import COMMON
from biopose_sim.video.triangulation.triangulated import model_stature
from biopose_sim.video.types import View
from biopose_sim.viz.report_head import Known
from biopose_sim.viz.report_video import Fact, VideoPage, VideoView

# What was found for one view: name of its film, its poster, its sheet.
Film = tuple[str, bytes, bytes]


def write_video_page(
    path: Path,
    kept: Path,
    wishes: Wishes,
    video: Video,
    model: OsimModel,
    result: KinematicsResult,
    measured: Trial | None,
    films: Sequence[Film | None],
) -> None:
    """Write the report of a run.

    Args:
        path: where to.
        kept: where its content goes, for later pages.
        wishes: the command line.
        video: what was found.
        model: of the result.
        result: the motion.
        measured: key points in space, where several cameras saw them.
        films: of each view; None where there is none.
    """
    estimate = video.estimate
    page = VideoPage(
        time=estimate.time,
        views=[_view(video, number, film) for number, film in enumerate(films)],
        points=COMMON,
        flags=("",) * len(estimate.time) if video.refined is None else video.refined.flags,
        facts=_facts(wishes, video),
        size_known=estimate.size_known,
        notes=video.notes,
    )
    write_page_file(kept, page)
    write_page(
        path,
        title=estimate.name,
        model=model,
        results=[result],
        trials=None if measured is None else [measured],
        mass=wishes.mass,
        notes=warnings_of(video),
        known=Known(convergence=False, iterations=False),
        video=page,
    )


def _view(video: Video, number: int, film: Film | None) -> VideoView:
    sight, view = video.sights[number], video.estimate.views[number]
    found = view.key_points
    name, poster, sheet = film or (None, None, None)
    refined = video.refined is not None
    return VideoView(
        name=sight.name,
        after=errors_px(view, video),
        before=errors_px(video.start.views[number], video, start=True) if refined else None,
        found=found.seen,
        confidence=found.confidence,
        point_errors=np.linalg.norm(modelled(view, video) - found.points, axis=-1),
        repairs=[str(repair) for repair in sight.followed.repairs],
        person_height=person_height(view),
        film=name,
        poster=poster,
        sheet=sheet,
    )


def _facts(wishes: Wishes, video: Video) -> list[Fact]:
    facts = []
    for sight, view in zip(video.sights, video.estimate.views, strict=True):
        name = f" of {sight.name}" if len(video.sights) > 1 else ""
        found = sight.followed.key_points
        facts.append(Fact(f"Key points{name}", f"{found.layout}, {len(found.time)} frames", found.source))
        facts.append(Fact(f"Person{name}", str(sight.followed.person), _by(wishes.person is not None, "the only one")))
        focal = 0.5 * sum(view.camera.focal)
        source = sight.camera_told if sight.focal_known else "estimated with the motion"
        facts.append(Fact(f"Focal length{name}", f"{focal:.0f} px", source))
    up = "calibration" if all(s.placed for s in video.sights) else _by(wishes.camera_up() is not None, "the person")
    facts.append(Fact("Gravity", _tilt(video.estimate.views[0]), up))
    known = "calibration" if len(video.sights) > 1 else "a guess from proportions"
    size = f"{model_stature(video.estimate.model):.2f} m tall"
    facts.append(Fact("Size", size, _by(wishes.stature is not None, known)))
    return facts


def _by(given: bool, otherwise: str) -> str:
    return "given" if given else otherwise


def _tilt(view: View) -> str:
    up = view.camera.rotation @ np.array([0.0, 1.0, 0.0])
    pitch, roll = np.degrees([np.arcsin(-up[2]), np.arctan2(-up[0], -up[1])])
    return f"the camera looks down by {pitch:.1f}° and is turned by {roll:.1f}°"

"""What ``biopose video`` writes: model, motion, markers, key points, cameras, the clip with the skeleton, a page."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from biopose_sim.cli.console import Progress
from biopose_sim.cli.folder import ResultFolder
from biopose_sim.cli.manifest import write_manifest
from biopose_sim.cli.videoing import Video, Wishes, manifest_entries, markers_of
from biopose_sim.ik.types import IKConfig, KinematicsResult
from biopose_sim.io import Trial, atomic_write, write_mot, write_trc
from biopose_sim.io.calibration import write_cameras
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.writer import export_osim
from biopose_sim.paths import default_model_path
from biopose_sim.video.footage.clip import Clip, Picture
from biopose_sim.video.points.body_points import body_points, with_key_points
from biopose_sim.video.points.keypoints import COMMON, Array, KeyPoints
from biopose_sim.video.types import Estimate

# Name of a film, its poster (JPEG), and a sheet of some moments of it (PNG).
Film = tuple[str, bytes, bytes]


def write_video(folder: ResultFolder, wishes: Wishes, video: Video, started: float, progress: Progress) -> None:
    """Write everything; OpenSim scales the model in a process of its own meanwhile.

    Args:
        folder: where to.
        wishes: the command line.
        video: what was found.
        started: when the command began, by ``time.perf_counter`` [s].
        progress: told what is done.
    """
    estimate = video.estimate
    offsets = None if video.refined is None else video.refined.offsets
    model = with_key_points(estimate.model, offsets)
    result, measured = result_of(model, estimate)
    target = folder.file(f"{default_model_path().stem}_scaled.osim")
    with ThreadPoolExecutor(max_workers=1) as pool:
        export = pool.submit(export_osim, model, target, mass=wishes.mass, motions=(result,))
        write_mot(folder.file(f"{result.name}.mot"), result)
        _write_markers(folder, estimate, measured)
        for sight in video.sights:
            write_key_points(folder.file(f"{sight.name}_keypoints.npz"), sight.followed.key_points)
        write_cameras(folder.file("cameras.json"), [view.camera for view in estimate.views])
        films = [_film(folder, video, n, progress) if wishes.overlay else None for n in range(len(video.sights))]
        if wishes.report:
            from biopose_sim.cli.video_page import write_video_page
            from biopose_sim.cli.video_page_file import FILE

            progress("writing the report")
            page, kept = folder.file("report.html"), folder.file(FILE)
            write_video_page(page, kept, wishes, video, model, result, measured, films)
        progress("waiting for OpenSim")
        export.result()
    write_manifest(
        folder,
        command="video",
        inputs=_inputs(wishes),
        model=default_model_path(),
        configuration={"ik": IKConfig(), "mass_kg": wishes.mass, "stature_m": wishes.stature},
        results=[result],
        seconds=time.perf_counter() - started,
        **manifest_entries(wishes, video),
    )


def result_of(model: OsimModel, estimate: Estimate) -> tuple[KinematicsResult, Trial | None]:
    """Return the motion as a result, and the key points in space where they were measured: by several cameras.

    Args:
        model: of the estimate, with the key points as markers.
        estimate: the motion.
    """
    import torch

    from biopose_sim.ik.given import result_of_coordinates

    rows = [model.marker_names.index(name) for name in COMMON]
    with torch.no_grad():
        own = model(torch.from_numpy(np.ascontiguousarray(estimate.coordinates))).markers.numpy()[:, rows]
    measured = None
    if len(estimate.views) > 1:
        from biopose_sim.video.triangulation.triangulate import triangulate

        measured = Trial.checked(estimate.name, estimate.time, triangulate(estimate.views).points, COMMON)
    trial = measured or Trial.checked(estimate.name, estimate.time, own, COMMON)
    result = replace(result_of_coordinates(model, trial, estimate.coordinates), converged=estimate.seen)
    if measured is None:
        # Nobody has measured where the points are: one camera does not see how far away.
        result = replace(result, marker_errors=np.full_like(result.marker_errors, np.nan))
    return result, measured


def _write_markers(folder: ResultFolder, estimate: Estimate, measured: Trial | None) -> None:
    """The model's virtual markers, and the key points in space where several cameras saw them."""
    name = f"{estimate.name}_model_markers"
    markers = Trial.checked(name, estimate.time, markers_of(estimate), estimate.model.marker_names)
    write_trc(folder.file(f"{name}.trc"), markers)
    if measured is not None:
        write_trc(folder.file(f"{estimate.name}.trc"), measured)


def write_key_points(path: Path, key_points: KeyPoints) -> Path:
    """Write key points as ``read_detections`` takes them: ``keypoints`` (T, K, 3), ``fps``, ``size``, ``layout``."""
    content = io.BytesIO()
    arrays = {
        "keypoints": np.concatenate([key_points.points, key_points.confidence[..., None]], axis=-1),
        "time": key_points.time,
        "fps": np.array(key_points.fps),
        "layout": np.array(key_points.layout),
    }
    if key_points.size is not None:
        arrays["size"] = np.array(key_points.size)
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return atomic_write(path, content.getvalue())


def _film(folder: ResultFolder, video: Video, number: int, progress: Progress) -> Film | None:
    """The film of one view; None where there is no clip."""
    from biopose_sim.viz.overlay import Shown, write_overlay
    from biopose_sim.viz.overlay_painter import PointsSeen

    sight, estimate = video.sights[number], video.estimate
    if sight.clip is None:
        return None
    view = estimate.views[number]
    shown = Shown(
        estimate.time,
        view.camera,
        estimate.model,
        estimate.coordinates,
        estimate.seen,
        PointsSeen(
            view.key_points.points,
            view.key_points.confidence,
            body_points().matrix(estimate.model.marker_names),
            video.moved_points(),
        ),
        None if video.refined is None else video.refined.flags,
    )
    path = folder.file(f"{sight.name}_overlay.mp4")
    sheet = folder.file(f"{sight.name}_overlay.png")

    def tell(done: int) -> None:
        progress(f"drawing the skeleton on {sight.name}: {done} of {len(estimate.time)} frames")

    # On the clip's own clock.
    times = estimate.time - video.start_of(number)
    overlay = write_overlay(path, _frames(sight.clip, times), shown, sheet=sheet, tell=tell)
    return path.name, overlay.poster, sheet.read_bytes()


def _frames(clip: Clip, times: Array) -> Iterator[Picture]:
    """The clip's picture nearest to each time: of several cameras only what all of them show is there."""
    after = np.clip(np.searchsorted(clip.time, times), 1, clip.n_frames - 1)
    nearest = after - (times - clip.time[after - 1] < clip.time[after] - times)
    start = int(nearest[0])
    pictures = enumerate(clip.frames(start, int(nearest[-1]) + 1), start)
    number, picture = next(pictures)
    for wanted in nearest:
        while number < wanted:
            number, picture = next(pictures)
        yield picture


def _inputs(wishes: Wishes) -> list[Path]:
    single = [path for path in (wishes.calibration, wishes.hmr, wishes.checkpoint) if path is not None]
    named = [*wishes.clips, *wishes.key_points, *single]
    return [path for path in named if path.is_file()]

"""The real clip: each single view against the four that are triangulated; consistency, not accuracy.

``biopose bench video_real --key-points FOLDER``. The person of ``data/video`` balances before four calibrated cameras
and carries no markers. The reference is the default model fitted to the key points of all four views, triangulated.
Compared with it are, for each view alone: MediaPipe's own 3D, the lifter, and the lifter with joint refinement. All
stand on the same key points, so that a bias of the detector is in all of them.

PA-MPJPE is of 13 joints (nose, shoulders, elbows, wrists, hips, knees, ankles) and against the triangulated points and
against those of the fitted model. Angles are mean absolute differences of the coordinates that key points determine,
without the root. Jerk is that of the 13 joints about the middle of the hips.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.cases import data_folder
from biopose_sim.errors import InputError
from biopose_sim.io import Motion, write_mot
from biopose_sim.io.calibration import Calibration, for_clip, read_calibration
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.neurik.metrics import angle_errors
from biopose_sim.video.mqhmr.metrics import procrustes
from biopose_sim.video.points.body_points import body_points
from biopose_sim.video.points.files import read_detections
from biopose_sim.video.points.following import follow
from biopose_sim.video.points.keypoints import COMMON, LAYOUTS
from biopose_sim.video.triangulation.synchrony import align
from biopose_sim.video.triangulation.triangulate import Triangulated, triangulate
from biopose_sim.video.triangulation.triangulated import fit_points, model_stature
from biopose_sim.video.types import Estimate, View

CLIPS = ("cam01", "cam02", "cam03", "cam04")
JOINTS = tuple(
    COMMON.index(n)
    for n in (
        "nose",
        *(f"{s}_{j}" for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for s in ("left", "right")),
    )
)
LIMB = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle", "subtalar_angle")
OPEN = ("pelvis", "wrist", "pro_sup", "mtp")  # no key point lies beyond wrists and toes
PA_TARGET, ANGLE_TARGET, JERK_TARGET = 65.0, 12.0, 1.0 / 3.0  # [mm], [deg], of MediaPipe's
_HIPS = [COMMON.index("left_hip"), COMMON.index("right_hip")]

Lift = Callable[[View], Estimate]


@dataclass(frozen=True)
class Scores:
    """A single view, or the mean of several, against the reference.

    Attributes:
        pa: PA-MPJPE against the triangulated points [mm].
        pa_model: the same against the points of the fitted model [mm].
        limb: mean absolute difference of lower-limb coordinates [deg].
        angles: of all determined coordinates [deg].
        jerk: mean size [m/s^3].
    """

    pa: float
    pa_model: float
    limb: float
    angles: float
    jerk: float


@dataclass(frozen=True)
class Reference:
    """The four views together.

    Attributes:
        points: triangulated.
        estimate: of the model fitted to them.
        determined: (n_q,) which coordinates the points determine, without the root.
        worlds: MediaPipe's own 3D of each view on the reference's clock, (T, 23, 3) [m] in the ground's axes.
    """

    points: Triangulated
    estimate: Estimate
    determined: np.ndarray
    worlds: tuple[np.ndarray, ...]


def make_reference(calibration: Calibration, folder: Path) -> Reference:
    """Read the key points, bring the clips to one clock, triangulate and fit."""
    views, worlds = [], []
    for order, name in enumerate(CLIPS):
        detections = read_detections(folder / f"{name}.npz")
        camera, _ = for_clip(calibration, name, detections.size, order)
        views.append(View(camera, follow(detections).key_points.common()))
        worlds.append(_world(folder / f"{name}.npz") @ camera.rotation)
    aligned = align(views, "auto")
    for note in aligned.notes:
        print(note)
    points = triangulate(aligned.views)
    estimate = fit_points(points)
    clocks = [v.key_points.time + o for v, o in zip(views, aligned.offsets, strict=True)]
    moved = tuple(w[np.abs(c[:, None] - estimate.time).argmin(0)] for w, c in zip(worlds, clocks, strict=True))
    return Reference(points, estimate, _determined(estimate.model), moved)


def _world(path: Path) -> np.ndarray:
    """MediaPipe's 3D landmarks as common points (T, 23, 3) [m]: right, down, forward."""
    with np.load(path) as content:
        if "world" not in content:
            raise InputError(
                path, "holds no 'world'", "save MediaPipe's pose_world_landmarks (T, 33, 3) beside landmarks"
            )
        index = LAYOUTS["mediapipe33"].common
        return np.where((index >= 0)[:, None], content["world"][:, index], np.nan)


def _determined(model: OsimModel) -> np.ndarray:
    """Coordinates that key points say something of: angles, not of the root, nor of what no point is beyond."""
    names = model.coordinate_names
    moved = ~(model.tree.locked | model.tree.dependent)
    rotational = np.array([kind == "rotational" for kind in model.motion_types])
    return moved & rotational & ~np.array([name.startswith(OPEN) for name in names])


def key_points_of(estimate: Estimate) -> np.ndarray:
    """Common key points (T, 23, 3) of an estimate's model [m]."""
    import torch

    model = estimate.model
    markers = model(torch.from_numpy(np.ascontiguousarray(estimate.coordinates))).markers.detach().numpy()
    return body_points().matrix(model.marker_names) @ markers


def pa_mpjpe(points: np.ndarray, target: np.ndarray) -> float:
    """Of the 13 joints, mean over the frames that have them all [mm]."""
    p, t = points[:, JOINTS], target[:, JOINTS]
    return 1e3 * float(np.nanmean(np.linalg.norm(procrustes(p, t) - t, axis=-1)))


def jerk(points: np.ndarray, rate: float) -> float:
    """Mean size of the third derivative of the 13 joints about the hips [m/s^3]."""
    about = points[:, JOINTS] - points[:, _HIPS].mean(axis=1, keepdims=True)
    return float(np.nanmean(np.linalg.norm(np.diff(about, n=3, axis=0), axis=-1))) * rate**3


def compare(reference: Reference, estimate: Estimate, points: np.ndarray | None = None) -> Scores:
    """Score one view's estimate; ``points`` (T, 23, 3) in the place of its model's."""
    ours = key_points_of(estimate) if points is None else points
    own = reference.estimate
    names = own.model.coordinate_names
    errors = angle_errors(estimate.coordinates, own.coordinates)
    limb = [k for k, name in enumerate(names) if name.startswith(LIMB) and reference.determined[k]]
    rate = 1.0 / float(np.diff(own.time).mean())
    return Scores(
        pa_mpjpe(ours, reference.points.points),
        pa_mpjpe(ours, key_points_of(own)),
        float(errors[:, limb].mean()),
        float(errors[:, reference.determined].mean()),
        jerk(ours, rate),
    )


def single_views(reference: Reference, lift: Lift) -> list[Scores]:
    """Scores of each view alone, by whatever path."""
    return [compare(reference, lift(view)) for view in reference.estimate.views]


def mediapipe_views(reference: Reference) -> list[Scores]:
    """Scores of MediaPipe's own 3D: its points, and the angles of the model fitted to them."""
    found = []
    for view, world in zip(reference.estimate.views, reference.worlds, strict=True):
        alone = replace(reference.points, points=world, views=(view,), notes=())
        found.append(compare(reference, fit_points(alone), world))
    return found


def lifter(refined: bool) -> Lift:
    """The shipped lifter, with or without joint refinement."""
    from biopose_sim.video.lifter.lifter import Lifter
    from biopose_sim.video.refine.joint import refine_joint

    network = Lifter.from_pretrained()

    def lift(view: View) -> Estimate:
        estimate = network.lift(view.key_points, view.camera)
        return refine_joint(estimate).estimate if refined else estimate

    return lift


def report(reference: Reference, ways: Mapping[str, Sequence[Scores]]) -> None:
    """Print the reference's own figures and a row for each way and view."""
    for note in reference.estimate.notes:
        print(note)
    print(f"stature of the model {model_stature(reference.estimate.model):.2f} m; "
          f"{int(reference.determined.sum())} coordinates compared")  # fmt: skip
    titles = ("PA [mm]", "PA to model", "limb [deg]", "angles [deg]", "jerk [m/s3]")
    print(f"{'':28s}" + "".join(f"{title:>14s}" for title in titles))
    means = {}
    for way, scores in ways.items():
        table = np.array([[s.pa, s.pa_model, s.limb, s.angles, s.jerk] for s in scores])
        means[way] = table.mean(0)
        for name, row in (*zip(CLIPS, table, strict=True), ("mean", means[way])):
            print(f"{way + ' ' + name:28s}" + "".join(f"{value:14.1f}" for value in row))
    rate = 1.0 / float(np.diff(reference.estimate.time).mean())
    print(f"{'reference':28s}{'':56s}{jerk(key_points_of(reference.estimate), rate):14.1f}")
    for way, mean in means.items():
        if way == "MediaPipe":
            continue
        smooth = mean[4] / means["MediaPipe"][4]
        for what, value, target in (
            ("PA [mm]", mean[0], PA_TARGET),
            ("PA to model [mm]", mean[1], PA_TARGET),
            ("lower limb [deg]", mean[2], ANGLE_TARGET),
            ("all [deg]", mean[3], ANGLE_TARGET),
            ("jerk of MediaPipe's", smooth, JERK_TARGET),
        ):
            print(f"{way}: {what} {value:.2f} (target {target:.2f}: {'reached' if value <= target else 'MISSED'})")


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of ``biopose bench video_real``."""
    parser = argparse.ArgumentParser("biopose bench video_real", description=__doc__)
    parser.add_argument("--data", help="folder of test data")
    files = (
        "folder of cam01.npz ... cam04.npz: landmarks (T, 33, 4), world (T, 33, 3), fps, size, as MediaPipe has them"
    )
    parser.add_argument("--key-points", help=files)
    parser.add_argument("-o", "--output", help="folder for the reference's model.osim and motion.mot")
    a = parser.parse_args(arguments)
    if a.key_points is None:
        print("video_real: give --key-points FOLDER (see --help)")
        return
    calibration = read_calibration(data_folder(a.data) / "video" / "Calib.qca.txt")
    reference = make_reference(calibration, Path(a.key_points))
    ways = {
        "MediaPipe": mediapipe_views(reference),
        "lifter": single_views(reference, lifter(refined=False)),
        "lifter, refined": single_views(reference, lifter(refined=True)),
    }
    report(reference, ways)
    if a.output:
        save(reference.estimate, Path(a.output))


def save(estimate: Estimate, folder: Path) -> None:
    """Write an estimate's model and motion, for OpenSim."""
    from biopose_sim.osim.writer import export_osim

    folder.mkdir(parents=True, exist_ok=True)
    export_osim(estimate.model, folder / "model.osim")
    names, kinds = estimate.model.coordinate_names, estimate.model.motion_types
    write_mot(folder / "motion.mot", Motion(estimate.name, estimate.time, estimate.coordinates, names, kinds))


if __name__ == "__main__":
    main()

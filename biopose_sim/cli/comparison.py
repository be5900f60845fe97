"""How far a fitted person is from what is known of the made-up one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import click
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from biopose_sim.bodies.anny import AnnyBody
from biopose_sim.bodies.markers import joints
from biopose_sim.bodies.types import ANNY_AXES
from biopose_sim.cli.manifest import rms
from biopose_sim.cli.person import Person
from biopose_sim.cli.walker import BodyWalker, Walker, marker_errors_to_truth, segment_errors
from biopose_sim.ik.types import KinematicsResult

Array = NDArray[np.floating]

# Bodies of the OpenSim model and the bones of Anny that move with them; {} is the side.
_CENTRAL = {"pelvis": "root", "thorax": "spine01", "head": "head"}
_SIDED = {
    "femur": "upperleg02",
    "tibia": "lowerleg01",
    "calcn": "foot",
    "humerus": "upperarm02",
    "ulna": "lowerarm01",
    "hand": "wrist",
}
# Joints of the OpenSim model and the heads of Anny's bones that lie there.
_HINGES = {"walker_knee": "lowerleg01", "ankle": "foot", "elbow": "lowerarm01", "radius_hand": "wrist"}
_BALLS = {"hip": "upperleg01", "acromial": "upperarm01"}
_LENGTHS = {"shank": ("walker_knee", "ankle"), "forearm": ("elbow", "radius_hand")}
_SIDES = {"r": ".R", "l": ".L"}


@dataclass(frozen=True)
class Comparison:
    """Distances between a fit and what is known.

    Attributes:
        title: what it is compared with.
        note: what must be known to read it.
        lines: name and text of each.
        figures: the same as numbers, by name with unit.
    """

    title: str
    note: str
    lines: Sequence[tuple[str, str]]
    figures: Mapping[str, float] = field(default_factory=dict)


def print_comparison(comparison: Comparison) -> None:
    """Print it."""
    click.echo(f"\n{comparison.title}:")
    for name, text in comparison.lines:
        click.echo(f"  {name:<22} {text}")
    click.echo(click.wrap_text(f"({comparison.note})", 100, "  ", "  "))


def compare_bodies(person: Person, walker: BodyWalker) -> Comparison:
    """Compare a fit with the body mesh that was recorded: turns, joints, lengths, markers, and the gait behind it."""
    walk = person.results[-1]
    turns = segment_turn_errors(person, walker)
    turned, worst = float(np.mean(list(turns.values()))), max(turns, key=turns.__getitem__)
    hinges, balls = (1e3 * np.mean(joint_distances(person, walker, which)) for which in (_HINGES, _BALLS))
    lengths = {name: _length_error(person, walker, *ends) for name, ends in _LENGTHS.items()}
    true = walker.true_markers[walk.name].select(walk.marker_names).markers
    to_true = rms(1e3 * np.linalg.norm(walk.model_markers - true, axis=2))
    gait, shapes = _gait_errors(walk, walker.coordinates[walk.name])
    overall, listed = float(np.mean(list(gait.values()))), ", ".join(f"{n} {v:.1f}°" for n, v in gait.items())
    shape = float(np.mean(list(shapes.values())))
    lines = (
        (
            "turns of segments",
            f"mean {turned:.2f}° over {len(turns)} segments, worst {turns[worst]:.2f}° ({worst})",
        ),
        ("knee to wrist joints", f"{hinges:.1f} mm from the body's own (knees, ankles, elbows, wrists)"),
        ("hips and shoulders", f"{balls:.1f} mm from the body's own, which are not anatomical"),
        ("lengths", ", ".join(f"{name} {100 * error:+.1f} %" for name, error in lengths.items())),
        ("markers", f"{to_true:.2f} mm RMS; {rms(1e3 * walk.marker_errors):.2f} mm from the noisy ones"),
        (
            "angles of the gait",
            f"{overall:.1f}° from the curves that drove the body ({listed}); {shape:.1f}° without constant offsets",
        ),
    )
    figures = {
        "turns_mean_deg": turned,
        "turns_worst_deg": turns[worst],
        "hinge_joints_mm": float(hinges),
        "hips_and_shoulders_mm": float(balls),
        **{f"{name}_length_percent": 100.0 * error for name, error in lengths.items()},
        "markers_mm": to_true,
        "gait_angles_deg": overall,
        "gait_angles_without_offsets_deg": shape,
    }
    note = (
        "Turns are those since standing, in the world. A mesh has no OpenSim angles: its legs and posture are its own, "
        "so that angles differ from the gait that drove it by some degrees however good the fit is."
    )
    return Comparison("How far the fit is from the body that was recorded", note, lines, figures)


def compare_models(person: Person, walker: Walker) -> Comparison:
    """Compare a fit with the person made of the OpenSim model, of whom everything is known."""
    from biopose_sim.viz.report_tables import angle_errors

    walk = person.results[-1]
    lengths = segment_errors(person.model, walker.model)
    worst = max(lengths, key=lengths.__getitem__)
    errors, names = angle_errors(walk, walker.coordinates[walk.name])
    means = errors.mean(axis=0)
    worst_angle = names[int(means.argmax())]
    to_true, to_measured = rms(1e3 * marker_errors_to_truth(walk, walker)), rms(1e3 * walk.marker_errors)
    middle = 100 * float(np.median(list(lengths.values())))
    lines = (
        ("segment lengths", f"median {middle:.2f} %, worst {100 * lengths[worst]:.2f} % ({worst})"),
        (
            "joint angles",
            f"mean {means.mean():.2f}° over {len(names)} angles, worst {means.max():.2f}° ({worst_angle})",
        ),
        ("markers", f"{to_true:.2f} mm RMS; {to_measured:.2f} mm from the noisy ones"),
    )
    figures = {
        "lengths_median_percent": middle,
        "lengths_worst_percent": 100 * lengths[worst],
        "angles_mean_deg": float(means.mean()),
        "angles_worst_deg": float(means.max()),
        "markers_mm": to_true,
    }
    note = (
        "This person is the OpenSim model itself in a random size, with the same gait, noise and gaps, and 118 markers."
    )
    return Comparison("How far a fit is from a person whose every angle is known", note, lines, figures)


def segment_turn_errors(person: Person, walker: BodyWalker) -> dict[str, float]:
    """Mean angle between the turns since standing of a segment and of the body's bone [deg], by segment."""
    rig = AnnyBody()
    pairs = dict(_CENTRAL)
    pairs |= {f"{body}_{s}": f"{bone}{end}" for body, bone in _SIDED.items() for s, end in _SIDES.items()}
    standing, walking = (_transforms(person, result)[..., :3, :3] for result in (person.results[0], person.results[-1]))
    bones = [sequence.rotations for sequence in (walker.sequences[0], walker.sequences[-1])]
    found = {}
    for body, bone in pairs.items():
        if body not in person.model.body_names:
            continue
        ours, theirs = person.model.body_names.index(body), rig.joint_names.index(bone)
        fitted = _turns(standing[:, ours], walking[:, ours])
        true = ANNY_AXES @ _turns(bones[0][:, theirs], bones[1][:, theirs]) @ ANNY_AXES.T
        between = Rotation.from_matrix(np.swapaxes(true, -1, -2) @ fitted)
        found[body] = float(np.degrees(between.magnitude()).mean())
    return found


def _turns(standing: Array, walking: Array) -> Array:
    """Turns (T, 3, 3) in the world since the mean of the standing frames."""
    return walking @ Rotation.from_matrix(standing).mean().as_matrix().T


def joint_distances(person: Person, walker: BodyWalker, which: Mapping[str, str]) -> Array:
    """Distances of joint centres of the walk from the body's, (joints, T) [m]."""
    places, names = joints(walker.sequences[-1])
    centers = _centers(person, person.results[-1])
    pairs = [(f"{joint}_{s}", f"{bone}{end}") for joint, bone in which.items() for s, end in _SIDES.items()]
    return np.array([np.linalg.norm(centers[ours] - places[:, names.index(theirs)], axis=1) for ours, theirs in pairs])


def _length_error(person: Person, walker: BodyWalker, start: str, end: str) -> float:
    """Relative error of the distance between two joints, mean of both sides."""
    places, names = joints(walker.sequences[0])
    centers = _centers(person, person.results[0])
    errors = []
    for side, suffix in _SIDES.items():
        ours = np.linalg.norm(centers[f"{end}_{side}"] - centers[f"{start}_{side}"], axis=1).mean()
        ends = [places[0, names.index(f"{_HINGES[joint]}{suffix}")] for joint in (start, end)]
        errors.append(ours / np.linalg.norm(ends[1] - ends[0]) - 1.0)
    return float(np.mean(errors))


def _gait_errors(walk: KinematicsResult, driven: Array) -> tuple[dict[str, float], dict[str, float]]:
    """Mean absolute difference of hip, knee, ankle and elbow flexion to the gait that drove the body [deg].

    As they are, and without the mean difference of each.
    """
    stems = {"hip": "hip_flexion", "knee": "knee_angle", "ankle": "ankle_angle", "elbow": "elbow_flex"}
    found, shapes = {}, {}
    for name, stem in stems.items():
        columns = [walk.coordinate_names.index(f"{stem}_{side}") for side in _SIDES]
        apart = np.degrees(walk.coordinates[:, columns] - driven[:, columns])
        found[name] = float(np.abs(apart).mean())
        shapes[name] = float(np.abs(apart - apart.mean(axis=0)).mean())
    return found, shapes


def _transforms(person: Person, result: KinematicsResult) -> Array:
    with torch.no_grad():
        return np.asarray(person.model(torch.from_numpy(result.coordinates)).transforms.numpy())


def _centers(person: Person, result: KinematicsResult) -> dict[str, Array]:
    """Joint centres (T, 3) by the joint's name."""
    with torch.no_grad():
        centers = person.model(torch.from_numpy(result.coordinates)).joint_centers.numpy()
    return {joint.name: centers[:, k] for k, joint in enumerate(person.model.model.joints)}

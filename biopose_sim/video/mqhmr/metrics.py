"""MPJPE, PA-MPJPE and MVE as the benchmarks 3DPW, Human3.6M and EMDB count them.

Per frame the mean over joints (or vertices), then the mean over frames. Every alignment is done frame by frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biopose_sim.errors import InputError, near_matches

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Protocol:
    """How a benchmark counts.

    Attributes:
        points: how many joints a frame is given with.
        joints: which of them are counted.
        pelvis: whose mean is put to the origin before MPJPE and MVE.
    """

    points: int
    joints: tuple[int, ...]
    pelvis: tuple[int, ...]


# Of HMR2.0's 44 key points (25 of OpenPose, then 19): ankles, knees, hips, wrists, elbows, shoulders, neck and the head
# of Human3.6M, as in the evaluation settings of 4D-Humans (MIT); 39 is the pelvis.
_COMMON14 = Protocol(44, (*range(25, 38), 43), (39,))
PROTOCOLS = {
    "3dpw": _COMMON14,
    "h36m": _COMMON14,
    # The 24 joints of SMPL, regressed from the mesh; 1 and 2 are the hips.
    "emdb": Protocol(24, tuple(range(24)), (1, 2)),
    # Ours, on synthetic people: nose, shoulders, elbows, wrists, hips, knees and ankles of the 23 common key points.
    "synthetic": Protocol(23, (0, *range(5, 17)), (11, 12)),
}


@dataclass(frozen=True)
class PoseScores:
    """Errors of each frame; NaN where a frame cannot be counted.

    Attributes:
        protocol: its name.
        mpjpe: (T,) mean distance of the joints with the pelves put together [mm].
        pa_mpjpe: (T,) the same after the best rotation, scale and shift (no reflection) [mm].
        mve: (T,) mean distance of the vertices with the pelves put together [mm]; all NaN without vertices.
        failed: (T,) frames whose truth is known but whose prediction has a number missing: NaN in all three, and so in
            no mean. Say beside a mean how many there are.
    """

    protocol: str
    mpjpe: Array
    pa_mpjpe: Array
    mve: Array
    failed: Mask

    @property
    def means(self) -> dict[str, float]:
        """Means over the frames counted [mm], by name; NaN where there is none."""
        named = {"mpjpe": self.mpjpe, "pa_mpjpe": self.pa_mpjpe, "mve": self.mve}
        return {name: _mean(values) for name, values in named.items()}


def pose_scores(
    protocol: str,
    predicted: ArrayLike,
    true: ArrayLike,
    confidence: ArrayLike | None = None,
    predicted_vertices: ArrayLike | None = None,
    true_vertices: ArrayLike | None = None,
) -> PoseScores:
    """Compare predicted with true bodies by the rules of a benchmark.

    Args:
        protocol: ``"3dpw"``, ``"h36m"``, ``"emdb"`` or ``"synthetic"``.
        predicted: joints (T, J, 3) [m] in the camera's frame; J is 44 (3dpw, h36m), 24 (emdb) or 23 (synthetic).
        true: the same; a joint with NaN is not counted.
        confidence: (T, J) of the true joints; those without one (0, less or NaN) are not counted, all others alike.
        predicted_vertices: (T, V, 3) [m] in the frame of the predicted joints.
        true_vertices: the same for the true ones; a vertex with NaN is not counted.

    Raises:
        InputError: an unknown protocol, arrays of other shapes, vertices of one side only.
    """
    rules = _protocol(protocol)
    ours = _array("predicted joints", predicted, (None, rules.points, 3))
    theirs = _array("true joints", true, (len(ours), rules.points, 3))
    known: Mask = _known(theirs)
    if confidence is not None:
        known = np.asarray(known & (_array("confidence", confidence, known.shape) > 0))

    joints, pelvis = list(rules.joints), list(rules.pelvis)
    rooted: Mask = np.asarray(known[:, pelvis].all(axis=1))
    origin, true_origin = (side[:, pelvis].mean(axis=1, keepdims=True) for side in (ours, theirs))
    use = known[:, joints]
    mesh, true_mesh = _meshes(len(ours), predicted_vertices, true_vertices)
    seen = _known(true_mesh) & rooted[:, None]
    mpjpe = _distances((ours - origin)[:, joints], (theirs - true_origin)[:, joints], use & rooted[:, None])
    aligned = procrustes(ours[:, joints], theirs[:, joints], use)
    pa_mpjpe = _distances(aligned, theirs[:, joints], use & (use.sum(axis=1, keepdims=True) >= 3))
    mve = _distances(mesh - origin, true_mesh - true_origin, seen)
    lost = ~_known(ours)
    lost_pelvis = lost[:, pelvis].any(axis=1) & rooted
    lost_mesh = (~_known(mesh) & seen).any(axis=1)
    failed = np.asarray((lost[:, joints] & use).any(axis=1) | lost_pelvis | lost_mesh)
    for values in (mpjpe, pa_mpjpe, mve):
        values[failed] = np.nan
    return PoseScores(protocol, mpjpe, pa_mpjpe, mve, failed)


def _meshes(frames: int, predicted: ArrayLike | None, true: ArrayLike | None) -> tuple[Array, Array]:
    if (predicted is None) != (true is None):
        raise InputError("vertices", "given for one side only", "give predicted and true ones, or neither")
    if predicted is None or true is None:
        return np.zeros((frames, 0, 3)), np.zeros((frames, 0, 3))
    mesh = _array("predicted vertices", predicted, (frames, None, 3))
    return mesh, _array("true vertices", true, mesh.shape)


def procrustes(points: ArrayLike, targets: ArrayLike, use: Mask | None = None) -> Array:
    """Return points (T, J, 3) after the rotation, scale and shift of each frame that bring them nearest to targets.

    Least squares, without reflection (Umeyama, IEEE TPAMI 13, 1991). Points that coincide are put on the targets' mean.

    Args:
        points: (T, J, 3).
        targets: (T, J, 3).
        use: (T, J) which points decide; without it all. Frames with fewer than three of them, or one of these with a
            missing number, are NaN.

    Raises:
        InputError: arrays of other shapes.
    """
    ours = _array("points", points, (None, None, 3))
    theirs = _array("targets", targets, ours.shape)
    decide = np.ones(ours.shape[:2], dtype=bool) if use is None else np.asarray(use, dtype=bool)
    if decide.shape != ours.shape[:2]:
        raise InputError("use", f"has shape {decide.shape}", f"give {ours.shape[:2]}")
    both = _known(ours) & _known(theirs)
    good = (decide.sum(axis=1) >= 3) & (both | ~decide).all(axis=1)
    # Weights of zero do not silence NaN: what does not decide is taken out.
    weights = (decide & good[:, None])[..., None] / np.maximum(decide.sum(axis=1), 1)[:, None, None]
    p, t = (np.where(weights > 0, side, 0.0) for side in (ours, theirs))
    centre, true_centre = ((weights * side).sum(axis=1, keepdims=True) for side in (p, t))
    p, t = p - centre, t - true_centre
    covariance = np.einsum("nki,nkj->nij", weights * t, p)
    left, sizes, right = np.linalg.svd(covariance)
    sizes[:, 2] *= (sign := np.sign(np.linalg.det(left @ right)))
    left[:, :, 2] *= sign[:, None]
    spread = (weights * p**2).sum(axis=(1, 2))
    scale = np.divide(sizes.sum(axis=1), spread, out=np.zeros_like(spread), where=spread > 0)
    moved = scale[:, None, None] * np.einsum("nij,nkj->nki", left @ right, ours - centre) + true_centre
    return np.asarray(np.where(good[:, None, None], moved, np.nan))


def joints_from_mesh(vertices: ArrayLike, regressor: ArrayLike) -> Array:
    """Return joints (T, J, 3) [m] of vertices (T, V, 3) [m] by a regressor (J, V), such as SMPL's of 24 joints.

    Raises:
        InputError: arrays of other shapes.
    """
    mesh = _array("vertices", vertices, (None, None, 3))
    return np.asarray(np.einsum("jv,nvi->nji", _array("joint regressor", regressor, (None, mesh.shape[1])), mesh))


def _protocol(name: str) -> Protocol:
    if name not in PROTOCOLS:
        valid = " or ".join(map(repr, PROTOCOLS))
        raise InputError("protocol", f"{name!r} is unknown{near_matches(name, PROTOCOLS)}", f"give {valid}")
    return PROTOCOLS[name]


def _array(name: str, given: ArrayLike, shape: tuple[int | None, ...]) -> Array:
    """The array in float64, if it has the shape, where None is any number."""
    try:
        values = np.asarray(given, dtype=np.float64)
    except (ValueError, TypeError):
        raise InputError(name, "is no array of numbers", f"give shape {_shown(shape)}") from None
    fits = values.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, values.shape))
    if not fits:
        raise InputError(name, f"has shape {values.shape}", f"give {_shown(shape)}")
    # Infinities would make warnings of their differences.
    return np.where(np.isfinite(values), values, np.nan)


def _known(places: Array) -> Mask:
    return np.asarray(np.isfinite(places).all(axis=2))


def _shown(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"


def _distances(points: Array, targets: Array, use: Mask) -> Array:
    """Mean distance [mm] of each frame (T,) over the points in use; NaN where there is none."""
    apart = np.where(use, np.linalg.norm(points - targets, axis=2), 0.0).sum(axis=1)
    counted = use.sum(axis=1)
    return np.asarray(1e3 * np.divide(apart, counted, out=np.full(len(use), np.nan), where=counted > 0))


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")

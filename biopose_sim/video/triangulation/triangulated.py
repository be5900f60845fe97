"""From triangulated key points to a scaled model and its motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...ik.fit import FitConfig, SizeFit, fit_size
from ...ik.groups import SizePrior
from ...ik.solver import solve_ik
from ...ik.types import CoordinateTarget, IKConfig
from ...io import Trial
from ...kinematics.model import OsimModel
from ...osim.markerset import keep_markers
from ..points.body_points import body_points, with_key_points
from ..points.keypoints import COMMON, Array
from ..types import Estimate, View
from .rest_pose import at_rest, rest_pose
from .triangulate import CHECKS, Triangulated, triangulate

# Key points are not placed by hand on bones: their offsets on a person, and what is left of their errors [m].
_OFFSET_SD, _NOISE_SD = 0.006, 0.015
_PLACED_SD = 0.015  # of a point that weighs 1 [m]
_WEIGHTS = (0.1, 1.5)
_SMOOTHNESS = 1e-2  # m^2 / rad^2, see `IKConfig.smoothness`
# Pull of the joints to how people usually hold them (`rest_pose`): it decides how far each of a chain bends that no key
# point tells apart (pelvis, spine, shoulder girdle), and what turns about a limb's own axis. In the motion [m^2], of a
# joint's deviation; while sizes are sought [m^2 / rad^2], alike for all.
_REST, _REST_IN_FIT = 5e-6, 1e-4
# A point that is further off the smooth motion than usual for it, in robust deviations and at all [m], is left out.
_ODD_DEVIATIONS, _ODD_DISTANCE = 4.0, 0.05
# Root mean square from which the points are no body: 11 to 35 mm are usual, 180 and more where cameras are mistaken.
_NO_PERSON = 0.1
_LEAST_POINTS = 8  # of a frame that says something
_LEAST_FRAMES = 3
_ODD_SCALE = 0.03  # share by which a stature may change the calibration's lengths without a note of its own
_SCALINGS, _SAME_STATURE = 4, 0.005
_HEAD, _HEELS = "HTOP", ("RCAL", "LCAL")


@lru_cache(maxsize=1)
def key_point_model() -> OsimModel:
    """Return the default model with the 142 virtual markers and the 23 key points (`keypoints.COMMON`) as markers.

    A key point is fixed in its segment, at its mix of virtual markers in the model's default pose.
    """
    from ik_pipeline.virtual_fit import virtual_model

    return with_key_points(virtual_model())


def triangulated_estimate(views: Sequence[View], *, stature: float | None = None) -> Estimate:
    """Triangulate the key points of one person and bring the default model to them.

    Args:
        views: as `triangulate` takes them.
        stature: of the person [m]; it then sets the scale instead of the calibration.

    Raises:
        InputError: as `triangulate`; too few frames in which enough of the person is seen by two cameras.
    """
    return fit_points(triangulate(views), stature=stature)


def fit_points(found: Triangulated, *, stature: float | None = None) -> Estimate:
    """Fit size and motion of the default model to triangulated key points.

    Sizes are those of a most probable person (`ik.fit`), the motion is the smooth one that explains the points best
    (`IKConfig.smoothness`). Joints that the points do not determine stay near their rest.

    Args:
        found: of one person.
        stature: [m]; the calibration's lengths are then multiplied so that the person has it.

    Raises:
        InputError: too few frames in which enough of the person is seen by two cameras.
    """
    seen = np.isfinite(found.points).all(-1).sum(1) >= _LEAST_POINTS
    if seen.sum() < _LEAST_FRAMES:
        problem = f"only {int(seen.sum())} frames show {_LEAST_POINTS} key points to two cameras"
        raise InputError(found.name, problem, "let two or more cameras see the whole person")
    model, config = at_rest(key_point_model()), _fit_config()
    size = fit_size(model, [_trial(found)], config)
    notes = list(found.notes)
    if stature is not None:
        found, size, told = _of_stature(found, size, config, stature)
        notes.append(told)
    ik = replace(config.ik, prior=0.0, smoothness=_SMOOTHNESS)
    trial = _trial(found)
    first = solve_ik(size.model, trial, ik)
    odd = _odd(first.marker_errors)
    rows = [COMMON.index(name) for name in first.marker_names]
    kept = trial.markers.copy()
    kept[:, rows] = np.where(odd[..., None], np.nan, kept[:, rows])
    result = solve_ik(size.model, replace(trial, markers=kept), ik)
    rms = float(np.sqrt(np.nanmean(result.marker_errors**2)))
    if rms > _NO_PERSON:
        problem = f"the triangulated key points are no person's: the model misses them by {1e3 * rms:.0f} mm"
        raise InputError(found.name, problem, CHECKS)
    notes.append(f"The model's key points lie {1e3 * rms:.0f} mm from the triangulated ones (root mean square).")
    # The person's model holds its joints by default as every model does, and its markers where its size puts them.
    own = key_point_model().scale(size.scales)
    return Estimate(
        name=found.name,
        time=found.time,
        model=keep_markers(own, [name for name in own.marker_names if name not in COMMON]),
        coordinates=result.coordinates,
        views=found.views,
        seen=np.asarray(seen),
        size_known=True,
        source="triangulation",
        # A joint that no point shows is off by what people differ in it, and refinement knows no better.
        coordinate_sd=np.broadcast_to(
            np.nan_to_num(rest_pose(size.model.coordinate_names).deviation, nan=np.inf), result.coordinates.shape
        ),
        notes=(*notes, *size.warnings, *result.warnings),
    )


def model_stature(model: OsimModel) -> float:
    """Return the height of the model's person, from its heels to its vertex in the default pose [m].

    Raises:
        InputError: the model lacks the virtual markers.
    """
    if missing := [name for name in (_HEAD, *_HEELS) if name not in model.marker_names]:
        raise InputError(model.name, f"has no marker {', '.join(missing)}", "take a model with the virtual markers")
    markers = model(model.default_coordinates.detach()).markers.detach().numpy()
    rows = [model.marker_names.index(name) for name in _HEELS]
    return float(markers[model.marker_names.index(_HEAD), 1] - markers[rows, 1].mean())


def _trial(found: Triangulated) -> Trial:
    return Trial.checked(found.name, found.time, found.points, COMMON)


def _odd(errors: Array) -> NDArray[np.bool_]:
    """Which distances (T, M) [m] are far beyond what is usual for their point."""
    usual = np.nanmedian(errors, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(errors - usual), axis=0)
    return np.asarray(np.nan_to_num(errors) > np.maximum(usual + _ODD_DEVIATIONS * spread, _ODD_DISTANCE))


def _fit_config() -> FitConfig:
    weights = np.clip((_PLACED_SD / body_points().offset_sd) ** 2, *_WEIGHTS)
    names = key_point_model().coordinate_names
    usual = rest_pose(names)
    rest = {
        name: CoordinateTarget(float(value), float(_REST / deviation**2))
        for name, value, deviation in zip(names, usual.usual, usual.deviation, strict=True)
        if np.isfinite(value)
    }
    ik = IKConfig(
        weights={name: float(weight) for name, weight in zip(COMMON, weights, strict=True)},
        coordinate_targets=rest,
        prior=_REST_IN_FIT,
    )
    return FitConfig(
        ik=ik,
        landmarks=frozenset(COMMON),
        landmark_sd=_OFFSET_SD,
        tracking_sd=_OFFSET_SD,
        marker_sd=_NOISE_SD,
        prior=SizePrior(),
    )


def _of_stature(
    found: Triangulated, size: SizeFit, config: FitConfig, stature: float
) -> tuple[Triangulated, SizeFit, str]:
    """Points, cameras and size in a world that is larger or smaller, in which the person has the stature."""
    whole, model = 1.0, at_rest(key_point_model())
    # What is usual for people draws sizes that are far from it: a few rounds come to rest.
    for _ in range(_SCALINGS):
        # Upright: the model of the fit holds its joints as people do.
        times = stature / model_stature(key_point_model().scale(size.scales))
        if abs(times - 1.0) < _SAME_STATURE:
            break
        whole *= times
        found = _enlarged(found, times)
        size = fit_size(model, [_trial(found)], config)
    told = f"Lengths of the calibration were multiplied by {whole:.3f}: the person is {stature:.2f} m tall."
    if abs(whole - 1.0) > _ODD_SCALE:
        told += " That is much: check the stature and the calibration."
    return found, size, told


def _enlarged(found: Triangulated, times: float) -> Triangulated:
    views = tuple(
        replace(view, camera=replace(view.camera, position=times * view.camera.position)) for view in found.views
    )
    return replace(found, points=times * found.points, millimetres=times * found.millimetres, views=views)

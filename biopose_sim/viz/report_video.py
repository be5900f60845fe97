"""The part of a report on the clip: the skeleton on it, what was taken for granted, how well it fits each view."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biopose_sim.viz._html import Html, bullets, element, film, heading, image, join, picture, table
from biopose_sim.viz.force_panels import shortened
from biopose_sim.viz.pixels import smaller_file
from biopose_sim.viz.report_tables import DASH, number
from biopose_sim.viz.video_figures import plot_views
from biopose_sim.viz.video_flags import flag_words

Array = NDArray[np.floating]
_MOST_SPANS = 12
_SHEET = 1600  # [pixel] wide at most
_SIZE_KNOWN = "The size of the person is known: lengths, speeds and places are in true metres."
_SIZE_UNKNOWN = (
    "The size of the person is not known: one camera does not tell a small person nearby from a tall one further away. "
    "Joint angles do not depend on it. Lengths, speeds and places do, and so does what is computed from them (step "
    "lengths, forces): give the height with --stature."
)


@dataclass(frozen=True)
class Fact:
    """Something that the result rests on.

    Attributes:
        what: e.g. "Focal length".
        value: e.g. "1681 px".
        source: where it is from: "calibration file", "given", "assumed", "estimated from the person".
    """

    what: str
    value: str
    source: str


@dataclass(frozen=True, eq=False)
class VideoView:
    """What one camera saw, and how well the result explains it.

    Attributes:
        name: of the clip.
        after: (T,) mean distance of the found key points and the model's by confidence [pixel]; NaN without.
        before: (T,) the same before refinement; None where it was not refined.
        found: (T, K) where a key point was found.
        confidence: (T, K) of the detector, from 0 to 1.
        point_errors: (T, K) distance of each [pixel], NaN where not found; None if not known.
        repairs: left and right exchanged, a phrase each ("whole body, frames 3 to 20").
        person_height: usual height of the person in the picture [pixel]; NaN if not known.
        film: name of the film beside the page; None where there is none.
        poster: a picture of it, PNG or JPEG.
        sheet: some moments of it in one picture, PNG or JPEG.
    """

    name: str
    after: Array
    before: Array | None
    found: NDArray[np.bool_]
    confidence: Array
    point_errors: Array | None = None
    repairs: Sequence[str] = ()
    person_height: float = math.nan
    film: str | None = None
    poster: bytes | None = None
    sheet: bytes | None = None


@dataclass(frozen=True, eq=False)
class VideoPage:
    """What the report says of a result from video.

    Attributes:
        time: (T,) [s].
        views: one for each camera.
        points: K names of the key points ("left_knee").
        flags: (T,) of the frames, as `flag_words` knows them; empty or "ok" where all is well.
        facts: what was known and what was assumed.
        size_known: whether the scale is: a stature, calibrated cameras, a body mesh.
        notes: what was taken for granted besides, a sentence each.
    """

    time: Array
    views: Sequence[VideoView]
    points: Sequence[str]
    flags: Sequence[str]
    facts: Sequence[Fact]
    size_known: bool
    notes: Sequence[str] = ()


def video_part(page: VideoPage | None) -> Html:
    """Return the part of the report on the clip; empty without one.

    Raises:
        ValueError: counts that do not fit.
    """
    if page is None:
        return Html("")
    _check(page)
    return join(
        [
            heading("Video"),
            *_films(page),
            *_known(page),
            element("h3", "How well the skeleton explains the pictures"),
            _view_table(page),
            picture(plot_views(page.time, [(v.name, v.before, v.after) for v in page.views], page.flags), _FIGURE),
            *_flags(page),
            *_repairs(page),
            element("h3", "Key points"),
            _point_table(page),
            element("p", _POINTS, css="soft"),
        ]
    )


_ERRORS = (
    "Mean over the frames of the mean distance of each frame by confidence, with the offsets of this person's key "
    "points that refinement found; before: before refinement, without them"
)
_FIGURE = "Mean distance in the picture between the key points that were found and those of the model, and flags"
_POINTS = (
    "Seen: share of the frames in which the detector found the point. Error: usual distance (median) of the point to "
    "the model's in the picture; hips are marks on the surface of the body, which detectors place differently."
)


def _check(page: VideoPage) -> None:
    frames, points = len(page.time), len(page.points)
    if len(page.flags) != frames:
        raise ValueError(f"{len(page.flags)} flags for {frames} frames")
    for view in page.views:
        for values in (view.after, view.before):
            _check_shape(view, values, (frames,))
        for each in (view.found, view.confidence, view.point_errors):
            _check_shape(view, each, (frames, points))


def _check_shape(view: VideoView, values: Array | NDArray[np.bool_] | None, shape: tuple[int, ...]) -> None:
    if values is not None and np.shape(values) != shape:
        raise ValueError(f"view '{view.name}': shape {np.shape(values)}, expected {shape}")


def _films(page: VideoPage) -> list[Html]:
    """The films side by side, and the moments that there are of them."""
    films = [
        film(view.film, view.poster, f"{view.name}: {view.film}, beside this page")
        for view in page.views
        if view.film is not None
    ]
    # Of several cameras one sheet will do: the films show the others.
    sheets = [(v.sheet, f"{v.name}: the skeleton on the clip") for v in page.views if v.sheet is not None][:1]
    if not films and not sheets:
        return [element("p", "There is no clip to draw on: the key points came from a file.", css="soft")]
    about = (
        "The scaled model on the clip: right blue, left orange. Dots: key points as they were found, from orange "
        "(uncertain) to green (certain); white lines lead to where the model has them."
    )
    stills = [image(smaller_file(sheet, _SHEET), caption) for sheet, caption in sheets]
    if len(films) == 1:  # an upright film leaves room beside it
        return [element("p", about), element("div", *films, *stills, css="films")]
    return [element("p", about), element("div", *films, css="films"), *stills]


def _known(page: VideoPage) -> list[Html]:
    rows = [[fact.what, fact.value, fact.source] for fact in page.facts]
    parts = [element("h3", "What was known, and what was assumed")]
    if page.size_known:
        parts.append(element("p", _SIZE_KNOWN))
    else:
        parts.append(element("div", element("p", _SIZE_UNKNOWN), css="warn"))
    parts += [table(["", "", "From"], rows, names=3)] if rows else []
    return [*parts, bullets(page.notes)] if page.notes else parts


def _view_table(page: VideoPage) -> Html:
    head = [
        "View",
        "Key points seen",
        "2D error [px]",
        "before [px]",
        "Change",
        "of the person's height",
        "95 % below [px]",
    ]
    rows = []
    for view in page.views:
        after, before = _mean(view.after), math.nan if view.before is None else _mean(view.before)
        change = f"{100.0 * (after / before - 1.0):+.0f} %".replace("-", "−") if before > 0.0 else DASH
        share = f"{100.0 * after / view.person_height:.1f} %" if view.person_height > 0.0 else DASH
        seen = f"{100.0 * view.found.mean():.0f} %" if view.found.size else DASH
        most = number(_quantile(view.after, 95.0))
        rows.append([view.name, seen, number(after), number(before), change, share, most])
    return table(head, rows, _ERRORS)


def _flags(page: VideoPage) -> list[Html]:
    """Which frames deserve a look, and why."""
    words = [flag_words(flag) for flag in page.flags]
    kinds = [kind for kind in dict.fromkeys(words) if kind]
    if not kinds:
        return [element("p", f"None of the {len(words)} frames has a flag.")]
    rows = []
    for kind in kinds:
        frames = np.flatnonzero([word == kind for word in words])
        share = f"{len(frames)} ({100.0 * len(frames) / len(words):.0f} %)"
        rows.append([kind.capitalize(), _spans(frames), share])
    return [table(["Flag", "Frames, from 0", "Count"], rows, names=2)]


def _spans(frames: NDArray[np.intp]) -> str:
    """``3-20, 52``."""
    runs = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    told = [str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs]
    return ", ".join(told[:_MOST_SPANS]) + (f" and {len(told) - _MOST_SPANS} more" if len(told) > _MOST_SPANS else "")


def _repairs(page: VideoPage) -> list[Html]:
    parts = [element("h3", "Left and right")]
    if not any(view.repairs for view in page.views):
        return [*parts, element("p", "Nothing was exchanged: the detector kept left and right apart.")]
    about = "The detector had exchanged left and right here, and they were changed back (frames from 0):"
    lines = [
        f"{view.name}: {'; '.join(view.repairs[:_MOST_SPANS])}"
        + (f" and {len(view.repairs) - _MOST_SPANS} more" if len(view.repairs) > _MOST_SPANS else "")
        for view in page.views
        if view.repairs
    ]
    return [*parts, element("p", about), bullets(lines)]


def _point_table(page: VideoPage) -> Html:
    several = len(page.views) > 1
    head: list[object] = ["Key point"]
    for view in page.views:
        head += [f"{shortened(view.name, 20)}: seen" if several else "Seen", "Confidence", "Error [px]"]
    rows = []
    for k, name in enumerate(page.points):
        row: list[object] = [name.replace("_", " ").capitalize()]
        for view in page.views:
            found = view.found[:, k]
            sure = float(view.confidence[found, k].mean()) if found.any() else math.nan
            errors = view.point_errors
            off = math.nan if errors is None else _quantile(errors[:, k], 50.0)
            row += [f"{100.0 * found.mean():.0f} %" if found.size else DASH, number(sure, 2), number(off)]
        rows.append(row)
    return table(head, rows)


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


def _quantile(values: Array, percent: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percent)) if known.size else math.nan

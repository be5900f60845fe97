"""Reading any body motion: the format is found from what is in the file, not from its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...errors import InputError
from ...io.notice import listed
from ..types import BodySequence
from ..upright import Upright
from . import amass, bedlam, mesh, movi, own, phalp, smplx_video, wham
from .clip import Format, Options, Track, choose, layout_of
from .content import Content, open_content

FORMATS: tuple[Format, ...] = (
    *own.FORMATS,
    *bedlam.FORMATS,
    *smplx_video.FORMATS,
    *wham.FORMATS,
    *phalp.FORMATS,
    *mesh.FORMATS,
    *movi.FORMATS,
    *amass.FORMATS,
)


def load(
    path: str | Path,
    *,
    fps: float | None = None,
    track: str | int | None = None,
    frame: str = "auto",
    upright: Upright | None = None,
    action: str | None = None,
) -> BodySequence:
    """Read one person's motion from a data set or a video tool.

    Known are AMASS (SMPL+H, SMPL-X), BEDLAM (motions, training labels), BML-MoVi bodies, WHAM, PHALP (4D-Humans,
    TokenHMR), GVHMR, SMPLest-X, SAM 3D Body, npz files of vertices and this project's own. Nothing in a file is run.

    Args:
        path: the file (SAM 3D Body: also a folder with one file per image).
        fps: frame rate [Hz]; needed where the format stores none (WHAM, PHALP, SMPLest-X, SAM 3D Body), and taken in
            place of the file's where given.
        track: whom to read where there are several people; see `tracks`.
        frame: ``"world"`` or ``"camera"``, of formats that have both; ``"auto"``: the world if there is one.
        upright: where the vertical is, for results in camera axes: ``"level"`` (if not given), ``"body"``,
            ``"feet"`` or (pitch, roll) [degrees]; see `turn_upright`.
        action: which action to read, of files that hold several (BML-MoVi).

    Returns:
        The sequence in the axes of its file; ``to_ground`` turns them upright, ``seen`` marks the frames in which the
        person was found, ``assumptions`` say what was taken for granted. Time is that of the recording or video:
        frame number / frame rate [s].

    Raises:
        InputError: one line that names what is wrong: several people (all are listed), no frame rate, an unknown or
            damaged format, a file that asks to run something, values that cannot be.
    """
    content = open_content(path)
    known = _format(content)
    with layout_of(content.path, known.name):
        found = known.tracks(content)
        return known.read(content, choose(content.path, found, track, action), Options(fps, frame, upright))


def load_all(
    path: str | Path, *, fps: float | None = None, frame: str = "auto", upright: Upright | None = None
) -> list[BodySequence]:
    """Read everybody (every action) in a file; arguments and errors as in `load`."""
    content = open_content(path)
    known = _format(content)
    with layout_of(content.path, known.name):
        found = known.tracks(content)
        if not found:
            raise InputError(content.path, "no person is seen in any frame")
        return [known.read(content, one, Options(fps, frame, upright)) for one in found]


def tracks(path: str | Path | Content) -> list[Track]:
    """Return the people (or actions) in a file, its path or open content, with their number of frames.

    Raises:
        InputError: as `load` for a file that cannot be read.
    """
    content = open_content(path)
    known = _format(content)
    with layout_of(content.path, known.name):
        return known.tracks(content)


def _format(content: Content) -> Format:
    for known in FORMATS:
        if known.matches(content):
            return known
    if content.has("v_template"):
        raise InputError(content.path, "is a body model, not a motion", "give the motion, and the model beside it")
    has = f"it holds {listed([str(key) for key in content.data])}" if isinstance(content.data, Mapping) else ""
    remedy = f"{has}; known are {', '.join(known.name for known in FORMATS)}".removeprefix("; ")
    raise InputError(content.path, "is not a body motion of a known format", remedy)

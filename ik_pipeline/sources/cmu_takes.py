"""BVH takes unpacked once into a compact form that workers read quickly.

A folder ``cmu-<hash of the data>`` holds ``<take>.npz`` with the channels as they are in the file and the skeleton as
JSON; ``takes.json``, written last, lists them and what they were made from. Without that list the folder does not count
and is made again.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.bodies.retarget import CGSPEED_REST_FRAMES, is_cgspeed
from biopose_sim.bodies.retarget_names import find_joints
from biopose_sim.errors import InputError
from biopose_sim.io import atomic_write
from biopose_sim.io.bvh import Bvh, read_bvh
from ik_pipeline.sources.common import file_hash, files_below
from ik_pipeline.types import BadFile

_LIST = "takes.json"
# Changes when the compact form does.
_FORM = "2"
_ARCHIVES = (".tar.xz", ".tar.gz", ".tar.bz2", ".tar", ".tgz")
_BROKEN = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError)
LAYOUT = "expected takes like 02_01.bvh (subject, take), or an archive of them like cmu_daz_bvh.tar.xz"


@dataclass(frozen=True)
class Take:
    """A prepared take.

    Attributes:
        name: ``SS_TT``.
        file: its compact form.
        frames: that can be used, from ``first`` on.
        first: the first usable frame: the files of cgspeed begin with a smeared rest pose.
        rate: [Hz].
    """

    name: str
    file: Path
    frames: int
    first: int
    rate: float

    @property
    def subject(self) -> str:
        """Who performs it: what stands before the first underscore."""
        return self.name.split("_")[0]


def prepare_takes(folder: Path, work: Path) -> Path:
    """Unpack and convert all takes below a folder, unless that has been done; return where they are.

    Args:
        folder: holds ``.bvh`` files or archives of them.
        work: where the result is kept.

    Raises:
        InputError: neither takes nor archives, an archive that is broken, or no room.
    """
    loose, archives = files_below(folder, ".bvh"), _archives(folder)
    if not loose and not archives:
        raise InputError(folder, "holds neither BVH files nor an archive of them", LAYOUT)
    made_from = {path.relative_to(folder).as_posix(): file_hash(path) for path in (*loose, *archives)}
    digest = hashlib.sha256(json.dumps([_FORM, made_from]).encode()).hexdigest()
    target = work / f"cmu-{digest[:16]}"
    if not (target / _LIST).is_file():
        _make_folder(target)
        listing = {"made_from": made_from, **_convert_all(loose, archives, target)}
        atomic_write(target / _LIST, json.dumps(listing, indent=1))
    return target


def _archives(folder: Path) -> list[Path]:
    found = files_below(folder, ".xz", ".gz", ".bz2", ".tar", ".tgz")
    return [path for path in found if path.name.lower().endswith(_ARCHIVES)]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(folder, f"cannot be made ({error.strerror})") from error


def _convert_all(loose: list[Path], archives: list[Path], target: Path) -> dict[str, Any]:
    """Write all takes and return the list of them and of the bad files."""
    takes: dict[str, dict[str, Any]] = {}
    bad: list[tuple[str, str]] = []
    space = target / ".unpacking"
    _make_folder(space)
    try:
        for shown, file in _all_files(loose, archives, space, bad):
            if file.stem in takes:
                bad.append((str(shown), f"there is another take {file.stem}, read before"))
                continue
            try:
                whole = read_bvh(file)
                body = _body_alone(whole)
            except InputError as error:
                bad.append((str(shown), _reason(error)))
                continue
            _write(body, target)
            takes[file.stem] = _about(whole)
    finally:
        shutil.rmtree(space, ignore_errors=True)
    return {"takes": dict(sorted(takes.items())), "bad": bad}


def _all_files(
    loose: list[Path], archives: list[Path], space: Path, bad: list[tuple[str, str]]
) -> Iterator[tuple[Path, Path]]:
    """What to call each take in messages, and the file to read."""
    yield from ((path, path) for path in loose)
    for archive in archives:
        yield from _unpacked(archive, space, bad)


def _unpacked(archive: Path, space: Path, bad: list[tuple[str, str]]) -> Iterator[tuple[Path, Path]]:
    """Unpack the takes of an archive one after another; each is removed before the next."""
    try:
        with tarfile.open(archive, "r|*") as stream:
            for member in stream:
                if not member.isfile() or not member.name.lower().endswith(".bvh"):
                    continue
                shown = archive / member.name
                try:
                    # The filter refuses names that lead out of the folder, links, devices.
                    stream.extract(member, space, filter="data")
                except tarfile.FilterError as error:
                    bad.append((str(shown), f"is not unpacked: {error}"))
                    continue
                file = space / member.name
                yield shown, file
                file.unlink()
    except _BROKEN as error:
        # Errors with a number are the system's (a full disk); the others come from what is in the file.
        remedy = "" if isinstance(error, OSError) and error.errno else "the file may be cut off; copy it again"
        raise InputError(archive, f"cannot be unpacked ({error})", remedy) from error


def _reason(error: InputError) -> str:
    return error.problem + (f"; {error.remedy}" if error.remedy else "")


def _about(bvh: Bvh) -> dict[str, Any]:
    """What the list says of a take."""
    rest = CGSPEED_REST_FRAMES if is_cgspeed(bvh) and bvh.n_frames > CGSPEED_REST_FRAMES + 1 else 0
    return {"frames": bvh.n_frames - rest, "first": rest, "rate": _whole(bvh.rate)}


def _write(bvh: Bvh, target: Path) -> None:
    skeleton = {
        "joints": bvh.joint_names,
        "parents": bvh.parents.tolist(),
        "offsets": bvh.offsets.tolist(),
        "channels": bvh.channels,
        "ends": [(joint, offset.tolist()) for joint, offset in bvh.end_sites],
        "frame_time": bvh.frame_time,
    }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, values=bvh.values, skeleton=np.array(json.dumps(skeleton)))
    atomic_write(target / f"{bvh.name}.npz", buffer.getvalue())


def _body_alone(bvh: Bvh) -> Bvh:
    """The take without the joints that move no body (eyes, most of the fingers), which cost a third of the time.

    Raises:
        InputError: a skeleton that moves no body, or channels that are not numbers.
    """
    joints = find_joints(bvh)
    if not np.isfinite(bvh.values).all():
        raise InputError(bvh.source or bvh.name, "has channels that are not numbers")
    kept: set[int] = set()
    for joint in (joints.hips, joints.head, *joints.spine, *joints.neck, *joints.limbs.values()):
        while joint >= 0 and joint not in kept:
            kept.add(joint)
            joint = int(bvh.parents[joint])
    order = sorted(kept)
    place = {joint: row for row, joint in enumerate(order)}
    starts = np.concatenate([[0], np.cumsum([len(names) for names in bvh.channels])])
    columns = [column for joint in order for column in range(starts[joint], starts[joint + 1])]
    return replace(
        bvh,
        joint_names=tuple(bvh.joint_names[joint] for joint in order),
        parents=np.array([place.get(int(bvh.parents[joint]), -1) for joint in order]),
        offsets=bvh.offsets[order],
        channels=tuple(bvh.channels[joint] for joint in order),
        end_sites=tuple((place[joint], offset) for joint, offset in bvh.end_sites if joint in kept),
        values=np.ascontiguousarray(bvh.values[:, columns]),
    )


def _whole(rate: float) -> float:
    """A frame time of 0.0083333 s means 120 Hz, not 120.00048."""
    return float(round(rate)) if abs(rate - round(rate)) < 1e-3 * rate else rate


def list_takes(prepared: Path) -> tuple[list[Take], list[BadFile]]:
    """Return the prepared takes in the order of their names, and the files that are none.

    Raises:
        InputError: the folder has not been prepared.
    """
    try:
        listing = json.loads((prepared / _LIST).read_text(encoding="utf-8"))
        takes = [Take(name, prepared / f"{name}.npz", **about) for name, about in listing["takes"].items()]
        bad = [BadFile(Path(path), reason) for path, reason in listing["bad"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(prepared, f"holds no prepared takes ({error})", "delete the folder and run again") from error
    return takes, bad


# A worker reads a take for one person after another; a few takes of 4 MB are kept.
@lru_cache(maxsize=8)
def read_take(file: Path) -> Bvh:
    """Read the compact form of a take; its values are not to be changed.

    Raises:
        InputError: no such file, or not one of ours.
    """
    try:
        with np.load(file, allow_pickle=False) as data:
            values, about = data["values"], json.loads(str(data["skeleton"]))
        return Bvh(
            file.stem,
            tuple(about["joints"]),
            np.array(about["parents"]),
            np.array(about["offsets"]),
            tuple(tuple(names) for names in about["channels"]),
            tuple((joint, np.array(offset)) for joint, offset in about["ends"]),
            values,
            about["frame_time"],
            file,
        )
    except (OSError, KeyError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        remedy = "delete its folder and run again"
        raise InputError(file, f"is not a prepared take ({error})", remedy) from error

"""From the body motions that are named on the command line to sequences of one person, their body and its mass."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from biopose_sim.bodies import load
from biopose_sim.bodies.body import TOPOLOGIES, Body, body_for, mesh, one_shape
from biopose_sim.bodies.phenotypes import DENSITY
from biopose_sim.bodies.types import BodySequence
from biopose_sim.bodies.upright import Upright
from biopose_sim.errors import InputError

Array = NDArray[np.floating]

MARKER_FILES = {".trc", ".c3d"}
BVH = ".bvh"
WAYS_UP = ("level", "body", "feet")
# Shapes that differ by less are of one person: rounding of files.
_SAME_SHAPE = 0.02
# A person's volume lies between [m3]; a mesh with holes, or of a part of the body, has another.
_VOLUMES = (0.015, 0.3)
# Frames whose meshes are measured where a file holds meshes only.
_MEASURED_FRAMES = 5
_GENERIC_STATURE = {"female": 1.629, "male": 1.756, None: 1.69}
# The reader's words for what the command line calls an option.
_OPTION = re.compile(r"\b(fps|track|action|frame|upright)=")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the command line says of the files; see ``biopose predict --help``."""

    fps: float | None = None
    track: str | None = None
    action: str | None = None
    frame: str = "auto"
    upright: Upright | None = None
    gender: str | None = None
    sex: str | None = None
    stature: float | None = None


@dataclass(frozen=True, eq=False)
class Recorded:
    """Motions of one person.

    Attributes:
        sequences: the motions, of one body and one shape.
        body: the body model; None where the files hold meshes of a body whose model is not at hand.
        volume: of the body [m3]; None where it is not known.
    """

    sequences: tuple[BodySequence, ...]
    body: Body | None
    volume: float | None

    @property
    def mass(self) -> float | None:
        """Volume times the usual density [kg]."""
        return None if self.volume is None else DENSITY * self.volume

    def vertices(self, index: int, frames: Sequence[int]) -> Array:
        """Meshes of some frames of a sequence, (N, V, 3) [m] in the ground frame."""
        sequence, chosen = self.sequences[index], np.asarray(frames)
        if sequence.body == "mesh":
            assert sequence.vertices is not None  # the marker table has read them
            points = sequence.vertices[chosen]
        else:
            assert self.body is not None  # sequences with parameters were evaluated by it
            points = mesh(self.body, sequence, chosen)
        return np.asarray(points, dtype=float) @ sequence.to_ground.T


def parse_upright(text: str | None) -> Upright | None:
    """Return what ``--upright`` says: level, body, feet or PITCH,ROLL in degrees."""
    if text is None or text in WAYS_UP:
        return text  # type: ignore[return-value]
    try:
        pitch, roll = (float(word) for word in text.split(","))
    except ValueError as error:
        raise click.UsageError(f"--upright {text}: give {', '.join(WAYS_UP)} or PITCH,ROLL in degrees") from error
    return pitch, roll


def read_person(paths: Sequence[Path], reading: Reading, body_models: Path | None) -> Recorded:
    """Read the motions of one person and the body model that they need.

    Raises:
        InputError: a file that cannot be read, motions of several people, a body model that is not there.
    """
    _check_names(paths)
    sequences = [one_shape(_read(path, reading)) for path in paths]
    _check_one_person(paths, sequences)
    try:
        body = _body(sequences[0], body_models)
    except InputError as error:
        raise InputError(
            error.source, error.problem, error.remedy.replace(" with ", " with --body-models or ")
        ) from error
    return Recorded(tuple(sequences), body, _volume(sequences[0], body))


def recorded_person(sequences: Sequence[BodySequence]) -> Recorded:
    """Return sequences of one person with their body model, which must be at hand."""
    body = body_for(sequences[0])
    return Recorded(tuple(sequences), body, _volume(sequences[0], body))


def _check_names(paths: Sequence[Path]) -> None:
    seen: dict[str, Path] = {}
    for path in paths:
        if path.suffix.lower() in MARKER_FILES:
            raise InputError(path, "holds markers, no body", "'biopose fit' takes recordings of markers")
        if path.stem in seen:
            problem = f"has the same name as {seen[path.stem]}"
            raise InputError(path, problem, "rename one: results are named after their sequence")
        seen[path.stem] = path


def _read(path: Path, reading: Reading) -> BodySequence:
    if path.suffix.lower() == BVH:
        return replace(_from_bvh(path, reading), name=path.stem)
    try:
        sequence = load(
            path,
            fps=reading.fps,
            track=reading.track,
            action=reading.action,
            frame=reading.frame,
            upright=reading.upright,
        )
    except InputError as error:
        raise InputError(error.source, error.problem, _OPTION.sub(r"--\1 ", error.remedy)) from error
    if reading.gender is not None and sequence.body == "anny":
        raise InputError(path, "holds a body of Anny, whose sex is part of its shape", "leave out --gender")
    if reading.gender is not None and reading.gender != sequence.gender:
        said = f"The gender {reading.gender} was given; the file says {sequence.gender}."
        sequence = replace(sequence, gender=reading.gender, assumptions=(*sequence.assumptions, said))
    return replace(sequence, name=path.stem)


def _from_bvh(path: Path, reading: Reading) -> BodySequence:
    """A skeleton's motion on an Anny adult: a BVH file says nothing of the body."""
    from biopose_sim.bodies.retarget import retarget
    from biopose_sim.io.bvh import read_bvh

    bvh = read_bvh(path)
    said = []
    if reading.fps is not None and abs(bvh.rate - reading.fps) > 1e-3:
        said.append(f"The frame rate {reading.fps:g} Hz was given; the file states {bvh.rate:g} Hz.")
        bvh = replace(bvh, frame_time=1.0 / reading.fps)
    values, stature = _adult(reading.sex, reading.stature)
    whose = reading.sex or "middle sex"
    said.append(
        f"A BVH file has no body: the motion was put on an Anny adult ({whose}, {stature:.2f} m tall, middle weight, "
        "muscle and proportions); its legs set the length of the steps, and its feet were put on the floor."
    )
    sequence = retarget(bvh, values)
    return replace(sequence, assumptions=(*sequence.assumptions, *said))


def _adult(sex: str | None, wanted: float | None) -> tuple[Array, float]:
    """Phenotype values of a middling adult of a stature [m], and the stature."""
    from biopose_sim.bodies.phenotypes import stature

    values = np.array([{"female": 1.0, "male": 0.0, None: 0.5}[sex], 0.75, 0.5, 0.5, 0.35, 0.5])
    low, high = (np.where(np.arange(6) == 4, height, values) for height in (0.0, 0.6))
    # Stature is linear in the height value.
    tall = stature(np.stack([low, high]))
    target = _GENERIC_STATURE[sex] if wanted is None else wanted
    place = (target - tall[0]) / (tall[1] - tall[0])
    if not 0.0 <= place <= 1.0:
        raise InputError("--stature", f"{target:g} m is none of an adult", f"give {tall[0]:.2f} to {tall[1]:.2f} m")
    chosen = low + place * (high - low)
    return chosen, float(stature(chosen))


def _check_one_person(paths: Sequence[Path], sequences: Sequence[BodySequence]) -> None:
    first = sequences[0]
    remedy = f"'{paths[0].name}' is of another body; give the sequences of one person, or run each on its own"
    for path, sequence in zip(paths[1:], sequences[1:]):
        for what in ("body", "gender", "topology"):
            ours, theirs = getattr(sequence, what), getattr(first, what)
            if ours != theirs:
                raise InputError(path, f"its {what} is '{ours}', not '{theirs}'", remedy)
        length = max(len(first.shape), len(sequence.shape))
        ours, theirs = (np.pad(one.shape, (0, length - len(one.shape))) for one in (sequence, first))
        if sequence.body != "mesh" and np.abs(ours - theirs).max(initial=0.0) > _SAME_SHAPE:
            apart = np.abs(ours - theirs).max()
            raise InputError(path, f"its shape values differ by up to {apart:.2g}", remedy)


def _body(sequence: BodySequence, body_models: Path | None) -> Body | None:
    """The body model; of a mesh, the one that knows its triangles, if that is at hand."""
    if sequence.body != "mesh":
        return body_for(sequence, body_models)
    if sequence.topology not in TOPOLOGIES:
        return None
    try:
        return body_for(replace(sequence, body=sequence.topology), body_models)
    except InputError:
        if body_models is not None:
            raise
        return None


def _volume(sequence: BodySequence, body: Body | None) -> float | None:
    """Volume of the body [m3]; None where it is not known or none that a person can have."""
    volume = 0.0 if body is None else _measured(sequence, body)
    return volume if _VOLUMES[0] < volume < _VOLUMES[1] else None


def _measured(sequence: BodySequence, body: Body) -> float:
    """Volume of the mesh [m3]: at rest, or of some frames where there are only meshes."""
    if sequence.body == "mesh":
        assert sequence.vertices is not None  # what a mesh is
        seen = np.flatnonzero(np.ones(len(sequence.time)) if sequence.seen is None else sequence.seen)
        frames = seen[np.linspace(0, len(seen) - 1, min(_MEASURED_FRAMES, len(seen))).astype(int)]
        return float(np.median([_enclosed(sequence.vertices[frame], body.faces) for frame in frames]))
    import torch

    still = torch.eye(3).expand(len(body.joint_names), 3, 3)
    with torch.no_grad():
        shape = torch.as_tensor(sequence.shape, dtype=torch.float32)
        vertices = body.vertices(still, torch.zeros(3), shape)[0].double().numpy()
    return _enclosed(vertices, body.faces)


def _enclosed(vertices: Array, faces: NDArray[np.int64]) -> float:
    """Volume that a mesh encloses [m3]: the sum over faces of a . (b x c) / 6."""
    a, b, c = (vertices[faces[:, k]].astype(float) for k in range(3))
    return float(abs(np.einsum("fi,fi->", np.cross(a, b), c)) / 6.0)

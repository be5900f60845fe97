"""People for calibration: bodies of many shapes in the poses of recorded takes, some takes held out for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from biopose_sim.bodies.markers import BodyMarkers, virtual_markers
from biopose_sim.bodies.phenotypes import sample_adults
from biopose_sim.bodies.retarget import retarget
from biopose_sim.bodies.types import BodySequence
from biopose_sim.bodies.virtual import VirtualMarker
from biopose_sim.errors import InputError
from biopose_sim.io import Trial
from biopose_sim.io.bvh import read_bvh
from ik_pipeline.rigidity import Rigidity, measure_rigidity

Array = NDArray[np.floating]

# CMU takes that calibration never sees, by activity; each with its first and last second (None: all of it).
HELD_OUT: dict[str, tuple[tuple[str, float | None, float | None], ...]] = {
    "walking": (("08_01", None, None), ("02_01", None, None), ("08_06", None, None)),
    "running": (("02_03", None, None),),
    "squatting": (("13_30", 11.5, 17.0),),
    "reaching": (("13_10", None, None), ("14_07", None, None)),
}
# Further ones for rigidity: dance, ball games, stairs, sitting down, drinking, a ladder.
HELD_OUT_MORE = ("05_09", "06_11", "10_03", "13_08", "13_35", "14_29", "14_34")
# Takes from which markers are calibrated: walking, jogging, jumping, dance, ball games, sitting, climbing, daily work.
CALIBRATION_TAKES = (
    "01_14", "02_02", "02_04", "02_05", "02_06", "02_07", "02_10", "05_02", "05_12", "05_13", "06_03", "06_08",
    "06_15", "07_01", "07_06", "07_12", "08_04", "08_07", "10_01", "10_04", "11_01", "13_01", "13_07", "13_13",
    "13_18", "13_26", "13_31", "13_36", "13_41", "14_08", "14_12", "14_22", "14_27", "14_31", "14_36", "14_37",
)  # fmt: skip
# The body whose rotations are put on all others: what differs is a few degrees at hips and knees.
MEAN_ADULT = np.array([0.5, 0.75, 0.5, 0.5, 0.36, 0.5])
_RATE = 30.0


@dataclass(frozen=True, eq=False)
class Person:
    """One body: its marker trials.

    Attributes:
        name: names the person.
        trials: (T, M, 3) markers of each sequence.
    """

    name: str
    trials: tuple[Trial, ...]


def read_takes(
    folder: str | Path, names: Sequence[str], phenotypes: Array | None = None, rate: float = _RATE
) -> tuple[BodySequence, ...]:
    """Read BVH takes and put them on an Anny body.

    Args:
        folder: holds ``<name>.bvh``.
        names: of the takes; those that the folder lacks are left out.
        phenotypes: of the body; the mean adult if none are given.
        rate: frames per second of the result [Hz].

    Raises:
        InputError: none of the takes is there, or one cannot be read.
    """
    files = [Path(folder) / f"{name}.bvh" for name in names]
    found = [file for file in files if file.is_file()]
    if not found:
        raise InputError(folder, f"holds none of the takes {', '.join(names[:4])}...", "unpack the CMU takes there")
    values = MEAN_ADULT if phenotypes is None else phenotypes
    return tuple(retarget(read_bvh(file), values, fps=rate) for file in found)


def held_out_sequences(folder: str | Path, phenotypes: Array, rate: float = _RATE) -> dict[str, list[BodySequence]]:
    """Return the takes of `HELD_OUT` on one body, by activity."""
    found = {}
    for activity, takes in HELD_OUT.items():
        whole = read_takes(folder, [name for name, _, _ in takes], phenotypes, rate)
        found[activity] = [_between(s, first, last) for s, (_, first, last) in zip(whole, takes)]
    return found


def _between(sequence: BodySequence, first: float | None, last: float | None) -> BodySequence:
    """The frames from one time to another [s], counted from the first frame."""
    time = sequence.time - sequence.time[0]
    kept = (time >= (0.0 if first is None else first)) & (time <= (np.inf if last is None else last))
    translation = sequence.translation[kept]
    return replace(sequence, time=sequence.time[kept], rotations=sequence.rotations[kept], translation=translation)


def sample_poses(sequences: Sequence[BodySequence], count: int) -> BodySequence:
    """Return ``count`` frames, evenly spread over all sequences of one body model, as one sequence."""
    rows = [_spread(len(s.time), share) for s, share in zip(sequences, _even(count, len(sequences)))]
    rotations = np.concatenate([s.rotations[r] for s, r in zip(sequences, rows)])
    translation = np.concatenate([s.translation[r] for s, r in zip(sequences, rows)])
    time = np.arange(len(rotations)) / _RATE
    return replace(sequences[0], name="poses", time=time, rotations=rotations, translation=translation, source=None)


def anny_people(count: int, seed: int, sequences: Sequence[BodySequence]) -> list[list[BodySequence]]:
    """Give random adults the poses of the sequences: a list of sequences for each person."""
    return [[replace(s, shape=shape) for s in sequences] for shape in sample_adults(count, seed)]


def varied_people(
    folder: str | Path, count: int, seed: int, takes_each: int = 4, frames: int = 60
) -> list[list[BodySequence]]:
    """Give random adults a few calibration takes each, so that together they have made all of them.

    Args:
        folder: holds the BVH takes.
        count: how many people.
        seed: the same seed gives the same people.
        takes_each: takes of each person, far apart in the list.
        frames: of each person, in all.

    Raises:
        InputError: none of the takes is there.
    """
    takes = read_takes(folder, CALIBRATION_TAKES)
    step = max(1, len(takes) // takes_each)
    people = []
    for k, shape in enumerate(sample_adults(count, seed)):
        own = [takes[(k + j * step) % len(takes)] for j in range(takes_each)]
        shares = _even(frames, takes_each)
        people.append([replace(sample_poses([s], n), name=s.name, shape=shape) for s, n in zip(own, shares)])
    return people


def marker_people(people: Sequence[Sequence[BodySequence]], markers: BodyMarkers | None = None) -> list[Person]:
    """Return the virtual markers of people, each a list of sequences of one body of any body model."""
    from biopose_sim.bodies.body import body_for

    bodies = {(s.body, s.gender if s.body != "anny" else ""): s for person in people for s in person}
    models = {key: body_for(s) for key, s in bodies.items() if s.body != "mesh"}
    result = []
    for k, person in enumerate(people):
        found = (models.get((s.body, s.gender if s.body != "anny" else "")) for s in person)
        trials = tuple(virtual_markers(s, markers, body=body) for s, body in zip(person, found))
        result.append(Person(f"person {k + 1}", trials))
    return result


def _even(total: int, parts: int) -> list[int]:
    edges = np.linspace(0, total, parts + 1).round().astype(int)
    return [int(n) for n in np.diff(edges)]


def _spread(length: int, count: int) -> NDArray[np.int64]:
    """Indices of ``count`` frames, one in the middle of each equal stretch."""
    return ((np.arange(count) + 0.5) * length / max(count, 1)).astype(np.int64)


def held_out_rigidity(
    folder: str | Path, count: int, poses: int, seed: int, markers: Sequence[VirtualMarker]
) -> Rigidity:
    """Measure rigidity on random adults: places from poses of the calibration's takes, errors in held-out ones."""
    held_out = [name for takes in HELD_OUT.values() for name, _, _ in takes] + list(HELD_OUT_MORE)
    known, other = (sample_poses(read_takes(folder, names), poses) for names in (CALIBRATION_TAKES, held_out))
    people = marker_people(anny_people(count, seed, [known, other]))
    names = people[0].trials[0].marker_names
    seen, unseen = ([person.trials[k].markers for person in people] for k in (0, 1))
    return measure_rigidity(seen, unseen, names, {m.name: m.segment for m in markers})

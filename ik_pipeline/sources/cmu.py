"""CMU takes on random Anny adults: the free data set.

Each person is a random adult who performs all takes of one CMU subject, half of them seen in a mirror. What makes
persons differ comes from the seed and the person's number alone, so that a longer run begins with the persons of a
shorter one and the order of work does not matter.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.io import Trial
from biopose_sim.io.bvh import Bvh
from biopose_sim.io.notice import listed
from biopose_sim.paths import markerset_path, models_dir
from ik_pipeline.sources.cmu_poses import pose_sequence, scaling_trials
from ik_pipeline.sources.cmu_takes import LAYOUT, Take, list_takes, prepare_takes, read_take
from ik_pipeline.sources.common import file_hash, finished, safe_name
from ik_pipeline.sources.options import SourceOptions
from ik_pipeline.sources.resample import whole_stride
from ik_pipeline.types import Listing, PersonSpec, TrialSpec

if TYPE_CHECKING:
    from biopose_sim.bodies.body import Body
    from biopose_sim.bodies.markers import BodyMarkers

Array = NDArray[np.float64]
Takes = list[Take]
# 34 for each of CMU's 11 subjects: 1.04 million frames at 30 Hz.
PERSONS = 374
RATE = 30.0
TEST, VAL = ("02", "08", "10"), ("03", "07")
# Frames of a training window; shorter trials are solved but give none.
WINDOW = 64
# Random adults are drawn in blocks, each with its own seed.
_BLOCK = 16
# Decimals of phenotype values: enough for 0.01 mm, and the same on every machine.
_DECIMALS = 6

# Takes that are left out, with the reason: what `retarget_check.check` finds at the full 120 Hz to be wrong in the
# recording itself, whatever body it is put on. In pirouettes of subject 05 the right leg's markers are lost and bones
# turn at 109 to 276 rad/s; where elbows bend backwards, the forearm points behind the body in all frames. Other doubts
# of the check (feet turned out in dance, uneven ground, single fast frames) are no reason.
_JUMPS, _ELBOWS = "limbs jump", "elbows bend backwards"
EXCLUDED: dict[str, str] = {
    **dict.fromkeys(("01_01", "13_18", "14_23"), _ELBOWS),
    **dict.fromkeys(("01_14", "05_05", "05_06", "05_08", "05_10", "05_14", "05_15"), _JUMPS),
    **dict.fromkeys(("05_16", "05_17", "05_18", "05_19"), _JUMPS),
    "07_12": "no foot ever stands still",
    "14_36": "it is the same file as 14_31",
}


@dataclass(frozen=True)
class _Pace:
    """How a take is brought to the wanted rate: every ``stride``-th frame, or resampled where that does not fit."""

    stride: int
    fps: float | None
    rate: float

    def count(self, frames: int, phase: int) -> int:
        """Number of frames that are left of those of a take."""
        usable = frames - phase
        if self.fps is None:
            return len(range(0, usable, self.stride))
        return int((usable - 1) * self.fps / self.rate + 1e-6) + 1

    @property
    def phases(self) -> int:
        """How many starting frames give other frames of the take."""
        return self.stride if self.fps is None else int(self.rate // self.fps)


def pace(rate: float, wanted: float) -> _Pace:
    """Return how frames at one rate [Hz] become frames at a wanted rate; a slower rate stays."""
    stride = whole_stride(rate, wanted)
    return _Pace(1, wanted, rate) if stride is None else _Pace(stride, None, rate)


class CmuSource:
    """See `ik_pipeline.types.Source`; ``prepare`` must come before all else."""

    name = "cmu"
    virtual = True

    def __init__(self, folder: Path, options: SourceOptions) -> None:
        self.folder = folder
        self.options = options
        self.prepared: Path | None = None

    def prepare(self, work: Path) -> None:
        """Unpack the takes into ``work``; see `cmu_takes.prepare_takes`."""
        self.prepared = prepare_takes(self.folder, work)

    def list(self) -> Listing:
        """Return the persons; see `PERSONS`, `TEST`, `VAL` and `EXCLUDED` for what is not said otherwise."""
        if self.prepared is None:
            raise InputError(self.folder, "has not been prepared", "call prepare first")
        takes, bad = list_takes(self.prepared)
        usable = [take for take in takes if take.name not in EXCLUDED]
        by_subject: dict[str, Takes] = {}
        for take in usable:
            by_subject.setdefault(take.subject, []).append(take)
        asked = self.options
        wished = replace(
            asked,
            persons=None,
            test=TEST if asked.test is None else asked.test,
            val=VAL if asked.val is None else asked.val,
        )
        kept_out = {*(wished.test or ()), *(wished.val or ())}
        posed = [take for take in usable if take.subject not in kept_out] or usable
        persons = self._persons(by_subject, posed) if by_subject else []
        return finished(self.folder, persons, bad, self._notices(takes, usable), wished, LAYOUT)

    def read(self, person: PersonSpec, trial: TrialSpec) -> Trial:
        """Put the take on the person's body; all that decides it is in the trial."""
        from biopose_sim.bodies.markers import virtual_markers
        from biopose_sim.bodies.retarget import retarget

        about = trial.details
        if "pose" in about:
            sequence = pose_sequence(trial)
        else:
            bvh = _sampled(read_take(trial.files[0]), about)
            phenotypes = np.array(about["phenotypes"])
            sequence = retarget(bvh, phenotypes, limit=(0, bvh.n_frames), fps=about["fps"], heading=about["heading"])
        markers, body = _anny()
        read = virtual_markers(sequence, markers, body=body)
        return replace(read, name=trial.name, source=None, nominal_rate=about["rate"])

    def configuration(self) -> Mapping[str, Any]:
        """Return the hashes of the bodies and of the markers on them; the rest is in the trials."""
        return {
            "source": self.name,
            "bodies": file_hash(models_dir() / "bodies" / "anny_adult.npz"),
            "markers": file_hash(markerset_path("anny")),
        }

    def _persons(self, by_subject: Mapping[str, Takes], posed: Takes) -> Sequence[PersonSpec]:
        count = self.options.persons or PERSONS
        adults = random_adults(count, self.options.seed or 0, self.options.gender)
        tall, heavy = _sizes(adults)
        subjects = sorted(by_subject)
        return [
            self._person(k, subjects[k % len(subjects)], by_subject, posed, adults[k], float(tall[k]), float(heavy[k]))
            for k in range(count)
        ]

    def _person(
        self,
        number: int,
        subject: str,
        by_subject: Mapping[str, Takes],
        posed: Takes,
        adult: Array,
        tall: float,
        heavy: float,
    ) -> PersonSpec:
        # Sexes alternate from person to person; with a number of subjects that is odd, as CMU's 11, every subject
        # meets each mixture of sex, mirror and phase in turn.
        turned = number // 2 % 2 == 1
        trials = tuple(self._trial(number, take, adult, turned) for take in by_subject[subject])
        return PersonSpec(
            id=f"cmu{safe_name(subject)}_{number:04d}",
            dataset=self.name,
            trials=trials,
            group=subject,
            sex="female" if adult[0] > 0.5 else "male",
            stature=round(tall, 4),
            mass=round(heavy, 2),
            details={"phenotypes": adult.tolist(), "mirrored": turned, "number": number},
            poses=scaling_trials(posed, {"phenotypes": adult.tolist()}),
        )

    def _trial(self, number: int, take: Take, adult: Array, turned: bool) -> TrialSpec:
        how = pace(take.rate, self.options.fps or RATE)
        phase = number // 4 % max(1, how.phases)
        # A take too short to begin later begins at once.
        phase = phase if take.frames > phase + 1 else 0
        random = np.random.default_rng([self.options.seed or 0, number, zlib.crc32(take.name.encode())])
        details = {
            "phenotypes": adult.tolist(),
            "mirrored": turned,
            "phase": phase,
            "heading": round(float(random.uniform(-np.pi, np.pi)), 6),
            "first": take.first + phase,
            "stride": how.stride,
            "fps": how.fps,
            "rate": how.fps or take.rate / how.stride,
            "frames": how.count(take.frames, phase),
        }
        return TrialSpec(safe_name(take.name), (take.file,), details)

    def _notices(self, takes: Takes, usable: Takes) -> Sequence[str]:
        reasons: dict[str, Takes] = {}
        for take in takes:
            if take.name in EXCLUDED:
                reasons.setdefault(EXCLUDED[take.name], []).append(take)
        told = [f"Left out because {why}: {', '.join(t.name for t in found)}." for why, found in reasons.items()]
        wanted = self.options.fps or RATE
        short = [take.name for take in usable if pace(take.rate, wanted).count(take.frames, 0) < WINDOW]
        if short:
            told.append(f"Too short for a window of {WINDOW} frames, solved all the same: {listed(short)}.")
        slow = [take.name for take in usable if take.rate < wanted * (1 - 1e-3)]
        if slow:
            told.append(f"Slower than {wanted:g} Hz and left at their own rate: {listed(slow)}.")
        return told


def random_adults(count: int, seed: int, sex: str | None = None) -> Array:
    """Draw random adults so that the first persons do not depend on how many there are.

    Args:
        count: how many.
        seed: the same seed gives the same people.
        sex: ``"female"``, ``"male"`` or None for both in turn.

    Returns:
        (count, 6) phenotype values in the order of ``anny.PHENOTYPES``.
    """
    blocks = [_block_of_adults(block, seed, sex) for block in range(-(-count // _BLOCK))]
    return np.concatenate(blocks)[:count]


@lru_cache(maxsize=64)
def _block_of_adults(block: int, seed: int, sex: str | None) -> Array:
    from biopose_sim.bodies.phenotypes import sample_adults

    own = int(np.random.SeedSequence([seed, block]).generate_state(1)[0])
    adults = np.asarray(sample_adults(_BLOCK, own, sex), dtype=np.float64)  # type: ignore[arg-type]
    return np.round(adults, _DECIMALS)


def _sizes(adults: Array) -> tuple[Array, Array]:
    """Statures [m] and masses [kg]."""
    from biopose_sim.bodies.phenotypes import mass, stature

    return np.asarray(stature(adults), dtype=float), np.asarray(mass(adults), dtype=float)


def _sampled(bvh: Bvh, about: Mapping[str, Any]) -> Bvh:
    """The frames of a take that a trial has, mirrored where it is; resampled later where ``fps`` says so."""
    from ik_pipeline.sources.mirror import mirrored

    values = bvh.values[about["first"] :: about["stride"]]
    time = 1.0 / about["rate"] if about["fps"] is None else bvh.frame_time
    part = replace(bvh, values=np.ascontiguousarray(values), frame_time=time)
    return mirrored(part) if about["mirrored"] else part


@lru_cache(maxsize=1)
def _anny() -> tuple[BodyMarkers, Body]:
    from biopose_sim.bodies.anny import AnnyBody
    from biopose_sim.bodies.markers import read_body_markers

    return read_body_markers("anny"), AnnyBody()

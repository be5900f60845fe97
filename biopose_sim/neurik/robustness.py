"""Robustness: the errors of methods on markers that are noisy, missing, or on a body mesh as video gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from biopose_sim.kinematics.model import OsimModel
from biopose_sim.neurik.augment import AugmentConfig, mesh_error, missing
from biopose_sim.neurik.evaluate import Markers, Method, by, evaluate
from biopose_sim.neurik.metrics import Scores
from ik_pipeline.shards import ShardData

NOISE, MISSING, MESH, NAMED = "noise", "missing", "mesh", "named"
# Half of the variance of a mesh error stays: a wrong shape. Figures of its time and length are those of training.
_CONSTANT = 0.5
_STEPS = 12  # of the search for a share of missing markers


@dataclass(frozen=True)
class Condition:
    """A disturbance of all trials.

    Attributes:
        kind: which curve it belongs to: ``"noise"``, ``"missing"``, ``"mesh"`` or, as one of its own, ``"named"``.
        level: place on the curve, in the unit of `UNITS`.
        noise: standard deviation of white noise per axis [mm]; its mean length is 1.6 times as large.
        missing: share of the samples that miss.
        mesh: mean length of the mesh error [mm].
    """

    kind: str
    level: float
    noise: float = 0.0
    missing: float = 0.0
    mesh: float = 0.0

    @property
    def text(self) -> str:
        """In a few words."""
        parts = [
            f"{self.noise:g} mm noise per axis" if self.noise else "",
            f"{100.0 * self.missing:g} % missing" if self.missing else "",
            f"{self.mesh:g} mm mesh error" if self.mesh else "",
        ]
        return ", ".join(part for part in parts if part) or "undisturbed"


@dataclass(frozen=True)
class Point:
    """What a method makes of a condition.

    Attributes:
        method: its name.
        condition: the disturbance.
        scores: over all trials.
        moved: how far seen markers were moved in the mean [mm].
        missed: share of the samples that missed.
    """

    method: str
    condition: Condition
    scores: Scores
    moved: float
    missed: float


UNITS = {NOISE: "mm, standard deviation per axis", MISSING: "% of the samples", MESH: "mm, mean length"}
CLEAN = Condition(NOISE, 0.0)
CONDITIONS = (
    CLEAN,
    *(Condition(NOISE, level, noise=level) for level in (5.0, 10.0, 20.0, 30.0, 40.0)),
    *(Condition(MISSING, level, missing=level / 100.0) for level in (10.0, 20.0, 30.0, 40.0, 50.0)),
    *(Condition(MESH, level, mesh=level) for level in (10.0, 20.0, 30.0, 40.0, 50.0, 60.0)),
    Condition(NAMED, 0.0, noise=20.0, missing=0.2),
)


class Disturbance:
    """Disturbs trials of shards, each by its own chance: a `neurik.evaluate.Disturb`.

    White noise is independent for every marker, frame and axis. Of missing markers about half miss throughout a trial
    and half for a stretch of it (`augment.missing`), together as many as asked for. A mesh error as video tools make
    it is a sum of two fields that are alike on neighbouring parts of the body, with half of the variance each: one
    stays for the whole trial and goes along with the segments, as a wrong body shape does; one varies over time.

    Args:
        data: the shards, whose true segments tell where a shape error goes.
        model: their generic model.
        condition: how much of what.
        seed: of all chance, with the trial's row.
        config: length on the body and duration over which mesh errors are alike.
    """

    def __init__(
        self,
        data: ShardData,
        model: OsimModel,
        condition: Condition,
        seed: int = 0,
        config: AugmentConfig | None = None,
    ) -> None:
        self.data, self.model, self.condition, self.seed = data, model, condition, seed
        self.config = config or AugmentConfig()
        self._bodies = torch.tensor(np.asarray(model.tree.marker_body), dtype=torch.long)
        with torch.no_grad():
            neutral = model(model.default_coordinates)
            self.places, self._neutral = neutral.markers.float(), neutral.transforms[:, :3, :3].float()
        self._length, self._seen, self._missed, self._samples = 0.0, 0, 0, 0

    def __call__(self, markers: Markers, rate: float, row: int) -> Markers:
        """Return disturbed markers (T, M, 3) [m] of the trial of a row."""
        random = torch.Generator().manual_seed(1_000_003 * (self.seed + 1) + row)
        given = torch.from_numpy(markers)
        found, condition = given.clone(), self.condition
        if condition.mesh:
            found += 1e-3 * condition.mesh * self._mesh(given, rate, row, random)
        if condition.noise:
            found += 1e-3 * condition.noise * torch.randn(found.shape, generator=random)
        seen = torch.isfinite(given).all(dim=-1)
        if condition.missing:
            found[dropped(condition.missing, len(found), found.shape[1], random) & seen] = torch.nan
        left = torch.isfinite(found).all(dim=-1)
        self._length += float((found - given).norm(dim=-1)[left].sum())
        self._seen += int(left.sum())
        self._missed += int((~left).sum())
        self._samples += left.numel()
        return found.numpy()

    @property
    def moved(self) -> float:
        """How far seen markers were moved so far, in the mean [mm]."""
        return 1e3 * self._length / max(self._seen, 1)

    @property
    def missed(self) -> float:
        """Share of the samples so far that missed."""
        return self._missed / max(self._samples, 1)

    def _mesh(self, markers: Tensor, rate: float, row: int, random: torch.Generator) -> Tensor:
        """A displacement (T, M, 3) in ground, of mean length 1 over the markers that are seen."""
        config, share = self.config, _CONSTANT
        time = torch.arange(len(markers))[None] / rate
        varying = mesh_error(time, self.places, config.mesh_length, config.mesh_time, random)[0]
        shape = mesh_error(time[:, :1], self.places, config.mesh_length, config.mesh_time, random)[0, 0]
        field = share**0.5 * self._carried(shape, row) + (1.0 - share) ** 0.5 * varying
        # Few parts of the body err independently: without this a trial's errors were a third larger or smaller.
        return field / field.norm(dim=-1)[torch.isfinite(markers).all(dim=-1)].mean()

    @torch.no_grad()
    def _carried(self, shape: Tensor, row: int) -> Tensor:
        """Displacements (M, 3) in the neutral pose, turned with the segments of a trial, (T, M, 3)."""
        trial = self.data.trial(row)
        q = torch.from_numpy(np.array(trial["coordinates"], dtype=float))
        turned = self.model.scale(np.array(trial["scales"], dtype=float))(q).transforms[..., :3, :3].float()
        local = torch.einsum("mji,mj->mi", self._neutral[self._bodies], shape)
        return torch.einsum("tmij,mj->tmi", turned[:, self._bodies], local)


def dropped(share: float, frames: int, count: int, random: torch.Generator) -> Tensor:
    """Return which samples (T, M) miss: as `augment.missing` chooses them, as many as the share says."""
    state = random.get_state()

    def chosen(asked: float) -> Tensor:
        random.set_state(state)
        return missing(torch.tensor([asked]), frames, count, random)[0]

    # More asked for is never less missing, as chance is the same.
    low, high = 0.0, 2.0
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if float(chosen(middle).float().mean()) < share else (low, middle)
    return chosen(high)


def curves(
    data: ShardData,
    model: OsimModel,
    methods: Mapping[str, Method],
    *,
    conditions: Sequence[Condition] = CONDITIONS,
    seed: int = 0,
    most_trials: int | None = None,
    most_persons: int | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> list[Point]:
    """Return what each method makes of each condition; all methods see the same markers.

    Args:
        data: the split.
        model: the generic model of the shards.
        methods: by name.
        conditions: disturbances.
        seed: of all chance.
        most_trials: of each person.
        most_persons: spread over the split; all if None.
        progress: is told what is being done.
    """
    found = []
    for condition in conditions:
        for name, method in methods.items():
            disturb = Disturbance(data, model, condition, seed)
            scores = evaluate(
                data,
                model,
                method,
                disturb=disturb,
                most_trials=most_trials,
                most_persons=most_persons,
                progress=_told(progress, f"{condition.text}, {name}"),
            )
            if scores:
                found.append(Point(name, condition, by(scores, "all")["all"], disturb.moved, disturb.missed))
    return found


def _told(progress: Callable[[str], None], what: str) -> Callable[[str], None]:
    return lambda text: progress(f"{what}: {text}")

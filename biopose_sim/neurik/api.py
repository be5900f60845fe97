"""NeurIK as a user has it: a trained network by its name, a trial in, a motion out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.neurik.predict import Prediction, Predictor
from biopose_sim.neurik.stream import Stream
from biopose_sim.neurik.weights import find_weights, load_network, read_card

DEFAULT = "neurik-base"


class NeurIK:
    """Motion and size of a person from markers, by a trained network.

    Attributes:
        folder: of the weights.
        card: what their card says: data, licence, metrics, hash.
        predictor: does the work.
        model: the generic model, with the markers that the network knows.
    """

    def __init__(self, predictor: Predictor, folder: Path, card: dict[str, Any]) -> None:
        self.predictor, self.folder, self.card = predictor, folder, card

    @classmethod
    def from_pretrained(cls, name: str | Path = DEFAULT, model: OsimModel | None = None) -> NeurIK:
        """Load trained weights.

        Args:
            name: of weights that are shipped, or a folder that holds some.
            model: that they were trained for; the default model with the virtual markers if none is given.

        Raises:
            InputError: no such weights, files that do not belong together, or a model of other coordinates.
        """
        folder = find_weights(name)
        return cls(Predictor(load_network(folder, model)), folder, read_card(folder))

    @property
    def model(self) -> OsimModel:
        """The generic model, with the markers that the network knows."""
        return self.predictor.skeleton.model

    def predict(self, trial: Trial, refine: bool = False) -> KinematicsResult:
        """Return the motion of one trial; :meth:`predict_person` gives the scaled model besides.

        Args:
            trial: markers by the names of the model's, ground frame with Y up [m], any frame rate; NaN where missing.
            refine: polish with the engine.

        Raises:
            InputError: fewer than ten markers that the network knows, or uneven times.
        """
        return self.predict_person([trial], refine).results[0]

    def predict_person(self, trials: Sequence[Trial], refine: bool = False) -> Prediction:
        """Return one person's scaled model, from all trials together, and the motion of each.

        Args:
            trials: of one person.
            refine: polish with the engine.

        Raises:
            InputError: as :meth:`predict`, or no trial.
        """
        return self.predictor.person(trials, refine)

    def predict_many(self, persons: Sequence[Sequence[Trial]], refine: bool = False) -> list[Prediction]:
        """Return what :meth:`predict_person` does for each of several persons, in one go."""
        return self.predictor.many(persons, refine)

    def stream(self, rate: float = 30.0, delay: float | None = None) -> Stream:
        """Return what takes frames as they come and gives poses back a little later.

        Args:
            rate: frames per second [Hz].
            delay: most that a pose comes after its frame [s]; shorter delays cost more time.

        Raises:
            InputError: a rate that is none, or a delay that cannot be kept.
        """
        return Stream(self.predictor, rate) if delay is None else Stream(self.predictor, rate, delay)

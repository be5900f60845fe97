"""What a user may ask of a source, and which source can use what."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from biopose_sim.errors import InputError

GENDERS = ("female", "male", "neutral")


@dataclass(frozen=True)
class SourceOptions:
    """Wishes about a data set; None or empty leaves it to the source.

    Attributes:
        fps: frames per second [Hz] that body motions are brought to where they are faster.
        body_models: folder of the SMPL family's model files.
        persons: how many persons: of ``cmu`` to make, of the others to take, in their order.
        trials: how many trials of each person to take, in their order.
        seed: of random bodies and headings.
        gender: of the SMPL family, the body model to use whatever the files say; of ``cmu``, of all persons.
        include_persons: patterns like ``"Subject_1*"``; persons whose id matches one of them are taken.
        include_trials: patterns of trials' names.
        test: patterns of groups whose persons are for testing.
        val: patterns of groups whose persons are for validation.
    """

    fps: float | None = None
    body_models: Path | None = None
    persons: int | None = None
    trials: int | None = None
    seed: int | None = None
    gender: str | None = None
    include_persons: tuple[str, ...] = ()
    include_trials: tuple[str, ...] = ()
    test: tuple[str, ...] | None = None
    val: tuple[str, ...] | None = None


_ALWAYS = ("persons", "trials", "include_persons", "include_trials", "test", "val")
_BODIES = (*_ALWAYS, "fps", "body_models", "gender")
USED: dict[str, tuple[str, ...]] = {
    "bml-movi": _BODIES,
    "bedlam": _BODIES,
    "amass": _BODIES,
    "opencap": _ALWAYS,
    "markers": _ALWAYS,
    "cmu": (*_ALWAYS, "fps", "seed", "gender"),
}
_WHY_NOT = {
    "fps": "recorded markers are solved at their own rate",
    "body_models": "only bodies of the SMPL family need model files",
    "seed": "nothing of it is random",
    "gender": "it has no body model to choose",
}


def check_options(name: str, options: SourceOptions) -> None:
    """Check the options for a source.

    Raises:
        InputError: one that the source cannot use, or a value that cannot be.
    """
    where = f"source '{name}'"
    for field in fields(options):
        if getattr(options, field.name) != field.default and field.name not in USED[name]:
            raise InputError(where, f"cannot use the option {field.name}", _why_not(name, field.name))
    for option in ("persons", "trials"):
        count = getattr(options, option)
        if count is not None and count < 1:
            raise InputError(where, f"{option} is {count}", "ask for at least one")
    if options.fps is not None and not 1.0 <= options.fps <= 2000.0:
        raise InputError(where, f"fps is {options.fps:g} Hz", "give 1 to 2000")
    if options.seed is not None and options.seed < 0:
        raise InputError(where, f"seed is {options.seed}", "give zero or a positive number")
    known = GENDERS[:2] if name == "cmu" else GENDERS
    if options.gender is not None and options.gender not in known:
        raise InputError(where, f"gender is '{options.gender}'", f"give {' or '.join(known)}")


def _why_not(name: str, option: str) -> str:
    if name == "cmu":
        return "its bodies are Anny's, which need no model file"
    return _WHY_NOT[option]

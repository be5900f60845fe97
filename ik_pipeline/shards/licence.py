"""What may be done with shards, by the data set they come from and the model they hold."""

from __future__ import annotations

from collections.abc import Iterable

FREE = {
    "cmu": "CMU motion (free for use in research and commercial projects worldwide) on Anny bodies (assets CC0): "
    "free to use, share and train on.",
    "anny": "Anny bodies (assets CC0): free to use, share and train on, as far as the motion on them is.",
}
# Names that begin so are of data sets whose licence is given to registered persons only.
REGISTERED = ("amass", "bml", "movi", "bedlam", "smpl")
_REGISTERED = (
    "made from data licensed to registered users only (MPI, BML-MoVi): for the use of the person who registered; must "
    "not be redistributed. Its licence also says what may be done with weights that are trained on it."
)
_OWN = "the user's own recordings: who may use them is for their owner and the persons recorded to say."
_MODEL_DEFAULT = "The model is the project's default one (Apache-2.0)."
_MODEL_OWN = "The model is the user's own: its licence applies to the copy in this folder."


def licence_note(datasets: Iterable[str], default_model: bool) -> dict[str, object]:
    """Return what the card says: a line for each data set, one for the model, and whether all may be shared."""
    notes = {name: _note(name) for name in sorted(set(datasets))}
    return {
        "data": notes,
        "model": _MODEL_DEFAULT if default_model else _MODEL_OWN,
        "redistributable": default_model and all(name.lower() in FREE for name in notes),
    }


def _note(name: str) -> str:
    lower = name.lower()
    if lower in FREE:
        return FREE[lower]
    return _REGISTERED if lower.startswith(REGISTERED) else _OWN

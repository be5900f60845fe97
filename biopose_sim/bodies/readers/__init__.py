"""Readers of body motions: data sets and the results of video tools, as `BodySequence`. Nothing in a file is run."""

from .clip import Track
from .load import load, load_all, tracks
from .movi import Action, actions, read_movi_markers
from .own import save_sequence
from .unpickle import Inert, load_pickle

__all__ = [
    "Action",
    "Inert",
    "Track",
    "actions",
    "load",
    "load_all",
    "load_pickle",
    "read_movi_markers",
    "save_sequence",
    "tracks",
]

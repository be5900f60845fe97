"""What the flags of the frames of a video mean, in words for the reader."""

from __future__ import annotations

_WORDS = {
    "ok": "",
    "few_points": "few key points: carried by the frames around it",
    "no_person": "nobody found",
    "outside_picture": "most of the person outside of the picture",
    "far_from_start": "far from where refinement started",
    "at_limits": "many joints at the end of their range",
    "unrefined": "not refined: it would have become worse",
    "no_better": "not refined: nothing better was found",
    "behind": "not refined: partly behind the camera",
}


def flag_words(flag: str) -> str:
    """Return what a flag of `biopose_sim.video` says of its frame; empty where all is well, itself if it is unknown."""
    return _WORDS.get(flag, flag.replace("_", " "))

"""Errors that reach the user as one line: what is wrong, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class BioposeError(Exception):
    """A failure of ours; the command line prints it as one line and exits with code 1."""

    exit_code = 1


class InputError(BioposeError):
    """Bad input of the user: names the file, what is wrong and what would be right (exit code 2).

    Args:
        source: the file (or object) that is at fault.
        problem: what is wrong with it.
        remedy: what would be right; may be empty when the problem says it.
    """

    exit_code = 2

    def __init__(self, source: str | Path, problem: str, remedy: str = "") -> None:
        self.source = str(source)
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{self.source}: {problem}" + (f"; {remedy}" if remedy else ""))


def near_matches(name: str, valid: Iterable[str], count: int = 3) -> str:
    """Return ``" (did you mean 'A', 'B'?)"`` for the valid names nearest to ``name``, or ``""``."""
    by_lower: dict[str, str] = {}
    for candidate in valid:
        by_lower.setdefault(candidate.lower(), candidate)
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=count, cutoff=0.6)
    if not close:
        return ""
    return " (did you mean " + ", ".join(repr(by_lower[c]) for c in close) + "?)"

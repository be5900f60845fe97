"""What ends a run, as against what costs one trial: results that cannot be written."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from biopose_sim.errors import BioposeError, InputError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class OutputError(BioposeError):
    """Results cannot be written: no further trial could be kept either."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(message)


def cannot_write(path: object, why: str) -> OutputError:
    """Return the error that ends a run."""
    why = why.removeprefix("cannot be written (").removesuffix(")")
    return OutputError(f"{path}: cannot be written ({why}); make room, then run the same command with --resume")


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn whatever goes wrong while results are written into an error that ends the run.

    Args:
        folder: what is named where the system does not say which file it was.
    """
    try:
        yield
    except InputError as error:  # of our own writers
        raise cannot_write(error.source, error.problem) from error
    except OSError as error:
        raise cannot_write(_file_of(error, folder), str(error.strerror or error)) from error


@contextlib.contextmanager
def noticing_full_disks(folder: Path) -> Iterator[None]:
    """Turn a full or read-only disk, wherever it is met, into an error that ends the run.

    Args:
        folder: what is named where the system does not say which file it was.
    """
    try:
        yield
    except InputError as error:
        if _no_room(error):
            raise cannot_write(error.source, error.problem) from error
        raise
    except OSError as error:
        if _no_room(error):
            raise cannot_write(_file_of(error, folder), str(error.strerror)) from error
        raise


def _file_of(error: OSError, folder: Path) -> object:
    """The file that could not be written: of two the second, for the first was copied or renamed."""
    return error.filename2 or error.filename or folder


def _no_room(error: BaseException | None) -> bool:
    """Whether a full disk is among the causes."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return True
        error = error.__cause__
    return False

"""Files that are either the old one or the whole new one, never half of it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling to write to; it takes the place of ``path`` when the block ends well.

    If the block raises, the temporary file is removed and ``path`` stays as it was.

    Raises:
        InputError: the folder is missing or not writable, or ``path`` is a folder.
    """
    target = Path(path)
    temporary = _create_sibling(target)
    try:
        yield temporary
        try:
            os.replace(temporary, target)
        except OSError as error:
            raise InputError(target, f"cannot be written ({error.strerror})") from error
    finally:
        temporary.unlink(missing_ok=True)


def atomic_write(path: str | Path, content: str | bytes) -> Path:
    """Write ``content`` (text as UTF-8, line ends as given) to ``path`` in one step and return the path.

    Raises:
        InputError: the folder is missing or not writable, ``path`` is a folder, or the disk is full.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with atomic_path(path) as temporary:
        try:
            temporary.write_bytes(data)
        except OSError as error:
            raise InputError(path, f"cannot be written ({error.strerror})") from error
    return Path(path)


def _create_sibling(target: Path) -> Path:
    folder = target.parent
    if target.is_dir():
        raise InputError(target, "is a folder", "give the path of a file")
    if not folder.exists():
        raise InputError(target, f"folder '{folder}' does not exist", "create it first")
    if not folder.is_dir():
        raise InputError(target, f"'{folder}' is not a folder")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:80]}.", suffix=".tmp", dir=folder)
    except OSError as error:
        raise InputError(target, f"folder '{folder}' is not writable ({error.strerror})") from error
    os.close(handle)
    os.chmod(name, _mode_for(target))
    return Path(name)


def _mode_for(target: Path) -> int:
    """Permissions of the file that is replaced, else those that a plain ``open`` would give."""
    with contextlib.suppress(OSError):
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask

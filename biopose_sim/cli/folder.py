"""Result folders: everything a command writes appears at its end, or nothing does."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from biopose_sim.errors import InputError


class ResultFolder:
    """A folder for results; files are written into a hidden folder inside and moved when the block ends well.

    Whether the folder can be written to is found out at the start, before anything is computed. If the block
    raises (Ctrl-C included), what it wrote is removed, and so is the folder if it was made for it.

    Args:
        path: the folder; made if it is not there.

    Raises:
        InputError: the folder cannot be made or written to.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._made: list[Path] = []
        self._names: list[str] = []
        self._stage: Path | None = None

    def __enter__(self) -> ResultFolder:
        try:
            self._make()
            self._stage = Path(tempfile.mkdtemp(prefix=".biopose-", dir=self.path))
        except OSError as error:
            self._remove_made()
            raise InputError(self.path, f"cannot be written to ({_reason(error)})", "choose another folder") from error
        return self

    def file(self, name: str) -> Path:
        """Return where to write the file ``name`` for now."""
        assert self._stage is not None  # the block was entered
        if name not in self._names:
            if (self.path / name).is_dir():
                raise InputError(self.path / name, "is a folder", "remove it or choose another output folder")
            self._names.append(name)
        return self._stage / name

    @property
    def staged(self) -> list[Path]:
        """Where the files lie until the block ends."""
        return [self.file(name) for name in self._names]

    @property
    def files(self) -> list[Path]:
        """Final paths of the files, in the order of :meth:`file`."""
        return [self.path / name for name in self._names]

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        assert self._stage is not None  # the block was entered
        try:
            if kind is None:
                self._publish(self._stage)
        finally:
            shutil.rmtree(self._stage, ignore_errors=True)
            self._remove_made()

    def _make(self) -> None:
        missing = self.path
        while not missing.exists():
            self._made.append(missing)
            missing = missing.parent
        self.path.mkdir(parents=True, exist_ok=True)

    def _publish(self, stage: Path) -> None:
        for name in self._names:
            try:
                os.replace(stage / name, self.path / name)
            except OSError as error:
                raise InputError(self.path / name, f"cannot be written ({_reason(error)})") from error

    def _remove_made(self) -> None:
        """Remove the folders that were made for the results and hold none."""
        for folder in self._made:
            try:
                folder.rmdir()
            except OSError:  # holds results
                return


def _reason(error: OSError) -> str:
    return str(error.strerror or error)

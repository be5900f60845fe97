"""What the user sees: one line per problem, one line of progress, plain tables."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence

import click

_TICK = 0.5  # [s]
_CLEAR = "\r\x1b[K"


def complain(text: str) -> None:
    """Print an error or a warning as one line on standard error."""
    click.echo("biopose: " + " ".join(text.splitlines()), err=True)


def warn_user(lines: Iterable[str]) -> None:
    """Print each different warning once."""
    for line in dict.fromkeys(lines):
        complain(f"warning: {line}")


@contextlib.contextmanager
def shown_warnings(everything: bool = False) -> Iterator[None]:
    """Print our own warnings as one line each, once; other libraries' only if ``everything`` is wanted."""
    told: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_rest: object, **_more: object) -> None:
        if category.__name__ == "BioposeWarning":
            if str(message) not in told:
                told.add(str(message))
                complain(f"warning: {message}")
        elif everything:
            complain(f"{category.__name__}: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.filterwarnings("always", category=UserWarning)
        warnings.showwarning = show
        yield


class Progress:
    """One line on a terminal that says what is done and for how long; silent where there is no terminal."""

    def __init__(self) -> None:
        self._text, self._since = "", 0.0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._thread = threading.Thread(target=self._tick, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._write(_CLEAR)

    def __call__(self, text: str) -> None:
        """Say what is done now."""
        self._text, self._since = text, time.monotonic()
        self._draw()

    def tell(self, text: str) -> None:
        """Print a line that stays."""
        if self._thread is not None:
            self._write(_CLEAR)
        click.echo(text)
        self._draw()

    def _tick(self) -> None:
        while not self._over.wait(_TICK):
            self._draw()

    def _draw(self) -> None:
        if self._thread is not None and self._text:
            seconds = int(time.monotonic() - self._since)
            self._write(f"{_CLEAR}{self._text} …" + (f" {seconds} s" if seconds else ""))

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        cells = [cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        click.echo("  " + "  ".join(cells).rstrip())

"""Ending long work tidily when the user or the system asks for it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stop_requests() -> Iterator[list[int]]:
    """Yield a list that holds a signal's number once Ctrl-C or SIGTERM came; after the block it does what it would.

    Work looks at the list where it can stop; a second signal does not wait for that. In threads other than the main
    one, to which no signal comes, the list stays empty.
    """
    asked: list[int] = []
    previous = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def note(number: int, _frame: FrameType | None) -> None:
        if asked:
            restore()
            signal.raise_signal(number)
        asked.append(number)

    try:
        for number in _SIGNALS:
            signal.signal(number, note)
    except ValueError:  # not the main thread
        yield asked
        return
    try:
        yield asked
    finally:
        restore()
    if asked:
        signal.raise_signal(asked[0])

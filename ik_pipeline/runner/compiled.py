"""Whether compiled code came from the cache on disk.

A process that compiles a kernel itself has it optimised together with what it calls; one that finds it in the cache has
not. Both are right, and differ in the last digit. So that results do not depend on who came first, what a process made
with kernels that it had to compile is made again by one that finds them in the cache.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def compiling() -> Iterator[list[str]]:
    """Yield a list that receives the names of the cached kernels that are compiled in the block."""
    from numba.core import event

    names: list[str] = []

    class _Listener(event.Listener):
        def on_start(self, event: event.Event) -> None:
            dispatcher = event.data["dispatcher"]
            if dispatcher.stats.cache_path is not None:
                names.append(dispatcher.py_func.__qualname__)

        def on_end(self, event: event.Event) -> None:
            return

    with event.install_listener("numba:compile", _Listener()):
        yield names

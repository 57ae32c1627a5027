"""Python's cyclic garbage collector, held still while a list of megabytes is read.

Owns:    the pause. Reading a list makes a million objects that all stay and form no cycles; the collector would walk them again and again.
Rules:   nested and parallel pauses are counted; the collector runs again when the last one ends, and only if it ran before.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_pauses = 0


@contextmanager
def collector_paused() -> Iterator[None]:
    """Hold the collector still inside the block."""
    global _pauses  # noqa: PLW0603 - the collector is the process's own
    with _lock:
        if _pauses == 0 and not gc.isenabled():
            ours = False
        else:
            ours = True
            _pauses += 1
            gc.disable()
    try:
        yield
    finally:
        if ours:
            with _lock:
                _pauses -= 1
                if _pauses == 0:
                    gc.enable()

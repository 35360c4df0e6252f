"""Locks between threads and processes: `flock` on files that are never taken away.

A session falls under one of the stripes, by its name; who takes several takes them in ascending
order. `flock` belongs to the open file, so that two threads of a process keep each other out as
two processes do, and the system lets go of it when its holder dies. (`fcntl` locks would be lost
when any descriptor of the file is closed.)
"""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager

from app.backends.files.names import Layout, stripe_of
from app.backends.files.system import System
from app.model.errors import StoreUnavailable

_LOCK_FILE = os.O_RDWR | os.O_CREAT
_FIRST_PAUSE = 0.0002
_LONGEST_PAUSE = 0.01


class Locks:
    """The locks of one store. Blocks: for threads of their own, never for the event loop."""

    def __init__(self, layout: Layout, system: System, *, patience: float = 30.0) -> None:
        """`patience` is how many seconds to wait for others."""
        self._layout = layout
        self._system = system
        self._patience = patience

    @contextmanager
    def stripes(self, names: Collection[str]) -> Iterator[None]:
        """Holds the stripes of these names. Raises `StoreUnavailable` when it takes too long."""
        with ExitStack() as held:
            for number in sorted({stripe_of(name) for name in names}):
                held.enter_context(self.hold(f"{number:02d}"))
            yield

    @contextmanager
    def stripe_if_free(self, name: str) -> Iterator[bool]:
        """Holds the stripe of a name, or answers False when somebody else does."""
        with self.hold_if_free(f"{stripe_of(name):02d}") as free:
            yield free

    @contextmanager
    def hold_if_free(self, lock: str) -> Iterator[bool]:
        """Holds a lock by its own name, or answers False when somebody else does."""
        with self._open(lock) as descriptor:
            yield _try(descriptor, fcntl.LOCK_EX)

    @contextmanager
    def hold(self, lock: str, *, shared: bool = False) -> Iterator[None]:
        """Holds a lock by its own name."""
        operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        with self._open(lock) as descriptor:
            give_up = time.monotonic() + self._patience
            pause = _FIRST_PAUSE
            while not _try(descriptor, operation):
                if time.monotonic() > give_up:
                    raise StoreUnavailable(
                        "another process has been writing to the store for "
                        f"{self._patience:.0f} seconds; try again when it is done"
                    )
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
                pause = min(pause * 2, _LONGEST_PAUSE)
            yield

    @contextmanager
    def _open(self, lock: str) -> Iterator[int]:
        # Closing lets go of the lock.
        with self._system.opened(self._layout.locks / lock, _LOCK_FILE) as descriptor:
            yield descriptor


def _try(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

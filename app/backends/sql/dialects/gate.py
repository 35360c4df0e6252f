"""A lock between processes that write to one SQLite file.

SQLite lets one connection write at a time and leaves the others to poll, which starves some of
them; and SQLite before 3.51.3 can lose a committed transaction when one process resets the
write-ahead log while another checkpoints. Behind this gate neither can happen among our own
processes: writing and checkpointing are done by who holds it.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from app.model.errors import StoreUnavailable

try:
    import fcntl
except ImportError:  # pragma: no cover - no flock on Windows, where SQLite's own lock remains
    fcntl = None  # type: ignore[assignment]

_Identity: TypeAlias = tuple[int, int] | None

_FIRST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.02


def _identity(path: Path) -> _Identity:
    """Returns what file a path leads to, None for none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


class WriterGate:
    """The gate of one store. Within a process it is taken by one task at a time."""

    def __init__(self, path: Path, *, patience: float = 30.0) -> None:
        """`patience` is how many seconds to wait for other processes."""
        self._path = path
        self._patience = patience
        self._descriptor: int | None = None
        self._inside = asyncio.Lock()
        self._guarded: tuple[Path, _Identity] | None = None
        self._alone: int | None = None

    def keep_alone(self, path: Path) -> None:
        """Keeps out other processes that want to be alone too, by a lock file, until closed.

        Raises `StoreUnavailable` when there is one.
        """
        descriptor = _open(path)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise StoreUnavailable(
                "another process has it open with single-process=1; stop that first"
            ) from None
        self._alone = descriptor

    def guard(self, store: Path) -> None:
        """From now on lets nobody in when the store's file is another than it is at this moment.

        Whoever has a file open that was deleted or replaced writes into nothing: what it
        acknowledged would be gone.
        """
        self._guarded = store, _identity(store)

    def check(self) -> None:
        """Raises `StoreUnavailable` when the store's file was removed or replaced."""
        if self._guarded is None:
            return
        store, opened = self._guarded
        if _identity(store) != opened:
            raise StoreUnavailable(
                "the store's file was removed or replaced while it was open: nothing was changed; "
                "put it back, or start again"
            )

    @asynccontextmanager
    async def hold(self, *, closing: bool = False) -> AsyncIterator[None]:
        """Holds the gate, for writing or, with `closing`, only to let go of the store.

        Raises `StoreUnavailable` when others keep it past our patience, and, for writing, when
        the store's file is no longer the one that was opened.
        """
        async with self._inside:
            descriptor = await self._enter()
            try:
                if not closing:
                    self.check()
                yield
            finally:
                if fcntl is not None:
                    fcntl.flock(descriptor, fcntl.LOCK_UN)

    async def _enter(self) -> int:
        while True:
            if self._descriptor is None:
                self._descriptor = _open(self._path)
            await self._lock(self._descriptor)
            found = os.fstat(self._descriptor)
            if _identity(self._path) == (found.st_dev, found.st_ino):
                return self._descriptor
            # The lock file was deleted: whoever came later waits at another one.
            self._leave()

    async def _lock(self, descriptor: int) -> None:
        if fcntl is None:
            return
        pause = _FIRST_PAUSE
        give_up = time.monotonic() + self._patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise StoreUnavailable(
                        "another process has been writing to the store for "
                        f"{self._patience:.0f} seconds; try again when it is done"
                    ) from None
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return

    def _leave(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def close(self) -> None:
        """Lets go of the lock files; the files themselves stay, others may have them open."""
        self._leave()
        if self._alone is not None:
            os.close(self._alone)
            self._alone = None


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreUnavailable(
            f"the lock file beside the store can't be opened ({error.strerror}), so nothing was "
            "changed: make room or change the permissions of its folder"
        ) from error

"""The stores that are measured: made in a temporary folder, or as a database of their own."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from rich.console import Console
from sqlalchemy import make_url

from app.backends.open import open_backend
from benchmarks.dataset import records


@dataclass(frozen=True, slots=True)
class Size:
    """How much a store holds; one session has `long` messages of its own beside the others."""

    sessions: int
    messages: int

    @property
    def deep(self) -> int:
        """How far back in the long session "deep" is."""
        return 5_000 if self.messages >= 100_000 else 500

    @property
    def long(self) -> int:
        """The messages of the long session."""
        return 2 * self.deep


@asynccontextmanager
async def sqlite_store(folder: Path, size: Size, console: Console) -> AsyncIterator[str]:
    """Makes a store in a file, and gives its URL."""
    url = f"sqlite:///{folder / 'store.db'}"
    await _build(url, size, console)
    yield url


@asynccontextmanager
async def postgresql_store(server: str, size: Size, console: Console) -> AsyncIterator[str]:
    """Makes a store in a database of its own, gives its URL, and drops it at the end.

    `server` is the URL of any database there, of a user who may create others. Raises OSError or
    asyncpg's errors where it can't be reached.
    """
    name = f"scrollback_benchmark_{os.getpid()}"
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        url = make_url(server).set(database=name).render_as_string(hide_password=False)
        try:
            await _build(url, size, console)
            analyzing = await asyncpg.connect(url)
            await analyzing.execute("VACUUM ANALYZE")
            await analyzing.close()
            yield url
        finally:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


async def _build(url: str, size: Size, console: Console) -> None:
    started = time.perf_counter()
    backend = await open_backend(url)
    try:
        loaded = await backend.load(records(size.sessions, size.messages, size.long))
    finally:
        await backend.close()
    console.print(
        f"built {loaded.sessions:,} sessions with {loaded.messages:,} messages "
        f"in {time.perf_counter() - started:.1f} s"
    )

"""Stores for the commands that move and compare them."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from app.backends.conformance.samples import all_done, changed, created, number_id, numbered
from app.backends.open import open_backend
from app.model.changes import Change

SOURCE = "sqlite:///source.db"
TARGET = "sqlite:///target.db"


def make_sessions(path: Path, count: int, messages: int = 3) -> None:
    """Makes a store of that many sessions of that many messages."""

    async def make() -> None:
        backend = await open_backend(f"sqlite:///{path}")
        for start in range(0, count, 50):
            numbers = range(start, min(start + 50, count))
            await all_done(
                backend,
                *(created(number_id(number), messages=numbered(messages)) for number in numbers),
            )
        await backend.close()

    asyncio.run(make())


def change(path: Path, number: int, *changes: Change, at: int = 9) -> None:
    """Changes one session of a store."""

    async def work() -> None:
        backend = await open_backend(f"sqlite:///{path}")
        await all_done(backend, changed(*changes, session_id=number_id(number), at=at))
        await backend.close()

    asyncio.run(work())


def count_sessions(path: Path) -> int:
    """Returns how many sessions a store has by now; none while it is not made yet."""
    if not path.exists():
        return 0
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM sessions").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()

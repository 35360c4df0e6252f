"""How long a store of files with many sessions takes to open, with its index and without."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from app.backends.open import open_backend
from benchmarks.storage.conversations import conversations
from benchmarks.storage.session_files import write_sessions
from benchmarks.storage.stores import Make

MESSAGES = 2


@dataclass(frozen=True, slots=True)
class Started:
    """Seconds from asking for the store to its first page of sessions, and of processor time."""

    what: str
    seconds: float
    processor: float


async def measure_starts(fresh: Make, sessions: int) -> AsyncIterator[Started]:
    """Yields how long each start takes, in a process of its own."""
    url = await fresh("start")
    path = Path(urlsplit(url).path[1:])
    await (await open_backend(url)).close()
    _drop_index(path)
    await write_sessions(path, conversations(sessions, MESSAGES))
    # As after a while: a start then has nothing of the writing to wait for.
    await asyncio.to_thread(os.sync)
    yield await _start(url, sessions, "without an index, which is made")
    for number in range(1, 4):
        yield await _start(url, sessions, f"with the index, {number}")


def _drop_index(path: Path) -> None:
    for file in path.glob("index.db*"):
        file.unlink()


async def _start(url: str, sessions: int, what: str) -> Started:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.storage.starter", url), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("a start failed: what it wrote to stderr says why")
    told = json.loads(output)
    if told["sessions"] != sessions:
        raise RuntimeError(f"{told['sessions']} sessions are there, {sessions} were written")
    return Started(what, told["seconds"], told["cpu"])

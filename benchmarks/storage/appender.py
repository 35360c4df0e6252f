"""A process that appends to a store as fast as its clients are answered.

Run as `python -m benchmarks.storage.appender URL` with the orders as JSON on the first line of its
input: `clients`, a list of the session that each of them appends to, and `seconds`. It prints
`ready`, begins at the next line, and prints what it reached as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import uvloop

from app.backends.open import open_backend
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import AddMessages, Commit, Committed
from app.model.identifiers import SessionId
from app.model.message import MessageRole, NewMessage
from app.model.parts import TextPart
from app.model.timestamps import now

TEXT = (
    "the flight from Lisbon leaves at nine and a change costs thirty euros; "
    "shall I take the two seats that are left in economy?"
)
_MESSAGE = NewMessage(MessageRole.USER, (TextPart(TEXT),), preview=TEXT)


async def append_for(backend: Backend, sessions: list[SessionId], seconds: float) -> dict[str, Any]:
    """Appends from one client for each of the sessions named, and returns what was reached.

    `times` has the seconds of each append, `seconds` how long all of them took, and `cpu` the
    processor time of that. What was begun in the first tenth, which warms up, does not count, and
    every client counts once at least.
    """
    times: list[float] = []
    processor: list[float] = []
    began = time.perf_counter() + seconds / 10
    end = began + seconds

    async def client(session_id: SessionId) -> None:
        counted = 0
        while (start := time.perf_counter()) < end or not counted:
            if start >= began and not processor:
                processor.append(time.process_time())
            commit = Commit(session_id, (AddMessages((_MESSAGE,)),), now())
            [outcome] = await backend.commit([commit], EVERYTHING)
            if not isinstance(outcome, Committed):
                raise outcome
            if start >= began:
                times.append(time.perf_counter() - start)
                counted += 1

    await asyncio.gather(*(client(each) for each in sessions))
    taken = time.perf_counter() - began
    return {"times": times, "seconds": taken, "cpu": time.process_time() - processor[0]}


async def run(url: str) -> None:
    """Follows the orders of the input."""
    orders = json.loads(await asyncio.to_thread(sys.stdin.readline))
    backend = await open_backend(url, migrate=False)
    try:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        sessions = [SessionId(each) for each in orders["clients"]]
        print(json.dumps(await append_for(backend, sessions, orders["seconds"])), flush=True)
    finally:
        await backend.close()


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1]))

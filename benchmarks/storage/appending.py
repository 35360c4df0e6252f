"""Appends a second: clients in one or several processes, on one session or on one each."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.backends.open import open_backend
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import Commit, Committed, CreateSession
from app.model.identifiers import Epoch, SessionId, UserId
from app.model.timestamps import now
from benchmarks.load import percentile
from benchmarks.storage.appender import append_for
from benchmarks.storage.stores import Kind, Make


@dataclass(frozen=True, slots=True)
class Load:
    """Who appends: so many clients on so many sessions, spread over so many processes."""

    clients: int
    sessions: int
    processes: int


@dataclass(frozen=True, slots=True)
class Appended:
    """What was reached: appends a second, times in milliseconds, microseconds of our processor."""

    rate: float
    p50: float
    p99: float
    processor: float


LOADS = (Load(1, 1, 1), Load(50, 1, 1), Load(50, 50, 1), Load(50, 1, 4), Load(50, 50, 4))
QUICK_LOADS = (Load(1, 1, 1), Load(8, 8, 2))


async def measure_appends(
    kind: Kind, fresh: Make, loads: Sequence[Load], seconds: float
) -> AsyncIterator[tuple[Load, Appended]]:
    """Yields what each load reaches on stores of a kind."""
    for number, load in enumerate(loads):
        if load.processes > 1 and not kind.processes:
            continue
        url = await fresh(f"append_{number}")
        backend = await open_backend(url)
        try:
            sessions = await create_sessions(backend, load.sessions)
            clients = [sessions[number % load.sessions] for number in range(load.clients)]
            if not kind.processes:
                told = [await append_for(backend, clients, seconds)]
        finally:
            await backend.close()
        if kind.processes:
            told = await _in_processes(url, clients, load.processes, seconds)
        times = sorted(time for one in told for time in one["times"])
        yield (
            load,
            Appended(
                len(times) / max(one["seconds"] for one in told),
                1_000 * percentile(times, 50),
                1_000 * percentile(times, 99),
                1e6 * sum(one["cpu"] for one in told) / max(len(times), 1),
            ),
        )


async def create_sessions(backend: Backend, count: int) -> list[SessionId]:
    """Makes empty sessions and returns their ids."""
    ids = [SessionId(secrets.token_hex(16)) for _ in range(count)]
    commits = [
        Commit(each, (CreateSession(key=each, epoch=Epoch("e"), owner_id=UserId("ana")),), now())
        for each in ids
    ]
    for outcome in await backend.commit(commits, EVERYTHING):
        if not isinstance(outcome, Committed):
            raise outcome
    return ids


async def _in_processes(
    url: str, clients: list[SessionId], processes: int, seconds: float
) -> list[dict[str, Any]]:
    async with AsyncExitStack() as running:
        appenders = [await running.enter_async_context(_appender(url)) for _ in range(processes)]
        for number, process in enumerate(appenders):
            orders = {"clients": clients[number::processes], "seconds": seconds}
            await _tell(process, json.dumps(orders))
        for process in appenders:
            await _hear(process)
        # All are ready: now they begin together.
        for process in appenders:
            await _tell(process, "go")
        return [json.loads(await _hear(process)) for process in appenders]


@asynccontextmanager
async def _appender(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.storage.appender", url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 28,
    )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


async def _tell(process: asyncio.subprocess.Process, line: str) -> None:
    if process.stdin is None:
        raise RuntimeError("an appender has no input")
    process.stdin.write(f"{line}\n".encode())
    await process.stdin.drain()


async def _hear(process: asyncio.subprocess.Process) -> str:
    if process.stdout is None:
        raise RuntimeError("an appender has no output")
    line = (await asyncio.wait_for(process.stdout.readline(), 120)).decode()
    if not line:
        raise RuntimeError("an appender ended: what it wrote to stderr says why")
    return line

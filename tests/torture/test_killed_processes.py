"""Several processes write to the same sessions and are killed: the checker keeps its own log."""

from __future__ import annotations

import asyncio
import random
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from app.backends.conformance.samples import (
    FIRST,
    SECOND,
    changed,
    created,
    done,
    errors_found,
    events_of,
    messages_of,
    said,
)
from app.backends.files import locks
from app.backends.protocol import EVERYTHING
from app.model.changes import AddMessages
from app.model.errors import ScrollbackError
from app.model.events import EventKind
from app.model.identifiers import SessionId
from tests.torture import FULL
from tests.torture.story import opened

ROUNDS = 150 if FULL else 4
WRITERS = 3


async def start(root: Path, name: str) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.torture.writer_process",
        str(root),
        name,
        stdout=PIPE,
        stderr=PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    assert line == b"ready\n", line
    return process


async def acknowledged_by(process: Process, count: int) -> list[tuple[str, int, str]]:
    """Kills a process once it has acknowledged so many; returns all that it acknowledged."""
    assert process.stdout is not None
    assert process.stderr is not None
    lines = [await asyncio.wait_for(process.stdout.readline(), 60) for _ in range(count)]
    process.kill()
    rest, error = await process.communicate()
    assert not error, error.decode()
    lines += [line for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
    told = [line.decode().split() for line in lines]
    return [(session_id, int(sequence), text) for session_id, sequence, text in told]


async def test_nothing_acknowledged_is_lost_doubled_or_out_of_order(memory_path: Path) -> None:
    root = memory_path / "store"
    backend = await opened(root)
    await done(backend, created(FIRST))
    await done(backend, created(SECOND))
    await backend.close()
    chance = random.Random(7)
    log: list[list[tuple[str, int, str]]] = []
    for number in range(ROUNDS):
        writers = await asyncio.gather(
            *(start(root, f"r{number}w{writer}") for writer in range(WRITERS))
        )
        log += await asyncio.gather(
            *(acknowledged_by(writer, chance.randrange(10, 60)) for writer in writers)
        )
        backend = await opened(root)
        assert await errors_found(backend) == []
        for session_id in (FIRST, SECOND):
            await hold_to_log(await texts(backend, session_id), session_id, log)
        await backend.close()


async def texts(backend: object, session_id: SessionId) -> dict[int, str]:
    messages = await messages_of(backend, session_id)  # type: ignore[arg-type]
    events = await events_of(backend, session_id)  # type: ignore[arg-type]
    assert [event.revision for event in events] == list(range(1, len(events) + 1))
    added = [event.sequence for event in events if event.kind is EventKind.MESSAGE_ADDED]
    assert added == list(range(1, len(messages) + 1))
    return {int(message.sequence): message.text for message in messages}


async def hold_to_log(
    stored: dict[int, str], session_id: SessionId, log: list[list[tuple[str, int, str]]]
) -> None:
    """Everything acknowledged is stored once, under its number, in its writer's order."""
    assert len(set(stored.values())) == len(stored), "a message is there twice"
    for process in log:
        mine = [(sequence, text) for session, sequence, text in process if session == session_id]
        assert mine == sorted(mine)
        for sequence, text in mine:
            assert stored.get(sequence) == text, f"{text} was acknowledged as {sequence}"


async def test_writing_without_the_lock_is_caught(
    memory_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: every lock is had at once, whoever holds it."""
    monkeypatch.setattr(locks, "_try", lambda descriptor, operation: True)
    root = memory_path / "store"
    backends = [await opened(root) for _ in range(3)]
    await done(backends[0], created(FIRST))

    async def write(at: int) -> int:
        count = 0
        for number in range(40):
            commit = changed(AddMessages((said(f"{at}-{number}"),)), at=number)
            [outcome] = await backends[at].commit([commit], EVERYTHING)
            count += not isinstance(outcome, ScrollbackError)
        return count

    counts = await asyncio.gather(*(write(at) for at in range(3)), return_exceptions=True)
    for backend in backends:
        await backend.close()
    monkeypatch.undo()
    backend = await opened(root)
    stored = [message.text for message in await messages_of(backend)]
    expected = [f"{at}-{number}" for at in range(3) for number in range(40)]
    assert sorted(stored) != sorted(expected) or counts != [40, 40, 40]
    await backend.close()

"""A process is killed at any moment: what it had acknowledged is there, once and in order."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from app.backends.conformance.samples import (
    created,
    done,
    errors_found,
    events_of,
    messages_of,
    session_of,
)
from app.backends.open import open_backend
from app.backends.protocol import Backend
from app.model.events import EventKind

CYCLES = 10
PROCESSES = 2
ROOT = Path(__file__).parents[2]


def append_until_killed(url: str, names: list[str], chance: random.Random) -> list[tuple[str, int]]:
    """Runs appending processes, kills each after some acknowledgements, and returns these."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.backends.appender", url, name],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            # Small, so that a process is never far ahead of what has been read of it.
            pipesize=4096,
            text=True,
        )
        for name in names
    ]
    acknowledged: list[str] = []
    for process in processes:
        assert process.stdout is not None
        for _ in range(chance.randint(1, 60)):
            line = process.stdout.readline()
            assert line, "an appender ended by itself"
            acknowledged.append(line)
    for process in processes:
        process.send_signal(signal.SIGKILL)
    for process in processes:
        with process:
            assert process.stdout is not None
            acknowledged.extend(process.stdout)
        assert process.returncode == -signal.SIGKILL
    # A line without its end was cut off by the kill: nobody has read that acknowledgement.
    whole = [json.loads(line) for line in acknowledged if line.endswith("\n")]
    return [(text, number) for text, number in whole]


async def expect_all(backend: Backend, acknowledged: list[tuple[str, int]]) -> None:
    """Every acknowledged message is there under its number, and the store is whole."""
    messages = await messages_of(backend)
    texts = {int(message.sequence): message.text for message in messages}
    lost = [(text, number) for text, number in acknowledged if texts.get(number) != text]
    assert lost == []
    doubled = [text for text, count in Counter(texts.values()).items() if count > 1]
    assert doubled == []
    assert list(texts) == list(range(1, len(texts) + 1))
    by_task: dict[str, list[tuple[int, int]]] = {}
    for text in texts.values():
        name, task, turn, part = text.split(":")
        by_task.setdefault(f"{name}:{task}", []).append((int(turn), int(part)))
    assert all(turns == sorted(turns) for turns in by_task.values())

    events = await events_of(backend)
    assert [event.revision for event in events] == list(range(1, len(texts) + 2))
    added = [event.sequence for event in events if event.kind is EventKind.MESSAGE_ADDED]
    assert added == list(texts)
    assert (await session_of(backend)).message_count == len(texts)
    assert await errors_found(backend) == []


async def test_every_acknowledged_message_survives_kill_9(tmp_path: Path) -> None:
    chance = random.Random(20_260_301)
    url = f"sqlite:///{tmp_path / 'store.db'}"
    backend = await open_backend(url)
    await done(backend, created())
    await backend.close()
    acknowledged: list[tuple[str, int]] = []
    for cycle in range(CYCLES):
        names = [f"{cycle}.{process}" for process in range(PROCESSES)]
        acknowledged += append_until_killed(url, names, chance)

        backend = await open_backend(url)
        try:
            await expect_all(backend, acknowledged)
        finally:
            await backend.close()
    assert len(acknowledged) >= CYCLES * PROCESSES

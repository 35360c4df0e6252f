"""Several processes write to the same sessions and are killed: the checker keeps its own log."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.backends.conformance.samples import created, done
from app.backends.open import open_backend
from tests.databases import DatabaseServer
from tests.torture import FULL, Progress
from tests.torture.acknowledgements import AcknowledgementLog
from tests.torture.turns import Course, sessions_of
from tests.torture.writer_process import PLANTED_TURNS, TASKS, Way
from tests.torture.writers import Doom, draw_doom, write_until_killed

ROUNDS = 150 if FULL else 3
WRITERS = 3
GENERATION = 5
"""After so many rounds other sessions are written to, so that they can be read whole each time."""


@dataclass(frozen=True, slots=True)
class Place:
    """A store's URL, and what waits until nothing of killed processes is under way in it."""

    url: str
    settle: Callable[[], Awaitable[None]]


async def at_once() -> None:
    """What a killed process had under way in a file is over."""


@pytest.fixture(params=["sqlite", "files", "postgresql", "mariadb"])
def place(request: pytest.FixtureRequest, memory_path: Path) -> Place:
    """An empty store of each kind that several processes can write to."""
    if request.param == "sqlite":
        return Place(f"sqlite:///{memory_path}/store.db", at_once)
    if request.param == "files":
        return Place(f"file:///{memory_path}/store", at_once)
    server: DatabaseServer = request.getfixturevalue(request.param)
    url = asyncio.run(server.fresh("killed"))
    return Place(url, lambda: server.wait_until_left(url))


async def create_sessions(url: str, generation: int) -> None:
    """Makes the sessions that the writers of a generation write to."""
    backend = await open_backend(url)
    for session_id in sessions_of(generation):
        await done(backend, created(session_id))
    await backend.close()


async def kill_and_check(
    place: Place,
    log: AcknowledgementLog,
    dooms: dict[str, Doom],
    generation: int,
    way: Way = Way.SOUND,
) -> int:
    """One round: writers run until they are killed, then the store is held to the log.

    What they had under way is repeated. Returns how much of that had been stored.
    """
    log.add(await write_until_killed(place.url, dooms, generation, way))
    await place.settle()
    backend = await open_backend(place.url)
    try:
        await log.hold(backend, generation)
        courses = [Course(name, task, generation) for name in dooms for task in range(TASKS)]
        replayed = await log.repeat_unanswered(backend, courses)
        await log.hold(backend, generation)
    finally:
        await backend.close()
    return replayed


async def test_nothing_acknowledged_is_lost_doubled_or_out_of_order(
    place: Place, progress: Progress
) -> None:
    chance = random.Random(20_260_301)
    log = AcknowledgementLog()
    replayed = 0
    for number in range(ROUNDS):
        generation = number // GENERATION
        if number % GENERATION == 0:
            await create_sessions(place.url, generation)
        dooms = {f"r{number}w{writer}": draw_doom(chance) for writer in range(WRITERS)}
        replayed += await kill_and_check(place, log, dooms, generation)
        progress(
            f"{(number + 1) * WRITERS} of {ROUNDS * WRITERS} processes killed, {log.count} "
            f"acknowledged turns are there, {replayed} were stored and not acknowledged"
        )
    backend = await open_backend(place.url)
    for generation in range(1 + (ROUNDS - 1) // GENERATION):
        await log.hold(backend, generation)
    await backend.close()
    assert log.count > ROUNDS * WRITERS


@pytest.mark.parametrize(
    ("scheme", "way", "complaint"),
    [
        ("sqlite", Way.EARLY, "acknowledged"),
        ("file", Way.EARLY, "acknowledged"),
        ("sqlite", Way.KEYLESS, "are there twice"),
        ("file", Way.LOCKLESS, None),
    ],
)
async def test_a_planted_bug_of_the_writers_is_caught(
    memory_path: Path, scheme: str, way: Way, complaint: str | None
) -> None:
    place = Place(f"{scheme}:///{memory_path}/store", at_once)
    log = AcknowledgementLog()
    await create_sessions(place.url, 0)
    doom = Doom(TASKS * PLANTED_TURNS, 0.5)

    async def run_rounds() -> None:
        for number in range(5):
            writers = {f"r{number}w{writer}": doom for writer in range(WRITERS)}
            await kill_and_check(place, log, writers, 0, way)

    with pytest.raises(AssertionError, match=complaint):
        await run_rounds()

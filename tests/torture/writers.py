"""Writing processes: started from one that has everything loaded, and killed at any moment."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from tests.torture.turns import Acknowledgement
from tests.torture.writer_process import Way, write

PATIENCE = 60.0
"""How many seconds a writer may take for its first acknowledgements."""

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "pytest",
        "tests.torture.writer_process",
        # What stores are opened with is imported when the first one is; each writer is that.
        "app.backends.sql.open",
        "app.backends.sql.open_server",
        "app.backends.sql.dialects.postgresql",
        "app.backends.sql.dialects.mysql",
        "asyncpg",
        "asyncmy",
    ]
)


@dataclass(frozen=True, slots=True)
class Doom:
    """When a writer is killed: so long after so many acknowledgements; 0 of them is while it
    starts and opens the store."""

    acknowledgements: int
    seconds: float


def draw_doom(chance: random.Random) -> Doom:
    """Draws a moment; one writer in five does not come to write."""
    if chance.randrange(5) == 0:
        return Doom(0, chance.uniform(0, 0.3))
    return Doom(chance.randrange(1, 60), chance.uniform(0, 0.02))


async def write_until_killed(
    url: str, dooms: dict[str, Doom], generation: int, way: Way = Way.SOUND
) -> list[Acknowledgement]:
    """Runs writers side by side, each to its own end; returns all that they acknowledged."""
    writers = [
        asyncio.to_thread(_live, *_start(url, name, generation, way), doom)
        for name, doom in dooms.items()
    ]
    told = await asyncio.gather(*writers, return_exceptions=True)
    for one in told:
        if isinstance(one, BaseException):
            raise one
    return [one for some in told if not isinstance(some, BaseException) for one in some]


def _start(url: str, name: str, generation: int, way: Way) -> tuple[BaseProcess, Connection]:
    receiving, sending = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(
        target=write, args=(url, name, generation, way, sending), name=name, daemon=True
    )
    process.start()
    # Its end comes when the writer's is closed, which must be the only one.
    sending.close()
    return process, receiving


def _live(process: BaseProcess, told: Connection, doom: Doom) -> list[Acknowledgement]:
    acknowledged: list[Acknowledgement] = []
    try:
        with told:
            while len(acknowledged) < doom.acknowledgements:
                assert told.poll(PATIENCE), f"{process.name} acknowledges nothing"
                acknowledged.append(_receive(told))
            # What comes in the meantime is read below.
            process.join(doom.seconds)
            process.kill()
            while True:
                try:
                    acknowledged.append(_receive(told))
                except (EOFError, OSError):
                    # Cut off in the middle of a message as well: nobody has read that one.
                    break
        process.join(PATIENCE)
        assert process.exitcode == -signal.SIGKILL, f"{process.name} ended by itself"
    finally:
        process.kill()
        process.join(PATIENCE)
        process.close()
    return acknowledged


def _receive(told: Connection) -> Acknowledgement:
    message = told.recv()
    assert isinstance(message, Acknowledgement), message
    return message

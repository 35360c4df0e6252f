"""A process that writes to a store until it is killed, and tells each acknowledgement."""

from __future__ import annotations

import asyncio
import itertools
import traceback
from dataclasses import replace
from enum import StrEnum
from multiprocessing.connection import Connection

from app.backends.files import locks
from app.backends.open import open_backend
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import Committed
from tests.torture.turns import Acknowledgement, Course

TASKS = 4
PLANTED_TURNS = 3
"""After so many turns a task with a planted bug waits for its end."""


class Way(StrEnum):
    """How a writer works: soundly, or with a planted bug."""

    SOUND = "sound"
    EARLY = "acknowledges before the commit"
    KEYLESS = "drops the idempotency key"
    LOCKLESS = "has every lock of the files at once, whoever holds it"


def write(url: str, name: str, generation: int, way: Way, told: Connection) -> None:
    """Writes from several tasks at once; what goes wrong is told as a text."""
    try:
        if way is Way.LOCKLESS:
            vars(locks)["_try"] = lambda descriptor, operation: True
        asyncio.run(
            _write(url, [Course(name, task, generation) for task in range(TASKS)], way, told)
        )
    except BaseException:
        told.send(traceback.format_exc())
        raise


async def _write(url: str, courses: list[Course], way: Way, told: Connection) -> None:
    backend = await open_backend(url)
    async with asyncio.TaskGroup() as tasks:
        for course in courses:
            tasks.create_task(_follow(backend, course, way, told))


async def _wait_for_kill(turn: int) -> None:
    """Makes sure that a kill comes between a commit and its acknowledgement."""
    if turn == PLANTED_TURNS:
        await asyncio.Event().wait()


async def _follow(backend: Backend, course: Course, way: Way, told: Connection) -> None:
    for turn in itertools.count():
        commit = course.commit_of(turn)
        if way is Way.EARLY:
            session = (await backend.get_sessions([commit.session_id], EVERYTHING))[
                commit.session_id
            ]
            first = session.last_sequence + 1  # type: ignore[union-attr]
            told.send(Acknowledgement(course, turn, range(first, first + 1 + turn % 3)))
            await _wait_for_kill(turn)
        if way is Way.KEYLESS:
            commit = replace(commit, idempotency=None)
        [outcome] = await backend.commit([commit], EVERYTHING)
        if not isinstance(outcome, Committed):
            raise outcome
        if way is Way.KEYLESS:
            await _wait_for_kill(turn)
        if way is not Way.EARLY:
            told.send(Acknowledgement(course, turn, outcome.sequences))
        archiving = course.archiving_of(turn, outcome.sequences[0])
        for archived in await backend.commit(archiving, EVERYTHING):
            if not isinstance(archived, Committed):
                raise archived

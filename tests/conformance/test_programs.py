"""The same random programs give the same answers on a backend and on the reference model."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings

from app.backends.conformance.samples import errors_found, records_of, stream
from app.backends.open import open_backend
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import Committed
from app.model.errors import Conflict, ScrollbackError
from app.model.records import Loaded
from app.model.session import Session
from tests.conformance.programs import IDS, Read, Reopen, Step, Write, programs
from tests.conformance.reference import ReferenceBackend


def comparable(outcome: Committed | ScrollbackError) -> object:
    """Returns an outcome without the words of its refusal, which each backend finds itself."""
    if isinstance(outcome, Conflict):
        return Conflict, outcome.current
    return type(outcome) if isinstance(outcome, ScrollbackError) else outcome


async def answers(backend: Backend, step: Write | Read) -> list[Any]:
    """Carries a step out and returns everything that it answers."""
    if isinstance(step, Write):
        return [comparable(one) for one in await backend.commit(step.commits, step.scope)]
    scope = step.scope
    found: list[Mapping[Any, Any]] = [
        await backend.page_sessions([step.sessions], scope),
        await backend.page_messages(step.messages, scope),
        await backend.search_messages(step.searches, scope),
        await backend.read_logs(step.logs, scope),
        await backend.find_sessions(step.keys, scope),
        await backend.get_messages(step.ids, scope),
        await backend.get_sessions(IDS, scope),
        await backend.get_users(["alice", "bob"], scope),  # type: ignore[list-item]
    ]
    return [dict(one) for one in found]


async def run(program: Sequence[Step], url: str) -> None:
    """Runs a program on both, then compares what they hold, and moves it from one to the other."""
    reference = ReferenceBackend()
    backend = await open_backend(url)
    try:
        for step in program:
            if isinstance(step, Reopen):
                await backend.close()
                backend = await open_backend(url)
            else:
                assert await answers(backend, step) == await answers(reference, step), step
        records = await records_of(reference)
        assert await records_of(backend) == records
        assert await errors_found(backend) == []
        copy = ReferenceBackend()
        loaded = await copy.load(backend.export(EVERYTHING))
        assert loaded.conflicts == ()
        assert await records_of(copy) == records
        again = await backend.load(stream(records))
        sessions = sum(isinstance(record, Session) for record in records)
        assert again == Loaded(unchanged=sessions)
    finally:
        await backend.close()


@pytest.mark.parametrize("url", ["sqlite:///{}/store.db", "memory://{}"])
@settings(
    max_examples=50,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(program=programs)
def test_a_program_has_the_same_course_on_both(url: str, program: Sequence[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = folder if url.startswith("sqlite") else quote(folder, safe="")
        asyncio.run(run(program, url.format(path)))

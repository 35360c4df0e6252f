"""Opening, closing and opening again."""

from __future__ import annotations

import asyncio

import pytest

from app.backends.conformance.log import STORY
from app.backends.conformance.samples import (
    FIRST,
    all_done,
    attempt,
    changed,
    created,
    done,
    errors_found,
    log_of,
    numbered,
    records_of,
    said,
    stream,
)
from app.backends.conformance.subject import BackendTests, OpenStore
from app.backends.conformance.transfer import well_filled
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import AddMessages
from app.model.errors import ScrollbackError
from app.model.events import LogRead
from app.model.identifiers import AgentId, ProfileId, SessionKey, UserId
from app.model.paging import MessagePageRequest, SessionPageRequest, Window


class LifecycleTests(BackendTests):
    """A store outlives the handles on it."""

    async def test_a_fresh_store_is_ready_sound_and_empty(self, backend: Backend) -> None:
        assert (await backend.ready()).ready
        assert await errors_found(backend) == []
        assert await records_of(backend) == []

    async def test_reopening_keeps_everything(self, backend: Backend, reopen: OpenStore) -> None:
        await well_filled(backend)
        records, log = await records_of(backend), await log_of(backend)
        reopened = await reopen()
        assert await records_of(reopened) == records
        assert await log_of(reopened) == log
        assert (await reopened.ready()).ready

    async def test_attempts_are_known_after_reopening(
        self, backend: Backend, reopen: OpenStore
    ) -> None:
        creation = created(messages=numbered(2), idempotency=attempt("k"))
        first = await done(backend, creation)
        again = await done(await reopen(), creation)
        assert (again.replayed, again.position) == (True, first.position)

    async def test_closing_twice_is_closing(self, backend: Backend) -> None:
        await done(backend, created())
        await backend.close()
        await backend.close()
        assert not (await backend.ready()).ready

    async def test_closing_finishes_what_is_under_way(
        self, backend: Backend, reopen: OpenStore
    ) -> None:
        await done(backend, created())
        writing = [
            asyncio.create_task(done(backend, changed(AddMessages((said(f"{task}"),)), at=1)))
            for task in range(10)
        ]
        await asyncio.sleep(0)
        await backend.close()
        ended = await asyncio.gather(*writing, return_exceptions=True)
        acknowledged = [one for one in ended if not isinstance(one, BaseException)]
        refused = [one for one in ended if isinstance(one, BaseException)]
        assert all(isinstance(error, ScrollbackError) for error in refused)
        reopened = await reopen()
        assert (await log_of(reopened)).top.revision == 1 + len(acknowledged)

    @pytest.mark.parametrize(
        "method",
        [
            "get_sessions",
            "find_sessions",
            "page_sessions",
            "get_messages",
            "page_messages",
            "get_users",
            "get_agents",
            "get_profiles",
            "read_logs",
            "commit",
            "export",
            "load",
            "check",
            "repair",
        ],
    )
    async def test_use_after_close_is_a_clear_error(self, backend: Backend, method: str) -> None:
        await done(backend, created(messages=numbered(1)))
        await backend.close()
        calls = {
            "get_sessions": lambda: backend.get_sessions([FIRST], EVERYTHING),
            "find_sessions": lambda: backend.find_sessions([SessionKey(None, "k")], EVERYTHING),
            "page_sessions": lambda: backend.page_sessions(
                [SessionPageRequest(Window(1))], EVERYTHING
            ),
            "get_messages": lambda: backend.get_messages([], EVERYTHING),
            "page_messages": lambda: backend.page_messages(
                [MessagePageRequest(FIRST, Window(1))], EVERYTHING
            ),
            "get_users": lambda: backend.get_users([UserId("alice")], EVERYTHING),
            "get_agents": lambda: backend.get_agents([AgentId("navigator")]),
            "get_profiles": lambda: backend.get_profiles([ProfileId("default")]),
            "read_logs": lambda: backend.read_logs([LogRead(FIRST, None, 1)], EVERYTHING),
            "commit": lambda: backend.commit([created()], EVERYTHING),
            "export": lambda: records_of(backend),
            "load": lambda: backend.load(stream([])),
            "check": lambda: errors_found(backend),
            "repair": backend.repair,
        }
        with pytest.raises(ScrollbackError):
            await calls[method]()

    async def test_repair_mends_nothing_in_a_sound_store(self, backend: Backend) -> None:
        await done(backend, created())
        await all_done(backend, *STORY)
        records = await records_of(backend)
        assert await backend.repair() == 0
        assert await records_of(backend) == records

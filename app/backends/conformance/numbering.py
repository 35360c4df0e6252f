"""Numbers are given once: under concurrency, after truncation, and from two processes."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from app.backends.conformance.samples import (
    FIRST,
    all_done,
    attempt,
    changed,
    created,
    done,
    events_of,
    messages_of,
    number_id,
    numbered,
    said,
    session_of,
)
from app.backends.conformance.subject import BackendTests, OpenStore
from app.backends.protocol import Backend
from app.model.changes import (
    AddMessages,
    Committed,
    DeleteMessage,
    RenameSession,
    TruncateMessages,
)
from app.model.events import EventKind
from app.model.identifiers import Sequence, SessionId

TASKS = 20
EACH = 5


async def write_much(backend: Backend, name: str, session_id: SessionId = FIRST) -> list[Committed]:
    """Appends a few messages one after another, two at a time, each text its own."""
    return [
        await done(
            backend,
            changed(
                AddMessages((said(f"{name}:{turn}:a"), said(f"{name}:{turn}:b"))),
                session_id=session_id,
                at=turn + 1,
                idempotency=attempt(f"{name}:{turn}"),
            ),
        )
        for turn in range(EACH)
    ]


class NumberingTests(BackendTests):
    """Sequences of messages and revisions of events."""

    async def test_concurrent_writers_of_one_session_get_each_number_once(
        self, backend: Backend
    ) -> None:
        await done(backend, created())
        answers = await asyncio.gather(*(write_much(backend, f"t{task}") for task in range(TASKS)))
        await self.expect_everything(backend, answers)

    async def test_concurrent_writers_of_many_sessions_do_not_meet(self, backend: Backend) -> None:
        ids = [number_id(number) for number in range(TASKS)]
        await all_done(backend, *(created(session_id) for session_id in ids))
        await asyncio.gather(*(write_much(backend, "t", session_id) for session_id in ids))
        for session_id in ids:
            texts = [message.text for message in await messages_of(backend, session_id)]
            assert texts == [f"t:{turn}:{half}" for turn in range(EACH) for half in "ab"]

    async def test_two_processes_share_the_numbers_of_a_session(
        self, backend: Backend, second_process: OpenStore
    ) -> None:
        await done(backend, created())
        other = await second_process()
        answers = await asyncio.gather(
            *(write_much((backend, other)[task % 2], f"t{task}") for task in range(6))
        )
        await self.expect_everything(backend, answers)
        await self.expect_everything(other, answers)

    async def test_one_process_sees_at_once_what_another_has_committed(
        self, backend: Backend, second_process: OpenStore
    ) -> None:
        other = await second_process()
        await done(backend, created(messages=numbered(2)))
        assert await session_of(other) == await session_of(backend)
        await done(other, changed(RenameSession("theirs")))
        assert (await session_of(backend)).title == "theirs"
        assert await events_of(backend) == await events_of(other)

    async def test_one_attempt_made_by_many_at_once_counts_once(self, backend: Backend) -> None:
        await done(backend, created())
        adding = changed(AddMessages((said("once"),)), idempotency=attempt("k"))
        outcomes = await asyncio.gather(*(done(backend, adding) for _ in range(TASKS)))
        assert sorted(outcome.replayed for outcome in outcomes) == [False] + [True] * (TASKS - 1)
        assert {outcome.sequences for outcome in outcomes} == {range(1, 2)}
        assert len(await messages_of(backend)) == 1

    async def test_one_key_asked_for_by_many_at_once_makes_one_session(
        self, backend: Backend
    ) -> None:
        outcomes = await asyncio.gather(
            *(
                done(backend, created(number_id(task), key="shared", get_existing=True))
                for task in range(TASKS)
            )
        )
        assert sorted(outcome.existing for outcome in outcomes) == [False] + [True] * (TASKS - 1)
        assert len({outcome.session.id for outcome in outcomes if outcome.session}) == 1

    async def test_numbers_of_deleted_messages_are_never_given_again(
        self, backend: Backend
    ) -> None:
        await done(backend, created(messages=numbered(5)))
        await done(backend, changed(DeleteMessage(Sequence(5)), at=1))
        after_deletion = await done(backend, changed(AddMessages((said("six"),)), at=2))
        await done(backend, changed(TruncateMessages(Sequence(2)), at=3))
        after_truncation = await done(backend, changed(AddMessages((said("seven"),)), at=4))
        await done(backend, changed(TruncateMessages(Sequence(0)), at=5))
        after_all = await done(backend, changed(AddMessages((said("eight"),)), at=6))
        given = [after_deletion.sequences, after_truncation.sequences, after_all.sequences]
        assert given == [range(6, 7), range(7, 8), range(8, 9)]
        assert [message.sequence for message in await messages_of(backend)] == [8]

    async def test_numbers_go_on_after_reopening(self, backend: Backend, reopen: OpenStore) -> None:
        await done(backend, created(messages=numbered(3)))
        await done(backend, changed(TruncateMessages(Sequence(1))))
        reopened = await reopen()
        committed = await done(reopened, changed(AddMessages((said("next"),)), at=2))
        assert committed.sequences == range(4, 5)
        assert committed.position.revision == 6

    async def expect_everything(self, backend: Backend, answers: list[list[Committed]]) -> None:
        """Every acknowledged message is there once, under its number; the log has no gap."""
        messages = await messages_of(backend)
        total = len(answers) * EACH * 2
        assert [message.sequence for message in messages] == list(range(1, total + 1))
        texts = {message.sequence: message.text for message in messages}
        for task, committed in enumerate(answers):
            for turn, one in enumerate(committed):
                assert [texts[Sequence(number)] for number in one.sequences] == [
                    f"t{task}:{turn}:a",
                    f"t{task}:{turn}:b",
                ]
        for earlier, later in (pair for one in answers for pair in pairwise(one)):
            assert earlier.position < later.position
        events = await events_of(backend)
        assert [event.revision for event in events] == list(range(1, total + 2))
        added = [event.sequence for event in events if event.kind is EventKind.MESSAGE_ADDED]
        assert added == list(range(1, total + 1))
        assert (await session_of(backend)).message_count == total

"""Pages of messages: from both ends, within bounds, with flags that are exact."""

from __future__ import annotations

import itertools

import pytest

from app.backends.conformance.samples import (
    FIRST,
    SECOND,
    all_done,
    changed,
    created,
    done,
    message_window,
    messages_of,
    number_id,
    numbered,
    page_for,
    said,
)
from app.backends.conformance.subject import BackendTests
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    Commit,
    DeleteMessage,
    DeleteSession,
    EditMessage,
    TruncateMessages,
)
from app.model.identifiers import Sequence, SessionId
from app.model.message import Message, MessageScope
from app.model.paging import MessagePageRequest, Page, Take
from app.model.parts import TextPart

SCOPES = tuple(MessageScope)


async def session_with_gaps(backend: Backend, session_id: SessionId = FIRST) -> None:
    """Makes a session with the messages 1 2 4 5 7 8, of which 1 2 4 are archived."""
    await done(backend, created(session_id, messages=numbered(8)))
    await done(backend, changed(ArchiveMessages(Sequence(4)), session_id=session_id, at=1))
    gaps = (DeleteMessage(Sequence(3)), DeleteMessage(Sequence(6)))
    await done(backend, changed(*gaps, session_id=session_id, at=2))


IN_SCOPE = {
    MessageScope.ACTIVE: [5, 7, 8],
    MessageScope.ARCHIVED: [1, 2, 4],
    MessageScope.ALL: [1, 2, 4, 5, 7, 8],
}


def expected_page(
    request: MessagePageRequest,
) -> tuple[list[int], bool, bool]:
    """Returns the numbers and the flags that a page of `session_with_gaps` must have."""
    window, everything = request.window, IN_SCOPE[request.messages]
    after = 0 if window.after is None else window.after
    before = 1_000 if window.before is None else window.before
    inside = [number for number in everything if after < number < before]
    shown = inside[: window.limit] if window.take is Take.FIRST else inside[-window.limit :]
    if not shown:
        beyond = [any(one <= after for one in everything), any(one >= before for one in everything)]
        return [], beyond[0], beyond[1]
    return shown, shown[0] > everything[0], shown[-1] < everything[-1]


def seen(page: Page[Message]) -> tuple[list[int], bool, bool]:
    """Returns what `expected_page` speaks of."""
    numbers = [int(message.sequence) for message in page.items]
    return numbers, page.has_previous, page.has_next


class MessagePagingTests(BackendTests):
    """A window on a session's messages, by ascending sequence."""

    @pytest.mark.parametrize("messages", SCOPES)
    @pytest.mark.parametrize("take", tuple(Take))
    @pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
    async def test_every_window_holds_what_lies_in_it(
        self, backend: Backend, messages: MessageScope, take: Take, limit: int
    ) -> None:
        await session_with_gaps(backend)
        bounds = [None, 0, 1, 3, 4, 5, 6, 8, 9]
        requests = [
            MessagePageRequest(FIRST, message_window(limit, take, after, before), messages)
            for after, before in itertools.product(bounds, bounds)
        ]
        pages = await backend.page_messages(requests, EVERYTHING)
        got = {request: seen(page_for(pages[request])) for request in requests}
        assert got == {request: expected_page(request) for request in requests}

    async def test_pages_hold_whole_messages(self, backend: Backend) -> None:
        await session_with_gaps(backend)
        request = MessagePageRequest(FIRST, message_window(2, Take.LAST), MessageScope.ALL)
        page = page_for((await backend.page_messages([request], EVERYTHING))[request])
        assert page.items == (await messages_of(backend))[-2:]

    @pytest.mark.parametrize("messages", SCOPES)
    async def test_an_empty_session_has_empty_pages(
        self, backend: Backend, messages: MessageScope
    ) -> None:
        await done(backend, created())
        request = MessagePageRequest(FIRST, message_window(5), messages)
        page = page_for((await backend.page_messages([request], EVERYTHING))[request])
        assert page == Page((), has_previous=False, has_next=False)

    async def test_one_call_answers_many_sessions_scopes_and_directions(
        self, backend: Backend
    ) -> None:
        ids = [number_id(number) for number in range(1, 41)]
        await all_done(
            backend,
            *(
                created(
                    session_id, messages=[said(f"{session_id}:{at}") for at in range(number % 5)]
                )
                for number, session_id in enumerate(ids)
            ),
        )
        requests = [
            MessagePageRequest(session_id, message_window(limit, take), scope)
            for session_id in ids
            for limit, take, scope in (
                (2, Take.LAST, MessageScope.ACTIVE),
                (3, Take.FIRST, MessageScope.ALL),
                (2, Take.LAST, MessageScope.ARCHIVED),
            )
        ]
        pages = await backend.page_messages(requests, EVERYTHING)
        for number, session_id in enumerate(ids):
            texts = [f"{session_id}:{at}" for at in range(number % 5)]
            newest, oldest, archived = (
                page_for(pages[request]) for request in requests if request.session_id == session_id
            )
            assert [message.text for message in newest.items] == texts[-2:]
            assert (newest.has_previous, newest.has_next) == (len(texts) > 2, False)
            assert [message.text for message in oldest.items] == texts[:3]
            assert (oldest.has_previous, oldest.has_next) == (False, len(texts) > 3)
            assert archived.items == ()

    async def test_the_same_request_twice_has_one_answer(self, backend: Backend) -> None:
        await session_with_gaps(backend)
        request = MessagePageRequest(FIRST, message_window(3))
        pages = await backend.page_messages([request, request], EVERYTHING)
        assert list(pages) == [request]
        assert seen(page_for(pages[request])) == expected_page(request)

    async def test_no_request_has_no_answer(self, backend: Backend) -> None:
        assert await backend.page_messages([], EVERYTHING) == {}
        assert await backend.page_sessions([], EVERYTHING) == {}
        assert await backend.get_messages([], EVERYTHING) == {}
        assert await backend.get_sessions([], EVERYTHING) == {}
        assert await backend.find_sessions([], EVERYTHING) == {}

    async def test_absent_and_deleted_sessions_have_no_pages(self, backend: Backend) -> None:
        await session_with_gaps(backend)
        await done(backend, changed(DeleteSession()))
        requests = [
            MessagePageRequest(session_id, message_window(3)) for session_id in (FIRST, SECOND)
        ]
        assert await backend.page_messages(requests, EVERYTHING) == {}

    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 20])
    @pytest.mark.parametrize("take", tuple(Take))
    async def test_walking_meets_every_message_once(
        self, backend: Backend, limit: int, take: Take
    ) -> None:
        await done(backend, created(messages=numbered(11)))
        await done(backend, changed(ArchiveMessages(Sequence(5))))
        walked = await self.walk(backend, limit, take, [])
        assert [message.text for message in walked] == [f"m{number}" for number in range(1, 12)]

    async def test_a_walk_back_is_not_shifted_by_what_others_do(self, backend: Backend) -> None:
        await done(backend, created(messages=numbered(12)))
        meanwhile = [
            changed(AddMessages(numbered(3, start=13)), at=1),
            changed(ArchiveMessages(Sequence(6)), at=2),
            changed(DeleteMessage(Sequence(12)), DeleteMessage(Sequence(2)), at=3),
            changed(EditMessage(Sequence(4), parts=(TextPart("edited"),)), at=4),
            changed(TruncateMessages(Sequence(10)), at=5),
        ]
        walked = await self.walk(backend, 2, Take.LAST, meanwhile)
        numbers = [int(message.sequence) for message in walked]
        assert numbers == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]

    async def walk(
        self, backend: Backend, limit: int, take: Take, meanwhile: list[Commit]
    ) -> list[Message]:
        """Walks through the first session, with a commit of another client after each page."""
        walked: list[Message] = []
        bound: int | None = None
        for steps in itertools.count(1):
            assert steps < 100, "the walk does not end"
            bounds = {"before": bound} if take is Take.LAST else {"after": bound}
            request = MessagePageRequest(
                FIRST, message_window(limit, take, **bounds), MessageScope.ALL
            )
            page = page_for((await backend.page_messages([request], EVERYTHING))[request])
            assert page.items, "a page that was announced is empty"
            if take is Take.LAST:
                walked = [*page.items, *walked]
                bound, more = page.items[0].sequence, page.has_previous
            else:
                walked = [*walked, *page.items]
                bound, more = page.items[-1].sequence, page.has_next
            if not more:
                return walked
            if meanwhile:
                await done(backend, meanwhile.pop(0))
        raise AssertionError

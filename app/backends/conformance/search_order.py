"""Pages of hits: by time or by relevance, among the messages that are meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.backends.conformance.samples import (
    ALICE,
    ALICES,
    BOB,
    BOBS,
    all_done,
    changed,
    created,
    done,
    moment,
    number_id,
    said,
)
from app.backends.conformance.search_samples import asked, hits_of, pages_of_hits, texts_found
from app.backends.conformance.subject import BackendTests
from app.backends.protocol import EVERYTHING, Backend, Scope
from app.model.changes import (
    ArchiveMessages,
    ArchiveSession,
    DeleteMessage,
    PinSession,
    RenameSession,
    StarSession,
)
from app.model.identifiers import AgentId, ProfileId, Sequence, SessionId
from app.model.message import MessageRole, MessageScope
from app.model.paging import Page, SessionFilter
from app.model.search import RANKED, SearchBound, SearchHit, SearchOrder
from app.model.search_query import relevance
from app.model.search_text import normal_text

ROLES = tuple(MessageRole)
SESSIONS = 6
EACH = 5

MEANT: dict[str, tuple[dict[str, Any], Callable[[int, int], bool]]] = {
    "anything": ({}, lambda s, m: True),
    "one session": ({"session_id": number_id(2)}, lambda s, m: s == 2),
    "no session": ({"session_id": number_id(90)}, lambda s, m: False),
    "one role": ({"roles": frozenset({MessageRole.USER})}, lambda s, m: m == 3),
    "two roles": (
        {"roles": frozenset({MessageRole.USER, MessageRole.TOOL})},
        lambda s, m: m in (3, 5),
    ),
    "no role": ({"roles": frozenset()}, lambda s, m: False),
    "active": ({"messages": MessageScope.ACTIVE}, lambda s, m: s % 2 == 0 or m > 2),
    "archived": ({"messages": MessageScope.ARCHIVED}, lambda s, m: s % 2 == 1 and m <= 2),
    "since": ({"since": moment(23)}, lambda s, m: 10 * s + m >= 23),
    "until": ({"until": moment(23)}, lambda s, m: 10 * s + m < 23),
    "between": ({"since": moment(3), "until": moment(14)}, lambda s, m: 3 <= 10 * s + m < 14),
    "never": ({"since": moment(14), "until": moment(14)}, lambda s, m: False),
    "profile": (
        {"sessions": SessionFilter(profile_id=ProfileId("p1"))},
        lambda s, m: s % 2 == 1,
    ),
    "agent": ({"sessions": SessionFilter(agent_id=AgentId("g0"))}, lambda s, m: s % 3 == 0),
    "channel": ({"sessions": SessionFilter(channel="web")}, lambda s, m: s < 3),
    "title": ({"sessions": SessionFilter(title="TALK 4")}, lambda s, m: s == 4),
    "put away": ({"sessions": SessionFilter(archived=True)}, lambda s, m: s == 1),
    "not put away": ({"sessions": SessionFilter(archived=False)}, lambda s, m: s != 1),
    "pinned": ({"sessions": SessionFilter(pinned=True)}, lambda s, m: s == 2),
    "not starred": ({"sessions": SessionFilter(starred=False)}, lambda s, m: s != 3),
    "changed since": ({"sessions": SessionFilter(updated_since=moment(104))}, lambda s, m: s >= 4),
    "changed until": ({"sessions": SessionFilter(updated_until=moment(104))}, lambda s, m: s < 4),
    "all at once": (
        {
            "sessions": SessionFilter(profile_id=ProfileId("p1"), channel="web", archived=True),
            "roles": frozenset({MessageRole.USER, MessageRole.DEVELOPER}),
            "messages": MessageScope.ARCHIVED,
            "since": moment(0),
            "session_id": number_id(1),
        },
        lambda s, m: s == 1 and m == 2,
    ),
}


async def talks(backend: Backend) -> None:
    """Makes sessions of Alice's, each with a message of every role that says "alpha" """
    for number in range(SESSIONS):
        session_id = number_id(number)
        messages = [
            said(f"alpha {number} {at}", ROLES[at - 1], created_at=moment(10 * number + at))
            for at in range(1, EACH + 1)
        ]
        await done(
            backend,
            created(
                session_id,
                messages=messages,
                profile_id=ProfileId(f"p{number % 2}"),
                agent_id=AgentId(f"g{number % 3}"),
                channel="web" if number < 3 else "mail",
            ),
        )
        if number % 2:
            await done(backend, changed(ArchiveMessages(Sequence(2)), session_id=session_id))
        marks = changed(
            ArchiveSession(number == 1),
            PinSession(number == 2),
            StarSession(number == 3),
            RenameSession(f"Talk {number}"),
            session_id=session_id,
            at=100 + number,
        )
        await done(backend, marks)


def place(hit: SearchHit) -> tuple[str, str, int]:
    """Returns by what hits of one score are ordered."""
    return hit.message.created_at, hit.message.session_id, hit.message.sequence


class SearchOrderTests(BackendTests):
    """Which hits are on a page, and in which order."""

    @pytest.mark.parametrize("order", tuple(SearchOrder))
    async def test_every_filter_leaves_what_is_meant(
        self, backend: Backend, order: SearchOrder
    ) -> None:
        await talks(backend)
        requests = {
            name: asked("alpha", order=order, **fields) for name, (fields, _) in MEANT.items()
        }
        pages = await pages_of_hits(backend, list(requests.values()), ALICES)
        found = {
            name: sorted(hit.message.text for hit in pages[request].items)
            for name, request in requests.items()
        }
        assert found == {
            name: [
                f"alpha {session} {message}"
                for session in range(SESSIONS)
                for message in range(1, EACH + 1)
                if is_meant(session, message)
            ]
            for name, (_, is_meant) in MEANT.items()
        }

    @pytest.mark.parametrize(
        ("scope", "found"),
        [
            (ALICES, ["alpha of alice"]),
            (BOBS, ["alpha of bob"]),
            (EVERYTHING, ["alpha of alice", "alpha of bob", "alpha of nobody"]),
        ],
    )
    async def test_others_messages_are_not_found(
        self, backend: Backend, scope: Scope, found: list[str]
    ) -> None:
        for at, owner in enumerate((ALICE, BOB, None)):
            text = f"alpha of {owner or 'nobody'}"
            await done(
                backend, created(number_id(at), owner_id=owner, messages=[said(text)], at=at)
            )
        assert await texts_found(backend, "alpha", scope) == found
        for at in range(3):
            own = await texts_found(backend, "alpha", scope, session_id=number_id(at))
            assert own == [text for text in found if ("alice", "bob", "nobody")[at] in text]

    @pytest.mark.parametrize("limit", [1, 2, 5, 12, 13])
    async def test_walking_from_the_newest_meets_every_hit_once(
        self, backend: Backend, limit: int
    ) -> None:
        # Few times for many messages, so that sessions and numbers have to tell them apart.
        await all_done(
            backend,
            *(
                created(
                    number_id(number),
                    messages=[said("alpha", created_at=moment(at)) for at in (7, 5, 7)]
                    + [said("beta", created_at=moment(9))],
                )
                for number in range(4)
            ),
        )
        every = (await hits_of(backend, asked("alpha"))).items
        assert len(every) == 12
        assert list(every) == sorted(every, key=place, reverse=True)
        walked: list[SearchHit] = []
        page = await hits_of(backend, asked("alpha", limit=limit))
        assert page.has_previous is False
        walked.extend(page.items)
        while page.has_next:
            assert len(page.items) == limit
            page = await hits_of(backend, asked("alpha", limit=limit, after=walked[-1].bound))
            assert page.items, "a page that was announced is empty"
            assert page.has_previous is True
            walked.extend(page.items)
        assert tuple(walked) == every

    @pytest.mark.parametrize("order", tuple(SearchOrder))
    async def test_a_bound_stays_true_when_its_message_is_gone(
        self, backend: Backend, order: SearchOrder
    ) -> None:
        texts = ["alpha", "alpha alpha", "x alpha", "alpha alpha alpha", "an alpha"]
        await done(backend, created(messages=[said(text) for text in texts]))
        every = (await hits_of(backend, asked("alpha", order=order))).items
        gone = every[1]
        await done(backend, changed(DeleteMessage(gone.message.sequence)))
        page = await hits_of(backend, asked("alpha", order=order, after=gone.bound, limit=2))
        assert [hit.message for hit in page.items] == [hit.message for hit in every[2:4]]
        assert (page.has_previous, page.has_next) == (True, True)

    async def test_a_bound_may_be_anywhere_in_time(self, backend: Backend) -> None:
        await talks(backend)
        for seconds, count in ((0, 0), (1, 0), (2, 1), (25, 14), (3600, 30)):
            bound = SearchBound(0, moment(seconds), SessionId(""), Sequence(0))
            page = await hits_of(backend, asked("alpha", after=bound))
            assert len(page.items) == count, seconds

    @pytest.mark.parametrize("order", tuple(SearchOrder))
    async def test_a_page_of_nothing_tells_whether_there_is_more(
        self, backend: Backend, order: SearchOrder
    ) -> None:
        await done(backend, created(messages=[said("alpha")]))
        (hit,) = (await hits_of(backend, asked("alpha", order=order))).items
        for query, after, flags in (
            ("alpha", None, (False, True)),
            ("alpha", hit.bound, (True, False)),
            ("beta", None, (False, False)),
        ):
            page = await hits_of(backend, asked(query, limit=0, order=order, after=after))
            assert page == Page((), *flags), query

    @pytest.mark.parametrize("limit", [1, 4, 30])
    async def test_by_relevance_the_best_come_first_and_the_newest_among_equals(
        self, backend: Backend, limit: int
    ) -> None:
        texts = [
            f"{'the ' * before}{'alpha ' * times}{'of the rest ' * behind}"
            for before in (0, 3)
            for times in (1, 2, 5)
            for behind in (0, 1, 80)
        ] + ["alphabet", "an alphabet", "alpha"]
        messages = [said(text, created_at=moment(at % 7)) for at, text in enumerate(texts)]
        await all_done(
            backend,
            created(number_id(1), messages=messages),
            created(number_id(2), messages=messages[:9]),
        )
        request = asked("alpha", order=SearchOrder.RELEVANCE)
        every = (await hits_of(backend, request)).items
        assert len(every) == len(texts) + 9
        for hit in every:
            assert hit.score == relevance(request.query, normal_text(hit.message.parts))
        ranked = sorted(every, key=lambda hit: (hit.score, *place(hit)), reverse=True)
        assert list(every) == ranked
        walked: list[SearchHit] = []
        has_next = True
        while has_next:
            after = walked[-1].bound if walked else None
            page = await hits_of(
                backend, asked("alpha", order=SearchOrder.RELEVANCE, limit=limit, after=after)
            )
            walked.extend(page.items)
            has_next = page.has_next
        assert walked == ranked

    async def test_the_newest_hits_alone_are_ranked(self, backend: Backend) -> None:
        best = [said("alpha alpha alpha", created_at=moment(1))] * 2
        others = [said(f"an alpha {at}", created_at=moment(2 + at)) for at in range(RANKED - 1)]
        await done(backend, created(messages=[*best, *others, said("beta")]))
        request = asked("alpha", order=SearchOrder.RELEVANCE, limit=3)
        page = await hits_of(backend, request)
        assert [hit.message.sequence for hit in page.items] == [2, RANKED + 1, RANKED]
        everything = await hits_of(backend, asked("alpha", order=SearchOrder.RELEVANCE))
        assert len(everything.items) == RANKED
        assert everything.has_next is False
        last = everything.items[-1].bound
        beyond = await hits_of(backend, asked("alpha", order=SearchOrder.RELEVANCE, after=last))
        assert beyond == Page((), has_previous=True, has_next=False)
        assert len((await hits_of(backend, asked("alpha"))).items) == RANKED + 1

"""Pages of sessions: every order and filter, ties, bounds, and flags that are exact."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from app.backends.conformance.samples import (
    ALICE,
    ALICES,
    BOB,
    all_done,
    changed,
    created,
    done,
    moment,
    number_id,
    said,
)
from app.backends.conformance.subject import BackendTests
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import (
    AddMessages,
    ArchiveSession,
    DeleteSession,
    PinSession,
    RenameSession,
    StarSession,
)
from app.model.errors import ScrollbackError
from app.model.identifiers import AgentId, ProfileId
from app.model.paging import (
    Page,
    SessionBound,
    SessionFilter,
    SessionOrderField,
    SessionPageRequest,
    Take,
    Window,
    title_order,
)
from app.model.session import Session

TITLES = ("Alpha", None, "beta", "alpha", "Ärger", "Straße", "100% sure", "a_b", "會話", "Zeta")
COUNT = 12

MATCHES: dict[SessionFilter, Callable[[int], bool]] = {
    SessionFilter(): lambda n: True,
    SessionFilter(archived=True): lambda n: n % 4 == 1,
    SessionFilter(archived=False): lambda n: n % 4 != 1,
    SessionFilter(pinned=True): lambda n: n % 3 == 0,
    SessionFilter(pinned=False): lambda n: n % 3 != 0,
    SessionFilter(starred=True): lambda n: n % 5 == 2,
    SessionFilter(starred=False): lambda n: n % 5 != 2,
    SessionFilter(profile_id=ProfileId("p1")): lambda n: n % 2 == 1,
    SessionFilter(agent_id=AgentId("g0")): lambda n: n % 3 == 0,
    SessionFilter(channel="web"): lambda n: n % 2 == 0,
    SessionFilter(channel="WEB"): lambda n: False,
    SessionFilter(title="ALPHA"): lambda n: n in (0, 3, 10),
    SessionFilter(title="strasse"): lambda n: n == 5,
    SessionFilter(title="ärg"): lambda n: n == 4,
    SessionFilter(title="%"): lambda n: n == 6,
    SessionFilter(title="_"): lambda n: n == 7,
    SessionFilter(title="話"): lambda n: n == 8,
    SessionFilter(title="\\"): lambda n: False,
    SessionFilter(updated_since=moment(105)): lambda n: n >= 5,
    SessionFilter(updated_until=moment(105)): lambda n: n < 5,
    SessionFilter(updated_since=moment(103), updated_until=moment(106)): lambda n: 3 <= n < 6,
    SessionFilter(pinned=True, archived=False, channel="web"): lambda n: n in (0, 6),
}


async def catalogue(backend: Backend) -> list[Session]:
    """Makes twelve sessions of Alice's and one of Bob's; returns hers by number.

    Many share their time of creation and of last activity, so that only ids tell them apart.
    """
    for number in range(COUNT):
        session_id = number_id(number)
        await done(
            backend,
            created(
                session_id,
                at=number // 3,
                title=TITLES[number % len(TITLES)],
                channel=("web", "mail")[number % 2],
                profile_id=ProfileId(f"p{number % 2}"),
                agent_id=AgentId(f"g{number % 3}"),
            ),
        )
        marks = changed(
            PinSession(number % 3 == 0),
            StarSession(number % 5 == 2),
            ArchiveSession(number % 4 == 1),
            AddMessages((said("hello", created_at=moment(50 + number % 2)),)),
            session_id=session_id,
            at=100 + number,
        )
        await done(backend, marks)
    await done(backend, created(number_id(99), owner_id=BOB, title="Alpha", channel="web"))
    found = await backend.get_sessions([number_id(number) for number in range(COUNT)], EVERYTHING)
    sessions = [found[number_id(number)] for number in range(COUNT)]
    return [session for session in sessions if isinstance(session, Session)]


def bound(session: Session, order: SessionOrderField) -> SessionBound:
    """Returns a session's place in an order."""
    values = {
        SessionOrderField.LAST_ACTIVITY: session.last_activity_at,
        SessionOrderField.CREATED: session.created_at,
        SessionOrderField.TITLE: title_order(session.title),
    }
    return SessionBound(values[order], session.id)


def page_of(answer: Page[Session] | ScrollbackError) -> Page[Session]:
    """Returns a page that must not be an error."""
    assert isinstance(answer, Page), f"no page: {answer!r}"
    return answer


class SessionPagingTests(BackendTests):
    """A window on an owner's sessions, in an order, through a filter."""

    @pytest.mark.parametrize("order", tuple(SessionOrderField))
    @pytest.mark.parametrize("descending", [False, True])
    async def test_every_order_has_exact_windows_from_both_ends(
        self, backend: Backend, order: SessionOrderField, descending: bool
    ) -> None:
        sessions = await catalogue(backend)
        places = sorted((bound(one, order) for one in sessions), reverse=descending)
        cuts: list[int | None] = [None, 0, 1, 5, 10, 11]
        for take, limit in itertools.product(Take, (1, 4, 12, 13)):
            requests = {
                SessionPageRequest(
                    Window(
                        limit,
                        take,
                        None if after is None else places[after],
                        None if before is None else places[before],
                    ),
                    order=order,
                    descending=descending,
                ): (after, before)
                for after, before in itertools.product(cuts, cuts)
            }
            pages = await backend.page_sessions(list(requests), ALICES)
            for request, (after, before) in requests.items():
                first = 0 if after is None else after + 1
                end = COUNT if before is None else before
                inside = range(first, end)
                shown = inside[:limit] if take is Take.FIRST else inside[-limit:]
                page = page_of(pages[request])
                assert [bound(one, order) for one in page.items] == [places[at] for at in shown]
                edges = (shown[0] > 0, shown[-1] < COUNT - 1) if shown else (first > 0, end < COUNT)
                assert (page.has_previous, page.has_next) == edges, request

    async def test_every_filter_answers_what_passes_it(self, backend: Backend) -> None:
        await catalogue(backend)
        requests = [
            SessionPageRequest(Window(50), wanted, SessionOrderField.CREATED, descending=False)
            for wanted in MATCHES
        ]
        pages = await backend.page_sessions(requests, ALICES)
        got = {
            request.filter: [session.id for session in page_of(pages[request]).items]
            for request in requests
        }
        assert got == {
            wanted: [number_id(number) for number in range(COUNT) if passes(number)]
            for wanted, passes in MATCHES.items()
        }

    async def test_flags_count_only_what_passes_the_filter(self, backend: Backend) -> None:
        await catalogue(backend)
        for wanted, passes in MATCHES.items():
            count = sum(1 for number in range(COUNT) if passes(number))
            if not count:
                continue
            pages = [
                SessionPageRequest(Window(limit, take), wanted)
                for limit in (count, max(1, count - 1))
                for take in Take
            ]
            answers = await backend.page_sessions(pages, ALICES)
            flags = [
                (page_of(answers[page]).has_previous, page_of(answers[page]).has_next)
                for page in pages
            ]
            more = count > 1
            assert flags == [(False, False), (False, False), (False, more), (more, False)], wanted

    @pytest.mark.parametrize("take", tuple(Take))
    @pytest.mark.parametrize("limit", [1, 5, 12])
    async def test_walking_meets_every_session_once(
        self, backend: Backend, take: Take, limit: int
    ) -> None:
        sessions = await catalogue(backend)
        order = SessionOrderField.LAST_ACTIVITY
        walked: list[Session] = []
        window: Window[SessionBound] = Window(limit, take)
        for _ in range(COUNT + 1):
            request = SessionPageRequest(window)
            page = page_of((await backend.page_sessions([request], ALICES))[request])
            assert page.items, "a page that was announced is empty"
            if take is Take.LAST:
                walked = [*page.items, *walked]
                window = Window(limit, take, before=bound(page.items[0], order))
                more = page.has_previous
            else:
                walked = [*walked, *page.items]
                window = Window(limit, take, after=bound(page.items[-1], order))
                more = page.has_next
            if not more:
                break
        expected = sorted(sessions, key=lambda one: bound(one, order), reverse=True)
        assert walked == expected

    async def test_a_bound_stays_true_when_its_session_has_moved_or_gone(
        self, backend: Backend
    ) -> None:
        await all_done(backend, *(created(number_id(at), at=at) for at in range(5)))
        place = SessionBound(moment(2), number_id(2))
        newer = changed(AddMessages((said("new"),)), session_id=number_id(2), at=60)
        request = SessionPageRequest(Window(10, after=place))
        for commit in (newer, changed(DeleteSession(), session_id=number_id(2), at=61)):
            await done(backend, commit)
            page = page_of((await backend.page_sessions([request], EVERYTHING))[request])
            assert [session.id for session in page.items] == [number_id(1), number_id(0)]
            assert (page.has_previous, page.has_next) == (True, False)

    async def test_an_empty_page_speaks_of_its_own_bounds(self, backend: Backend) -> None:
        await all_done(backend, *(created(number_id(at), at=at) for at in range(3)))
        order = SessionOrderField.CREATED
        newest, oldest = (SessionBound(moment(at), number_id(at)) for at in (2, 0))
        past_the_end = SessionPageRequest(Window(5, after=oldest), order=order)
        before_the_start = SessionPageRequest(Window(5, before=newest), order=order)
        between = SessionPageRequest(
            Window(5, after=newest, before=SessionBound(moment(1), number_id(1))), order=order
        )
        nothing = SessionPageRequest(Window(5), SessionFilter(title="none has this"))
        requests = [past_the_end, before_the_start, between, nothing]
        pages = await backend.page_sessions(requests, EVERYTHING)
        assert [pages[request] for request in requests] == [
            Page((), has_previous=True, has_next=False),
            Page((), has_previous=False, has_next=True),
            Page((), has_previous=True, has_next=True),
            Page((), has_previous=False, has_next=False),
        ]

    async def test_last_activity_is_creation_until_something_is_said(
        self, backend: Backend
    ) -> None:
        await all_done(
            backend,
            created(number_id(1), at=10),
            created(number_id(2), at=5, messages=[said("later", created_at=moment(20))]),
            created(number_id(3), at=15),
        )
        request = SessionPageRequest(Window(10))
        page = page_of((await backend.page_sessions([request], EVERYTHING))[request])
        assert [session.id for session in page.items] == [
            number_id(2),
            number_id(3),
            number_id(1),
        ]

    async def test_a_page_of_everything_holds_every_owner(self, backend: Backend) -> None:
        await all_done(
            backend,
            *(
                created(number_id(at), owner_id=owner, at=at)
                for at, owner in enumerate((ALICE, BOB, None))
            ),
        )
        request = SessionPageRequest(Window(10), descending=False)
        page = page_of((await backend.page_sessions([request], EVERYTHING))[request])
        assert [session.owner_id for session in page.items] == [ALICE, BOB, None]

    async def test_a_renamed_session_is_found_by_its_new_title(self, backend: Backend) -> None:
        await done(backend, created(title="Old words"))
        await done(backend, changed(RenameSession("New Words")))
        old, new, untitled = (
            SessionPageRequest(Window(5), SessionFilter(title=title))
            for title in ("old", "new w", "none")
        )
        pages = await backend.page_sessions([old, new, untitled], ALICES)
        counts = [len(page_of(pages[request]).items) for request in (old, new, untitled)]
        assert counts == [0, 1, 0]

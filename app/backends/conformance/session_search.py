"""Sessions by what was said in them, or by their title."""

from __future__ import annotations

from app.backends.conformance.samples import (
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
from app.backends.conformance.search_samples import sessions_found
from app.backends.conformance.session_paging import bound, page_of
from app.backends.conformance.subject import BackendTests
from app.backends.protocol import Backend
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    DeleteMessage,
    EditMessage,
    PinSession,
    RenameSession,
)
from app.model.identifiers import ProfileId, Sequence
from app.model.paging import SessionFilter, SessionOrderField, SessionPageRequest, Take, Window
from app.model.parts import TextPart
from app.model.search_query import parse_query

ONE, TWO, THREE, FOUR, FIVE = (number_id(number) for number in range(1, 6))


async def sessions(backend: Backend) -> None:
    """Makes four sessions of Alice's and one of Bob's."""
    await all_done(
        backend,
        created(ONE, title="Keyset 分页", messages=[said("Hello"), said("about cursors")], at=1),
        created(TWO, title="Other", messages=[said("keyset cursors, again 光标")], at=2),
        created(THREE, title=None, messages=[said("go on"), said("Cursor of the page")], at=3),
        created(FOUR, title="Empty go", profile_id=ProfileId("work"), at=4),
        created(FIVE, owner_id=BOB, title="Keyset", messages=[said("cursors")], at=5),
    )


class SessionSearchTests(BackendTests):
    """The filter `query` of sessions."""

    async def test_a_session_is_found_by_its_title_or_by_a_message(self, backend: Backend) -> None:
        await sessions(backend)
        for query, found in {
            "cursor": [ONE, TWO, THREE],
            "keyset": [ONE, TWO],
            "KEYSET": [ONE, TWO],
            "页": [ONE],
            "光": [TWO],
            "光标": [TWO],
            "go": [THREE, FOUR],
            "empty": [FOUR],
            "keyset cursors": [TWO],
            "hello cursors": [],
            "keyset hello": [],
            '"the page"': [THREE],
            "nothing": [],
        }.items():
            assert await sessions_found(backend, query, ALICES) == found, query
        assert await sessions_found(backend, "cursor", BOBS) == [FIVE]
        assert await sessions_found(backend, "cursor") == [ONE, TWO, THREE, FIVE]

    async def test_the_query_goes_with_other_filters(self, backend: Backend) -> None:
        await sessions(backend)
        await done(backend, changed(PinSession(True), session_id=TWO, at=9))
        assert await sessions_found(backend, "cursor", pinned=True) == [TWO]
        assert await sessions_found(backend, "cursor", pinned=False) == [ONE, THREE, FIVE]
        assert await sessions_found(backend, "go", profile_id=ProfileId("work")) == [FOUR]
        assert await sessions_found(backend, "cursor", title="keyset") == [ONE, FIVE]
        assert await sessions_found(backend, "cursor", updated_since=moment(9)) == [TWO]

    async def test_pages_have_exact_windows_in_every_order(self, backend: Backend) -> None:
        for number in range(10):
            text = "alpha" if number % 2 else "beta"
            await done(
                backend,
                created(
                    number_id(number), title=f"T{number}", messages=[said(text)] * 2, at=number
                ),
            )
        wanted = SessionFilter(query=parse_query("alpha"))
        for order in SessionOrderField:
            whole = SessionPageRequest(Window(50), wanted, order)
            every = page_of((await backend.page_sessions([whole], ALICES))[whole]).items
            assert [session.id for session in every] == [number_id(at) for at in (9, 7, 5, 3, 1)]
            middle = bound(every[2], order)
            for window, items, flags in (
                (Window(2), every[:2], (False, True)),
                (Window(5), every, (False, False)),
                (Window(2, after=middle), every[3:], (True, False)),
                (Window(1, after=middle), every[3:4], (True, True)),
                (Window(2, Take.LAST), every[3:], (True, False)),
                (Window(1, Take.LAST, before=middle), every[1:2], (True, True)),
            ):
                request = SessionPageRequest(window, wanted, order)
                page = page_of((await backend.page_sessions([request], ALICES))[request])
                assert (page.items, (page.has_previous, page.has_next)) == (items, flags), window

    async def test_a_session_is_found_by_what_it_says_now(self, backend: Backend) -> None:
        await sessions(backend)
        await done(backend, changed(RenameSession("Renamed"), session_id=ONE, at=6))
        assert await sessions_found(backend, "keyset", ALICES) == [TWO]
        assert await sessions_found(backend, "renamed", ALICES) == [ONE]
        edit = EditMessage(Sequence(1), parts=(TextPart("edited 改"),))
        await done(backend, changed(edit, session_id=TWO, at=7))
        assert await sessions_found(backend, "keyset", ALICES) == []
        assert await sessions_found(backend, "改", ALICES) == [TWO]
        await done(backend, changed(DeleteMessage(Sequence(2)), session_id=THREE, at=8))
        assert await sessions_found(backend, "cursor", ALICES) == [ONE]
        await done(backend, changed(ArchiveMessages(Sequence(2)), session_id=ONE, at=9))
        assert await sessions_found(backend, "cursor", ALICES) == [ONE]
        added = changed(AddMessages((said("a cursor"),)), session_id=FOUR, at=10)
        await done(backend, added)
        assert await sessions_found(backend, "cursor", ALICES) == [ONE, FOUR]

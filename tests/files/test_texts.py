"""Texts are found newest first, whatever was written, taken away and settled before."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from app.backends.conformance.samples import ALICE, BOB, created, moment, number_id
from app.backends.files import search, texts
from app.backends.files.changes import new_session
from app.backends.files.check_texts import count_unfindable
from app.backends.files.search import page_of_places
from app.backends.files.session_search import sessions_matching
from app.backends.files.texts import (
    SearchedText,
    Texts,
    drop_texts,
    put_texts,
    set_texts,
    settle,
    settle_all,
    texts_of,
)
from app.backends.protocol import Scope
from app.model.changes import CreateSession
from app.model.identifiers import Sequence, SessionId, UserId
from app.model.paging import Window
from app.model.search import SearchBound, SearchOrder, SearchRequest
from app.model.search_query import matches, parse_query
from app.model.session import Session


def session_of(number: int, owner_id: UserId | None) -> Session:
    commit = created(number_id(number), owner_id=owner_id)
    [creation] = commit.changes
    assert isinstance(creation, CreateSession)
    return new_session(commit, creation)


OWNERS = (ALICE, BOB, None)
SESSIONS = [session_of(number, owner_id) for number, owner_id in enumerate(OWNERS, start=1)]
WORDS = ["alpha", "alphabet", "go", "good", "世界", "界", "::"]
QUERIES = ["alpha", "alpha go", "go", "界", "世界", "::", "absent"]
TIMES = [moment(second) for second in range(10)]

sessions = st.sampled_from(SESSIONS)
numbers = st.integers(1, 4).map(Sequence)
normal_texts = st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)
searched = st.builds(SearchedText, st.just("user"), st.sampled_from(TIMES), normal_texts)


class SearchedTexts(RuleBasedStateMachine):
    """Texts of three sessions; two are settled at a time, and the runs read side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.executescript(texts.TABLES)
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(texts, "_BATCH_TEXTS", 2)
        self.patch.setattr(search, "_FEW_RUNS", 2)
        self.patch.setattr(search, "_FEW", 2)
        self.known: dict[SessionId, Session] = {}
        self.said: dict[SessionId, dict[int, SearchedText]] = {}

    def teardown(self) -> None:
        self.connection.close()
        self.patch.undo()

    @rule(session=sessions, changed=st.dictionaries(numbers, st.none() | searched))
    def change(self, session: Session, changed: Texts) -> None:
        put_texts(self.connection, session, self.known.get(session.id), changed)
        self._expect(session, {**self.said.get(session.id, {}), **changed})

    @rule(session=sessions, wanted=st.dictionaries(numbers, searched))
    def set_all(self, session: Session, wanted: Mapping[int, SearchedText]) -> None:
        set_texts(self.connection, session, wanted)
        self._expect(session, wanted)

    @rule(session=sessions)
    def drop(self, session: Session) -> None:
        drop_texts(self.connection, session.id)
        self.known.pop(session.id, None)
        self.said.pop(session.id, None)

    @rule()
    def settle_some(self) -> None:
        settle(self.connection)

    @rule()
    def settle_everything(self) -> None:
        settle_all(self.connection)

    def _expect(self, session: Session, wanted: Texts) -> None:
        last = max([session.last_sequence, *wanted])
        self.known[session.id] = replace(session, last_sequence=Sequence(last))
        kept = {at: text for at, text in wanted.items() if text is not None and text.normal}
        self.said[session.id] = kept

    @invariant()
    def every_text_is_there_and_has_its_grams(self) -> None:
        for session in SESSIONS:
            assert texts_of(self.connection, session.id) == self.said.get(session.id, {})
        assert count_unfindable(self.connection) == 0

    @invariant()
    def a_search_finds_what_looking_at_every_text_finds(self) -> None:
        for query in QUERIES:
            self._compare(query, Scope())
        for session in SESSIONS[:2]:
            self._compare("alpha", Scope(session.owner_id))
            self._compare("alpha", Scope(), session_id=session.id)
        for at in TIMES[::3]:
            after = SearchBound(0, at, SESSIONS[1].id, Sequence(2))
            self._compare("alpha", Scope(), after=after)
            self._compare("alpha", Scope(), since=at)
            self._compare("alpha", Scope(), until=at)

    def _compare(
        self,
        query: str,
        scope: Scope,
        *,
        after: SearchBound | None = None,
        session_id: SessionId | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> None:
        parsed = parse_query(query)
        wanted = [
            SearchBound(0, text.created_at, session.id, Sequence(at))
            for session in SESSIONS
            for at, text in self.said.get(session.id, {}).items()
            if scope.owner in (None, session.owner_id)
            and session_id in (None, session.id)
            and (since is None or text.created_at >= since)
            and (until is None or text.created_at < until)
            and matches(parsed, text.normal)
        ]
        behind = [bound for bound in wanted if after is None or bound < after]
        request = SearchRequest(
            parsed,
            Window(2, after=after),
            SearchOrder.NEWEST,
            session_id=session_id,
            since=since,
            until=until,
        )
        page = page_of_places(self.connection, request, scope)
        assert [hit.bound for hit in page.items] == sorted(behind, reverse=True)[:2]
        assert page.has_next == (len(behind) > 2)
        if session_id is None and since is until is after is None:
            found = sessions_matching(self.connection, parsed, scope)
            assert found == {bound.session_id for bound in wanted}


TestSearchedTexts = SearchedTexts.TestCase
TestSearchedTexts.settings = settings(max_examples=60, stateful_step_count=25)


def test_texts_of_a_store_that_only_grows_lie_in_one_run() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(texts.TABLES)
    for at in range(5):
        said = SearchedText("user", moment(at), f"text {at}")
        put_texts(connection, SESSIONS[0], None, {at + 1: said})
        settle(connection)
    assert [run.last - run.first for run in texts.runs_of(connection)] == [4]
    earlier = SearchedText("user", moment(2), "said before")
    put_texts(connection, SESSIONS[1], None, {1: earlier})
    settle(connection)
    assert len(texts.runs_of(connection)) == 2
    settle_all(connection)
    assert len(texts.runs_of(connection)) == 1
    connection.close()


def test_the_first_page_of_a_frequent_word_reads_few_texts() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(texts.TABLES)
    count = 5000
    said = {at: SearchedText("user", moment(at), f"word {at}") for at in range(1, count)}
    put_texts(connection, SESSIONS[0], None, said)
    settle_all(connection)
    request = SearchRequest(parse_query("word"), Window(10), SearchOrder.NEWEST)
    steps = 0

    def count_steps() -> None:
        nonlocal steps
        steps += 1

    connection.set_progress_handler(count_steps, 1)
    page = page_of_places(connection, request, Scope())
    assert [hit.bound.sequence for hit in page.items] == list(range(count - 1, count - 11, -1))
    assert steps < count
    connection.close()

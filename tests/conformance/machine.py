"""A state machine that does the same at random on several stores and compares what they answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule

from app.backends.conformance import OpenNamed
from app.backends.conformance.samples import errors_found, records_of, stream
from app.backends.protocol import EVERYTHING, Backend, Found, Scope
from app.model.changes import Commit
from app.model.events import LogRead, LogSlice
from app.model.identifiers import AgentId, MessageId, ProfileId, SessionId, SessionKey, UserId
from app.model.message import MessageScope
from app.model.paging import (
    MessagePageRequest,
    Page,
    SessionOrderField,
    SessionPageRequest,
    Take,
    Window,
)
from app.model.records import Loaded, Record
from app.model.search import SearchRequest
from app.model.session import Session
from app.schema.cursors import (
    decode_event_cursor,
    decode_message_cursor,
    decode_search_cursor,
    decode_session_cursor,
)
from tests.conformance import programs
from tests.conformance.lockstep import Lockstep, Upkeep
from tests.conformance.programs import IDS, ids, scopes
from tests.conformance.written import Written, cursor_of, exported, written, written_by_request

T = TypeVar("T")

limits = st.integers(1, 5)
takes = st.sampled_from(Take)


class StoreMachine(RuleBasedStateMachine):
    """The rules are what a backend can be asked, places that were answered come in again."""

    places = Bundle("places")
    """A request for a page of sessions, and the cursor of one that was on it."""

    messages = Bundle("messages")
    """A session, and the cursor of one of its messages."""

    hits = Bundle("hits")
    """A search, and the cursor of one of its hits."""

    positions = Bundle("positions")
    """A session, and the cursor of one of its events."""

    archives = Bundle("archives")
    """The records of the stores at some time."""

    def __init__(self, runner: asyncio.Runner, openers: Mapping[str, OpenNamed]) -> None:
        super().__init__()
        self.runner = runner
        self.stores = Lockstep(openers)
        self.others = Lockstep(openers, "other")
        self.run(self.stores.open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Waits for what a rule does."""
        return self.runner.run(work)

    def _ask(
        self, call: Callable[[Backend], Awaitable[T]], write: Callable[[T], Written]
    ) -> T | None:
        asking = self.stores.ask(call, write)
        return self.run(asking)

    @initialize(beginnings=programs.beginnings)
    def begin(self, beginnings: Sequence[Commit]) -> None:
        """Makes sessions with some messages, for the rules to meet in."""
        self.commit(beginnings, EVERYTHING)

    @rule(commits=st.lists(programs.commits, min_size=1, max_size=3), scope=scopes)
    def commit(self, commits: Sequence[Commit], scope: Scope) -> None:
        """Commits, a few in one call."""
        self._ask(
            lambda backend: backend.commit(commits, scope),
            lambda outcomes: [written(one) for one in outcomes],
        )

    # Every third step should change something.
    commit_another = commit_a_third = commit_a_fourth = commit_a_fifth = commit

    @rule(
        target=places,
        request=st.sampled_from(SessionOrderField).flatmap(programs.session_pages),
        scope=scopes,
    )
    def page_sessions(self, request: SessionPageRequest, scope: Scope) -> Any:
        """Reads a page of sessions."""
        found = self._ask(
            lambda backend: backend.page_sessions([request], scope),
            lambda answer: written_by_request([request], answer),
        )
        page = found[request] if found is not None else None
        assert isinstance(page, Page)
        return multiple(*((request, cursor_of(request, item)) for item in page.items))

    @rule(place=places, limit=limits, take=takes, behind=st.booleans(), scope=scopes)
    def page_sessions_on(
        self,
        place: tuple[SessionPageRequest, str],
        limit: int,
        take: Take,
        behind: bool,
        scope: Scope,
    ) -> None:
        """Reads on from a session that was once listed, with the filter of then."""
        former, cursor = place
        bound = decode_session_cursor(cursor, former.order, former.descending, ("after",))
        window = Window(limit, take, bound if behind else None, None if behind else bound)
        request = SessionPageRequest(window, former.filter, former.order, former.descending)
        self._ask(
            lambda backend: backend.page_sessions([request], scope),
            lambda answer: written_by_request([request], answer),
        )

    @rule(target=messages, requests=programs.message_pages, scope=scopes)
    def page_messages(self, requests: Sequence[MessagePageRequest], scope: Scope) -> Any:
        """Reads pages of messages, several in one call."""
        found = self._ask(
            lambda backend: backend.page_messages(requests, scope),
            lambda answer: written_by_request(dict.fromkeys(requests), answer),
        )
        assert found is not None
        return multiple(
            *(
                (request.session_id, cursor_of(request, item))
                for request, page in found.items()
                if isinstance(page, Page)
                for item in page.items
            )
        )

    @rule(
        place=messages,
        limit=limits,
        take=takes,
        behind=st.booleans(),
        kind=st.sampled_from(MessageScope),
        scope=scopes,
    )
    def page_messages_on(
        self,
        place: tuple[SessionId, str],
        limit: int,
        take: Take,
        behind: bool,
        kind: MessageScope,
        scope: Scope,
    ) -> None:
        """Reads on from a message that was once read, and may be gone."""
        session_id, cursor = place
        bound = decode_message_cursor(cursor, session_id, ("after",))
        window = Window(limit, take, bound if behind else None, None if behind else bound)
        self.page_messages([MessagePageRequest(session_id, window, kind)], scope)

    @rule(
        target=hits,
        requests=st.lists(programs.searches, min_size=1, max_size=3),
        scope=scopes,
    )
    def search(self, requests: Sequence[SearchRequest], scope: Scope) -> Any:
        """Searches messages, for several things in one call."""
        found = self._ask(
            lambda backend: backend.search_messages(requests, scope),
            lambda answer: written_by_request(dict.fromkeys(requests), answer),
        )
        assert found is not None
        return multiple(
            *(
                (request, cursor_of(request, hit))
                for request, page in found.items()
                if isinstance(page, Page)
                for hit in page.items
            )
        )

    @rule(place=hits, limit=limits, scope=scopes)
    def search_on(self, place: tuple[SearchRequest, str], limit: int, scope: Scope) -> None:
        """Reads on from what was once found."""
        former, cursor = place
        after = decode_search_cursor(cursor, former.query, former.order, ("after",))
        self.search([replace(former, window=Window(limit, after=after))], scope)

    @rule(target=positions, reads=programs.log_reads, scope=scopes)
    def read_logs(self, reads: Sequence[LogRead], scope: Scope) -> Any:
        """Reads event logs, several in one call."""
        found = self._ask(
            lambda backend: backend.read_logs(reads, scope),
            lambda answer: written_by_request(dict.fromkeys(reads), answer),
        )
        assert found is not None
        return multiple(
            *(
                (read.session_id, cursor_of(read, event, slice_.top))
                for read, slice_ in found.items()
                if isinstance(slice_, LogSlice)
                for event in slice_.events
            )
        )

    @rule(position=positions, limit=st.integers(1, 6), scope=scopes)
    def follow(self, position: tuple[SessionId, str], limit: int, scope: Scope) -> None:
        """Reads a log on from an event that was once read, whatever has become of the session."""
        session_id, cursor = position
        after = decode_event_cursor(cursor, session_id, ("after",))
        self.read_logs([LogRead(session_id, after, limit)], scope)

    @rule(keys=programs.keys, wanted=programs.message_ids, scope=scopes)
    def look_up(
        self, keys: Collection[SessionKey], wanted: Collection[MessageId], scope: Scope
    ) -> None:
        """Reads by id and by key."""
        users = [UserId("alice"), UserId("bob")]
        agents = [AgentId("navigator"), AgentId("helper"), AgentId("nobody")]
        profiles = [ProfileId("default")]
        lookups: list[tuple[Collection[Any], Callable[[Backend], Awaitable[Found[Any, Any]]]]] = [
            (IDS, lambda backend: backend.get_sessions(IDS, scope)),
            (keys, lambda backend: backend.find_sessions(keys, scope)),
            (wanted, lambda backend: backend.get_messages(wanted, scope)),
            (users, lambda backend: backend.get_users(users, scope)),
            (agents, lambda backend: backend.get_agents(agents)),
            (profiles, lambda backend: backend.get_profiles(profiles)),
        ]
        for asked, call in lookups:
            write = partial(written_by_request, dict.fromkeys(asked))
            self._ask(call, write)

    @rule(target=archives)
    def export(self) -> list[Record]:
        """Exports everything."""
        self._ask(exported, lambda archive: [archive])
        return self.run(records_of(next(iter(self.stores.backends.values()))))

    @rule(scope=scopes, after=st.none() | ids)
    def export_in_part(self, scope: Scope, after: SessionId | None) -> None:
        """Exports what is in a scope, from some session on."""
        self._ask(
            lambda backend: records_of(backend, scope, after),
            lambda records: [written(record) for record in records],
        )

    @rule(archive=archives, replace=st.booleans())
    def load(self, archive: list[Record], replace: bool) -> None:
        """Loads what was once exported, into what has become of it."""
        self._ask(lambda backend: backend.load(stream(archive), replace=replace), lambda did: [did])

    @rule(archive=archives, chance=st.randoms(use_true_random=False))
    def load_without_a_record(self, archive: list[Record], chance: Any) -> None:
        """Loads what is not whole."""
        if archive:
            left_out = chance.randrange(len(archive))
            self.load([*archive[:left_out], *archive[left_out + 1 :]], replace=False)

    @rule(upkeep=st.sampled_from(Upkeep))
    def reopen(self, upkeep: Upkeep) -> None:
        """Closes the stores and opens them again."""
        self.run(self.stores.reopen(upkeep))

    def teardown(self) -> None:
        """All hold the same, nothing is wrong with any, and what they hold can be moved."""
        self.run(self._compare())

    async def _compare(self) -> None:
        try:
            await self.stores.ask(exported, lambda archive: [archive])
            await self.stores.ask(errors_found, lambda findings: [findings])
            for name, backend in self.stores.backends.items():
                assert await errors_found(backend) == [], name
                assert await backend.repair() == 0, name
            records = await records_of(next(iter(self.stores.backends.values())))
            sessions = sum(isinstance(record, Session) for record in records)
            again = await self.stores.ask(
                lambda backend: backend.load(stream(records)), lambda did: [did]
            )
            assert again == Loaded(unchanged=sessions)
            await self.others.open()
            await self.others.ask(lambda other: other.load(stream(records)), lambda did: [did])
            await self.others.ask(exported, lambda archive: [archive])
            [first, *_] = self.others.backends.values()
            assert await exported(first) == await exported(
                next(iter(self.stores.backends.values()))
            )
        finally:
            await self.stores.close()
            await self.others.close()

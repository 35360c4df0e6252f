"""The storage protocol as a plain model in memory: slow, and as plain as can be.

It is what the conformance kit is tried on, what planted bugs are planted in, and the oracle that
random programs of operations are compared with. A commit works on a copy of its session, every
counter is recounted from the messages, and every page is sliced from a sorted list, so that there
is little that could be wrong.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any, TypeVar

from app.backends.protocol import (
    Capabilities,
    Finding,
    Found,
    Readiness,
    Scope,
    Severity,
    Support,
)
from app.model.changes import Commit, Committed, CreateSession
from app.model.errors import Conflict, InvalidInput, NotFound, ScrollbackError, StoreUnavailable
from app.model.events import LogRead, LogSlice
from app.model.identifiers import AgentId, MessageId, ProfileId, SessionId, SessionKey, UserId
from app.model.message import Message, MessageScope
from app.model.paging import (
    MessagePageRequest,
    Page,
    SessionBound,
    SessionFilter,
    SessionOrderField,
    SessionPageRequest,
    Take,
    Window,
    title_order,
)
from app.model.records import Damage, Loaded, Record
from app.model.refusals import (
    attempt_differs,
    id_of_another_owner,
    id_taken,
    key_taken,
    no_such_session,
    owner_out_of_scope,
    revision_differs,
)
from app.model.search import SearchHit, SearchRequest
from app.model.search_query import SearchQuery
from app.model.search_text import normal_text, normalize
from app.model.session import Agent, Profile, Session, User
from tests.conformance.reference_search import has_every_term, page_of_matches
from tests.conformance.reference_session import StoredSession, create_session
from tests.conformance.reference_transfer import export_records, load_records

T = TypeVar("T")


class ReferenceStore:
    """What lasts when a backend is closed: sessions, tombstones, names, damage."""

    def __init__(self) -> None:
        self.sessions: dict[SessionId, StoredSession] = {}
        self.users: dict[UserId, User] = {}
        self.agents: dict[AgentId, Agent] = {}
        self.profiles: dict[ProfileId, Profile] = {}
        self.damages: list[Damage] = []

    def find(self, key: SessionKey) -> StoredSession | None:
        """Returns the live session of that owner and key."""
        for stored in self.sessions.values():
            session = stored.session
            if session is not None and SessionKey(session.owner_id, session.key) == key:
                return stored
        return None

    def register(self, session: Session, messages: Collection[Message]) -> None:
        """Makes sure that whoever a session and its messages name is known."""
        senders = [message.sender for message in messages if message.sender is not None]
        for user_id in (session.owner_id, *(sender.user_id for sender in senders)):
            if user_id is not None:
                self.users.setdefault(user_id, User(user_id))
        named = (session.agent_id, session.peer_agent_id, *(one.agent_id for one in senders))
        for agent_id in named:
            if agent_id is not None:
                self.agents.setdefault(agent_id, Agent(agent_id))
        if session.profile_id is not None:
            self.profiles.setdefault(session.profile_id, Profile(session.profile_id))


class ReferenceBackend:
    """`app.backends.protocol.Backend` over a `ReferenceStore`."""

    def __init__(self, store: ReferenceStore | None = None) -> None:
        self.store = store if store is not None else ReferenceStore()
        self.closed = False

    @property
    def capabilities(self) -> Capabilities:
        """Says that nothing outlives the process."""
        return Capabilities(
            name="reference",
            durable=Support(False, "it is kept in memory"),
            several_processes=Support(False, "it is kept in one process"),
        )

    async def get_sessions(
        self, ids: Collection[SessionId], scope: Scope
    ) -> Found[SessionId, Session]:
        """Answers sessions by id."""
        self.require_open()
        found = {session_id: self.access(session_id, scope) for session_id in ids}
        return {session_id: one.session for session_id, one in found.items() if one and one.session}

    async def find_sessions(
        self, keys: Collection[SessionKey], scope: Scope
    ) -> Found[SessionKey, Session]:
        """Answers sessions by owner and key."""
        return {
            SessionKey(session.owner_id, session.key): session
            for session in self.visible_sessions(scope)
            if SessionKey(session.owner_id, session.key) in keys
        }

    async def page_sessions(
        self, requests: Collection[SessionPageRequest], scope: Scope
    ) -> Found[SessionPageRequest, Page[Session]]:
        """Answers pages of sessions."""
        sessions = self.visible_sessions(scope)
        return {request: self.page_of_sessions(sessions, request) for request in requests}

    async def get_messages(
        self, ids: Collection[MessageId], scope: Scope
    ) -> Found[MessageId, Message]:
        """Answers messages by id."""
        self.require_open()
        answer: dict[MessageId, Message | ScrollbackError] = {}
        for wanted in ids:
            stored = self.access(wanted.session_id, scope)
            if stored and wanted.sequence in stored.messages:
                answer[wanted] = stored.messages[wanted.sequence]
        return answer

    async def page_messages(
        self, requests: Collection[MessagePageRequest], scope: Scope
    ) -> Found[MessagePageRequest, Page[Message]]:
        """Answers pages of messages."""
        self.require_open()
        answer: dict[MessagePageRequest, Page[Message] | ScrollbackError] = {}
        for request in requests:
            stored = self.access(request.session_id, scope)
            if stored and stored.session:
                answer[request] = self.page_of_messages(stored, request)
        return answer

    async def search_messages(
        self, requests: Collection[SearchRequest], scope: Scope
    ) -> Found[SearchRequest, Page[SearchHit]]:
        """Answers pages of hits."""
        self.require_open()
        return {request: self.page_of_hits(request, scope) for request in requests}

    async def get_users(self, ids: Collection[UserId], scope: Scope) -> Found[UserId, User]:
        """Answers users by id."""
        self.require_open()
        visible = {one for one in ids if scope.owner in (None, one)}
        return {one: self.store.users[one] for one in visible if one in self.store.users}

    async def get_agents(self, ids: Collection[AgentId]) -> Found[AgentId, Agent]:
        """Answers agents by id."""
        self.require_open()
        return {one: self.store.agents[one] for one in ids if one in self.store.agents}

    async def get_profiles(self, ids: Collection[ProfileId]) -> Found[ProfileId, Profile]:
        """Answers profiles by id."""
        self.require_open()
        return {one: self.store.profiles[one] for one in ids if one in self.store.profiles}

    async def commit(
        self, commits: Sequence[Commit], scope: Scope
    ) -> Sequence[Committed | ScrollbackError]:
        """Carries commits out, one after another."""
        self.require_open()
        outcomes: list[Committed | ScrollbackError] = []
        for commit in commits:
            try:
                outcomes.append(await self.commit_one(commit, scope))
            except (NotFound, Conflict, InvalidInput) as error:
                outcomes.append(error)
        return outcomes

    async def read_logs(self, reads: Collection[LogRead], scope: Scope) -> Found[LogRead, LogSlice]:
        """Answers slices of event logs."""
        self.require_open()
        answer: dict[LogRead, LogSlice | ScrollbackError] = {}
        for read in reads:
            stored = self.access(read.session_id, scope)
            if stored:
                answer[read] = self.slice_of_log(stored, read)
        return answer

    async def export(
        self, scope: Scope, *, after: SessionId | None = None
    ) -> AsyncIterator[Record]:
        """Yields the records of the store."""
        self.require_open()
        for record in export_records(self.store, scope, after):
            yield record

    async def load(self, records: AsyncIterator[Record], *, replace: bool = False) -> Loaded:
        """Takes records in."""
        self.require_open()
        taken = [record async for record in records]
        return load_records(self.store, taken, replace=replace)

    async def ready(self) -> Readiness:
        """Answers whether the store is open."""
        return Readiness(not self.closed, "closed" if self.closed else "ready")

    async def check(self) -> AsyncIterator[Finding]:
        """Compares every counter with its recount and every log with the numbers 1, 2, 3 …"""
        self.require_open()
        for session_id, stored in sorted(self.store.sessions.items()):
            if stored.session is None:
                continue
            if stored.session != stored.recounted():
                yield Finding(
                    Severity.ERROR, "COUNTER_DRIFT", f"counters of {session_id} are wrong"
                )
            if not stored.has_whole_log():
                yield Finding(Severity.ERROR, "LOG_GAP", f"the log of {session_id} has a gap")

    async def repair(self) -> int:
        """Sets every counter to its recount."""
        self.require_open()
        mended = 0
        for stored in self.store.sessions.values():
            if stored.session is not None and stored.session != stored.recounted():
                stored.session = stored.recounted()
                mended += 1
        return mended

    async def close(self) -> None:
        """Ends the use of this backend; the store stays."""
        self.closed = True

    def require_open(self) -> None:
        """Raises once the backend is closed."""
        if self.closed:
            raise StoreUnavailable("the store is closed")

    def access(self, session_id: SessionId, scope: Scope) -> StoredSession | None:
        """Returns a session, live or deleted, if it is in scope."""
        self.require_open()
        stored = self.store.sessions.get(session_id)
        if stored is None or scope.owner not in (None, stored.owner_id):
            return None
        return stored

    def visible_sessions(self, scope: Scope) -> list[Session]:
        """Returns the live sessions in scope."""
        self.require_open()
        found = [self.access(session_id, scope) for session_id in self.store.sessions]
        return [one.session for one in found if one and one.session]

    async def commit_one(self, commit: Commit, scope: Scope) -> Committed:
        """Carries one commit out, or raises with nothing done."""
        stored = self.access(commit.session_id, scope)
        replayed = self.replay(stored, commit)
        if replayed:
            return replayed
        first = commit.changes[0] if commit.changes else None
        if isinstance(first, CreateSession):
            if scope.owner not in (None, first.owner_id):
                raise owner_out_of_scope()
            former = self.store.sessions.get(commit.session_id)
            holder = self.store.find(SessionKey(first.owner_id, first.key))
            if holder and holder.session:
                return self.answer_existing(holder, holder.session, first)
            if former and former.session:
                raise id_taken()
            if former and former.owner_id != first.owner_id:
                raise id_of_another_owner()
            draft = create_session(commit, first, former)
        elif stored is None or stored.session is None:
            raise no_such_session()
        else:
            draft = stored.copy()
        if commit.expected is not None and commit.expected != draft.starting_revision:
            raise revision_differs(
                draft.starting_revision,
                commit.expected,
                None if isinstance(first, CreateSession) else draft.session,
            )
        outcome = draft.carry_out(commit, lambda session_id: self.access(session_id, scope))
        self.store.sessions[commit.session_id] = draft
        if draft.session is not None:
            self.store.register(draft.session, draft.added)
        return outcome

    def replay(self, stored: StoredSession | None, commit: Commit) -> Committed | None:
        """Returns the first result of an idempotency key that was used before."""
        if stored is None or commit.idempotency is None:
            return None
        record = stored.replays.get(commit.idempotency.key)
        if record is None:
            return None
        if record.idempotency != commit.idempotency:
            raise attempt_differs(stored.session)
        return stored.committed(
            revision=record.revision,
            sequences=record.sequences,
            affected=record.affected,
            replayed=True,
        )

    def answer_existing(
        self, holder: StoredSession, session: Session, create: CreateSession
    ) -> Committed:
        """Answers a creation whose key is taken."""
        if create.get_existing:
            return holder.committed(revision=session.revision, existing=True)
        raise key_taken(session)

    def page_of_sessions(
        self, sessions: list[Session], request: SessionPageRequest
    ) -> Page[Session]:
        """Returns one page of sessions."""
        wanted = [
            session
            for session in sessions
            if matches(session, request.filter) and self.mentions(session, request.filter.query)
        ]
        by_bound = {bound_of(session, request.order): session for session in wanted}
        return slice_page(by_bound, request.window, descending=request.descending)

    def page_of_messages(self, stored: StoredSession, request: MessagePageRequest) -> Page[Message]:
        """Returns one page of messages."""
        wanted = {
            sequence: message
            for sequence, message in stored.messages.items()
            if request.messages is MessageScope.ALL
            or (message.archived_at is not None) is (request.messages is MessageScope.ARCHIVED)
        }
        return slice_page(wanted, request.window, descending=False)

    def mentions(self, session: Session, query: SearchQuery | None) -> bool:
        """Answers whether the title of a session or one of its messages matches a query."""
        messages = self.store.sessions[session.id].messages.values()
        texts = [normalize(session.title or ""), *(normal_text(one.parts) for one in messages)]
        return query is None or any(has_every_term(query, text) for text in texts)

    def page_of_hits(self, request: SearchRequest, scope: Scope) -> Page[SearchHit]:
        """Returns one page of the messages that match."""
        return page_of_matches(
            [
                (session, message)
                for session in self.visible_sessions(scope)
                if matches(session, request.sessions)
                for message in self.store.sessions[session.id].messages.values()
            ],
            request,
        )

    def slice_of_log(self, stored: StoredSession, read: LogRead) -> LogSlice:
        """Returns one slice of a log."""
        top = stored.position
        start = read.after.revision if read.after else 0
        if read.after and (read.after.epoch != top.epoch or start > top.revision):
            return LogSlice((), top, gap=True)
        events = [event for event in stored.events if event.revision > start]
        return LogSlice(tuple(stored.told(event) for event in events)[: read.limit], top, False)


def bound_of(session: Session, order: SessionOrderField) -> SessionBound:
    """Returns the place of a session in an order."""
    values = {
        SessionOrderField.LAST_ACTIVITY: session.last_activity_at,
        SessionOrderField.CREATED: session.created_at,
        SessionOrderField.TITLE: title_order(session.title),
    }
    return SessionBound(values[order], session.id)


def matches(session: Session, wanted: SessionFilter) -> bool:
    """Answers whether a session passes a filter."""
    return (
        wanted.archived in (None, session.archived_at is not None)
        and wanted.pinned in (None, session.pinned_at is not None)
        and wanted.starred in (None, session.starred_at is not None)
        and wanted.profile_id in (None, session.profile_id)
        and wanted.agent_id in (None, session.agent_id)
        and wanted.channel in (None, session.channel)
        and (wanted.updated_since is None or session.updated_at >= wanted.updated_since)
        and (wanted.updated_until is None or session.updated_at < wanted.updated_until)
        and title_order(wanted.title) in title_order(session.title)
    )


def slice_page(items: dict[Any, T], window: Window[Any], *, descending: bool) -> Page[T]:
    """Returns a window on items that are given by their place in the order."""

    def precedes(one: Any, other: Any) -> bool:
        return bool(one > other if descending else one < other)

    order = sorted(items, reverse=descending)
    inside = [
        place
        for place in order
        if (window.after is None or precedes(window.after, place))
        and (window.before is None or precedes(place, window.before))
    ]
    shown = inside[: window.limit] if window.take is Take.FIRST else inside[-window.limit :]
    first, last = (shown[0], shown[-1]) if shown else (None, None)
    if not shown:
        return Page(
            items=(),
            has_previous=window.after is not None
            and any(not precedes(window.after, place) for place in order),
            has_next=window.before is not None
            and any(not precedes(place, window.before) for place in order),
        )
    return Page(
        items=tuple(items[place] for place in shown),
        has_previous=any(precedes(place, first) for place in order),
        has_next=any(precedes(last, place) for place in order),
    )

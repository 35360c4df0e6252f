"""What a store in memory holds, and the orders in which its sessions can be found."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator

from app.backends.memory.state import SessionState
from app.backends.protocol import Scope
from app.model.identifiers import AgentId, ProfileId, SessionId, SessionKey, UserId
from app.model.message import Message
from app.model.paging import (
    Page,
    SessionBound,
    SessionFilter,
    SessionOrderField,
    SessionPageRequest,
    Take,
    cut_page,
    session_bound,
    title_order,
)
from app.model.records import Damage, Deletion, IdempotencyRecord
from app.model.search_query import SearchQuery, matches
from app.model.search_text import normalize
from app.model.session import Agent, Profile, Session, User


class SessionOrders:
    """The places of some sessions in every order, ascending."""

    def __init__(self) -> None:
        self.places: dict[SessionOrderField, list[SessionBound]] = {
            order: [] for order in SessionOrderField
        }

    def move(self, before: Session | None, after: Session | None) -> None:
        """Takes a session from its place before to its place now; None: it is in no order."""
        for order, places in self.places.items():
            old = session_bound(before, order) if before else None
            new = session_bound(after, order) if after else None
            if old == new:
                continue
            if old is not None:
                del places[bisect_left(places, old)]
            if new is not None:
                insort(places, new)


class MemoryStore:
    """Everything that a store holds. Used from one event loop."""

    def __init__(self) -> None:
        self.live: dict[SessionId, SessionState] = {}
        self.ids: list[SessionId] = []
        self.by_key: dict[SessionKey, SessionId] = {}
        self.deletions: dict[SessionId, Deletion] = {}
        self.attempts: dict[SessionId, dict[str, IdempotencyRecord]] = {}
        """Used idempotency keys; they outlive their session."""
        self.users: dict[UserId, User] = {}
        self.agents: dict[AgentId, Agent] = {}
        self.profiles: dict[ProfileId, Profile] = {}
        self.damages: dict[str, Damage] = {}
        self._orders = SessionOrders()
        self._owners: dict[UserId, SessionOrders] = {}

    def access(self, session_id: SessionId, scope: Scope) -> SessionState | None:
        """Returns a live session that is in scope."""
        state = self.live.get(session_id)
        if state is None or scope.owner not in (None, state.session.owner_id):
            return None
        return state

    def access_deletion(self, session_id: SessionId, scope: Scope) -> Deletion | None:
        """Returns the deletion of a session that is in scope."""
        deletion = self.deletions.get(session_id)
        if deletion is None or scope.owner not in (None, deletion.owner_id):
            return None
        return deletion

    def find(self, key: SessionKey) -> SessionState | None:
        """Returns the live session of an owner and key."""
        session_id = self.by_key.get(key)
        return None if session_id is None else self.live[session_id]

    def put(self, state: SessionState, before: Session | None) -> None:
        """Keeps a session as it is now; `before` is what the orders know of it."""
        session = state.session
        if before is None:
            insort(self.ids, session.id)
            self.by_key[SessionKey(session.owner_id, session.key)] = session.id
            self.deletions.pop(session.id, None)
        self.live[session.id] = state
        for orders in self._orders_of(session):
            orders.move(before, session)

    def delete(self, deletion: Deletion) -> None:
        """Keeps of a session that it was deleted, and the attempts that may be repeated."""
        state = self.live.pop(deletion.session_id, None)
        if state is not None:
            session = state.session
            del self.ids[bisect_left(self.ids, session.id)]
            del self.by_key[SessionKey(session.owner_id, session.key)]
            for orders in self._orders_of(session):
                orders.move(session, None)
        self.deletions[deletion.session_id] = deletion

    def remember(self, records: Iterable[IdempotencyRecord]) -> int:
        """Keeps used idempotency keys; returns how many of them were not known."""
        added = 0
        for record in records:
            known = self.attempts.setdefault(record.session_id, {})
            added += record.idempotency.key not in known
            known.setdefault(record.idempotency.key, record)
        return added

    def register(self, session: Session, messages: Iterable[Message]) -> None:
        """Makes known whom a session and its messages name."""
        users = [session.owner_id]
        agents = [session.agent_id, session.peer_agent_id]
        for message in messages:
            if message.sender is not None:
                users.append(message.sender.user_id)
                agents.append(message.sender.agent_id)
        for user_id in users:
            if user_id is not None:
                self.users.setdefault(user_id, User(user_id))
        for agent_id in agents:
            if agent_id is not None:
                self.agents.setdefault(agent_id, Agent(agent_id))
        if session.profile_id is not None:
            self.profiles.setdefault(session.profile_id, Profile(session.profile_id))

    def next_after(self, session_id: SessionId | None, scope: Scope) -> SessionState | None:
        """Returns the first live session in scope past an id, by id."""
        start = 0 if session_id is None else bisect_right(self.ids, session_id)
        for place in range(start, len(self.ids)):
            state = self.access(self.ids[place], scope)
            if state is not None:
                return state
        return None

    def page_of_sessions(self, request: SessionPageRequest, scope: Scope) -> Page[Session]:
        """Returns a page of the sessions in scope."""
        orders = self._orders
        if scope.owner is not None:
            orders = self._owners.get(scope.owner) or SessionOrders()
        places = orders.places[request.order]
        window, descending = request.window, request.descending
        lower, upper = (
            (window.before, window.after) if descending else (window.after, window.before)
        )
        low = 0 if lower is None else bisect_right(places, lower)
        high = len(places) if upper is None else bisect_left(places, upper)
        upward = (window.take is Take.FIRST) is not descending
        inside = range(low, high) if upward else range(high - 1, low - 1, -1)
        found: list[Session] = []
        for session in self._passing(places, inside, request.filter):
            found.append(session)
            if len(found) > window.limit:
                break
        if window.take is Take.LAST:
            found.reverse()
        below = any(True for _ in self._passing(places, range(low), request.filter))
        above = any(True for _ in self._passing(places, range(high, len(places)), request.filter))
        before, behind = (above, below) if descending else (below, above)
        return cut_page(found, window.limit, window.take, before=before, behind=behind)

    def _orders_of(self, session: Session) -> Iterator[SessionOrders]:
        yield self._orders
        if session.owner_id is not None:
            yield self._owners.setdefault(session.owner_id, SessionOrders())

    def _passing(
        self, places: list[SessionBound], indexes: range, wanted: SessionFilter
    ) -> Iterator[Session]:
        for index in indexes:
            state = self.live[places[index].id]
            if passes(state.session, wanted) and mentions(state, wanted.query):
                yield state.session


def mentions(state: SessionState, query: SearchQuery | None) -> bool:
    """Answers whether the title of a session or one of its messages matches a query, if any."""
    if query is None or matches(query, normalize(state.session.title or "")):
        return True
    return any(matches(query, normal) for _, normal in state.with_normal_text())


def passes(session: Session, wanted: SessionFilter) -> bool:
    """Answers whether a session passes a filter, its query aside."""
    for flag, mark in (
        (wanted.archived, session.archived_at),
        (wanted.pinned, session.pinned_at),
        (wanted.starred, session.starred_at),
    ):
        if flag is not None and flag is not (mark is not None):
            return False
    for value, own in (
        (wanted.profile_id, session.profile_id),
        (wanted.agent_id, session.agent_id),
        (wanted.channel, session.channel),
    ):
        if value is not None and value != own:
            return False
    if wanted.updated_since is not None and session.updated_at < wanted.updated_since:
        return False
    if wanted.updated_until is not None and session.updated_at >= wanted.updated_until:
        return False
    return not wanted.title or title_order(wanted.title) in title_order(session.title)

"""The memory backend. Whatever it does, it does in one step of the event loop, so no two meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence

from app.backends.memory import check, transfer
from app.backends.memory.commit import carry_out
from app.backends.memory.search import search
from app.backends.memory.store import MemoryStore
from app.backends.protocol import Capabilities, Finding, Found, Readiness, Scope, Support
from app.model.changes import Commit, Committed
from app.model.errors import ScrollbackError, StoreUnavailable
from app.model.events import Event, EventKind, LogRead, LogSlice
from app.model.identifiers import (
    AgentId,
    MessageId,
    Position,
    ProfileId,
    SessionId,
    SessionKey,
    UserId,
)
from app.model.message import Message
from app.model.paging import MessagePageRequest, Page, SessionPageRequest
from app.model.records import Deletion, Loaded, Record
from app.model.search import SearchHit, SearchRequest
from app.model.session import Agent, Profile, Session, User

_TURN = 32
"""After how many commits of one call others have their turn."""


class MemoryBackend:
    """A handle on a store in memory; satisfies `app.backends.protocol.Backend`.

    What is answered is the store's own frozen data: mappings in it are to be read, not changed.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            name="memory",
            durable=Support(False, "it is kept in memory and gone when the process ends"),
            several_processes=Support(False, "the memory of a process is its own"),
        )

    async def get_sessions(
        self, ids: Collection[SessionId], scope: Scope
    ) -> Found[SessionId, Session]:
        store = self._open_store()
        states = {session_id: store.access(session_id, scope) for session_id in ids}
        return {session_id: state.session for session_id, state in states.items() if state}

    async def find_sessions(
        self, keys: Collection[SessionKey], scope: Scope
    ) -> Found[SessionKey, Session]:
        store = self._open_store()
        states = {key: store.find(key) for key in keys if scope.owner in (None, key.owner_id)}
        return {key: state.session for key, state in states.items() if state}

    async def page_sessions(
        self, requests: Collection[SessionPageRequest], scope: Scope
    ) -> Found[SessionPageRequest, Page[Session]]:
        store = self._open_store()
        return {request: store.page_of_sessions(request, scope) for request in set(requests)}

    async def get_messages(
        self, ids: Collection[MessageId], scope: Scope
    ) -> Found[MessageId, Message]:
        store = self._open_store()
        found: dict[MessageId, Message] = {}
        for wanted in ids:
            state = store.access(wanted.session_id, scope)
            message = state.messages.get(wanted.sequence) if state else None
            if message is not None:
                found[wanted] = message
        return found

    async def page_messages(
        self, requests: Collection[MessagePageRequest], scope: Scope
    ) -> Found[MessagePageRequest, Page[Message]]:
        store = self._open_store()
        states = {request: store.access(request.session_id, scope) for request in requests}
        return {request: state.page(request) for request, state in states.items() if state}

    async def search_messages(
        self, requests: Collection[SearchRequest], scope: Scope
    ) -> Found[SearchRequest, Page[SearchHit]]:
        store = self._open_store()
        return {request: search(store, request, scope) for request in set(requests)}

    async def get_users(self, ids: Collection[UserId], scope: Scope) -> Found[UserId, User]:
        known = self._open_store().users
        return {one: known[one] for one in ids if one in known and scope.owner in (None, one)}

    async def get_agents(self, ids: Collection[AgentId]) -> Found[AgentId, Agent]:
        known = self._open_store().agents
        return {one: known[one] for one in ids if one in known}

    async def get_profiles(self, ids: Collection[ProfileId]) -> Found[ProfileId, Profile]:
        known = self._open_store().profiles
        return {one: known[one] for one in ids if one in known}

    async def commit(
        self, commits: Sequence[Commit], scope: Scope
    ) -> Sequence[Committed | ScrollbackError]:
        store = self._open_store()
        outcomes: list[Committed | ScrollbackError] = []
        for number, commit in enumerate(commits, start=1):
            try:
                outcomes.append(carry_out(store, commit, scope))
            except ScrollbackError as refusal:
                outcomes.append(refusal)
            if number % _TURN == 0:
                await asyncio.sleep(0)
        return outcomes

    async def read_logs(self, reads: Collection[LogRead], scope: Scope) -> Found[LogRead, LogSlice]:
        store = self._open_store()
        slices: dict[LogRead, LogSlice] = {}
        for read in reads:
            state = store.access(read.session_id, scope)
            deletion = store.access_deletion(read.session_id, scope)
            if state is not None:
                slices[read] = state.slice_of_log(read)
            elif deletion is not None:
                slices[read] = _log_of_deletion(deletion, read.after)
        return slices

    def export(self, scope: Scope, *, after: SessionId | None = None) -> AsyncIterator[Record]:
        return transfer.export(self._open_store(), scope, after=after)

    async def load(self, records: AsyncIterator[Record], *, replace: bool = False) -> Loaded:
        return await transfer.load(self._open_store(), records, replace=replace)

    async def ready(self) -> Readiness:
        if self._closed:
            return Readiness(ready=False, detail="the store is closed")
        return Readiness(ready=True, detail="the store answers")

    async def check(self) -> AsyncIterator[Finding]:
        for finding in check.check(self._open_store()):
            yield finding

    async def repair(self) -> int:
        return check.repair(self._open_store())

    async def close(self) -> None:
        self._closed = True

    def _open_store(self) -> MemoryStore:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        return self._store


def _log_of_deletion(deletion: Deletion, after: Position | None) -> LogSlice:
    top = Position(deletion.epoch, deletion.revision)
    last = Event(
        deletion.session_id,
        deletion.revision,
        EventKind.SESSION_DELETED,
        deletion.at,
        sequence=None,
        data={},
        message=None,
    )
    gap = after is not None and (after.epoch != top.epoch or after.revision > top.revision)
    seen = gap or after == top
    return LogSlice(() if seen else (last,), top, gap)

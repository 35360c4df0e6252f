"""Reading: each method is a constant number of statements, run on the driver itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from msgspec.json import Decoder
from sqlalchemy import Table

from app.backends.protocol import EVERYTHING, Found, Scope
from app.backends.sql.dialects.dialect import DATABASE_ERRORS, NO_BOUND, Dialect, Failure
from app.backends.sql.lookups import by_id
from app.backends.sql.merging import MergedReads, Read, RowWeight
from app.backends.sql.message_pages import (
    Kind,
    by_kind,
    packed_pages,
    pages_in_rows,
    pages_of_packed,
    pages_of_rows,
)
from app.backends.sql.packed import PAGED_SESSIONS, PackedPage, unpacked
from app.backends.sql.prepared import Query
from app.backends.sql.reads import Reads, Rows
from app.backends.sql.rows import (
    EVENT_COLUMNS,
    owner_to_column,
    to_deletion,
    to_event,
    to_message,
    to_session,
)
from app.backends.sql.searching import search_all
from app.backends.sql.session_pages import (
    cut_session_page,
    page_of_sessions,
    takes_long,
    to_session_page,
)
from app.backends.sql.session_search import page_of_matching
from app.backends.sql.tables import agents, deletions, profiles, sessions, users
from app.model.errors import InvalidInput, StoreUnavailable
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
from app.model.search import SearchHit, SearchRequest
from app.model.session import Agent, Profile, Session, User

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R", Session, User, Agent, Profile)

_SESSIONS: Decoder[Session] = Decoder(Session)
_USERS: Decoder[User] = Decoder(User)
_AGENTS: Decoder[Agent] = Decoder(Agent)
_PROFILES: Decoder[Profile] = Decoder(Profile)

_TRIES = 3
"""How often a read is tried when its connection breaks."""


class SqlReader:
    """The reading half of an SQL backend."""

    def __init__(self, dialect: Dialect, reads: Reads) -> None:
        self._dialect = dialect
        self._reads = reads
        self._errors: tuple[type[Exception], ...] = (
            *DATABASE_ERRORS,
            *dialect.driver_errors,
        )
        self._merged = MergedReads()
        self._message_weight = RowWeight()
        self._closed = False

    def _require_open(self) -> None:
        # Closed connections would quietly be opened anew.
        if self._closed:
            raise StoreUnavailable("the store is closed")

    async def _rows(self, query: Query, *, long: bool = False) -> Rows:
        """Returns the rows of a statement; runs it again where its connection broke."""
        self._require_open()
        for attempt in range(1, _TRIES + 1):
            try:
                return await self._reads.fetch(query, long=long)
            except self._errors as error:
                lost = self._dialect.failure(error) is Failure.DISCONNECTED
                if not lost or attempt == _TRIES:
                    raise self._dialect.explain(error) from error
        raise AssertionError("the loop above answers or raises")

    async def _long_rows(self, query: Query) -> Rows:
        return await self._rows(query, long=True)

    async def _load(
        self, kind: Hashable, keys: Sequence[K], read: Read[K, V], *, rows: int = 1
    ) -> Mapping[K, V]:
        """Returns what a read answers, merged with others of its kind where the dialect can."""
        self._require_open()
        if not keys:
            return {}
        if not self._dialect.merges:
            return await read(list(keys))
        return await self._merged.load(kind, keys, read, rows=rows)

    async def _by_id(
        self, table: Table, ids: Sequence[str], scope: Scope, make: Callable[[Any], V]
    ) -> dict[Any, V]:
        rows = await self._rows(by_id(self._dialect, table, ids, scope))
        return {row[0]: make(row) for row in rows}

    async def _records(
        self,
        table: Table,
        ids: Collection[Any],
        scope: Scope,
        decoder: Decoder[R],
        make: Callable[[Any], R],
    ) -> dict[Any, R]:
        """Returns sessions, users, agents or profiles by id; `make` makes them of rows."""

        async def read(ids: Sequence[str]) -> Mapping[str, bytes | R]:
            if self._dialect.packs:
                with suppress(InvalidInput):  # a record too large for one value
                    packed = by_id(self._dialect, table, ids, scope, packed=True)
                    return {row[0]: row[1] for row in await self._rows(packed)}
            return await self._by_id(table, ids, scope, make)

        records: dict[Any, R] = {}
        spoiled: list[str] = []
        found = await self._load((table, scope.owner), list(dict.fromkeys(ids)), read)
        for one, read_record in found.items():
            record = (
                unpacked(read_record, decoder) if isinstance(read_record, bytes) else read_record
            )
            if record is None:
                spoiled.append(one)
            else:
                records[one] = record
        if spoiled:
            records.update(await self._by_id(table, spoiled, scope, make))
        return records

    async def get_sessions(
        self, ids: Collection[SessionId], scope: Scope
    ) -> Found[SessionId, Session]:
        return await self._records(sessions, ids, scope, _SESSIONS, to_session)

    async def find_sessions(
        self, keys: Collection[SessionKey], scope: Scope
    ) -> Found[SessionKey, Session]:
        asked = [(owner_to_column(key.owner_id), key.key) for key in set(keys)]
        rows = await self._rows(self._dialect.find_sessions(asked, scope.owner))
        found = [to_session(row) for row in rows]
        return {SessionKey(session.owner_id, session.key): session for session in found}

    async def page_sessions(
        self, requests: Collection[SessionPageRequest], scope: Scope
    ) -> Found[SessionPageRequest, Page[Session]]:
        pages = {}
        for request in dict.fromkeys(requests):
            asked = request.filter.query
            if asked is not None and asked.terms:
                pages[request] = await page_of_matching(
                    self._dialect, self._long_rows, request, scope, asked
                )
                continue
            read = partial(self._page_of_sessions, scope)
            pages.update(await self._load((request, scope.owner), [request], read))
        return pages

    async def _page_of_sessions(
        self, scope: Scope, requests: list[SessionPageRequest]
    ) -> dict[SessionPageRequest, Page[Session]]:
        """Returns one page. Several at once want the same: they are what follows one event."""
        request = requests[0]
        long = takes_long(request.filter)
        if self._dialect.packs:
            with suppress(InvalidInput):  # too large for one value
                packed = page_of_sessions(self._dialect, request, scope, packed=True)
                ((text,),) = await self._rows(packed, long=long)
                sessions_read = unpacked(text, PAGED_SESSIONS)
                if sessions_read is not None:
                    return {request: cut_session_page(request, sessions_read)}
        query = page_of_sessions(self._dialect, request, scope)
        return {request: to_session_page(request, await self._rows(query, long=long))}

    async def get_messages(
        self, ids: Collection[MessageId], scope: Scope
    ) -> Found[MessageId, Message]:
        asked = [(one.session_id, min(one.sequence, NO_BOUND)) for one in set(ids)]
        rows = await self._rows(self._dialect.get_messages(asked, scope.owner))
        found = [to_message(row) for row in rows]
        return {message.message_id: message for message in found}

    async def page_messages(
        self, requests: Collection[MessagePageRequest], scope: Scope
    ) -> Found[MessagePageRequest, Page[Message]]:
        pages: dict[MessagePageRequest, Page[Message]] = {}
        for kind, alike in by_kind(requests).items():
            read = partial(self._message_pages, kind, scope)
            rows = (kind.limit + 1) * self._message_weight.rows
            found = await self._load((kind, scope.owner), alike, read, rows=rows)
            spoiled: list[MessagePageRequest] = []
            for request, read_page in found.items():
                page = (
                    read_page.page_of(request) if isinstance(read_page, PackedPage) else read_page
                )
                if page is None:
                    spoiled.append(request)
                else:
                    pages[request] = page
            if spoiled:
                pages.update(await self._pages_in_rows(kind, scope, spoiled))
        return pages

    async def _message_pages(
        self, kind: Kind, scope: Scope, requests: list[MessagePageRequest]
    ) -> Mapping[MessagePageRequest, PackedPage | Page[Message]]:
        packed = packed_pages(self._dialect, kind, requests, scope)
        if packed is not None:
            with suppress(InvalidInput):  # a page too large for one value
                rows = await self._rows(packed)
                size = sum([len(row[3]) for row in rows])
                self._message_weight.note(size, len(rows) * (kind.limit + 1))
                return pages_of_packed(requests, rows)
        return await self._pages_in_rows(kind, scope, requests)

    async def _pages_in_rows(
        self, kind: Kind, scope: Scope, requests: list[MessagePageRequest]
    ) -> dict[MessagePageRequest, Page[Message]]:
        query = pages_in_rows(self._dialect, kind, requests, scope)
        return pages_of_rows(requests, await self._rows(query))

    async def search_messages(
        self, requests: Collection[SearchRequest], scope: Scope
    ) -> Found[SearchRequest, Page[SearchHit]]:
        self._require_open()
        return await search_all(self._dialect, self._long_rows, requests, scope)

    async def get_users(self, ids: Collection[UserId], scope: Scope) -> Found[UserId, User]:
        return await self._records(users, ids, scope, _USERS, lambda row: User(*row))

    async def get_agents(self, ids: Collection[AgentId]) -> Found[AgentId, Agent]:
        return await self._records(agents, ids, EVERYTHING, _AGENTS, lambda row: Agent(*row))

    async def get_profiles(self, ids: Collection[ProfileId]) -> Found[ProfileId, Profile]:
        return await self._records(profiles, ids, EVERYTHING, _PROFILES, lambda row: Profile(*row))

    async def read_logs(self, reads: Collection[LogRead], scope: Scope) -> Found[LogRead, LogSlice]:
        asked = list(dict.fromkeys(reads))
        if not asked:
            self._require_open()
            return {}
        positions = [_log_read_parameters(read) for read in asked]
        rows = await self._rows(self._dialect.read_logs(positions, scope.owner))
        slices = _log_slices(asked, rows)
        missing = [read for read in asked if read not in slices]
        if missing:
            slices.update(await self._read_deletions(missing, scope))
        return slices

    async def _read_deletions(self, reads: list[LogRead], scope: Scope) -> dict[LogRead, LogSlice]:
        ids = {read.session_id for read in reads}
        gone = await self._by_id(deletions, list(ids), scope, to_deletion)
        slices = {}
        for read in reads:
            deletion = gone.get(read.session_id)
            if deletion is None:
                continue
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
            after = read.after
            gap = after is not None and (after.epoch != top.epoch or after.revision > top.revision)
            seen = gap or after == top
            slices[read] = LogSlice(() if seen else (last,), top, gap)
        return slices


def _log_read_parameters(read: LogRead) -> tuple[str, str | None, int, int]:
    epoch, revision = read.after or (None, 0)
    return read.session_id, epoch, min(revision, NO_BOUND), read.limit


def _log_slices(reads: list[LogRead], rows: Rows) -> dict[LogRead, LogSlice]:
    split = 4 + len(EVENT_COLUMNS)
    logs: dict[int, list[Event]] = defaultdict(list)
    tops: dict[int, tuple[Position, bool]] = {}
    for row in rows:
        number, epoch, top, gap = row[:4]
        tops[number] = Position(epoch, top), bool(gap)
        if row[4] is not None:
            message = None if row[split] is None else to_message(row[split:])
            logs[number].append(to_event(row[4:split], message))
    return {
        reads[number]: LogSlice(tuple(logs[number]), top, gap)
        for number, (top, gap) in tops.items()
    }

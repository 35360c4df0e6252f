"""Reading: each method is one SQLAlchemy session and a constant number of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.backends.protocol import Found, Scope
from app.backends.sql.dialects.dialect import DATABASE_ERRORS, NO_BOUND, Dialect, Failure
from app.backends.sql.rows import (
    DELETION_COLUMNS,
    EVENT_COLUMNS,
    SESSION_COLUMNS,
    owner_to_column,
    to_deletion,
    to_event,
    to_message,
    to_session,
)
from app.backends.sql.session_pages import page_of_sessions, to_session_page
from app.backends.sql.tables import agents, deletions, profiles, sessions, users
from app.model.errors import StoreUnavailable
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
from app.model.message import Message, MessageScope
from app.model.paging import MessagePageRequest, Page, SessionPageRequest, Take, cut_page
from app.model.session import Agent, Profile, Session, User

T = TypeVar("T")

_TRIES = 3
"""How often a read is tried when its connection breaks."""

_ARCHIVE_CODES = {MessageScope.ALL: 0, MessageScope.ACTIVE: 1, MessageScope.ARCHIVED: 2}


class SqlReader:
    """The reading half of an SQL backend."""

    def __init__(self, dialect: Dialect, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._dialect = dialect
        self._sessions = sessions
        self._closed = False

    def _require_open(self) -> None:
        # A disposed engine would quietly connect anew.
        if self._closed:
            raise StoreUnavailable("the store is closed")

    async def _read(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Does the work of one read, and again where its connection broke."""
        self._require_open()
        for attempt in range(1, _TRIES + 1):
            try:
                async with self._sessions() as session:
                    return await work(session)
            except DATABASE_ERRORS as error:
                lost = self._dialect.failure(error) is Failure.DISCONNECTED
                if not lost or attempt == _TRIES:
                    raise self._dialect.explain(error) from error
        raise AssertionError("the loop above answers or raises")

    async def _rows(
        self, statement: Any, parameters: dict[str, Any] | None = None
    ) -> list[Sequence[Any]]:
        async def read(session: AsyncSession) -> list[Sequence[Any]]:
            return list((await session.execute(statement, parameters)).all())

        return await self._read(read)

    async def get_sessions(
        self, ids: Collection[SessionId], scope: Scope
    ) -> Found[SessionId, Session]:
        statement = _in_scope(select(*SESSION_COLUMNS).where(sessions.c.id.in_(ids)), scope)
        return {row[0]: to_session(row) for row in await self._rows(statement)}

    async def find_sessions(
        self, keys: Collection[SessionKey], scope: Scope
    ) -> Found[SessionKey, Session]:
        asked = [(owner_to_column(key.owner_id), key.key) for key in set(keys)]
        rows = await self._rows(*self._dialect.find_sessions(asked, scope.owner))
        found = [to_session(row) for row in rows]
        return {SessionKey(session.owner_id, session.key): session for session in found}

    async def page_sessions(
        self, requests: Collection[SessionPageRequest], scope: Scope
    ) -> Found[SessionPageRequest, Page[Session]]:
        async def read(session: AsyncSession) -> dict[SessionPageRequest, Page[Session]]:
            pages = {}
            for request in set(requests):
                statement = page_of_sessions(self._dialect, request, scope)
                pages[request] = to_session_page(request, (await session.execute(statement)).all())
            return pages

        return await self._read(read)

    async def get_messages(
        self, ids: Collection[MessageId], scope: Scope
    ) -> Found[MessageId, Message]:
        asked = [(one.session_id, min(one.sequence, NO_BOUND)) for one in set(ids)]
        rows = await self._rows(*self._dialect.get_messages(asked, scope.owner))
        found = [to_message(row) for row in rows]
        return {message.message_id: message for message in found}

    async def page_messages(
        self, requests: Collection[MessagePageRequest], scope: Scope
    ) -> Found[MessagePageRequest, Page[Message]]:
        kinds: dict[tuple[Take, int], list[MessagePageRequest]] = defaultdict(list)
        for request in dict.fromkeys(requests):
            kinds[request.window.take, request.window.limit].append(request)

        async def read(session: AsyncSession) -> dict[MessagePageRequest, Page[Message]]:
            pages: dict[MessagePageRequest, Page[Message]] = {}
            for (take, limit), alike in kinds.items():
                asked = [_message_page_parameters(request) for request in alike]
                statement = self._dialect.page_messages(take, limit, asked, scope.owner)
                rows = (await session.execute(*statement)).all()
                pages.update(_message_pages(alike, rows))
            return pages

        return await self._read(read)

    async def get_users(self, ids: Collection[UserId], scope: Scope) -> Found[UserId, User]:
        statement = select(users).where(users.c.id.in_(ids))
        if scope.owner is not None:
            statement = statement.where(users.c.id == scope.owner)
        return {row[0]: User(*row) for row in await self._rows(statement)}

    async def get_agents(self, ids: Collection[AgentId]) -> Found[AgentId, Agent]:
        statement = select(agents).where(agents.c.id.in_(ids))
        return {row[0]: Agent(*row) for row in await self._rows(statement)}

    async def get_profiles(self, ids: Collection[ProfileId]) -> Found[ProfileId, Profile]:
        statement = select(profiles).where(profiles.c.id.in_(ids))
        return {row[0]: Profile(*row) for row in await self._rows(statement)}

    async def read_logs(self, reads: Collection[LogRead], scope: Scope) -> Found[LogRead, LogSlice]:
        asked = list(dict.fromkeys(reads))
        if not asked:
            self._require_open()
            return {}
        positions = [_log_read_parameters(read) for read in asked]
        rows = await self._rows(*self._dialect.read_logs(positions, scope.owner))
        slices = _log_slices(asked, rows)
        missing = [read for read in asked if read not in slices]
        if missing:
            slices.update(await self._read_deletions(missing, scope))
        return slices

    async def _read_deletions(self, reads: list[LogRead], scope: Scope) -> dict[LogRead, LogSlice]:
        statement = select(*DELETION_COLUMNS).where(
            deletions.c.session_id.in_({read.session_id for read in reads})
        )
        if scope.owner is not None:
            statement = statement.where(deletions.c.owner_id == owner_to_column(scope.owner))
        gone = {row[0]: to_deletion(row) for row in await self._rows(statement)}
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


def _in_scope(statement: Select[Any], scope: Scope) -> Select[Any]:
    if scope.owner is None:
        return statement
    return statement.where(sessions.c.owner_id == scope.owner)


def _message_page_parameters(request: MessagePageRequest) -> tuple[str, int, int, int]:
    window = request.window
    return (
        request.session_id,
        min(window.after or 0, NO_BOUND),
        NO_BOUND if window.before is None else min(window.before, NO_BOUND),
        _ARCHIVE_CODES[request.messages],
    )


def _log_read_parameters(read: LogRead) -> tuple[str, str | None, int, int]:
    epoch, revision = read.after or (None, 0)
    return read.session_id, epoch, min(revision, NO_BOUND), read.limit


def _message_pages(
    requests: list[MessagePageRequest], rows: Collection[Sequence[Any]]
) -> dict[MessagePageRequest, Page[Message]]:
    found: dict[int, list[Message]] = defaultdict(list)
    beyond: dict[int, tuple[bool, bool]] = {}
    for number, before, behind, *values in rows:
        beyond[number] = bool(before), bool(behind)
        if values[0] is not None:
            found[number].append(to_message(values))
    pages = {}
    for number, (before, behind) in beyond.items():
        request = requests[number]
        window = request.window
        pages[request] = cut_page(
            found[number], window.limit, window.take, before=before, behind=behind
        )
    return pages


def _log_slices(reads: list[LogRead], rows: Collection[Sequence[Any]]) -> dict[LogRead, LogSlice]:
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

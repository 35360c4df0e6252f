"""Reading: each method is one SQLAlchemy session and a constant number of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.backends.protocol import Found, Scope
from app.backends.sql.dialects import sqlite
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

_ARCHIVE_CODES = {MessageScope.ALL: 0, MessageScope.ACTIVE: 1, MessageScope.ARCHIVED: 2}


class SqlReader:
    """The reading half of an SQL backend."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions
        self._closed = False

    def _require_open(self) -> None:
        # A disposed engine would quietly connect anew.
        if self._closed:
            raise StoreUnavailable("the store is closed")

    def _open_session(self) -> AsyncSession:
        self._require_open()
        return self._sessions()

    async def _rows(
        self, statement: Any, parameters: dict[str, Any] | None = None
    ) -> list[Sequence[Any]]:
        async with self._open_session() as session:
            return list((await session.execute(statement, parameters)).all())

    async def get_sessions(
        self, ids: Collection[SessionId], scope: Scope
    ) -> Found[SessionId, Session]:
        statement = _in_scope(select(*SESSION_COLUMNS).where(sessions.c.id.in_(ids)), scope)
        return {row[0]: to_session(row) for row in await self._rows(statement)}

    async def find_sessions(
        self, keys: Collection[SessionKey], scope: Scope
    ) -> Found[SessionKey, Session]:
        asked = [[owner_to_column(key.owner_id), key.key] for key in set(keys)]
        statement = sqlite.find_sessions(scoped=scope.owner is not None)
        rows = await self._rows(statement, {"keys": _json(asked)} | _owner(scope))
        found = [to_session(row) for row in rows]
        return {SessionKey(session.owner_id, session.key): session for session in found}

    async def page_sessions(
        self, requests: Collection[SessionPageRequest], scope: Scope
    ) -> Found[SessionPageRequest, Page[Session]]:
        pages = {}
        async with self._open_session() as session:
            for request in set(requests):
                rows = (await session.execute(page_of_sessions(request, scope))).all()
                pages[request] = to_session_page(request, rows)
        return pages

    async def get_messages(
        self, ids: Collection[MessageId], scope: Scope
    ) -> Found[MessageId, Message]:
        statement = sqlite.get_messages(scoped=scope.owner is not None)
        asked = [list(message_id) for message_id in set(ids)]
        rows = await self._rows(statement, {"ids": _json(asked)} | _owner(scope))
        found = [to_message(row) for row in rows]
        return {message.message_id: message for message in found}

    async def page_messages(
        self, requests: Collection[MessagePageRequest], scope: Scope
    ) -> Found[MessagePageRequest, Page[Message]]:
        kinds: dict[tuple[Take, int], list[MessagePageRequest]] = defaultdict(list)
        for request in dict.fromkeys(requests):
            kinds[request.window.take, request.window.limit].append(request)
        pages: dict[MessagePageRequest, Page[Message]] = {}
        async with self._open_session() as session:
            for (take, limit), alike in kinds.items():
                statement = sqlite.page_messages(take, limit, scoped=scope.owner is not None)
                asked = [_message_page_parameters(request) for request in alike]
                parameters = {"requests": _json(asked)} | _owner(scope)
                rows = (await session.execute(statement, parameters)).all()
                pages.update(_message_pages(alike, rows))
        return pages

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
        parameters = {
            "reads": _json([[r.session_id, *(r.after or (None, 0)), r.limit] for r in asked])
        } | _owner(scope)
        rows = await self._rows(sqlite.read_logs(scoped=scope.owner is not None), parameters)
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


def _json(value: list[Any]) -> str:
    return orjson.dumps(value).decode()


def _owner(scope: Scope) -> dict[str, str]:
    return {} if scope.owner is None else {"owner": scope.owner}


def _message_page_parameters(request: MessagePageRequest) -> list[Any]:
    window = request.window
    return [
        request.session_id,
        window.after or 0,
        sqlite.NO_BOUND if window.before is None else window.before,
        _ARCHIVE_CODES[request.messages],
    ]


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

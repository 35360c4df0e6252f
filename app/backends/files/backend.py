"""The JSONL backend: reading on some threads, writing on one, put together over one store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, TypeVar

from app.backends.files import check
from app.backends.files.catalogue import attempts_of, tombstone_of
from app.backends.files.check_texts import repair_settled
from app.backends.files.committer import Committer
from app.backends.files.loading import Incoming, Loader
from app.backends.files.reader import Reader
from app.backends.files.recovery import Recovery
from app.backends.files.search import search_messages
from app.backends.files.store import Store
from app.backends.files.writer import Writer
from app.backends.protocol import Capabilities, Finding, Found, Readiness, Scope, Support
from app.model.changes import Commit, Committed
from app.model.errors import ScrollbackError, StoreUnavailable
from app.model.events import Event, LogRead, LogSlice
from app.model.identifiers import AgentId, MessageId, ProfileId, SessionId, SessionKey, UserId
from app.model.message import Message
from app.model.paging import MessagePageRequest, Page, SessionPageRequest
from app.model.records import Damage, Deletion, IdempotencyRecord, Loaded, Record
from app.model.refusals import record_misplaced
from app.model.search import SearchHit, SearchRequest
from app.model.session import Agent, Profile, Session, User

T = TypeVar("T")

_READERS = 4
_CHUNK = 200


class FilesBackend:
    """A store in JSONL files; satisfies `app.backends.protocol.Backend`."""

    def __init__(
        self, store: Store, recovery: Recovery, opened: ExitStack, *, single_process: bool
    ) -> None:
        """`opened` is let go of when the backend is closed."""
        self.store = store
        self.recovery = recovery
        self._opened = opened
        self._single_process = single_process
        self.committer = Committer(store, recovery)
        self._reader = Reader(store, recovery, self.committer)
        self._writer = Writer(self.committer, store.policy)
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="scrollback-files-reader")
        self._closing: asyncio.Task[None] | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What this backend can do."""
        reason = "it was opened with single-process=1" if self._single_process else ""
        return Capabilities(
            name="file",
            durable=Support(supported=True),
            several_processes=Support(not self._single_process, reason),
        )

    async def get_sessions(
        self, ids: Collection[SessionId], scope: Scope
    ) -> Found[SessionId, Session]:
        """Answers sessions by id."""
        return await self._read(self._reader.get_sessions, set(ids), scope)

    async def find_sessions(
        self, keys: Collection[SessionKey], scope: Scope
    ) -> Found[SessionKey, Session]:
        """Answers sessions by owner and key."""
        return await self._read(self._reader.find_sessions, set(keys), scope)

    async def page_sessions(
        self, requests: Collection[SessionPageRequest], scope: Scope
    ) -> Found[SessionPageRequest, Page[Session]]:
        """Answers pages of sessions."""
        return await self._read(self._reader.page_sessions, set(requests), scope)

    async def get_messages(
        self, ids: Collection[MessageId], scope: Scope
    ) -> Found[MessageId, Message]:
        """Answers messages by id."""
        return await self._read(self._reader.get_messages, set(ids), scope)

    async def page_messages(
        self, requests: Collection[MessagePageRequest], scope: Scope
    ) -> Found[MessagePageRequest, Page[Message]]:
        """Answers pages of messages."""
        return await self._read(self._reader.page_messages, list(requests), scope)

    async def search_messages(
        self, requests: Collection[SearchRequest], scope: Scope
    ) -> Found[SearchRequest, Page[SearchHit]]:
        """Answers pages of hits."""
        return await self._read(search_messages, self._reader, set(requests), scope)

    async def get_users(self, ids: Collection[UserId], scope: Scope) -> Found[UserId, User]:
        """Answers users by id; an owner's scope holds that owner alone."""
        visible = {one for one in ids if scope.owner in (None, one)}
        return {UserId(i): User(UserId(i), name) for i, name in await self._names("users", visible)}

    async def get_agents(self, ids: Collection[AgentId]) -> Found[AgentId, Agent]:
        """Answers agents by id."""
        found = await self._names("agents", ids)
        return {AgentId(i): Agent(AgentId(i), name) for i, name in found}

    async def get_profiles(self, ids: Collection[ProfileId]) -> Found[ProfileId, Profile]:
        """Answers profiles by id."""
        found = await self._names("profiles", ids)
        return {ProfileId(i): Profile(ProfileId(i), name) for i, name in found}

    async def _names(self, register: str, ids: Collection[str]) -> list[tuple[str, str | None]]:
        statement = f"SELECT id, display_name FROM {register} WHERE id = ?"  # noqa: S608 - ours

        def find(connection: sqlite3.Connection) -> list[tuple[str, str | None]]:
            found = [connection.execute(statement, (one,)).fetchone() for one in set(ids)]
            return [row for row in found if row is not None]

        return await self._query(find)

    async def commit(
        self, commits: Sequence[Commit], scope: Scope
    ) -> Sequence[Committed | ScrollbackError]:
        """Carries commits out; see `app.backends.protocol.Log.commit`."""
        return await self._writer.commit(commits, scope)

    async def read_logs(self, reads: Collection[LogRead], scope: Scope) -> Found[LogRead, LogSlice]:
        """Answers slices of event logs."""
        return await self._read(self._reader.read_logs, list(reads), scope)

    async def export(
        self, scope: Scope, *, after: SessionId | None = None
    ) -> AsyncIterator[Record]:
        """Yields the records of the store; see `app.backends.protocol.Transfer.export`."""
        if after is None:
            for record in await self._query(_directory, scope):
                yield record
        while ids := await self._query(_next_ids, scope, after):
            for session_id in ids:
                for record in await self._read(self._session_records, session_id):
                    yield record
            after = ids[-1]
        if scope.owner is None:
            for record in await self._query(_leftovers):
                yield record

    def _session_records(self, session_id: SessionId) -> list[Record]:
        found = self._reader.read_whole(session_id)
        if isinstance(found, ScrollbackError):
            raise found
        if found is None:
            return []
        session, messages, events, attempts = found
        return [session, *messages, *events, *attempts]

    async def load(self, records: AsyncIterator[Record], *, replace: bool = False) -> Loaded:
        """Takes records in; see `app.backends.protocol.Transfer.load`."""
        self._writer.require_open()
        loader = Loader(self.store, self.committer, self._reader, replace_earlier=replace)
        names: list[User | Agent | Profile | Damage] = []
        incoming: Incoming | None = None

        async def flush() -> None:
            if names:
                await self._writer.run(loader.take_directory, list(names))
                names.clear()
            if incoming is not None:
                await self._writer.run(loader.take, incoming)

        async for record in records:
            match record:
                case Session() | Deletion():
                    await flush()
                    incoming = Incoming(record)
                case Message() | Event() | IdempotencyRecord():
                    if incoming is None or incoming.session_id != record.session_id:
                        await flush()
                        raise record_misplaced(record.session_id)
                    _add(incoming, record)
                case _:
                    if incoming is not None or len(names) >= _CHUNK:
                        await flush()
                        incoming = None
                    names.append(record)
        await flush()
        return Loaded(**loader.counts, conflicts=tuple(loader.conflicts))

    async def ready(self) -> Readiness:
        """Answers whether the store can be read now."""
        try:
            await self._query(lambda connection: connection.execute("SELECT 1").fetchone())
        except (ScrollbackError, OSError):
            return Readiness(ready=False, detail="the store does not answer")
        return Readiness(ready=True, detail="the store answers")

    async def check(self) -> AsyncIterator[Finding]:
        """Reads every byte of the store and yields what is wrong with it. Changes nothing."""
        for name in await self._read(check.names_of, self.store):
            for finding in await self._read(check.check_session, self.store, name):
                yield finding
        for finding in await self._read(check.check_rest, self.store):
            yield finding

    async def repair(self) -> int:
        """Reads every session into the index again; answers for how many that changed anything."""
        mended = 0
        for name in await self._read(check.names_of, self.store):
            work = check.repair_session
            mended += await self._writer.run(work, self.store, self.recovery, name)
        await self._writer.run(repair_settled, self.store)
        return mended

    async def close(self) -> None:
        """Finishes what is under way and lets go of the store. Safe to call twice."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self._writer.close()
        await asyncio.to_thread(self._threads.shutdown)
        self.store.index.close()
        self._opened.close()

    async def _read(self, work: Callable[..., T], *arguments: Any) -> T:
        """Runs work on a reading thread; the files' errors become the store's."""
        self._writer.require_open()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, work, *arguments)
        except OSError as error:
            raise StoreUnavailable("the files of the store can't be read; try again") from error

    async def _query(self, work: Callable[..., T], *arguments: Any) -> T:
        def query() -> T:
            with self.store.index.reading() as connection:
                return work(connection, *arguments)

        return await self._read(query)


def _add(incoming: Incoming, record: Message | Event | IdempotencyRecord) -> None:
    match record:
        case Message():
            incoming.messages[record.sequence] = record
        case Event():
            incoming.events.append(record)
        case IdempotencyRecord():
            incoming.attempts[record.idempotency.key] = record


def _directory(connection: sqlite3.Connection, scope: Scope) -> list[Record]:
    if scope.owner is not None:
        rows = connection.execute("SELECT * FROM users WHERE id = ?", (scope.owner,))
        return [User(*row) for row in rows]
    records: list[Record] = [
        User(*row) for row in connection.execute("SELECT * FROM users ORDER BY id")
    ]
    records += [Agent(*row) for row in connection.execute("SELECT * FROM agents ORDER BY id")]
    records += [Profile(*row) for row in connection.execute("SELECT * FROM profiles ORDER BY id")]
    return records


def _next_ids(
    connection: sqlite3.Connection, scope: Scope, after: SessionId | None
) -> list[SessionId]:
    conditions, values = ["id > ?"], [after or ""]
    if scope.owner is not None:
        conditions.append("owner_id = ?")
        values.append(scope.owner)
    rows = connection.execute(
        f"SELECT id FROM sessions WHERE {' AND '.join(conditions)} ORDER BY id LIMIT {_CHUNK}",  # noqa: S608
        values,
    )
    return [SessionId(session_id) for (session_id,) in rows]


def _leftovers(connection: sqlite3.Connection) -> list[Record]:
    records: list[Record] = []
    rows = connection.execute(
        "SELECT * FROM deletions WHERE session_id NOT IN (SELECT id FROM sessions) "
        "ORDER BY session_id"
    )
    for row in rows.fetchall():
        deletion = tombstone_of(row).deletion
        records.append(deletion)
        records += attempts_of(connection, deletion.session_id)
    damages = connection.execute(
        "SELECT source, line, reason, content FROM damages ORDER BY digest"
    )
    records += [Damage(*row) for row in damages]
    return records

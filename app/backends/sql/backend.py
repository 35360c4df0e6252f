"""The SQL backend: reading, writing, moving and examining put together over two engines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import Engine, select

from app.backends.protocol import Capabilities, Finding, Readiness, Scope, Support
from app.backends.sql import check, load, transfer
from app.backends.sql.async_connections import AsyncConnections
from app.backends.sql.dialects.dialect import Dialect
from app.backends.sql.read import SqlReader
from app.backends.sql.reads import Reads
from app.backends.sql.tables import sessions
from app.backends.sql.writer import Writer
from app.model.changes import Commit, Committed
from app.model.errors import ScrollbackError, StoreUnavailable
from app.model.identifiers import SessionId
from app.model.records import Loaded, Record

_ANY_SESSION = select(sessions.c.id).limit(1)


class SqlBackend(SqlReader):
    """A store in an SQL database; satisfies `app.backends.protocol.Backend`."""

    def __init__(
        self,
        dialect: Dialect,
        reading: AsyncConnections,
        reads: Reads,
        writer: Writer,
        *,
        engines: tuple[Engine, ...],
    ) -> None:
        """`reading` is for what takes several statements, `reads` for what is one.

        `engines`: every engine that runs statements, for those who count them; of what `reads`
        runs, `reading` tells its listeners.
        """
        super().__init__(dialect, reads)
        self._reading = reading
        self._writer = writer
        self.engines = engines

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            name=self._dialect.name,
            durable=Support(supported=True),
            several_processes=Support(supported=True),
        )

    async def commit(
        self, commits: Sequence[Commit], scope: Scope
    ) -> Sequence[Committed | ScrollbackError]:
        return await self._writer.commit(commits, scope)

    def export(self, scope: Scope, *, after: SessionId | None = None) -> AsyncIterator[Record]:
        self._require_open()
        return transfer.export(self._dialect, self._reading, scope, after=after)

    async def load(self, records: AsyncIterator[Record], *, replace: bool = False) -> Loaded:
        self._require_open()
        return await load.load(self._dialect, self._writer, records, replace=replace)

    async def ready(self) -> Readiness:
        if self._closed:
            return Readiness(ready=False, detail="the store is closed")
        try:
            self._writer.check()
            await self._reads.fetch((_ANY_SESSION, {}))
        except StoreUnavailable as error:
            return Readiness(ready=False, detail=error.message)
        except self._errors:
            return Readiness(ready=False, detail="the store does not answer")
        return Readiness(ready=True, detail="the store answers")

    def check(self) -> AsyncIterator[Finding]:
        self._require_open()
        return check.check(self._dialect, self._reading)

    async def repair(self) -> int:
        async with self._writer.transaction() as connection:
            return await check.repair(self._dialect, connection)

    async def close(self) -> None:
        # Readers first: the last connection to close checkpoints, and that must hold the gate.
        self._closed = True
        await self._reads.close()
        await self._reading.dispose()
        await self._writer.close()

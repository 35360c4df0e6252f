"""A log in memory that counts how often it is read, and can be held and can fail."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from app.backends.protocol import Found, Scope
from app.model.changes import Commit, Committed
from app.model.errors import ScrollbackError
from app.model.events import Event, EventKind, LogRead, LogSlice
from app.model.identifiers import Epoch, Position, Revision, SessionId
from app.model.timestamps import Timestamp

AT = Timestamp("2026-03-01T09:30:00.000000Z")


class MemoryLog:
    """The logs of sessions, in memory.

    While `gate` is clear, reads wait; each of them sets `reading`.
    """

    def __init__(self) -> None:
        self.logs: dict[SessionId, tuple[Epoch, list[Event]]] = {}
        self.reads: list[tuple[frozenset[LogRead], Scope]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.reading = asyncio.Event()
        self.failure: Exception | None = None

    def create(self, session_id: SessionId, epoch: str = "e") -> None:
        """Begins a log, or a new life of it."""
        self.logs[session_id] = (Epoch(epoch), [])
        self.append(session_id, EventKind.SESSION_CREATED)

    def append(self, session_id: SessionId, kind: EventKind = EventKind.SESSION_PINNED) -> Revision:
        """Adds an event and returns its number. A deletion leaves itself alone."""
        epoch, events = self.logs[session_id]
        revision = Revision(events[-1].revision + 1 if events else 1)
        event = Event(session_id, revision, kind, AT, None, {}, None)
        if kind is EventKind.SESSION_DELETED:
            self.logs[session_id] = (epoch, [event])
        else:
            events.append(event)
        return revision

    async def read_logs(self, reads: Collection[LogRead], scope: Scope) -> Found[LogRead, LogSlice]:
        """Answers slices of the logs as they are once the gate is open."""
        self.reads.append((frozenset(reads), scope))
        self.reading.set()
        await asyncio.sleep(0)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return {read: self._slice(read) for read in reads if read.session_id in self.logs}

    def _slice(self, read: LogRead) -> LogSlice:
        epoch, events = self.logs[read.session_id]
        top = Position(epoch, events[-1].revision)
        if read.after is not None and (
            read.after.epoch != epoch or read.after.revision > top.revision
        ):
            return LogSlice((), top, gap=True)
        if events[0].kind is EventKind.SESSION_DELETED:
            return LogSlice(tuple(events), top, gap=False)
        after = read.after.revision if read.after is not None else 0
        found = [event for event in events if event.revision > after]
        return LogSlice(tuple(found[: read.limit]), top, gap=False)

    async def commit(
        self, commits: Sequence[Commit], scope: Scope
    ) -> Sequence[Committed | ScrollbackError]:
        """Is not asked for by readers."""
        raise NotImplementedError

"""One session's log as its readers in this process share it.

However many readers stand at the same place, one read of the log serves them all: whoever comes
first reads, the others wait for that read or find its events in the tail. There is no queue a
reader. A reader is a position, and "dirty" means that the log is known to go on beyond it.
"""

from __future__ import annotations

import asyncio
from collections import deque

from app.backends.protocol import Log, Scope
from app.model.errors import NotFound, ScrollbackError
from app.model.events import Event, EventKind, LogRead, LogSlice
from app.model.identifiers import Position, Revision, SessionId

TAIL_EVENTS = 64
"""How many of the newest events are kept for readers that lag a little."""

_TAKES_WORDS_AWAY = frozenset(
    {
        EventKind.MESSAGE_EDITED,
        EventKind.MESSAGE_DELETED,
        EventKind.MESSAGES_TRUNCATED,
        EventKind.SESSION_DELETED,
    }
)


class Feed:
    """The log of one session in one scope, for any number of readers."""

    def __init__(self, log: Log, session_id: SessionId, scope: Scope, page_size: int) -> None:
        self.session_id = session_id
        self._log = log
        self._scope = scope
        self._page_size = page_size
        self._known = Revision(0)
        self._changed = asyncio.Event()
        self._end: Position | None = None
        self._tail: deque[Event] = deque(maxlen=TAIL_EVENTS)
        self._reads: dict[Position, _Read] = {}

    @property
    def end(self) -> Position | None:
        """Where the log ended when it was last read; None before that."""
        return self._end

    def hear(self, revision: Revision) -> None:
        """Takes note that the log has come to `revision`; wakes the readers that are behind."""
        if revision > self._known:
            self._known = revision
            self._wake()

    def look(self) -> None:
        """Makes every reader read, because the log is not what was known of it."""
        self._tail.clear()
        self._end = None
        self._known = Revision(self._known + 1)
        self._wake()

    async def wait_beyond(self, revision: Revision) -> None:
        """Returns once the log is known to go on after `revision`."""
        while self._known <= revision:
            await self._changed.wait()

    async def find_end(self) -> Position:
        """Returns the log's end as it is now; for a deleted session, the place before that."""
        found = await self._ask(None, 1)
        if any(event.kind is EventKind.SESSION_DELETED for event in found.events):
            return Position(found.top.epoch, Revision(found.top.revision - 1))
        return found.top

    async def read(self, after: Position) -> LogSlice:
        """Returns the events after a position, at most a page. Raises NotFound, or what failed."""
        while True:
            kept = self._read_tail(after)
            if kept is not None:
                return kept
            under_way = self._reads.get(after)
            if under_way is None:
                return await self._read_log(after)
            await under_way.done.wait()
            if under_way.slice is not None:
                return under_way.slice

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _read_tail(self, after: Position) -> LogSlice | None:
        """Returns what the tail holds after a position; None where it does not reach back."""
        if self._end is None or not self._tail or after.epoch != self._end.epoch:
            return None
        if not self._tail[0].revision - 1 <= after.revision < self._tail[-1].revision:
            return None
        events = tuple([event for event in self._tail if event.revision > after.revision])
        return LogSlice(events=events, top=self._end, gap=False)

    async def _read_log(self, after: Position) -> LogSlice:
        read = self._reads[after] = _Read()
        try:
            read.slice = await self._ask(after, self._page_size)
            self._keep(read.slice)
            return read.slice
        finally:
            # Whoever waited and finds no slice reads for itself: this reader failed or left.
            del self._reads[after]
            read.done.set()

    async def _ask(self, after: Position | None, limit: int) -> LogSlice:
        known_before = self._known
        request = LogRead(self.session_id, after, limit)
        found = (await self._log.read_logs([request], self._scope)).get(request)
        if found is None:
            raise NotFound("There is no such session.", ("sessionId",))
        if isinstance(found, ScrollbackError):
            raise found
        # A hint is rung after its commit, so a read that began after it knows better.
        unheard = self._known == known_before
        self._known = found.top.revision if unheard else max(self._known, found.top.revision)
        if self._end is not None and self._end.epoch != found.top.epoch:
            self._tail.clear()
        self._end = found.top
        return found

    def _keep(self, found: LogSlice) -> None:
        """Keeps what was read for the readers that come after, if it goes up to the end."""
        if found.gap or not found.events or found.events[-1].revision != found.top.revision:
            return
        if self._tail:
            end = self._tail[-1].revision
            if end >= found.top.revision:
                return
            if found.events[0].revision != end + 1:
                self._tail.clear()
        for event in found.events:
            # What was said before and is gone now must not be told from memory.
            if event.kind in _TAKES_WORDS_AWAY:
                self._tail.clear()
            self._tail.append(event)


class _Read:
    """A read of the log under way; `slice` stays None where it failed."""

    __slots__ = ("done", "slice")

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.slice: LogSlice | None = None

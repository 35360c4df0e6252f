"""One session's log as its readers in this process share it.

However many readers stand at the same place, one read of the log serves them all: whoever comes
first reads, the others wait for that read or find its events in the tail. There is no queue a
reader. A reader is a position, and "dirty" means that the log is known to go on beyond it.

Nor does every reader have to be woken for each event. One that stands by is put off until another
of its audience has the answer, which is then written for it, and its position moves on. Only the
next event is ever written, only to a reader that waits, and only while the log is known no further:
whatever else happens wakes those that were put off, and they read and answer for themselves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from app.backends.protocol import Log, Scope
from app.execution.operation import Response
from app.execution.sharing import Answer, Audience, Standby, find_answer
from app.live.followed import Logged
from app.model.errors import NotFound, ScrollbackError
from app.model.events import EventKind, LogRead, LogSlice
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


@dataclass(frozen=True, slots=True)
class FeedSlice:
    """A slice of a log, its events as readers are told them: the same objects for all readers."""

    events: tuple[Logged, ...]
    top: Position
    gap: bool

    def jumps(self, after: Position) -> bool:
        """Answers whether the log does not go on where a reader stands.

        A deleted session's log holds its deletion alone, which is the end from any position.
        """
        if not self.events or self.events[0].event.kind is EventKind.SESSION_DELETED:
            return False
        return self.events[0].position.revision != after.revision + 1


@dataclass(slots=True, eq=False)
class Reader:
    """One who waits for a log to go on: where it stands, and how it can be answered meanwhile."""

    after: Position
    standby: Standby | None


class _Then(Enum):
    """What becomes of a reader to whom an offer was written."""

    WAITS = auto()
    """It has had everything."""
    IS_PUT_OFF = auto()
    """The next answer is being made."""
    ANSWERS = auto()
    """The next answer is to be made: one is woken for it, and the others are put off."""
    READS = auto()
    """It is woken."""


@dataclass(slots=True)
class _Offer:
    """What the tail holds for an audience at one place: the answers that there are."""

    answers: list[tuple[Position, Response]]
    then: _Then


_Waiting: TypeAlias = tuple[asyncio.Future[None], Reader]


class Feed:
    """The log of one session in one scope, for any number of readers."""

    def __init__(self, log: Log, session_id: SessionId, scope: Scope, page_size: int) -> None:
        self.session_id = session_id
        # Asked for once: to find out which loop is running takes a call of the system each time.
        self._event_loop = asyncio.get_running_loop()
        self._log = log
        self._scope = scope
        self._page_size = page_size
        self._known = Revision(0)
        self._waiting: dict[asyncio.Future[None], Reader] = {}
        self._put_off: list[_Waiting] = []
        self._awaited: set[Answer] = set()
        """The answers that those who were put off wait for, and take however long they took."""
        self._offering = False
        self._end: Position | None = None
        self._tail: deque[Logged] = deque(maxlen=TAIL_EVENTS)
        self._tail_slices: dict[Position, FeedSlice] = {}
        self._reads: dict[Position, _Read] = {}

    @property
    def end(self) -> Position | None:
        """Where the log ended when it was last read; None before that."""
        return self._end

    def hear(self, revision: Revision) -> None:
        """Takes note that the log has come to `revision`; wakes a reader that is behind."""
        if revision > self._known:
            self._known = revision
            self._move_on()
            self._wake_one()

    def look(self) -> None:
        """Makes every reader read, because the log is not what was known of it."""
        self._tail.clear()
        self._end = None
        self._known = Revision(self._known + 1)
        self._move_on()
        self._wake(list(self._waiting.items()))

    async def wait_beyond(self, reader: Reader) -> None:
        """Returns once the log is known to go on after where the reader stands by then.

        Of those who wait, one is woken first and reads; the others are woken when it has read,
        and find the events in the tail, or are written what it answered.
        """
        while not self._is_behind(reader.after):
            waiter: asyncio.Future[None] = self._event_loop.create_future()
            self._waiting[waiter] = reader
            try:
                await waiter
            except asyncio.CancelledError:
                if self._waiting.pop(waiter, None) is None:
                    # Woken to read, but leaving: somebody else has to.
                    self._wake_one()
                raise

    async def find_end(self) -> Position:
        """Returns the log's end as it is now; for a deleted session, the place before that."""
        found = await self._ask(None, 1)
        self._wake_one()
        if any(event.kind is EventKind.SESSION_DELETED for event in found.events):
            return Position(found.top.epoch, Revision(found.top.revision - 1))
        return found.top

    def kept(self, after: Position) -> FeedSlice | None:
        """Returns the events after a position where they were read before."""
        return self._tail_slices.get(after) or self._slice_tail(after)

    async def read(self, after: Position) -> FeedSlice:
        """Returns the events after a position, at most a page. Raises NotFound, or what failed."""
        while True:
            kept = self.kept(after)
            if kept is not None:
                return kept
            under_way = self._reads.get(after)
            if under_way is None:
                return await self._read_log(after)
            await under_way.done.wait()
            if under_way.slice is not None:
                return under_way.slice

    def _is_behind(self, after: Position) -> bool:
        """Tells whether the log is known to go on after a position, or to have begun anew."""
        end = self._end
        return after.revision < self._known or (end is not None and end.epoch != after.epoch)

    def _move_on(self) -> None:
        """Drops what held while the log was as it was."""
        self._wake(self._put_off)
        self._tail_slices.clear()
        for logged in self._tail:
            logged.answers.clear()

    def _wake_one(self) -> None:
        for waiter, reader in self._waiting.items():
            if self._is_behind(reader.after) and not waiter.done():
                del self._waiting[waiter]
                waiter.set_result(None)
                return

    def _wake_all(self) -> None:
        """Has all who are behind told, or woken, once whoever reads has had its turn."""
        self._put_off = list(self._waiting.items())
        self._offer_soon()

    def _wake(self, waiting: list[_Waiting]) -> None:
        """Wakes these and empties the list."""
        for waiter, _ in waiting:
            if not waiter.done():
                del self._waiting[waiter]
                waiter.set_result(None)
        waiting.clear()

    def _offer_soon(self) -> None:
        """Looks after those who were put off, when those who are woken by now have had a turn."""
        if self._put_off and not self._offering:
            self._offering = True
            self._event_loop.call_soon(self._offer)

    def _offer(self) -> None:
        self._offering = False
        put_off, self._put_off = self._put_off, []
        offers: dict[tuple[Audience, Position], _Offer] = {}
        woken: list[_Waiting] = []
        audience: Audience | None = None
        after: Position | None = None
        try:
            for item in put_off:
                waiter, reader = item
                # Whoever is cancelled is written nothing more.
                if waiter.done():
                    continue
                standby = reader.standby
                if standby is None:
                    if self._is_behind(reader.after):
                        woken.append(item)
                    continue
                # Most stand where the one before them does.
                if reader.after is not after or standby.audience is not audience:
                    audience, after = standby.audience, reader.after
                    place = (audience, after)
                    offer = offers.get(place) or self._offer_for(audience, after)
                    offers[place] = offer
                for position, response in offer.answers:
                    if not standby.write(response):
                        woken.append(item)
                        break
                    reader.after = position
                else:
                    if offer.then is _Then.WAITS:
                        continue
                    if offer.then is _Then.IS_PUT_OFF:
                        self._put_off.append(item)
                        continue
                    if offer.then is _Then.ANSWERS:
                        offer.then = _Then.IS_PUT_OFF
                    woken.append(item)
        except BaseException:
            self._wake(put_off)
            raise
        finally:
            self._awaited = {answer for answer in self._awaited if not answer.ready.is_set()}
        if woken:
            self._wake(woken)
            self._offer_soon()

    def _offer_for(self, audience: Audience, after: Position) -> _Offer:
        offer = _Offer([], _Then.READS)
        if not self._is_behind(after):
            offer.then = _Then.WAITS
            return offer
        found = self.kept(after)
        if (
            found is None
            or found.jumps(after)
            or found.events[-1].event.kind is EventKind.SESSION_DELETED
        ):
            return offer
        for logged in found.events:
            answer = logged.answers.get(audience)
            if answer not in self._awaited:
                answer = find_answer(logged, audience)
            if answer is None:
                offer.then = _Then.ANSWERS
                return offer
            if answer.response is None:
                if answer not in self._awaited:
                    self._awaited.add(answer)
                    answer.then.append(self._offer_soon)
                offer.then = _Then.IS_PUT_OFF
                return offer
            offer.answers.append((logged.position, answer.response))
        if found.events[-1].position.revision >= self._known:
            offer.then = _Then.WAITS
        return offer

    def _slice_tail(self, after: Position) -> FeedSlice | None:
        """Returns what the tail holds after a position; None where it does not reach back."""
        tail = self._tail
        if self._end is None or not tail or after.epoch != self._end.epoch:
            return None
        if not tail[0].position.revision - 1 <= after.revision < tail[-1].position.revision:
            return None
        events = tuple([logged for logged in tail if logged.position.revision > after.revision])
        found = self._tail_slices[after] = FeedSlice(events, self._end, gap=False)
        return found

    async def _read_log(self, after: Position) -> FeedSlice:
        read = self._reads[after] = _Read()
        try:
            found = await self._ask(after, self._page_size)
            epoch = found.top.epoch
            events = tuple(
                [Logged(Position(epoch, event.revision), event) for event in found.events]
            )
            read.slice = FeedSlice(events, found.top, found.gap)
            self._keep(read.slice)
            return read.slice
        finally:
            # Whoever waited and finds no slice reads for itself: this reader failed or left.
            del self._reads[after]
            read.done.set()
            self._wake_all()

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
        if self._end != found.top:
            begun_anew = self._end is not None and self._end.epoch != found.top.epoch
            self._end = found.top
            self._move_on()
            if begun_anew:
                self._tail.clear()
                self._wake(list(self._waiting.items()))
        return found

    def _keep(self, found: FeedSlice) -> None:
        """Keeps what was read for the readers that come after, if it goes up to the end."""
        events = found.events
        if found.gap or not events or events[-1].position != found.top:
            return
        if self._tail:
            end = self._tail[-1].position.revision
            if end >= found.top.revision:
                return
            if events[0].position.revision != end + 1:
                self._tail.clear()
        for logged in events:
            # What was said before and is gone now must not be told from memory.
            if logged.event.kind in _TAKES_WORDS_AWAY:
                self._tail.clear()
            self._tail.append(logged)


class _Read:
    """A read of the log under way; `slice` stays None where it failed."""

    __slots__ = ("done", "slice")

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.slice: FeedSlice | None = None

"""The feeds of all sessions that are followed in this process, and the looking for lost hints."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from app.backends.protocol import EVERYTHING, Log, Scope
from app.live.broker import Broker
from app.live.feed import Feed
from app.model.errors import ScrollbackError
from app.model.events import LogRead
from app.model.identifiers import SessionId

READ_PAGE = 100
"""How many events one read of a log answers at most."""

JITTER = 0.2
"""By what share the time between two looks varies, so that many servers don't look in step."""


@dataclass(slots=True)
class _Shared:
    """A feed, its hold on the broker, and how many readers it has."""

    feed: Feed
    hints: ExitStack
    readers: int = 0


@dataclass(slots=True)
class Feeds:
    """Gives all readers of one session and scope the same feed."""

    log: Log
    broker: Broker
    read_page: int = READ_PAGE
    _shared: dict[tuple[SessionId, Scope], _Shared] = field(default_factory=dict)

    @property
    def followed(self) -> int:
        """How many sessions are followed now, each counted once a scope."""
        return len(self._shared)

    @contextmanager
    def follow(self, session_id: SessionId, scope: Scope) -> Iterator[Feed]:
        """Gives the feed of a session; its hints are heard from the moment this is entered."""
        key = (session_id, scope)
        shared = self._shared.get(key)
        if shared is None:
            shared = _Shared(Feed(self.log, session_id, scope, self.read_page), ExitStack())
            shared.hints.enter_context(self.broker.follow(session_id, shared.feed.hear))
            self._shared[key] = shared
        shared.readers += 1
        try:
            yield shared.feed
        finally:
            shared.readers -= 1
            if shared.readers == 0:
                del self._shared[key]
                shared.hints.close()

    async def look(self) -> None:
        """Finds what no hint told of: one read of the store for all the sessions followed.

        It reads in the scope of everything and shows nobody anything: what it learns is where
        each log ends. Readers then read in their own scope.
        """
        feeds = [shared.feed for shared in self._shared.values() if shared.feed.end is not None]
        reads = {feed: LogRead(feed.session_id, feed.end, 1) for feed in feeds}
        if not reads:
            return
        found = await self.log.read_logs(set(reads.values()), EVERYTHING)
        for feed, read in reads.items():
            answer = found.get(read)
            if answer is None or isinstance(answer, ScrollbackError) or answer.gap:
                feed.look()
            else:
                feed.hear(answer.top.revision)


@asynccontextmanager
async def keep_looking(
    feeds: Feeds, seconds: float, report_error: Callable[[BaseException], None]
) -> AsyncIterator[None]:
    """Looks every `seconds`, give or take the jitter, for as long as the context is held.

    A look that fails is reported, and the next one follows at its own time: a store that is
    away for a minute must not end every subscription.
    """

    async def look_again_and_again() -> None:
        while True:
            await asyncio.sleep(seconds * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311
            try:
                await feeds.look()
            except Exception as error:  # noqa: BLE001
                report_error(error)

    looking = asyncio.create_task(look_again_and_again(), name="look for lost hints")
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking

"""Following a session's log from a place in it, without missing an event or telling one twice.

Hints are listened to first, then the log is read from the reader's position in pages, only the
next number is ever told, `CaughtUp` is said once at the log's end, and from there on the reader
waits until the log is known to go on. What another process writes is found by looking.

A reader that waits and stands by is not woken for an event that its feed has written for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from types import TracebackType
from typing import Any

from app.backends.protocol import Scope
from app.execution.sharing import SharingSource, Standby
from app.live.feed import Reader
from app.live.feeds import Feeds
from app.live.followed import CaughtUp, Followed, Gap
from app.model.events import EventKind
from app.model.identifiers import Position, SessionId


def follow(feeds: Feeds, session_id: SessionId, scope: Scope, after: Position | None) -> Follower:
    """Yields what happens in a session after a position (None: from now on), until it is deleted.

    Raises NotFound for a session that is not in scope, and whatever error a read ends with.
    """
    return Follower(feeds, session_id, scope, after)


class Follower(SharingSource[Followed]):
    """What happens in a session, as `follow` tells it."""

    def __init__(
        self, feeds: Feeds, session_id: SessionId, scope: Scope, after: Position | None
    ) -> None:
        self._standby: Standby | None = None
        self._told = self._tell(feeds, session_id, scope, after)

    def stand_by(self, standby: Standby) -> None:
        """Lets the feed write answers while this waits."""
        self._standby = standby

    def __anext__(self) -> Coroutine[Any, Any, Followed]:
        """Returns what is told next."""
        return self._told.__anext__()

    def asend(self, value: None) -> Coroutine[Any, Any, Followed]:
        """Returns what is told next."""
        return self._told.asend(value)

    def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> Coroutine[Any, Any, Followed]:
        """Throws into what tells."""
        if isinstance(typ, BaseException):
            return self._told.athrow(typ)
        return self._told.athrow(typ, val, tb)

    def aclose(self) -> Coroutine[Any, Any, None]:
        """Follows no longer."""
        return self._told.aclose()

    async def _tell(
        self, feeds: Feeds, session_id: SessionId, scope: Scope, after: Position | None
    ) -> AsyncGenerator[Followed]:
        with feeds.follow(session_id, scope) as feed:
            if after is None:
                after = await feed.find_end()
            reader = Reader(after, self._standby)
            caught_up = False
            while True:
                found = feed.kept(after) or await feed.read(after)
                if found.gap or found.jumps(after):
                    after = found.top
                    yield Gap(session_id, after)
                    continue
                for logged in found.events:
                    after = logged.position
                    yield logged
                    if logged.event.kind is EventKind.SESSION_DELETED:
                        return
                if after.revision < found.top.revision:
                    continue
                if not caught_up:
                    caught_up = True
                    yield CaughtUp(session_id, after)
                reader.after = after
                await feed.wait_beyond(reader)
                after = reader.after

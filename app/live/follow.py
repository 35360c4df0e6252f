"""Following a session's log from a place in it, without missing an event or telling one twice.

Hints are listened to first, then the log is read from the reader's position in pages, only the
next number is ever told, `CaughtUp` is said once at the log's end, and from there on the reader
waits until the log is known to go on. What another process writes is found by looking.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from app.backends.protocol import Scope
from app.live.feed import FeedSlice
from app.live.feeds import Feeds
from app.live.followed import CaughtUp, Followed, Gap
from app.model.events import EventKind
from app.model.identifiers import Position, SessionId


async def follow(
    feeds: Feeds, session_id: SessionId, scope: Scope, after: Position | None
) -> AsyncGenerator[Followed]:
    """Yields what happens in a session after a position (None: from now on), until it is deleted.

    Raises NotFound for a session that is not in scope, and whatever error a read ends with.
    """
    with feeds.follow(session_id, scope) as feed:
        if after is None:
            after = await feed.find_end()
        caught_up = False
        while True:
            found = feed.kept(after) or await feed.read(after)
            if found.gap or _jumps(found, after):
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
            await feed.wait_beyond(after.revision)


def _jumps(found: FeedSlice, after: Position) -> bool:
    """Answers whether the log does not go on where the reader stands.

    A deleted session's log holds its deletion alone, which is the end from any position.
    """
    if not found.events or found.events[0].event.kind is EventKind.SESSION_DELETED:
        return False
    return found.events[0].position.revision != after.revision + 1

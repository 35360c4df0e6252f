"""A session's log with its feeds, and writing to it."""

from __future__ import annotations

from app.backends.protocol import Scope
from app.live.brokers.in_process import InProcessBroker
from app.live.feeds import Feeds
from app.live.follow import Follower, follow
from app.model.events import EventKind
from app.model.identifiers import Epoch, Position, Revision, SessionId, UserId
from tests.live.logs import MemoryLog

SESSION = SessionId("s")
MINE = Scope(UserId("ada"))


class World:
    """A log with its feeds, and writing to it as this process and as another one do."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.broker = InProcessBroker()
        self.feeds = Feeds(self.log, self.broker, read_page=10)
        self.log.create(SESSION)

    def write(self, kind: EventKind = EventKind.SESSION_PINNED) -> Revision:
        """Writes and rings."""
        revision = self.log.append(SESSION, kind)
        self.broker.ring(SESSION, revision)
        return revision

    def follow(
        self, after: int | None = None, *, epoch: str = "e", scope: Scope = MINE
    ) -> Follower:
        """Follows from a revision."""
        position = None if after is None else Position(Epoch(epoch), Revision(after))
        return follow(self.feeds, SESSION, scope, position)

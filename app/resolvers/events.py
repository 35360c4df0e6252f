"""Following what happens in a session."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from app.live.follow import follow
from app.live.followed import Followed
from app.model.identifiers import Position, SessionId
from app.resolvers.scopes import read_scope
from app.resolvers.services import Services
from app.rules.caller import Caller


def follow_session(
    services: Services, caller: Caller, session_id: SessionId, after: Position | None
) -> AsyncGenerator[Followed]:
    """Yields the events of a session after a position (None: from now on) until it is deleted.

    Raises NotFound for a session that the caller does not see.
    """
    return follow(services.feeds, session_id, read_scope(caller), after)

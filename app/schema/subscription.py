"""Everything that can be watched."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from app.live.followed import Followed
from app.resolvers.events import follow_session
from app.schema.context import Info
from app.schema.cursors import decode_event_cursor
from app.schema.event import SessionEvent
from app.schema.field import subscription
from app.schema.global_id import decode_session_id


@strawberry.type(description="Everything that can be watched.")
class Subscription:
    """The root of subscriptions."""

    @subscription(
        graphql_type=SessionEvent | None,
        description=(
            "What happens in a session, from its durable log: nothing is missed, nothing is told "
            "twice, and after a lost connection it goes on where you were. First comes what "
            "happened after your cursor, then `CaughtUp`, then whatever happens. It ends after "
            "`SessionDeleted`."
        ),
    )
    @staticmethod
    async def session_events(
        info: Info,
        session_id: Annotated[strawberry.ID, strawberry.argument(description="The session's id.")],
        after: Annotated[
            str | None,
            strawberry.argument(
                description=(
                    "`Session.eventCursor`, or the `cursor` of the last event you had. Without "
                    "it, from now on."
                )
            ),
        ] = None,
    ) -> AsyncGenerator[Followed]:
        """Follows the log of a session."""
        decoded = decode_session_id(session_id, ("sessionId",))
        position = None if after is None else decode_event_cursor(after, decoded, ("after",))
        context = info.context
        return follow_session(context.services, context.caller, decoded, position)

"""What all mutations answer: what changed, or what the user can do about it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Annotated, TypeVar

import strawberry
from msgspec import Struct

from app.model import session as sessions
from app.model.message import Message
from app.schema.context import Info
from app.schema.errors import USER_ERRORS, Refusal, UserError
from app.schema.field import field
from app.schema.session_list import OrderedSession

if TYPE_CHECKING:
    from app.schema.query import Query

T = TypeVar("T")

LazyQuery = Annotated["Query", strawberry.lazy("app.schema.query")]


class Outcome(Struct, frozen=True):
    """What a mutation did: the object behind every payload. None where it did not."""

    session: sessions.Session | None = None
    messages: tuple[Message, ...] | None = None
    count: int | None = None
    existing: bool | None = None
    deleted_session_id: str | None = None
    deleted_message_id: str | None = None
    agent: sessions.Agent | None = None
    profile: sessions.Profile | None = None
    user_errors: tuple[Refusal, ...] = ()

    @property
    def session_edge(self) -> OrderedSession | None:
        """The session in the order that lists have by default."""
        return None if self.session is None else OrderedSession(self.session)

    @property
    def message(self) -> Message | None:
        """The one message of a mutation of one."""
        return self.messages[0] if self.messages else None

    @property
    def message_edge(self) -> Message | None:
        """The place of the one message: the object behind an edge is the message itself."""
        return self.message

    @property
    def message_edges(self) -> tuple[Message, ...] | None:
        """The places of the messages."""
        return self.messages


@strawberry.type
class Payload:
    """The fields that every payload has."""

    user_errors: list[UserError] = strawberry.field(
        description="What went wrong that you can do something about. Empty on success."
    )

    @field(
        graphql_type=LazyQuery,
        description="Everything that can be read, after the change: read along what it affects.",
    )
    @staticmethod
    def query(outcome: strawberry.Parent[Outcome]) -> Outcome:
        """Returns anything that is there: the root of queries has nothing of its own."""
        return outcome


async def settle(info: Info, change: Awaitable[Outcome]) -> Outcome:
    """Awaits a change and returns its outcome, errors that a user can act on among it.

    Whatever the outcome, what is read after it is read anew.
    """
    try:
        return await change
    except USER_ERRORS as error:
        return Outcome(user_errors=(Refusal(error),))
    finally:
        info.context.renew()

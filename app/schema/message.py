"""Messages and pages of them. The objects behind the types are the model's own."""

from __future__ import annotations

from asyncio import Future
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from app.model import message as messages
from app.model import session as sessions
from app.model.message import MessageRole, MessageStatus
from app.model.paging import Page
from app.model.timestamps import Timestamp
from app.schema.connection import PageEnds, PageInfo
from app.schema.context import Info
from app.schema.cursors import encode_message_cursor
from app.schema.directory import Agent, User
from app.schema.field import READS, field
from app.schema.global_id import encode_message_id
from app.schema.node import NODE_ID, Node
from app.schema.part import MessagePart
from app.schema.scalars import JSON

if TYPE_CHECKING:
    from app.schema.session import Session

LazySession = Annotated["Session", strawberry.lazy("app.schema.session")]


@strawberry.type(description="Who sent a message, where the role alone does not tell.")
class Sender:
    """A sender of the model."""

    name: str | None = strawberry.field(description="The name given with the message.")

    @field(
        graphql_type=User | None, description="The person. Null where it is not you or not known."
    )
    @staticmethod
    def user(
        sender: strawberry.Parent[messages.Sender], info: Info
    ) -> Future[sessions.User | None] | None:
        """Loads the user."""
        return info.context.users.load(sender.user_id) if sender.user_id else None

    @field(graphql_type=Agent | None, description="The agent.")
    @staticmethod
    def agent(
        sender: strawberry.Parent[messages.Sender], info: Info
    ) -> Future[sessions.Agent | None] | None:
        """Loads the agent."""
        return info.context.agents.load(sender.agent_id) if sender.agent_id else None


@strawberry.type(description="Something that was said in a session.")
class Message(Node):
    """A message of the model."""

    @field(graphql_type=strawberry.ID, description=NODE_ID, reads=())
    @staticmethod
    def id(message: strawberry.Parent[messages.Message]) -> str:
        """Returns the global id."""
        return encode_message_id(message.session_id, message.sequence)

    sequence: int = strawberry.field(
        description=(
            "The message's number in its session: one higher each, never used again. Messages "
            "that were deleted leave gaps."
        )
    )
    role: MessageRole = strawberry.field(description="Who speaks.")
    status: MessageStatus = strawberry.field(description="How far the message has come.")
    sender: Sender | None = strawberry.field(
        description="Who sent it, where the role alone does not tell."
    )
    parts: list[MessagePart] = strawberry.field(description="What it holds, in order.")
    text: str = strawberry.field(
        description="Its words: the text parts, joined by a line break. Empty without any.",
        metadata={READS: ("parts",)},
    )
    model: str | None = strawberry.field(description="The model that wrote it.")
    usage: JSON | None = strawberry.field(
        description="What it cost, such as tokens in and out, in the provider's words."
    )
    metadata: JSON = strawberry.field(description="Whatever else its sender keeps with it.")
    created_at: Timestamp = strawberry.field(description="When it was said.")
    edited_at: Timestamp | None = strawberry.field(description="When it was last edited.")
    archived_at: Timestamp | None = strawberry.field(
        description="When it was archived. Null while it is active."
    )

    @field(
        graphql_type=LazySession | None,
        description="The session it was said in. Null where that was deleted a moment ago.",
        reads=(),
    )
    @staticmethod
    def session(
        message: strawberry.Parent[messages.Message], info: Info
    ) -> Future[sessions.Session | None]:
        """Loads the session."""
        return info.context.sessions.load(message.session_id)

    @classmethod
    def is_type_of(cls, node: object, _info: Any) -> bool:
        """Answers whether a model object is a message."""
        return isinstance(node, messages.Message)


@strawberry.type(description="A message's place in its session.")
class MessageEdge:
    """The object behind an edge is the message itself."""

    @field(description="The place, for `after` and `before`.")
    @staticmethod
    def cursor(message: strawberry.Parent[messages.Message]) -> str:
        """Returns the message's cursor."""
        return encode_message_cursor(message.session_id, message.sequence)

    @field(graphql_type=Message, description="The message.")
    @staticmethod
    def node(message: strawberry.Parent[messages.Message]) -> messages.Message:
        """Returns the message."""
        return message


@strawberry.type(description="A page of a session's messages, by ascending `sequence`.")
class MessageConnection:
    """The object behind a connection is the model's page."""

    items: list[MessageEdge] = strawberry.field(name="edges", description="The messages.")

    @field(graphql_type=PageInfo, description="Where the page stands.")
    @staticmethod
    def page_info(page: strawberry.Parent[Page[messages.Message]]) -> PageEnds[messages.Message]:
        """Returns the page with its cursors."""
        return PageEnds(page, message_cursor)


def message_cursor(message: messages.Message) -> str:
    """Returns the cursor of a message in its session's messages."""
    return encode_message_cursor(message.session_id, message.sequence)

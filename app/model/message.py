"""Messages: what was said in a session, by whom, in which parts."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from app.model.identifiers import AgentId, MessageId, Sequence, SessionId, UserId
from app.model.parts import Part, plain_text
from app.model.timestamps import Timestamp


class MessageRole(StrEnum):
    """Who speaks, in the terms of the model APIs."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class MessageStatus(StrEnum):
    """How far a message has come."""

    STREAMING = "streaming"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELED = "canceled"


class MessageScope(StrEnum):
    """Which messages of a session are meant: the live ones, the archived ones, or both."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    ALL = "all"


class Sender(Struct, frozen=True, gc=False, array_like=True):
    """Who sent a message, where the role alone does not tell."""

    name: str | None = None
    user_id: UserId | None = None
    agent_id: AgentId | None = None


class NewMessage(Struct, frozen=True, gc=False):
    """A message before it has a number.

    `preview` is what a list of sessions shows of it, None where it is not for show;
    `created_at` None means the time of the commit.
    """

    role: MessageRole
    parts: tuple[Part, ...]
    preview: str | None = None
    status: MessageStatus = MessageStatus.COMPLETE
    sender: Sender | None = None
    model: str | None = None
    usage: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_at: Timestamp | None = None


class Message(Struct, frozen=True, gc=False):
    """A message of a session."""

    session_id: SessionId
    sequence: Sequence
    role: MessageRole
    status: MessageStatus
    parts: tuple[Part, ...]
    preview: str | None
    sender: Sender | None
    model: str | None
    usage: Mapping[str, Any] | None
    metadata: Mapping[str, Any]
    created_at: Timestamp
    edited_at: Timestamp | None
    archived_at: Timestamp | None

    @property
    def message_id(self) -> MessageId:
        """The message's identity."""
        return MessageId(self.session_id, self.sequence)

    @property
    def text(self) -> str:
        """The words of the message: its text parts, joined by a line break."""
        return plain_text(self.parts)

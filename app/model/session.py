"""Sessions, and the people, agents and profiles that they name."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from app.model.identifiers import (
    AgentId,
    Epoch,
    MessageId,
    Position,
    ProfileId,
    Revision,
    Sequence,
    SessionId,
    UserId,
)
from app.model.timestamps import Timestamp


class SessionKind(StrEnum):
    """What sort of conversation a session is."""

    DIRECT = "direct"
    GROUP = "group"
    AGENT_TO_AGENT = "agent_to_agent"
    TRIGGER = "trigger"


class Session(Struct, frozen=True, gc=False, array_like=True):
    """A conversation, with the counters that are kept in each change's own transaction.

    As JSON its fields are an array in this order.

    `message_count` counts active and archived messages. `last_activity_at` is `last_message_at`,
    or `created_at` while there is no message. `forked_from` names the last message that was
    copied (sequence 0: none).
    """

    id: SessionId
    key: str
    owner_id: UserId | None
    agent_id: AgentId | None
    peer_agent_id: AgentId | None
    profile_id: ProfileId | None
    title: str | None
    kind: SessionKind
    channel: str | None
    forked_from: MessageId | None
    metadata: Mapping[str, Any]
    pinned_at: Timestamp | None
    starred_at: Timestamp | None
    archived_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
    last_message_at: Timestamp | None
    last_activity_at: Timestamp
    message_count: int
    archived_message_count: int
    preview: str | None
    last_sequence: Sequence
    epoch: Epoch
    revision: Revision

    @property
    def position(self) -> Position:
        """The end of the session's log, as this state of it was read."""
        return Position(self.epoch, self.revision)


class User(Struct, frozen=True, gc=False, array_like=True):
    """A person who owns sessions."""

    id: UserId
    display_name: str | None = None


class Agent(Struct, frozen=True, gc=False, array_like=True):
    """A program that takes part in sessions."""

    id: AgentId
    display_name: str | None = None


class Profile(Struct, frozen=True, gc=False, array_like=True):
    """A named way of working (a prompt, tools, a model) that sessions are held under."""

    id: ProfileId
    display_name: str | None = None

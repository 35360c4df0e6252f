"""What a format yields: conversations as their source has them, before they have a place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from app.model.message import NewMessage
from app.model.records import Damage
from app.model.session import Agent, Profile, SessionKind
from app.model.timestamps import Timestamp


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation of a source.

    `created_at` is always there; a message's `created_at` is None where its source gives none,
    and the importer then derives one, which is no part of what makes two imports equal. `source`
    and `line` (from 1) say where it stands.
    """

    key: str
    title: str | None
    channel: str | None
    created_at: Timestamp
    messages: tuple[NewMessage, ...]
    source: str
    line: int
    format: str
    kind: SessionKind = SessionKind.DIRECT
    agent: Agent | None = None
    profile: Profile | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the reader of a report should know, though nothing is lost."""

    source: str
    line: int
    reason: str


Item: TypeAlias = Conversation | Damage | Notice
Conversations: TypeAlias = AsyncIterator[Item]

Progress: TypeAlias = Callable[[int, int], None]
"""Is told how many bytes have been read, of how many."""


def no_progress(read: int, total: int) -> None:
    """Tells nobody."""

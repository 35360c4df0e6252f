"""What a reader of a session's log is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from app.execution.sharing import SharedEvent
from app.model.events import Event
from app.model.identifiers import Position, SessionId


class Logged(SharedEvent, frozen=True, eq=False):
    """An event of the log, one object for all who are told; `position` is the place after it."""

    position: Position
    event: Event


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The reader has had everything that the log held when it was read. Told once."""

    session_id: SessionId
    position: Position


@dataclass(frozen=True, slots=True)
class Gap:
    """What happened since the reader's position can't be told: read the session anew.

    The log is followed from `position` on.
    """

    session_id: SessionId
    position: Position


Followed: TypeAlias = Logged | CaughtUp | Gap

"""The conversations that are measured on: made from a seed, the same every time."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

from app.model.events import Event, EventKind
from app.model.identifiers import Epoch, Revision, Sequence, SessionId, UserId, derive_session_id
from app.model.message import Message, MessageRole, MessageStatus
from app.model.parts import Part, TextPart, ToolCallPart, ToolResultPart
from app.model.records import Record
from app.model.session import Session, SessionKind, User
from app.model.timestamps import Timestamp, to_timestamp
from app.rules.previews import preview_of

OWNERS = 20
LONG_TITLE = "The long conversation"
HOT_TITLE = "The watched conversation"

_TEXT = """
the flight from Lisbon leaves at nine and a change costs thirty euros please check whether my
second bag is covered by the fare I booked last week thank you for waiting the tool says that two
seats are left in economy shall I take them for you now or look for a later one
"""
_WORDS = _TEXT.split()
_START = datetime(2026, 1, 1, tzinfo=UTC)


async def records(sessions: int, messages: int, long_messages: int) -> AsyncIterator[Record]:
    """Yields a store of `sessions` sessions with `messages` in all, and one long session."""
    chance = random.Random(20260101)
    for number in range(OWNERS):
        yield User(UserId(f"user-{number}"), f"User {number}")
    each = max(messages // sessions, 1)
    for number in range(sessions):
        length = chance.randint(each // 2, each + each // 2)
        for record in _session(chance, number, f"Conversation {number}", length):
            yield record
    for record in _session(chance, sessions, LONG_TITLE, long_messages):
        yield record
    for record in _session(chance, sessions + 1, HOT_TITLE, 10):
        yield record


def _session(chance: random.Random, number: int, title: str, length: int) -> list[Record]:
    session_id = session_id_of(number)
    made = [_message(chance, session_id, at, spoken_at(number, at)) for at in range(1, length + 1)]
    preview = next((m.preview for m in reversed(made) if m.preview), None)
    return [session_of(number, title, length, preview), *made, *log_of(number, length)]


def session_id_of(number: int) -> SessionId:
    """Returns the id of a session by its number."""
    return derive_session_id("benchmark", str(number))


def spoken_at(number: int, sequence: int) -> Timestamp:
    """Returns when a message was said: one a second, the sessions a minute apart."""
    return to_timestamp(_START + timedelta(minutes=number, seconds=sequence))


def session_of(number: int, title: str, length: int, preview: str | None) -> Session:
    """Returns a session to which `length` messages were added, and nothing else happened."""
    created = spoken_at(number, 0)
    last = spoken_at(number, length) if length else None
    return Session(
        id=session_id_of(number),
        key=f"benchmark:{number}",
        owner_id=UserId(f"user-{number % OWNERS}"),
        agent_id=None,
        peer_agent_id=None,
        profile_id=None,
        title=title,
        kind=SessionKind.DIRECT,
        channel="web",
        forked_from=None,
        metadata={},
        pinned_at=None,
        starred_at=None,
        archived_at=None,
        created_at=created,
        updated_at=last or created,
        last_message_at=last,
        last_activity_at=last or created,
        message_count=length,
        archived_message_count=0,
        preview=preview,
        last_sequence=Sequence(length),
        epoch=Epoch(f"{number:08x}"),
        revision=Revision(length + 1),
    )


def log_of(number: int, length: int) -> Iterator[Event]:
    """Yields the events of such a session."""
    session_id, created = session_id_of(number), EventKind.SESSION_CREATED
    yield Event(session_id, Revision(1), created, spoken_at(number, 0), None, {}, None)
    added = EventKind.MESSAGE_ADDED
    for sequence in range(1, length + 1):
        at = spoken_at(number, sequence)
        yield Event(session_id, Revision(sequence + 1), added, at, Sequence(sequence), {}, None)


def _words(chance: random.Random, low: int, high: int) -> str:
    return " ".join(chance.choices(_WORDS, k=chance.randint(low, high)))


def _message(chance: random.Random, session_id: SessionId, sequence: int, at: Timestamp) -> Message:
    turn = sequence % 4
    parts: tuple[Part, ...]
    if turn == 2:
        role = MessageRole.ASSISTANT
        parts = (
            TextPart(_words(chance, 4, 12)),
            ToolCallPart(f"call_{sequence}", "search_flights", '{"from": "LIS", "to": "BER"}'),
        )
    elif turn == 3:
        role = MessageRole.TOOL
        parts = (ToolResultPart(f"call_{sequence - 1}", _words(chance, 30, 120), "search_flights"),)
    else:
        role = MessageRole.USER if turn == 1 else MessageRole.ASSISTANT
        parts = (TextPart(_words(chance, 8, 80)),)
    return Message(
        session_id=session_id,
        sequence=Sequence(sequence),
        role=role,
        status=MessageStatus.COMPLETE,
        parts=parts,
        preview=preview_of(role, parts),
        sender=None,
        model="example-model" if role is MessageRole.ASSISTANT else None,
        usage=None,
        metadata={},
        created_at=at,
        edited_at=None,
        archived_at=None,
    )

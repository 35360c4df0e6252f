"""What stores are filled with: conversations made while they are loaded, one or many."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import cycle

from app.model.identifiers import Sequence
from app.model.message import Message, MessageRole, MessageStatus
from app.model.parts import TextPart
from app.model.records import Record
from benchmarks.dataset import log_of, session_id_of, session_of, spoken_at

_SAID = (
    (MessageRole.USER, "Is there a later flight from Lisbon, and what does the change cost?"),
    (
        MessageRole.ASSISTANT,
        "Two seats are left in economy at half past seven. Changing costs thirty euros, and your "
        "second bag stays covered by the fare that you booked last week.",
    ),
    (MessageRole.USER, "Take the aisle seat, please, and send me the confirmation."),
    (MessageRole.ASSISTANT, "Done: seat 14C. The confirmation is on its way to your inbox."),
)


async def conversations(sessions: int, messages: int) -> AsyncIterator[Record]:
    """Yields sessions of `messages` each, with their logs, the same every time."""
    last = _SAID[(messages - 1) % len(_SAID)][1] if messages else None
    for number in range(sessions):
        yield session_of(number, f"Conversation {number}", messages, last)
        session_id = session_id_of(number)
        said = cycle([(role, (TextPart(text),), text) for role, text in _SAID])
        for sequence in range(1, messages + 1):
            role, parts, preview = next(said)
            yield Message(
                session_id=session_id,
                sequence=Sequence(sequence),
                role=role,
                status=MessageStatus.COMPLETE,
                parts=parts,
                preview=preview,
                sender=None,
                model="example-model" if role is MessageRole.ASSISTANT else None,
                usage=None,
                metadata={},
                created_at=spoken_at(number, sequence),
                edited_at=None,
                archived_at=None,
            )
        for event in log_of(number, messages):
            yield event

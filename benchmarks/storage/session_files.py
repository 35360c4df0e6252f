"""Writes the files of many sessions at once, as they are when the sessions were loaded.

Loading makes every session durable and indexes it; what is measured afterwards needs neither.
"""

from __future__ import annotations

from collections.abc import AsyncIterable
from pathlib import Path

from msgspec.structs import replace

from app.backends.files.entry import Entry, line_of
from app.backends.files.names import Layout, file_name
from app.backends.files.record import encode_record, seed_of
from app.model.events import Event
from app.model.identifiers import Revision, Sequence, SessionKey
from app.model.message import Message
from app.model.records import Record
from app.model.session import Session


async def write_sessions(root: Path, records: AsyncIterable[Record]) -> None:
    """Writes the sessions among the records into a store of files that nobody has open."""
    layout = Layout(root)
    session: Session | None = None
    messages: dict[Sequence, Message] = {}
    events: list[Event] = []
    async for record in records:
        match record:
            case Session():
                if session is not None:
                    _write(layout, session, messages, events)
                session, messages, events = record, {}, []
            case Message():
                messages[record.sequence] = record
            case Event():
                events.append(record)
    if session is not None:
        _write(layout, session, messages, events)


def _write(
    layout: Layout, session: Session, messages: dict[Sequence, Message], events: list[Event]
) -> None:
    told: list[tuple[Entry, Revision]] = []
    last = Sequence(0)
    for event in events:
        message = messages.get(event.sequence) if event.sequence is not None else None
        last = event.sequence or last
        header = None if message is not None else session
        told.append((Entry(event, message, header, last_sequence=last), event.revision))
    told.append((Entry(header=session, last_sequence=last), session.revision))
    seed = seed_of(session.id, session.epoch)
    lines = [
        encode_record(
            line_of(entry, replace(session, revision=revision)),
            number=revision,
            durable=session.revision,
            more=False,
            seed=seed,
        )
        for entry, revision in told
    ]
    name = file_name(SessionKey(session.owner_id, session.key))
    layout.active(name).write_bytes(b"".join(lines))

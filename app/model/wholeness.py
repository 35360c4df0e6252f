"""Whether a session that comes record by record is whole: nothing of it lacking or too much."""

from __future__ import annotations

from app.model.events import Event
from app.model.identifiers import Revision, Sequence
from app.model.message import Message
from app.model.records import Record
from app.model.session import Session


class SessionTally:
    """Counts the records that stand behind a session, by which its header is then judged."""

    def __init__(self) -> None:
        self._messages = 0
        self._archived = 0
        self._last_sequence = Sequence(0)
        self._ascending = True
        self._archived_first = True
        self._revision = Revision(0)
        self._gapless = True

    def take(self, record: Record) -> None:
        """Counts the next record."""
        match record:
            case Message():
                self._messages += 1
                self._ascending &= record.sequence > self._last_sequence
                self._last_sequence = record.sequence
                if record.archived_at is not None:
                    self._archived += 1
                    self._archived_first &= self._archived == self._messages
            case Event():
                self._gapless &= record.revision == self._revision + 1
                self._revision = record.revision
            case _:
                # Any number of idempotency keys may come.
                pass

    def fits(self, session: Session) -> bool:
        """Answers whether these are all the messages and events that a session's header counts."""
        return (
            self._ascending
            and self._archived_first
            and self._gapless
            and self._messages == session.message_count
            and self._archived == session.archived_message_count
            and self._last_sequence <= session.last_sequence
            and self._revision == session.revision
        )

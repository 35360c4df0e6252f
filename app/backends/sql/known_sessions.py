"""Sessions as a writer left them, so that it need not read them before it writes to them again.

Most commits go to sessions that were written to a moment ago. What is kept here may be outdated:
a writer takes it only where it knows, or has the database see to it, that nobody else has changed
the session since.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import orjson

from app.model.identifiers import SessionId
from app.model.session import Session

_MOST = 1_024
"""How many sessions are kept: about a megabyte."""

_MOST_METADATA = 2_000
"""The longest metadata of a session that is kept, in bytes of JSON."""


class Known(NamedTuple):
    """The state of a session; `version` is what its database knows the row's state by."""

    session: Session
    archived_through: int
    version: str = ""


class KnownSessions:
    """The sessions written to last. What a transaction notes counts once it is settled."""

    def __init__(self) -> None:
        self._settled: OrderedDict[SessionId, Known] = OrderedDict()
        self._noted: dict[SessionId, Known | None] = {}

    def get(self, session_id: SessionId) -> Known | None:
        """Returns the state of a session with what was noted, None where it is not known."""
        if session_id in self._noted:
            return self._noted[session_id]
        return self._settled.get(session_id)

    def note(self, known: Known) -> None:
        """Notes a state that counts when the transaction is durable."""
        self._noted[known.session.id] = known

    def forget(self, session_id: SessionId) -> None:
        """Notes that nothing is known of a session any more."""
        self._noted[session_id] = None

    def settle(self) -> None:
        """Keeps what was noted, as the transaction is durable."""
        settled = self._settled
        for session_id, known in self._noted.items():
            before = settled.pop(session_id, None)
            if known is not None and _is_small(known, before):
                settled[session_id] = known
        self._noted = {}
        while len(settled) > _MOST:
            settled.popitem(last=False)

    def clear(self) -> None:
        """Forgets everything, as others have written or a transaction came to nothing."""
        self._settled.clear()
        self._noted.clear()


def _is_small(known: Known, before: Known | None) -> bool:
    metadata = known.session.metadata
    if not metadata or (before is not None and before.session.metadata is metadata):
        return True
    return len(orjson.dumps(metadata)) <= _MOST_METADATA

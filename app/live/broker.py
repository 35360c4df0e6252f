"""The hints that make readers of a log look: `(session, revision)` and nothing else.

The log is the truth. A hint may come late, twice, out of order or never: that costs latency and
no data, since readers look for themselves every few seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from app.model.identifiers import Revision, SessionId


class Broker(Protocol):
    """Carries hints from whoever committed to whoever follows."""

    def ring(self, session_id: SessionId, revision: Revision) -> None:
        """Tells that a session's log has come to `revision`. Never waits and never fails."""
        ...

    def follow(
        self, session_id: SessionId, heard: Callable[[Revision], None]
    ) -> AbstractContextManager[None]:
        """Calls `heard` with the revision of each hint until the context is left.

        `heard` runs on the event loop, must not wait, and is registered when this is entered.
        """
        ...

    async def close(self) -> None:
        """Lets go of what the broker holds. Safe to call twice."""
        ...

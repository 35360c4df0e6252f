"""Hints within one process. Other processes' writes are found by the readers' own looking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.model.identifiers import Revision, SessionId


class InProcessBroker:
    """Calls whoever follows a session, at once and in the same thread."""

    def __init__(self) -> None:
        self._listeners: dict[SessionId, list[Callable[[Revision], None]]] = {}

    def ring(self, session_id: SessionId, revision: Revision) -> None:
        """Tells that a session's log has come to `revision`."""
        for heard in tuple(self._listeners.get(session_id, ())):
            heard(revision)

    @contextmanager
    def follow(self, session_id: SessionId, heard: Callable[[Revision], None]) -> Iterator[None]:
        """Calls `heard` with the revision of each hint until the context is left."""
        listeners = self._listeners.setdefault(session_id, [])
        listeners.append(heard)
        try:
            yield
        finally:
            listeners.remove(heard)
            if not listeners:
                del self._listeners[session_id]

    async def close(self) -> None:
        """Does nothing: there is nothing to let go of."""

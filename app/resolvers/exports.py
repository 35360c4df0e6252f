"""Giving a store's content out as records: all of it, or one session."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from app.backends.protocol import EVERYTHING, Backend
from app.model.errors import NotFound, ScrollbackError
from app.model.events import Event
from app.model.identifiers import SessionId, SessionKey, UserId
from app.model.message import Message
from app.model.records import IdempotencyRecord, Record
from app.model.session import Session

_DIGITS = frozenset("0123456789abcdef")


async def find_session(backend: Backend, owner: UserId | None, reference: str) -> Session:
    """Returns the session of an id (32 hexadecimal digits) or of an owner's key.

    An id goes before a key. Raises NotFound.
    """
    if len(reference) == 32 and _DIGITS.issuperset(reference):
        session_id = SessionId(reference)
        by_id = (await backend.get_sessions([session_id], EVERYTHING)).get(session_id)
        if by_id is not None:
            return _certain(by_id)
    key = SessionKey(owner, reference)
    by_key = (await backend.find_sessions([key], EVERYTHING)).get(key)
    if by_key is None:
        raise NotFound(f"there is no session of the id or key {reference}")
    return _certain(by_key)


async def export_records(
    backend: Backend, session: Session | None = None
) -> AsyncGenerator[Record, None]:
    """Yields the records of the whole store, or of one session and before them whom it names.

    To be closed (`contextlib.aclosing`), since it holds a connection to the store.
    """
    if session is None:
        async with _closing(backend.export(EVERYTHING)) as records:
            async for record in records:
                yield record
        return
    for named in await _named_by(backend, session):
        yield named
    # Sessions are exported by id, so the one before this id leads straight to it.
    before = SessionId(f"{int(session.id, 16) - 1:032x}") if int(session.id, 16) else None
    async with _closing(backend.export(EVERYTHING, after=before)) as records:
        async for record in records:
            if not _is_of(record, session):
                break
            yield record


def _is_of(record: Record, session: Session) -> bool:
    match record:
        case Session():
            return record.id == session.id
        case Message() | Event() | IdempotencyRecord():
            return record.session_id == session.id
        case _:
            return False


async def _named_by(backend: Backend, session: Session) -> list[Record]:
    users = [session.owner_id] if session.owner_id is not None else []
    agents = sorted({i for i in (session.agent_id, session.peer_agent_id) if i is not None})
    profiles = [session.profile_id] if session.profile_id is not None else []
    found: list[Record | ScrollbackError] = [
        *(await backend.get_users(users, EVERYTHING)).values(),
        *(await backend.get_agents(agents)).values(),
        *(await backend.get_profiles(profiles)).values(),
    ]
    return [named for named in found if not isinstance(named, ScrollbackError)]


@asynccontextmanager
async def _closing(records: AsyncIterator[Record]) -> AsyncIterator[AsyncIterator[Record]]:
    try:
        yield records
    finally:
        if isinstance(records, AsyncGenerator):
            await records.aclose()


def _certain(session: Session | ScrollbackError) -> Session:
    if isinstance(session, ScrollbackError):
        raise session
    return session

"""Giving a store's content out as records: all of it, or one session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TypeVar

from app.backends.protocol import EVERYTHING, Backend
from app.model.errors import NotFound, ScrollbackError
from app.model.identifiers import SessionId, SessionKey, UserId
from app.model.records import Deletion, Record
from app.model.session import Agent, Profile, Session, User

_DIGITS = frozenset("0123456789abcdef")

NounT = TypeVar("NounT", User, Agent, Profile)


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


async def export_session(backend: Backend, session: Session) -> AsyncIterator[Record]:
    """Yields the records of one session, and before them whom it names."""
    for user in _found((await _users(backend, session)).values()):
        yield user
    agent_ids = sorted({i for i in (session.agent_id, session.peer_agent_id) if i is not None})
    for agent in _found((await backend.get_agents(agent_ids)).values()):
        yield agent
    if session.profile_id is not None:
        for profile in _found((await backend.get_profiles([session.profile_id])).values()):
            yield profile
    # Sessions are exported by id, so the one before this id leads straight to it.
    before = SessionId(f"{int(session.id, 16) - 1:032x}") if int(session.id, 16) else None
    mine = False
    async for record in backend.export(EVERYTHING, after=before):
        if isinstance(record, Session):
            if mine or record.id != session.id:
                return
            mine = True
        elif isinstance(record, Deletion) or getattr(record, "session_id", None) != session.id:
            return
        yield record


async def _users(backend: Backend, session: Session) -> Mapping[UserId, User | ScrollbackError]:
    if session.owner_id is None:
        return {}
    return await backend.get_users([session.owner_id], EVERYTHING)


def _found(nouns: Iterable[NounT | ScrollbackError]) -> list[NounT]:
    return [noun for noun in nouns if not isinstance(noun, ScrollbackError)]


def _certain(session: Session | ScrollbackError) -> Session:
    if isinstance(session, ScrollbackError):
        raise session
    return session

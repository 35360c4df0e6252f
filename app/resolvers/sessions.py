"""Operations on a session as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.model.changes import (
    ArchiveSession,
    Change,
    Committed,
    CreateSession,
    DeleteSession,
    PinSession,
    RenameSession,
    StarSession,
)
from app.model.errors import InvalidInput, NotFound
from app.model.identifiers import (
    AgentId,
    ProfileId,
    SessionId,
    derive_session_id,
    new_epoch,
    new_session_id,
)
from app.model.session import Session, SessionKind
from app.resolvers.attempts import Attempt
from app.resolvers.commits import commit_changes
from app.resolvers.services import Services
from app.rules.caller import Caller
from app.rules.sessions import check_channel, check_key, check_metadata, check_title


@dataclass(frozen=True, slots=True)
class SessionDraft:
    """A session before it exists. Without a key it is known by its id alone."""

    key: str | None = None
    title: str | None = None
    agent_id: AgentId | None = None
    peer_agent_id: AgentId | None = None
    profile_id: ProfileId | None = None
    kind: SessionKind = SessionKind.DIRECT
    channel: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Created:
    """A session that was created, or, with `existing`, one that had the key already."""

    session: Session
    existing: bool


async def create_session(
    services: Services,
    caller: Caller,
    draft: SessionDraft,
    *,
    get_existing: bool = False,
    idempotency_key: str | None = None,
) -> Created:
    """Creates a session of the caller's own, or gets the one that has its key.

    Raises Conflict for a key that is taken, and NotFound for an agent or a profile that does not
    exist, or where an earlier attempt's session has been deleted since. With `get_existing` the
    session's own key is what makes repeating harmless, and no other is kept.
    """
    await _check_draft(services, draft)
    given = Attempt("createSession", (draft, get_existing), idempotency_key)
    given.check(services.limits)
    attempt = Attempt(given.operation, given.request) if get_existing else given
    session_id = choose_session_id(caller, attempt)
    create = CreateSession(
        key=session_id if draft.key is None else draft.key,
        epoch=new_epoch(),
        owner_id=caller.user_id,
        agent_id=draft.agent_id,
        peer_agent_id=draft.peer_agent_id,
        profile_id=draft.profile_id,
        title=draft.title,
        kind=draft.kind,
        channel=draft.channel,
        metadata=draft.metadata,
        get_existing=get_existing,
    )
    committed = await commit_changes(services, caller, session_id, (create,), attempt)
    return Created(present_session(committed), committed.existing)


async def rename_session(
    services: Services,
    caller: Caller,
    session_id: SessionId,
    title: str | None,
    *,
    idempotency_key: str | None = None,
) -> Session:
    """Sets a session's title; None takes it away."""
    check_title(title, services.limits)
    return await _change(
        services, caller, session_id, RenameSession(title), "renameSession", idempotency_key
    )


async def pin_session(
    services: Services,
    caller: Caller,
    session_id: SessionId,
    pinned: bool,
    *,
    idempotency_key: str | None = None,
) -> Session:
    """Pins or unpins a session."""
    return await _change(
        services, caller, session_id, PinSession(pinned), "pinSession", idempotency_key
    )


async def star_session(
    services: Services,
    caller: Caller,
    session_id: SessionId,
    starred: bool,
    *,
    idempotency_key: str | None = None,
) -> Session:
    """Stars or unstars a session."""
    return await _change(
        services, caller, session_id, StarSession(starred), "starSession", idempotency_key
    )


async def archive_session(
    services: Services,
    caller: Caller,
    session_id: SessionId,
    archived: bool,
    *,
    idempotency_key: str | None = None,
) -> Session:
    """Puts a session away, or takes it back."""
    return await _change(
        services, caller, session_id, ArchiveSession(archived), "archiveSession", idempotency_key
    )


async def delete_session(
    services: Services,
    caller: Caller,
    session_id: SessionId,
    *,
    idempotency_key: str | None = None,
) -> SessionId:
    """Deletes a session with its messages; answers its id."""
    attempt = Attempt("deleteSession", (session_id,), idempotency_key)
    await commit_changes(services, caller, session_id, (DeleteSession(),), attempt)
    return session_id


def choose_session_id(caller: Caller, attempt: Attempt) -> SessionId:
    """Returns a new session's id: derived from the attempt's key, so that a retry finds it."""
    if attempt.key is None:
        return new_session_id()
    return derive_session_id("attempt", caller.user_id, attempt.key)


def present_session(committed: Committed) -> Session:
    """Returns the session of a commit. NotFound where it has been deleted since."""
    if committed.session is None:
        raise NotFound("The session has been deleted since.", ("sessionId",))
    return committed.session


async def _change(
    services: Services,
    caller: Caller,
    session_id: SessionId,
    change: Change,
    operation: str,
    idempotency_key: str | None,
) -> Session:
    attempt = Attempt(operation, (session_id, change), idempotency_key)
    return present_session(await commit_changes(services, caller, session_id, (change,), attempt))


async def _check_draft(services: Services, draft: SessionDraft) -> None:
    """Raises InvalidInput, LimitExceeded, and NotFound for what the draft names in vain."""
    if draft.key is not None:
        check_key(draft.key, services.limits)
    check_title(draft.title, services.limits)
    check_channel(draft.channel, services.limits)
    check_metadata(draft.metadata, services.limits)
    between_agents = draft.kind is SessionKind.AGENT_TO_AGENT
    if between_agents and (draft.agent_id is None or draft.peer_agent_id is None):
        raise InvalidInput("A session between agents names both of them.", ("peerAgentId",))
    if not between_agents and draft.peer_agent_id is not None:
        raise InvalidInput("Only a session between agents has a peer agent.", ("peerAgentId",))
    agents = {
        agent_id: name
        for agent_id, name in ((draft.peer_agent_id, "peerAgentId"), (draft.agent_id, "agentId"))
        if agent_id is not None
    }
    if agents:
        found = await services.backend.get_agents(agents)
        for agent_id, name in agents.items():
            if agent_id not in found:
                raise NotFound("There is no such agent.", (name,))
    if draft.profile_id is not None and (
        draft.profile_id not in await services.backend.get_profiles([draft.profile_id])
    ):
        raise NotFound("There is no such profile.", ("profileId",))

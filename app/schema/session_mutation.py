"""Changes of a session as a whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import strawberry

from app.model import session as model
from app.model.errors import InvalidInput
from app.model.identifiers import AgentId, ProfileId, SessionId
from app.model.session import SessionKind
from app.resolvers import forks, sessions
from app.schema.context import Info
from app.schema.enums import IfExists
from app.schema.field import field
from app.schema.global_id import (
    decode_agent_id,
    decode_message_id,
    decode_profile_id,
    decode_session_id,
)
from app.schema.message_input import to_object
from app.schema.mutation_input import RepeatableInput
from app.schema.payload import Outcome, Payload, settle
from app.schema.scalars import JSON
from app.schema.session import Session
from app.schema.session_list import SessionEdge

SESSION_ID = "The session's id."


@strawberry.input(description="A session to create. All of it may be left out.")
class CreateSessionInput(RepeatableInput):
    """A new session."""

    key: str | None = strawberry.field(
        default=None,
        description=(
            "The name that your application knows it by, unique among your sessions and compared "
            "character for character. Its own id where you give none."
        ),
    )
    if_exists: IfExists = strawberry.field(
        default=IfExists.ERROR,
        description=(
            "What to do where you have a session with that key. With RETURN the same can be sent "
            "any number of times, and no `idempotencyKey` is looked at."
        ),
    )
    title: str | None = strawberry.field(default=None, description="The title.")
    agent_id: strawberry.ID | None = strawberry.field(
        default=None, description="The agent it is held with."
    )
    peer_agent_id: strawberry.ID | None = strawberry.field(
        default=None, description="The other agent, for the kind AGENT_TO_AGENT."
    )
    profile_id: strawberry.ID | None = strawberry.field(
        default=None, description="The profile it is held under."
    )
    kind: SessionKind = strawberry.field(
        default=SessionKind.DIRECT, description="What sort of conversation it is."
    )
    channel: str | None = strawberry.field(
        default=None, description="Where it is held, such as `web` or `slack`."
    )
    metadata: JSON | None = strawberry.field(
        default=None, description="Whatever else to keep with it: a JSON object."
    )


@strawberry.input(description="A title to set.")
class RenameSessionInput(RepeatableInput):
    """A new title."""

    session_id: strawberry.ID = strawberry.field(description=SESSION_ID)
    title: str | None = strawberry.field(description="The title; null takes it away.")


@strawberry.input(description="Whether a session is pinned.")
class PinSessionInput(RepeatableInput):
    """A new state."""

    session_id: strawberry.ID = strawberry.field(description=SESSION_ID)
    pinned: bool = strawberry.field(description="Whether it is to be pinned.")


@strawberry.input(description="Whether a session is starred.")
class StarSessionInput(RepeatableInput):
    """A new state."""

    session_id: strawberry.ID = strawberry.field(description=SESSION_ID)
    starred: bool = strawberry.field(description="Whether it is to be starred.")


@strawberry.input(description="Whether a session is put away.")
class ArchiveSessionInput(RepeatableInput):
    """A new state."""

    session_id: strawberry.ID = strawberry.field(description=SESSION_ID)
    archived: bool = strawberry.field(description="Whether it is to be put away.")


@strawberry.input(description="A session to begin where another one is, or was.")
class ForkSessionInput(RepeatableInput):
    """A fork."""

    session_id: strawberry.ID = strawberry.field(description="The session to fork.")
    through_message_id: strawberry.ID | None = strawberry.field(
        default=None, description="The last message to copy. All of them where you give none."
    )
    key: str | None = strawberry.field(
        default=None, description="The fork's key. Its own id where you give none."
    )
    title: str | None = strawberry.field(
        default=None, description="The fork's title. That of the session where you give none."
    )


@strawberry.input(description="A session to delete.")
class DeleteSessionInput(RepeatableInput):
    """A session to delete."""

    session_id: strawberry.ID = strawberry.field(description=SESSION_ID)


@strawberry.type(description="A session that was created, or that had the key already.")
class CreateSessionPayload(Payload):
    """What came of it."""

    session: Session | None = strawberry.field(description="The session.")
    session_edge: SessionEdge | None = strawberry.field(
        description="Its place in `sessions` of the default order, for a client's cache."
    )
    existing: bool | None = strawberry.field(
        description="Whether it was there before, with `ifExists: RETURN`."
    )


@strawberry.type(description="A session after the change.")
class RenameSessionPayload(Payload):
    """What came of it."""

    session: Session | None = strawberry.field(description="The session.")


@strawberry.type(description="A session after the change.")
class PinSessionPayload(Payload):
    """What came of it."""

    session: Session | None = strawberry.field(description="The session.")


@strawberry.type(description="A session after the change.")
class StarSessionPayload(Payload):
    """What came of it."""

    session: Session | None = strawberry.field(description="The session.")


@strawberry.type(description="A session after the change.")
class ArchiveSessionPayload(Payload):
    """What came of it."""

    session: Session | None = strawberry.field(description="The session.")


@strawberry.type(description="A fork.")
class ForkSessionPayload(Payload):
    """What came of it."""

    session: Session | None = strawberry.field(description="The new session.")
    session_edge: SessionEdge | None = strawberry.field(
        description="Its place in `sessions` of the default order, for a client's cache."
    )


@strawberry.type(description="A session that is gone.")
class DeleteSessionPayload(Payload):
    """What came of it."""

    deleted_session_id: strawberry.ID | None = strawberry.field(
        description="The id that it had, for a client's cache."
    )


def _input(description: str) -> object:
    return strawberry.argument(name="input", description=description)


@strawberry.type
class SessionMutations:
    """Changes of a session as a whole."""

    @field(
        graphql_type=CreateSessionPayload | None,
        description="Creates a session of yours, or gets the one that has the key.",
    )
    @staticmethod
    async def create_session(
        info: Info, given: Annotated[CreateSessionInput, _input("The session.")]
    ) -> Outcome:
        """Creates a session."""
        return await settle(info, _create(info, given))

    @field(graphql_type=RenameSessionPayload | None, description="Sets a session's title.")
    @staticmethod
    async def rename_session(
        info: Info, given: Annotated[RenameSessionInput, _input("The title.")]
    ) -> Outcome:
        """Sets a title."""
        return await settle(info, _set(info, given, sessions.rename_session, given.title))

    @field(graphql_type=PinSessionPayload | None, description="Pins or unpins a session.")
    @staticmethod
    async def pin_session(
        info: Info, given: Annotated[PinSessionInput, _input("The new state.")]
    ) -> Outcome:
        """Sets the pin."""
        return await settle(info, _set(info, given, sessions.pin_session, given.pinned))

    @field(graphql_type=StarSessionPayload | None, description="Stars or unstars a session.")
    @staticmethod
    async def star_session(
        info: Info, given: Annotated[StarSessionInput, _input("The new state.")]
    ) -> Outcome:
        """Sets the star."""
        return await settle(info, _set(info, given, sessions.star_session, given.starred))

    @field(
        graphql_type=ArchiveSessionPayload | None,
        description="Puts a session away, or takes it back. Its messages stay as they are.",
    )
    @staticmethod
    async def archive_session(
        info: Info, given: Annotated[ArchiveSessionInput, _input("The new state.")]
    ) -> Outcome:
        """Sets the archive mark."""
        return await settle(info, _set(info, given, sessions.archive_session, given.archived))

    @field(
        graphql_type=ForkSessionPayload | None,
        description=(
            "Begins a session of yours with another one's messages, up to one of them or all. "
            "Copies keep their numbers, parts, metadata and times."
        ),
    )
    @staticmethod
    async def fork_session(
        info: Info, given: Annotated[ForkSessionInput, _input("What to fork.")]
    ) -> Outcome:
        """Forks a session."""
        return await settle(info, _fork(info, given))

    @field(
        graphql_type=DeleteSessionPayload | None,
        description="Deletes a session with its messages, for good.",
    )
    @staticmethod
    async def delete_session(
        info: Info, given: Annotated[DeleteSessionInput, _input("The session.")]
    ) -> Outcome:
        """Deletes a session."""
        return await settle(info, _delete(info, given))


async def _create(info: Info, given: CreateSessionInput) -> Outcome:
    context = info.context
    agent_id: AgentId | None = None
    peer_agent_id: AgentId | None = None
    profile_id: ProfileId | None = None
    if given.agent_id is not None:
        agent_id = decode_agent_id(given.agent_id, ("agentId",))
    if given.peer_agent_id is not None:
        peer_agent_id = decode_agent_id(given.peer_agent_id, ("peerAgentId",))
    if given.profile_id is not None:
        profile_id = decode_profile_id(given.profile_id, ("profileId",))
    get_existing = given.if_exists is IfExists.RETURN
    if get_existing and given.key is None:
        raise InvalidInput("Without a key there is nothing to return.", ("ifExists",))
    draft = sessions.SessionDraft(
        key=given.key,
        title=given.title,
        agent_id=agent_id,
        peer_agent_id=peer_agent_id,
        profile_id=profile_id,
        kind=given.kind,
        channel=given.channel,
        metadata=to_object(given.metadata, ("metadata",)) or {},
    )
    created = await sessions.create_session(
        context.services,
        context.caller,
        draft,
        get_existing=get_existing,
        idempotency_key=given.idempotency_key,
    )
    return Outcome(session=created.session, existing=created.existing)


async def _set(
    info: Info,
    given: RenameSessionInput | PinSessionInput | StarSessionInput | ArchiveSessionInput,
    change: Callable[..., Awaitable[model.Session]],
    value: object,
) -> Outcome:
    """Sets the one thing that an input holds."""
    session = await change(
        info.context.services,
        info.context.caller,
        _session_id(given.session_id),
        value,
        idempotency_key=given.idempotency_key,
    )
    return Outcome(session=session)


async def _fork(info: Info, given: ForkSessionInput) -> Outcome:
    source_id = _session_id(given.session_id)
    through = None
    if given.through_message_id is not None:
        through = decode_message_id(given.through_message_id, ("throughMessageId",))
        if through.session_id != source_id:
            raise InvalidInput("This is a message of another session.", ("throughMessageId",))
    session = await forks.fork_session(
        info.context.services,
        info.context.caller,
        source_id,
        through=None if through is None else through.sequence,
        key=given.key,
        title=given.title,
        idempotency_key=given.idempotency_key,
    )
    return Outcome(session=session)


async def _delete(info: Info, given: DeleteSessionInput) -> Outcome:
    await sessions.delete_session(
        info.context.services,
        info.context.caller,
        _session_id(given.session_id),
        idempotency_key=given.idempotency_key,
    )
    return Outcome(deleted_session_id=given.session_id)


def _session_id(text: str) -> SessionId:
    return decode_session_id(text, ("sessionId",))

"""Changes of the messages of a session."""

from __future__ import annotations

from typing import Annotated

import strawberry

from app.model.errors import InvalidInput, LimitExceeded, NotFound
from app.model.identifiers import MessageId, Sequence
from app.model.message import MessageStatus
from app.resolvers import messages
from app.schema.context import Info
from app.schema.field import field
from app.schema.global_id import decode_message_id, decode_session_id
from app.schema.message import Message, MessageEdge
from app.schema.message_input import (
    MessageInput,
    MessagePartInput,
    to_messages,
    to_object,
    to_parts,
)
from app.schema.mutation_input import ExpectingInput, RepeatableInput, expected_revision
from app.schema.payload import Outcome, Payload, settle
from app.schema.scalars import JSON
from app.schema.session import Session

SESSION_ID = "The session's id."
MESSAGE_ID = "The message's id."


@strawberry.input(description="A message to add at the end of a session.")
class AddMessageInput(RepeatableInput):
    """One message."""

    session_id: strawberry.ID = strawberry.field(description=SESSION_ID)
    message: MessageInput = strawberry.field(description="The message.")


@strawberry.input(description="Messages to add at the end of a session, together or not at all.")
class AddMessagesInput(RepeatableInput):
    """Many messages."""

    session_id: strawberry.ID = strawberry.field(description=SESSION_ID)
    messages: list[MessageInput] = strawberry.field(
        description="The messages, in order: at most `viewer.limits.messagesPerMutation`."
    )


@strawberry.input(
    description="What to replace of a message. What is left out or null stays as it is."
)
class EditMessageInput(ExpectingInput):
    """An edit."""

    message_id: strawberry.ID = strawberry.field(description=MESSAGE_ID)
    parts: list[MessagePartInput] | None = strawberry.field(
        default=None, description="All its parts."
    )
    status: MessageStatus | None = strawberry.field(
        default=None, description="How far it has come."
    )
    model: str | None = strawberry.field(default=None, description="The model that wrote it.")
    usage: JSON | None = strawberry.field(default=None, description="What it cost.")
    metadata: JSON | None = strawberry.field(
        default=None, description="Whatever else to keep with it: a JSON object."
    )


@strawberry.input(description="A message to delete.")
class DeleteMessageInput(ExpectingInput):
    """A message to delete."""

    message_id: strawberry.ID = strawberry.field(description=MESSAGE_ID)


@strawberry.input(
    description=(
        "Where to cut a session off. Give either `afterMessageId`, or `all: true` to delete "
        "every message: leaving something out never deletes everything."
    )
)
class TruncateMessagesInput(ExpectingInput):
    """A cut."""

    session_id: strawberry.ID = strawberry.field(description=SESSION_ID)
    after_message_id: strawberry.ID | None = strawberry.field(
        default=None, description="The last message to keep."
    )
    all: bool = strawberry.field(default=False, description="Whether to keep none.")


@strawberry.input(description="How far to archive a session's messages.")
class ArchiveMessagesInput(ExpectingInput):
    """A border."""

    through_message_id: strawberry.ID = strawberry.field(
        description="The last message to archive; every active one before it goes with it."
    )


@strawberry.input(description="Messages to put in the place of all that a session has.")
class ReplaceMessagesInput(ExpectingInput):
    """A new content."""

    session_id: strawberry.ID = strawberry.field(description=SESSION_ID)
    messages: list[MessageInput] = strawberry.field(
        description="The messages, in order: at most `viewer.limits.messagesPerMutation`."
    )


@strawberry.type(description="A message that was added.")
class AddMessagePayload(Payload):
    """What came of it."""

    message: Message | None = strawberry.field(description="The message.")
    message_edge: MessageEdge | None = strawberry.field(
        description="Its place in `Session.messages`, for a client's cache."
    )
    session: Session | None = strawberry.field(description="The session after it.")


@strawberry.type(description="Messages that were added.")
class AddMessagesPayload(Payload):
    """What came of it."""

    messages: list[Message] | None = strawberry.field(description="The messages, in order.")
    message_edges: list[MessageEdge] | None = strawberry.field(
        description="Their places in `Session.messages`, for a client's cache."
    )
    session: Session | None = strawberry.field(description="The session after them.")


@strawberry.type(description="A message after the edit.")
class EditMessagePayload(Payload):
    """What came of it."""

    message: Message | None = strawberry.field(
        description="The message. Null where it has been deleted since."
    )
    session: Session | None = strawberry.field(description="The session after the edit.")


@strawberry.type(description="A message that is gone.")
class DeleteMessagePayload(Payload):
    """What came of it."""

    deleted_message_id: strawberry.ID | None = strawberry.field(
        description="The id that it had, for a client's cache."
    )
    session: Session | None = strawberry.field(description="The session without it.")


@strawberry.type(description="A session that was cut off.")
class TruncateMessagesPayload(Payload):
    """What came of it."""

    count: int | None = strawberry.field(
        name="deletedCount", description="How many messages were deleted."
    )
    session: Session | None = strawberry.field(description="The session without them.")


@strawberry.type(description="A session whose messages were archived.")
class ArchiveMessagesPayload(Payload):
    """What came of it."""

    count: int | None = strawberry.field(
        name="archivedCount", description="How many messages were archived."
    )
    session: Session | None = strawberry.field(description="The session after it.")


@strawberry.type(description="A session with its new content.")
class ReplaceMessagesPayload(Payload):
    """What came of it."""

    messages: list[Message] | None = strawberry.field(description="The messages, in order.")
    message_edges: list[MessageEdge] | None = strawberry.field(
        description="Their places in `Session.messages`, for a client's cache."
    )
    count: int | None = strawberry.field(
        name="deletedCount", description="How many messages had to go for them."
    )
    session: Session | None = strawberry.field(description="The session with them.")


def _input(description: str) -> object:
    return strawberry.argument(name="input", description=description)


@strawberry.type
class MessageMutations:
    """Changes of the messages of a session."""

    @field(graphql_type=AddMessagePayload | None, description="Adds a message at a session's end.")
    @staticmethod
    async def add_message(
        info: Info, given: Annotated[AddMessageInput, _input("The message.")]
    ) -> Outcome:
        """Adds one message."""
        return await settle(info, _add_message(info, given))

    @field(
        graphql_type=AddMessagesPayload | None,
        description="Adds messages at a session's end, together or not at all.",
    )
    @staticmethod
    async def add_messages(
        info: Info, given: Annotated[AddMessagesInput, _input("The messages.")]
    ) -> Outcome:
        """Adds many messages."""
        return await settle(info, _add_messages(info, given))

    @field(
        graphql_type=EditMessagePayload | None, description="Replaces what is given of a message."
    )
    @staticmethod
    async def edit_message(
        info: Info, given: Annotated[EditMessageInput, _input("What to replace.")]
    ) -> Outcome:
        """Edits a message."""
        return await settle(info, _edit(info, given))

    @field(graphql_type=DeleteMessagePayload | None, description="Deletes one message, for good.")
    @staticmethod
    async def delete_message(
        info: Info, given: Annotated[DeleteMessageInput, _input("The message.")]
    ) -> Outcome:
        """Deletes a message."""
        return await settle(info, _delete(info, given))

    @field(
        graphql_type=TruncateMessagesPayload | None,
        description="Deletes every message after one of them, or all, archived ones too.",
    )
    @staticmethod
    async def truncate_messages(
        info: Info, given: Annotated[TruncateMessagesInput, _input("Where to cut.")]
    ) -> Outcome:
        """Cuts a session off."""
        return await settle(info, _truncate(info, given))

    @field(
        graphql_type=ArchiveMessagesPayload | None,
        description="Archives every active message up to and with one of them.",
    )
    @staticmethod
    async def archive_messages(
        info: Info, given: Annotated[ArchiveMessagesInput, _input("How far.")]
    ) -> Outcome:
        """Archives messages."""
        return await settle(info, _archive(info, given))

    @field(
        graphql_type=ReplaceMessagesPayload | None,
        description="Deletes all messages of a session and adds others, together or not at all.",
    )
    @staticmethod
    async def replace_messages(
        info: Info, given: Annotated[ReplaceMessagesInput, _input("The messages.")]
    ) -> Outcome:
        """Replaces all messages."""
        return await settle(info, _replace(info, given))


async def _add_message(info: Info, given: AddMessageInput) -> Outcome:
    context = info.context
    try:
        added = await messages.add_messages(
            context.services,
            context.caller,
            decode_session_id(given.session_id, ("sessionId",)),
            to_messages([given.message]),
            idempotency_key=given.idempotency_key,
        )
    except (InvalidInput, NotFound, LimitExceeded) as error:
        # The input of one message calls `message` what is `messages.0` to the resolver.
        if error.path[:2] == ("messages", "0"):
            error.path = ("message", *error.path[2:])
        raise
    return Outcome(session=added.session, messages=added.messages)


async def _add_messages(info: Info, given: AddMessagesInput) -> Outcome:
    added = await messages.add_messages(
        info.context.services,
        info.context.caller,
        decode_session_id(given.session_id, ("sessionId",)),
        to_messages(given.messages),
        idempotency_key=given.idempotency_key,
    )
    return Outcome(session=added.session, messages=added.messages)


async def _edit(info: Info, given: EditMessageInput) -> Outcome:
    edit = messages.MessageEdit(
        parts=None if given.parts is None else to_parts(given.parts, ("parts",)),
        status=given.status,
        model=given.model,
        usage=to_object(given.usage, ("usage",)),
        metadata=to_object(given.metadata, ("metadata",)),
    )
    edited = await messages.edit_message(
        info.context.services,
        info.context.caller,
        decode_message_id(given.message_id, ("messageId",)),
        edit,
        expected=expected_revision(given),
        idempotency_key=given.idempotency_key,
    )
    found = () if edited.message is None else (edited.message,)
    return Outcome(session=edited.session, messages=found)


async def _delete(info: Info, given: DeleteMessageInput) -> Outcome:
    session = await messages.delete_message(
        info.context.services,
        info.context.caller,
        decode_message_id(given.message_id, ("messageId",)),
        expected=expected_revision(given),
        idempotency_key=given.idempotency_key,
    )
    return Outcome(session=session, deleted_message_id=given.message_id)


async def _truncate(info: Info, given: TruncateMessagesInput) -> Outcome:
    session_id = decode_session_id(given.session_id, ("sessionId",))
    if given.all is (given.after_message_id is not None):
        raise InvalidInput("Give either afterMessageId or all: true.", ("afterMessageId",))
    after = MessageId(session_id, Sequence(0))
    if given.after_message_id is not None:
        after = decode_message_id(given.after_message_id, ("afterMessageId",))
        if after.session_id != session_id:
            raise InvalidInput("This is a message of another session.", ("afterMessageId",))
    moved = await messages.truncate_messages(
        info.context.services,
        info.context.caller,
        after,
        expected=expected_revision(given),
        idempotency_key=given.idempotency_key,
    )
    return Outcome(session=moved.session, count=moved.count)


async def _archive(info: Info, given: ArchiveMessagesInput) -> Outcome:
    moved = await messages.archive_messages(
        info.context.services,
        info.context.caller,
        decode_message_id(given.through_message_id, ("throughMessageId",)),
        expected=expected_revision(given),
        idempotency_key=given.idempotency_key,
    )
    return Outcome(session=moved.session, count=moved.count)


async def _replace(info: Info, given: ReplaceMessagesInput) -> Outcome:
    added = await messages.replace_messages(
        info.context.services,
        info.context.caller,
        decode_session_id(given.session_id, ("sessionId",)),
        to_messages(given.messages),
        expected=expected_revision(given),
        idempotency_key=given.idempotency_key,
    )
    return Outcome(session=added.session, messages=added.messages, count=added.removed)

"""What importing a conversation means for the session that may be here already."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from msgspec import structs

from app.formats.conversation import Conversation
from app.model.changes import AddMessages, Change, Commit, CreateSession, Idempotency, SetMetadata
from app.model.identifiers import SessionId, UserId, derive_session_id, new_epoch
from app.model.message import Message, NewMessage
from app.model.parts import part_to_json
from app.model.session import Session
from app.model.timestamps import Timestamp, now, to_timestamp
from app.rules.limits import Limits
from app.rules.previews import preview_of
from app.rules.sessions import check_key

_LONGEST_ID = 128


@dataclass(frozen=True, slots=True)
class Incoming:
    """A conversation that is ready to become a session.

    `digest` is over its messages as the source has them, so that times which were only derived
    don't make the same conversation look like another. `size` is about its bytes.
    """

    session_id: SessionId
    conversation: Conversation
    messages: tuple[NewMessage, ...]
    digest: str
    size: int


def prepare(conversation: Conversation, owner: UserId | None, limits: Limits) -> Incoming:
    """Returns a conversation with its place, its previews and times for all of its messages.

    Raises InvalidInput and LimitExceeded for a key that no session can have.
    """
    check_key(conversation.key, limits)
    conversation = _fitted(conversation, limits)
    digest, size = _digest(conversation.messages)
    messages = [
        structs.replace(message, preview=preview_of(message.role, message.parts), created_at=at)
        for message, at in zip(conversation.messages, _times(conversation), strict=True)
    ]
    session_id = derive_session_id("import", owner or "", conversation.key)
    return Incoming(session_id, conversation, tuple(messages), digest, size)


def creation(incoming: Incoming, owner: UserId | None, *, restore: bool) -> Commit:
    """Returns the commit that makes the session, at the time at which the conversation began.

    Its idempotency key outlives the session, so one that was deleted here stays deleted, unless
    `restore` says otherwise.
    """
    conversation = incoming.conversation
    epoch = new_epoch()
    create = CreateSession(
        key=conversation.key,
        epoch=epoch,
        owner_id=owner,
        agent_id=conversation.agent.id if conversation.agent else None,
        profile_id=conversation.profile.id if conversation.profile else None,
        title=conversation.title,
        kind=conversation.kind,
        channel=conversation.channel,
        metadata=_metadata(conversation.metadata, incoming),
    )
    changes: tuple[Change, ...] = (create,)
    if incoming.messages:
        changes = (create, AddMessages(incoming.messages))
    return Commit(
        session_id=incoming.session_id,
        changes=changes,
        at=conversation.created_at,
        idempotency=Idempotency(f"import:{epoch}" if restore else "import", incoming.digest),
    )


def extension(incoming: Incoming, session: Session) -> Commit | None:
    """Returns the commit that adds what the source has gained; None where it has not just grown."""
    noted = _noted(session)
    if noted is None or noted.count >= len(incoming.messages):
        return None
    conversation = incoming.conversation
    if _digest(conversation.messages[: noted.count])[0] != noted.digest:
        return None
    return Commit(
        session_id=session.id,
        changes=(
            AddMessages(incoming.messages[noted.count :]),
            SetMetadata(_metadata(session.metadata, incoming)),
        ),
        at=now(),
        idempotency=Idempotency(f"import:{incoming.digest}", incoming.digest),
        expected=session.revision,
    )


def is_imported(incoming: Incoming, session: Session) -> bool:
    """Answers whether the session was imported from exactly this conversation."""
    noted = _noted(session)
    return noted is not None and noted.digest == incoming.digest


def may_be_ahead(incoming: Incoming, session: Session) -> bool:
    """Answers whether the session may have all of the conversation and more of the same source."""
    noted = _noted(session)
    return noted is not None and noted.count > len(incoming.messages)


def begins_with(stored: Sequence[Message], messages: Sequence[NewMessage]) -> bool:
    """Answers whether stored messages are these, as many as there are of these.

    Where the source gives no time, the stored one was derived and does not count.
    """
    return len(stored) >= len(messages) and all(
        (mine.role, mine.status, mine.parts, mine.sender, mine.model)
        == (theirs.role, theirs.status, theirs.parts, theirs.sender, theirs.model)
        and mine.usage == theirs.usage
        and mine.metadata == theirs.metadata
        and theirs.created_at in (None, mine.created_at)
        for mine, theirs in zip(stored, messages, strict=False)
    )


@dataclass(frozen=True, slots=True)
class _Noted:
    count: int
    digest: str


def _noted(session: Session) -> _Noted | None:
    note = session.metadata.get("import")
    if not isinstance(note, Mapping):
        return None
    count, digest = note.get("count"), note.get("digest")
    if not isinstance(count, int) or not isinstance(digest, str):
        return None
    return _Noted(count, digest)


def _metadata(metadata: Mapping[str, Any], incoming: Incoming) -> dict[str, Any]:
    conversation = incoming.conversation
    note: dict[str, Any] = {
        "format": conversation.format,
        "source": conversation.source,
        "count": len(incoming.messages),
        "digest": incoming.digest,
    }
    if derived := sum(message.created_at is None for message in conversation.messages):
        note["derived_times"] = derived
    return {**metadata, "import": note}


def _digest(messages: Sequence[NewMessage]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for message in messages:
        canonical = orjson.dumps(
            [
                message.role,
                message.status,
                [part_to_json(part) for part in message.parts],
                message.sender,
                message.model,
                message.usage,
                message.metadata,
                message.created_at,
            ],
            default=structs.asdict,
            option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE,
        )
        digest.update(canonical)
        size += len(canonical)
    return digest.hexdigest(), size


def _times(conversation: Conversation) -> list[Timestamp]:
    """Returns a time for every message.

    Where the source gives none it is a second for each message before it, counted from the
    beginning, and never before the message that it follows.
    """
    begin = datetime.fromisoformat(conversation.created_at)
    times: list[Timestamp] = []
    for index, message in enumerate(conversation.messages):
        at = message.created_at
        if at is None:
            at = to_timestamp(begin + timedelta(seconds=index))
            at = max(at, times[-1]) if times else at
        times.append(at)
    return times


def _fitted(conversation: Conversation, limits: Limits) -> Conversation:
    """Moves what is too long for its own field into the metadata, where it is kept whole."""
    metadata = dict(conversation.metadata)
    if "import" in metadata:
        metadata["import_in_source"] = metadata.pop("import")
    title, channel = conversation.title, conversation.channel
    agent, profile = conversation.agent, conversation.profile
    if title is not None and len(title) > limits.title_length:
        metadata["title"] = title
        title = title[: limits.title_length - 1] + "…"
    if channel is not None and len(channel) > limits.channel_length:
        metadata["channel"], channel = channel, None
    if agent is not None and len(agent.id) > _LONGEST_ID:
        metadata["agent"], agent = agent.id, None
    if profile is not None and len(profile.id) > _LONGEST_ID:
        metadata["profile"], profile = profile.id, None
    return replace(
        conversation,
        title=title,
        channel=channel,
        agent=agent,
        profile=profile,
        metadata=metadata,
    )

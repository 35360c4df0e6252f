"""One session of the reference model, and what each change does to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from msgspec import Struct, structs

from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    ArchiveSession,
    Change,
    Commit,
    Committed,
    CopyMessages,
    CreateSession,
    DeleteMessage,
    DeleteSession,
    EditMessage,
    PinSession,
    RenameSession,
    SetMetadata,
    StarSession,
    TruncateMessages,
)
from app.model.events import Event, EventKind
from app.model.identifiers import Epoch, Position, Revision, Sequence, SessionId, UserId
from app.model.message import Message
from app.model.records import IdempotencyRecord
from app.model.refusals import (
    copy_into_used_session,
    creation_not_first,
    deletion_not_alone,
    no_json,
    no_such_message,
    no_such_source,
)
from app.model.session import Session
from app.model.timestamps import Timestamp


@dataclass
class StoredSession:
    """A session with all that belongs to it; `session` is None once it is deleted."""

    session_id: SessionId
    owner_id: UserId | None
    epoch: Epoch
    revision: Revision
    session: Session | None
    messages: dict[Sequence, Message] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    replays: dict[str, IdempotencyRecord] = field(default_factory=dict)
    starting_revision: Revision = field(default_factory=lambda: Revision(0))
    numbered: list[Sequence] = field(default_factory=list)
    affected: int = 0
    added: list[Message] = field(default_factory=list)

    @property
    def position(self) -> Position:
        """The end of the log."""
        return Position(self.epoch, self.revision)

    def copy(self) -> StoredSession:
        """Returns a copy that a commit may work on."""
        return replace(
            self,
            messages=dict(self.messages),
            events=list(self.events),
            replays=dict(self.replays),
            starting_revision=self.revision,
            numbered=[],
            affected=0,
            added=[],
        )

    def told(self, event: Event) -> Event:
        """Returns an event with its message as it is now."""
        if event.sequence is None:
            return event
        return structs.replace(event, message=self.messages.get(event.sequence))

    def committed(
        self,
        *,
        revision: Revision,
        sequences: range = range(0),
        affected: int = 0,
        replayed: bool = False,
        existing: bool = False,
    ) -> Committed:
        """Returns the answer to a commit."""
        position = Position(self.epoch, revision)
        return Committed(position, sequences, affected, self.session, replayed, existing)

    def recounted(self) -> Session | None:
        """Returns the session with everything that can be counted, counted."""
        if self.session is None:
            return None
        messages = [self.messages[sequence] for sequence in sorted(self.messages)]
        previews = [message.preview for message in messages if message.preview is not None]
        last = messages[-1].created_at if messages else None
        return structs.replace(
            self.session,
            message_count=len(messages),
            archived_message_count=sum(1 for one in messages if one.archived_at is not None),
            last_message_at=last,
            last_activity_at=last or self.session.created_at,
            preview=previews[-1] if previews else None,
            revision=self.revision,
        )

    def has_whole_log(self) -> bool:
        """Answers whether the log holds each number once, or the deletion alone."""
        numbers = [event.revision for event in self.events]
        first = self.revision if self.session is None else 1
        return numbers == list(range(first, self.revision + 1))

    def carry_out(
        self, commit: Commit, access: Callable[[SessionId], StoredSession | None]
    ) -> Committed:
        """Applies the changes of a commit in order; whoever called throws this away on an error."""
        require_storable(commit)
        for index, change in enumerate(commit.changes):
            if isinstance(change, CreateSession) and index > 0:
                raise creation_not_first()
            if isinstance(change, DeleteSession) and len(commit.changes) > 1:
                raise deletion_not_alone()
            if isinstance(change, CopyMessages):
                self.copy_messages(commit, access(change.source_id), change.through)
            else:
                self.apply(change, commit.at)
        if self.session is not None and self.revision > self.starting_revision:
            self.session = structs.replace(self.session, updated_at=commit.at)
        self.session = self.recounted()
        sequences = range(self.numbered[0], self.numbered[-1] + 1) if self.numbered else range(0)
        if commit.idempotency is not None:
            self.replays[commit.idempotency.key] = IdempotencyRecord(
                self.session_id,
                commit.idempotency,
                self.revision,
                sequences,
                self.affected,
                commit.at,
            )
        return self.committed(revision=self.revision, sequences=sequences, affected=self.affected)

    def apply(self, change: Change, at: Timestamp) -> None:
        """Applies one change."""
        match change:
            case CreateSession():
                self.tell(EventKind.SESSION_CREATED, at)
            case RenameSession(title):
                self.set_field(EventKind.SESSION_RENAMED, "title", title, at)
            case PinSession(pinned):
                self.set_mark(EventKind.SESSION_PINNED, "pinned_at", pinned, at)
            case StarSession(starred):
                self.set_mark(EventKind.SESSION_STARRED, "starred_at", starred, at)
            case ArchiveSession(archived):
                self.set_mark(EventKind.SESSION_ARCHIVED, "archived_at", archived, at)
            case SetMetadata(metadata):
                self.set_field(EventKind.SESSION_METADATA_SET, "metadata", metadata, at)
            case AddMessages():
                self.add_messages(change, at)
            case EditMessage():
                self.edit_message(change, at)
            case DeleteMessage(sequence):
                self.remove([self.require(sequence).sequence])
                self.tell(EventKind.MESSAGE_DELETED, at, sequence=sequence)
            case TruncateMessages(after):
                self.truncate(after, at)
            case ArchiveMessages(through):
                self.archive_messages(through, at)
            case DeleteSession():
                self.delete(at)

    def tell(
        self,
        kind: EventKind,
        at: Timestamp,
        *,
        sequence: Sequence | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Adds an event to the log."""
        self.revision = Revision(self.revision + 1)
        self.events.append(
            Event(self.session_id, self.revision, kind, at, sequence, data or {}, None)
        )

    def set_field(self, kind: EventKind, name: str, value: Any, at: Timestamp) -> None:
        """Sets one field of the session, if that changes it."""
        if self.session is not None and differ(getattr(self.session, name), value):
            self.session = structs.replace(self.session, **{name: value})
            self.tell(kind, at, data={name: value})

    def set_mark(self, kind: EventKind, name: str, wanted: bool, at: Timestamp) -> None:
        """Sets or clears one of the session's times, if that changes it."""
        if (getattr(self.session, name) is not None) is not wanted:
            self.set_field(kind, name, at if wanted else None, at)

    def require(self, sequence: Sequence) -> Message:
        """Returns a message, or raises."""
        if sequence not in self.messages:
            raise no_such_message()
        return self.messages[sequence]

    def remove(self, sequences: list[Sequence]) -> None:
        """Takes messages away."""
        for sequence in sequences:
            del self.messages[sequence]
        self.affected += len(sequences)

    def put(self, message: Message, at: Timestamp) -> None:
        """Takes a message in."""
        assert self.session is not None
        self.messages[message.sequence] = message
        self.added.append(message)
        self.session = structs.replace(self.session, last_sequence=message.sequence)
        self.tell(EventKind.MESSAGE_ADDED, at, sequence=message.sequence)

    def add_messages(self, change: AddMessages, at: Timestamp) -> None:
        """Numbers and adds new messages."""
        for new in change.messages:
            assert self.session is not None
            self.numbered.append(Sequence(self.session.last_sequence + 1))
            self.put(
                Message(
                    session_id=self.session_id,
                    sequence=self.numbered[-1],
                    role=new.role,
                    status=new.status,
                    parts=new.parts,
                    preview=new.preview,
                    sender=new.sender,
                    model=new.model,
                    usage=new.usage,
                    metadata=new.metadata,
                    created_at=new.created_at or at,
                    edited_at=None,
                    archived_at=None,
                ),
                at,
            )

    def copy_messages(
        self, commit: Commit, source: StoredSession | None, through: Sequence | None
    ) -> None:
        """Adds copies of another session's messages."""
        assert self.session is not None
        if not isinstance(commit.changes[0], CreateSession) or self.session.last_sequence:
            raise copy_into_used_session()
        if source is None or source.session is None:
            raise no_such_source()
        if through is not None:
            source.require(through)
        for sequence, message in sorted(source.messages.items()):
            if through is None or sequence <= through:
                self.put(structs.replace(message, session_id=self.session_id), commit.at)
                self.affected += 1

    def edit_message(self, change: EditMessage, at: Timestamp) -> None:
        """Replaces what is given of a message, if that changes it."""
        before = self.require(change.sequence)
        given = {
            name: getattr(change, name)
            for name in ("parts", "status", "model", "usage", "metadata")
            if getattr(change, name) is not None
        }
        if change.parts is not None:
            given["preview"] = change.preview
        if any(differ(getattr(before, name), value) for name, value in given.items()):
            self.messages[change.sequence] = structs.replace(before, **given, edited_at=at)
            self.tell(EventKind.MESSAGE_EDITED, at, sequence=change.sequence)

    def truncate(self, after: Sequence, at: Timestamp) -> None:
        """Deletes every message after one."""
        if after != 0:
            self.require(after)
        gone = [sequence for sequence in self.messages if sequence > after]
        if gone:
            self.remove(gone)
            data = {"after": after, "count": len(gone)}
            self.tell(EventKind.MESSAGES_TRUNCATED, at, data=data)

    def archive_messages(self, through: Sequence, at: Timestamp) -> None:
        """Archives the active messages up to one."""
        self.require(through)
        active = [
            message
            for message in self.messages.values()
            if message.sequence <= through and message.archived_at is None
        ]
        for message in active:
            self.messages[message.sequence] = structs.replace(message, archived_at=at)
        if active:
            self.affected += len(active)
            data = {"through": through, "count": len(active)}
            self.tell(EventKind.MESSAGES_ARCHIVED, at, data=data)

    def delete(self, at: Timestamp) -> None:
        """Leaves a tombstone: the deletion, and the attempts that a client may yet repeat."""
        self.affected += len(self.messages)
        self.session = None
        self.messages = {}
        self.events = []
        self.tell(EventKind.SESSION_DELETED, at)


def require_storable(commit: Commit) -> None:
    """Raises for what has no UTF-8 form, or no JSON form with numbers of 64 bits."""
    try:
        orjson.dumps(commit, default=_inside_of)
    except orjson.JSONEncodeError as error:
        raise no_json() from error


def _inside_of(value: Any) -> Any:
    return structs.asdict(value) if isinstance(value, Struct) else list(value)


def differ(one: Any, other: Any) -> bool:
    """Answers whether two values differ as JSON does: true is not 1, and 1 is not 1.0."""
    return bool(one != other) or repr(one) != repr(other)


def create_session(
    commit: Commit, change: CreateSession, former: StoredSession | None
) -> StoredSession:
    """Returns a new session that its commit has yet to be carried out on.

    Attempts on a deleted session of the same id stay known.
    """
    session = Session(
        id=commit.session_id,
        key=change.key,
        owner_id=change.owner_id,
        agent_id=change.agent_id,
        peer_agent_id=change.peer_agent_id,
        profile_id=change.profile_id,
        title=change.title,
        kind=change.kind,
        channel=change.channel,
        forked_from=change.forked_from,
        metadata=change.metadata,
        pinned_at=None,
        starred_at=None,
        archived_at=None,
        created_at=commit.at,
        updated_at=commit.at,
        last_message_at=None,
        last_activity_at=commit.at,
        message_count=0,
        archived_message_count=0,
        preview=None,
        last_sequence=Sequence(0),
        epoch=change.epoch,
        revision=Revision(0),
    )
    return StoredSession(
        commit.session_id,
        change.owner_id,
        change.epoch,
        Revision(0),
        session,
        replays=dict(former.replays) if former else {},
    )

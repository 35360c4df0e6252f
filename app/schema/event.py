"""What a subscriber of a session is told. The objects behind the types are those of `app.live`."""

from __future__ import annotations

from typing import Any

import strawberry

from app.live.followed import CaughtUp, Followed, Gap, Logged
from app.model import message as messages
from app.model import session as sessions
from app.model.events import EventKind
from app.model.identifiers import Sequence
from app.model.timestamps import Timestamp
from app.schema.context import Info
from app.schema.cursors import encode_event_cursor
from app.schema.field import field
from app.schema.global_id import encode_message_id, encode_session_id
from app.schema.message import Message
from app.schema.scalars import JSON
from app.schema.session import Session

LoggedParent = strawberry.Parent[Logged]


@strawberry.interface(
    description=(
        "Something about a session's log. Keep the cursor of the newest one: subscribing with it "
        "as `after` goes on from there. New kinds may come; step over those you don't know."
    )
)
class SessionEvent:
    """The `SessionEvent` interface."""

    @field(description="The place after this event.")
    @staticmethod
    def cursor(event: strawberry.Parent[Followed]) -> str:
        """Returns the cursor of the place after this event."""
        session_id = event.event.session_id if isinstance(event, Logged) else event.session_id
        return encode_event_cursor(session_id, event.position)

    @classmethod
    def resolve_type(cls, event: Followed, *_: Any) -> str:
        """Returns the name of the GraphQL type of an event."""
        return _TYPE_NAMES[event.event.kind] if isinstance(event, Logged) else type(event).__name__

    @classmethod
    def is_type_of(cls, event: Followed, _info: Any) -> bool:
        """Answers whether an event is of this type."""
        return cls.resolve_type(event) == cls.__name__


@strawberry.interface(
    description=(
        "A change of the session, as its log has it: numbered without a gap, told once, in order."
    )
)
class LoggedSessionEvent(SessionEvent):
    """The `LoggedSessionEvent` interface: what the log holds, as opposed to where it stands."""

    @field(description="The change's number: one higher each.")
    @staticmethod
    def revision(logged: LoggedParent) -> int:
        """Returns the event's number."""
        return logged.event.revision

    @field(graphql_type=Timestamp, description="When it happened.")
    @staticmethod
    def at(logged: LoggedParent) -> Timestamp:
        """Returns the event's time."""
        return logged.event.at

    @field(
        graphql_type=Session | None,
        description="The session as it is now. Null where it is deleted.",
    )
    @staticmethod
    async def session(logged: LoggedParent, info: Info) -> sessions.Session | None:
        """Loads the session."""
        return await info.context.sessions.load(logged.event.session_id)


@strawberry.type(description="The session was created.")
class SessionCreated(LoggedSessionEvent):
    """The first event of a log."""


@strawberry.type(description="The title changed.")
class SessionRenamed(LoggedSessionEvent):
    """A new title."""

    @field(description="The title since then. Null for none.")
    @staticmethod
    def title(logged: LoggedParent) -> str | None:
        """Returns the title that was set."""
        title: str | None = logged.event.data["title"]
        return title


@strawberry.type(description="The session was pinned or unpinned.")
class SessionPinned(LoggedSessionEvent):
    """A pin."""

    @field(graphql_type=Timestamp | None, description="When it was pinned. Null for unpinned.")
    @staticmethod
    def pinned_at(logged: LoggedParent) -> Timestamp | None:
        """Returns the mark that was set."""
        mark: Timestamp | None = logged.event.data["pinned_at"]
        return mark


@strawberry.type(description="The session was starred or unstarred.")
class SessionStarred(LoggedSessionEvent):
    """A star."""

    @field(graphql_type=Timestamp | None, description="When it was starred. Null for unstarred.")
    @staticmethod
    def starred_at(logged: LoggedParent) -> Timestamp | None:
        """Returns the mark that was set."""
        mark: Timestamp | None = logged.event.data["starred_at"]
        return mark


@strawberry.type(description="The session was put away or taken back.")
class SessionArchived(LoggedSessionEvent):
    """An archive mark."""

    @field(graphql_type=Timestamp | None, description="When it was put away. Null for back.")
    @staticmethod
    def archived_at(logged: LoggedParent) -> Timestamp | None:
        """Returns the mark that was set."""
        mark: Timestamp | None = logged.event.data["archived_at"]
        return mark


@strawberry.type(description="The session's metadata was replaced.")
class SessionMetadataSet(LoggedSessionEvent):
    """New metadata."""

    @field(graphql_type=JSON, description="The metadata since then.")
    @staticmethod
    def metadata(logged: LoggedParent) -> object:
        """Returns the metadata that was set."""
        return logged.event.data["metadata"]


@strawberry.type(description="The session was deleted. Nothing comes after this.")
class SessionDeleted(LoggedSessionEvent):
    """The last event of a log, and the only one that is left of it."""

    @field(graphql_type=strawberry.ID, description="The id that it had.")
    @staticmethod
    def deleted_session_id(logged: LoggedParent) -> str:
        """Returns the session's global id."""
        return encode_session_id(logged.event.session_id)


def _message_id(logged: Logged) -> str:
    return encode_message_id(logged.event.session_id, _sequence(logged))


def _sequence(logged: Logged) -> Sequence:
    """Returns the message that an event is about. LookupError for an event about none."""
    if logged.event.sequence is None:
        raise LookupError(f"an event {logged.event.kind} without a message")
    return logged.event.sequence


@strawberry.type(description="A message was added.")
class MessageAdded(LoggedSessionEvent):
    """A new message."""

    @field(
        graphql_type=Message | None,
        description="The message as it is now. Null where it has been deleted since.",
    )
    @staticmethod
    def message(logged: LoggedParent) -> messages.Message | None:
        """Returns the message as it was when the log was read."""
        return logged.event.message

    @field(graphql_type=strawberry.ID, description="The message's id.")
    @staticmethod
    def message_id(logged: LoggedParent) -> str:
        """Returns the message's global id."""
        return _message_id(logged)

    @field(description="The message's number in the session.")
    @staticmethod
    def sequence(logged: LoggedParent) -> int:
        """Returns the message's number."""
        return _sequence(logged)


@strawberry.type(description="A message was edited.")
class MessageEdited(LoggedSessionEvent):
    """A message with other words."""

    @field(
        graphql_type=Message | None,
        description="The message as it is now. Null where it has been deleted since.",
    )
    @staticmethod
    def message(logged: LoggedParent) -> messages.Message | None:
        """Returns the message as it was when the log was read."""
        return logged.event.message

    @field(graphql_type=strawberry.ID, description="The message's id.")
    @staticmethod
    def message_id(logged: LoggedParent) -> str:
        """Returns the message's global id."""
        return _message_id(logged)

    @field(description="The message's number in the session.")
    @staticmethod
    def sequence(logged: LoggedParent) -> int:
        """Returns the message's number."""
        return _sequence(logged)


@strawberry.type(description="A message was deleted.")
class MessageDeleted(LoggedSessionEvent):
    """A message that is gone."""

    @field(graphql_type=strawberry.ID, description="The id that it had.")
    @staticmethod
    def deleted_message_id(logged: LoggedParent) -> str:
        """Returns the message's global id."""
        return _message_id(logged)

    @field(description="The number that it had in the session.")
    @staticmethod
    def sequence(logged: LoggedParent) -> int:
        """Returns the message's number."""
        return _sequence(logged)


@strawberry.type(description="Every message after a place was deleted, archived ones too.")
class MessagesTruncated(LoggedSessionEvent):
    """A cut."""

    @field(description="The number of the last message that was kept; 0 for none.")
    @staticmethod
    def after_sequence(logged: LoggedParent) -> int:
        """Returns the place of the cut."""
        after: int = logged.event.data["after"]
        return after

    @field(description="How many messages were deleted.")
    @staticmethod
    def count(logged: LoggedParent) -> int:
        """Returns how many messages are gone."""
        count: int = logged.event.data["count"]
        return count


@strawberry.type(description="Every active message up to a place was archived.")
class MessagesArchived(LoggedSessionEvent):
    """A new border between archived and active messages."""

    @field(description="The number of the last message that was archived.")
    @staticmethod
    def through_sequence(logged: LoggedParent) -> int:
        """Returns the border."""
        through: int = logged.event.data["through"]
        return through

    @field(description="How many messages were archived.")
    @staticmethod
    def count(logged: LoggedParent) -> int:
        """Returns how many messages were archived."""
        count: int = logged.event.data["count"]
        return count


@strawberry.type(
    name="CaughtUp",
    description=(
        "You have had everything that had happened when you subscribed; what comes now is new. "
        "Told once a subscription."
    ),
)
class CaughtUpEvent(SessionEvent):
    """The end of the past."""

    @classmethod
    def is_type_of(cls, event: Followed, _info: Any) -> bool:
        """Answers whether this is the end of the past."""
        return isinstance(event, CaughtUp)


@strawberry.type(
    name="Gap",
    description=(
        "What happened since your cursor can't be told: it is of a log that no longer exists, as "
        "after a restored backup. Fetch the session anew. Events after this one's cursor follow; "
        "skip those up to the `eventCursor` that you fetch."
    ),
)
class GapEvent(SessionEvent):
    """A past that can't be told."""

    @classmethod
    def is_type_of(cls, event: Followed, _info: Any) -> bool:
        """Answers whether this is a gap."""
        return isinstance(event, Gap)


_TYPES = {
    EventKind.SESSION_CREATED: SessionCreated,
    EventKind.SESSION_RENAMED: SessionRenamed,
    EventKind.SESSION_PINNED: SessionPinned,
    EventKind.SESSION_STARRED: SessionStarred,
    EventKind.SESSION_ARCHIVED: SessionArchived,
    EventKind.SESSION_METADATA_SET: SessionMetadataSet,
    EventKind.SESSION_DELETED: SessionDeleted,
    EventKind.MESSAGE_ADDED: MessageAdded,
    EventKind.MESSAGE_EDITED: MessageEdited,
    EventKind.MESSAGE_DELETED: MessageDeleted,
    EventKind.MESSAGES_TRUNCATED: MessagesTruncated,
    EventKind.MESSAGES_ARCHIVED: MessagesArchived,
}
_TYPE_NAMES = {kind: shown.__name__ for kind, shown in _TYPES.items()}

EVENT_TYPES = (*_TYPES.values(), CaughtUpEvent, GapEvent)
"""The kinds of events, for the schema: nothing but the interface leads to them."""

"""A session while a commit is being carried out: its counters, and the rows still to be written.

Events and added messages are collected and written in one statement each; everything else of a
commit reads and writes in between, so added messages are written before that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, Table, bindparam, func, select

from app.backends.sql.dialects.dialect import Dialect
from app.backends.sql.rows import encode_json, from_session
from app.backends.sql.search_index import IndexedText
from app.backends.sql.tables import agents, events, messages, profiles, users
from app.model.events import EventKind
from app.model.identifiers import Position, Revision, Sequence
from app.model.paging import title_order
from app.model.session import Session
from app.model.timestamps import Timestamp

_MESSAGE_ADDED = EventKind.MESSAGE_ADDED.value

_MESSAGES = messages.c.session_id == bindparam("of")

# Both walk the primary key from its end.
_LAST_CREATED = (
    select(messages.c.created_at).where(_MESSAGES).order_by(messages.c.sequence.desc()).limit(1)
)
_LAST_PREVIEW = (
    select(messages.c.preview)
    .where(_MESSAGES, messages.c.preview.is_not(None))
    .order_by(messages.c.sequence.desc())
    .limit(1)
)
_COUNTS = select(
    func.count(),
    func.count(messages.c.archived_at),
    func.coalesce(func.max(messages.c.sequence), 0),
).where(_MESSAGES)


class SessionDraft:
    """The state of one session inside the transaction of a commit."""

    __slots__ = (
        "_changed",
        "_events",
        "_messages",
        "_named",
        "_texts",
        "_title",
        "added",
        "affected",
        "archived_through",
        "at",
        "connection",
        "dialect",
        "first_sequence",
        "is_new",
        "session",
    )

    def __init__(
        self,
        dialect: Dialect,
        connection: Connection,
        session: Session,
        archived_through: int,
        at: Timestamp,
    ) -> None:
        self.dialect = dialect
        self.connection = connection
        self.session = session
        self.archived_through = archived_through
        self.at = at
        self.affected = 0
        self.first_sequence = 0
        self.added = 0
        self.is_new = session.revision == 0
        self._changed: dict[str, Any] = {}
        self._events: list[dict[str, Any]] = []
        self._messages: list[dict[str, Any]] = []
        self._texts: list[IndexedText] = []
        self._title = session.title
        self._named: dict[Table, set[str]] = {}

    def go_on(self, at: Timestamp) -> None:
        """Starts on the next commit of the same session, at that time."""
        self.at = at
        self.affected = self.first_sequence = self.added = 0

    @property
    def key(self) -> dict[str, Any]:
        """The parameters that name the session in a statement."""
        return {"of": self.session.id}

    @property
    def position(self) -> Position:
        """The end of the log, with what this commit adds."""
        return self.session.position

    @property
    def sequences(self) -> range:
        """The numbers of the messages that this commit added."""
        return range(self.first_sequence, self.first_sequence + self.added)

    def change(self, **fields: Any) -> None:
        """Sets fields of the session."""
        self.session = replace(self.session, **fields)
        self._changed.update(fields)

    def archive_through(self, sequence: int) -> None:
        """Moves the border between the archive and the live messages."""
        self.archived_through = self._changed["archived_through"] = sequence

    def record(
        self,
        kind: EventKind,
        *,
        sequence: Sequence | None = None,
        data: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> None:
        """Adds an event, and sets the session's fields that it changed."""
        revision = Revision(self.session.revision + 1)
        self.change(revision=revision, updated_at=self.at, **changes)
        self._events.append(
            {
                "session_id": self.session.id,
                "revision": revision,
                "kind": kind.value,
                "at": self.at,
                "sequence": sequence,
                "data": encode_json(data) if data is not None else None,
            }
        )

    def add_message(self, row: dict[str, Any], normal: str) -> None:
        """Numbers a message, and counts it. `row` lacks session and sequence only.

        `normal` is what of it is searched.
        """
        session = self.session
        sequence = Sequence(session.last_sequence + 1)
        revision = Revision(session.revision + 1)
        created_at, preview = row["created_at"], row["preview"]
        row["session_id"] = session.id
        row["sequence"] = sequence
        self._messages.append(row)
        self._texts.append(IndexedText(session.id, sequence, created_at, normal))
        self.first_sequence = self.first_sequence or sequence
        self.added += 1
        self.change(
            revision=revision,
            updated_at=self.at,
            last_sequence=sequence,
            message_count=session.message_count + 1,
            last_message_at=created_at,
            last_activity_at=created_at,
            preview=session.preview if preview is None else preview,
        )
        self._events.append(
            {
                "session_id": session.id,
                "revision": revision,
                "kind": _MESSAGE_ADDED,
                "at": self.at,
                "sequence": sequence,
                "data": None,
            }
        )

    def name(self, table: Table, *ids: str | None) -> None:
        """Makes users, agents or profiles known, unless they are."""
        self._named.setdefault(table, set()).update([one for one in ids if one is not None])

    def write_messages(self) -> None:
        """Writes the messages added so far, so that statements see them."""
        if self._messages:
            self.dialect.insert(self.connection, messages, self._messages)
            self.dialect.search.add(self.connection, self._texts)
            self._messages, self._texts = [], []

    def write_events(self) -> None:
        """Writes the events recorded so far."""
        if self._events:
            self.dialect.insert(self.connection, events, self._events)
            self._events = []

    def recount_last(self) -> dict[str, Any]:
        """Returns the fields of the session that depend on its last messages, read anew."""
        last = self.connection.execute(_LAST_CREATED, self.key).scalar()
        return {
            "last_message_at": last,
            "last_activity_at": last or self.session.created_at,
            "preview": self.connection.execute(_LAST_PREVIEW, self.key).scalar(),
        }

    def count_messages(self) -> tuple[int, int, int]:
        """Returns how many messages there are, how many archived, and the highest sequence."""
        self.write_messages()
        total, archived, highest = self.connection.execute(_COUNTS, self.key).one()
        return total, archived, highest

    def changed_columns(self) -> dict[str, Any]:
        """Returns the columns of the session that were set, by name."""
        changed = self._changed
        if "title" in changed:
            changed["title_order"] = title_order(changed["title"])
        if "metadata" in changed:
            changed["metadata"] = encode_json(changed["metadata"])
        return changed

    def write(self) -> None:
        """Writes what is left: the messages, the log, and the changed columns of the session."""
        write_drafts([self])


def write_drafts(drafts: list[SessionDraft]) -> None:
    """Writes what is left of some drafts of one transaction, in the statements that one takes."""
    if not drafts:
        return
    dialect, connection = drafts[0].dialect, drafts[0].connection
    for table in (users, agents, profiles):
        ids: set[str] = set()
        ids.update(*[draft._named[table] for draft in drafts if table in draft._named])
        # In one order for everybody, so that no two writers wait for each other.
        dialect.add_missing(connection, table, [{"id": one} for one in sorted(ids)])
    dialect.insert(connection, messages, [row for draft in drafts for row in draft._messages])
    dialect.insert(connection, events, [row for draft in drafts for row in draft._events])
    _index(dialect, connection, drafts)
    _update_sessions(dialect, connection, drafts)
    for draft in drafts:
        draft._messages, draft._events, draft._changed, draft._named = [], [], {}, {}


def _index(dialect: Dialect, connection: Connection, drafts: list[SessionDraft]) -> None:
    """Brings the search index to what the drafts add, and to their titles."""
    dialect.search.add(connection, [text for draft in drafts for text in draft._texts])
    for draft in drafts:
        session, before = draft.session, draft._title
        if session.title != before:
            dialect.search.retitle(
                connection, session.id, session.created_at, before, session.title
            )
        draft._texts, draft._title = [], session.title


def _update_sessions(dialect: Dialect, connection: Connection, drafts: list[SessionDraft]) -> None:
    """Writes the columns of the sessions that were set, those of the same ones together."""
    alike: dict[tuple[str, ...], list[SessionDraft]] = {}
    for draft in drafts:
        changed = draft.changed_columns()
        if changed:
            alike.setdefault(tuple(changed), []).append(draft)
    for names, same in alike.items():

        def whole(same: list[SessionDraft] = same) -> list[dict[str, Any]]:
            return [
                from_session(draft.session, archived_through=draft.archived_through)
                for draft in same
            ]

        changes = [{**draft._changed, "of": draft.session.id} for draft in same]
        dialect.update_sessions(connection, names, changes, whole)

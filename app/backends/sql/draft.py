"""A session while a commit is being carried out: its counters, and the rows still to be written.

Events and added messages are collected and written in one statement each; everything else of a
commit reads and writes in between, so added messages are written before that. Rows are tuples in
the order of their table's columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeAlias

from msgspec.structs import replace
from sqlalchemy import Column, Connection, MetaData, Table, bindparam, func, select

from app.backends.sql.dialects.dialect import Dialect
from app.backends.sql.rows import encode_json, from_session
from app.backends.sql.search_index import IndexedText
from app.backends.sql.tables import agents, events, messages, profiles, users
from app.model.changes import Committed
from app.model.events import EventKind
from app.model.identifiers import Revision
from app.model.identifiers import Sequence as MessageNumber
from app.model.session import Session
from app.model.timestamps import Timestamp

Row: TypeAlias = tuple[Any, ...]

ADDED_COLUMNS = (
    "revision",
    "updated_at",
    "last_sequence",
    "message_count",
    "last_message_at",
    "last_activity_at",
    "preview",
)
"""The columns of a session that change when messages are added."""

added_values = attrgetter(*ADDED_COLUMNS)
"""Returns the values of `ADDED_COLUMNS` in their order."""

_ADDED: dict[str, None] = dict.fromkeys(ADDED_COLUMNS)

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


class Draft:
    """The state of one session inside the transaction of commits, with what they add to it."""

    __slots__ = (
        "added",
        "affected",
        "archived_through",
        "at",
        "changed",
        "events",
        "first_sequence",
        "messages",
        "named",
        "session",
        "texts",
        "title",
    )

    def __init__(self, session: Session, archived_through: int, at: Timestamp) -> None:
        self.session = session
        self.archived_through = archived_through
        self.at = at
        self.affected = 0
        self.first_sequence = 0
        self.added = 0
        self.title = session.title
        """The title that the search index has."""
        self.changed: dict[str, None] = {}
        """The names of the columns of the session that were set."""
        self.events: list[Row] = []
        self.messages: list[Row] = []
        self.texts: list[IndexedText] = []
        self.named: dict[Table, set[str]] = {}
        """Users, agents and profiles to be made known."""

    def go_on(self, at: Timestamp) -> None:
        """Starts on the next commit of the same session, at that time."""
        self.at = at
        self.affected = self.first_sequence = self.added = 0

    def committed(self) -> Committed:
        """Returns what is answered to this commit once it is durable."""
        session, first = self.session, self.first_sequence
        numbers = range(first, first + self.added)
        return Committed(session.position, numbers, self.affected, session)

    def change(self, **fields: Any) -> None:
        """Sets fields of the session."""
        self.session = replace(self.session, **fields)
        self.changed.update(dict.fromkeys(fields))
        if "title" in fields:
            self.changed["title_order"] = None

    def archive_through(self, sequence: int) -> None:
        """Moves the border between the archive and the live messages."""
        self.archived_through = sequence
        self.changed["archived_through"] = None

    def record(
        self,
        kind: EventKind,
        *,
        sequence: MessageNumber | None = None,
        data: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> None:
        """Adds an event, and sets the session's fields that it changed."""
        revision = Revision(self.session.revision + 1)
        self.change(revision=revision, updated_at=self.at, **changes)
        stored = encode_json(data) if data is not None else None
        self.events.append((self.session.id, revision, kind.value, self.at, sequence, stored))

    def count_added(self, last: MessageNumber, created_at: Timestamp, preview: str | None) -> None:
        """Counts messages that were put behind the others, with their events, `last` the last.

        `created_at` is the last one's, `preview` the session's from now on.
        """
        session = self.session
        before = session.last_sequence
        count = last - before
        self.first_sequence = self.first_sequence or before + 1
        self.added += count
        self.session = replace(
            session,
            revision=Revision(session.revision + count),
            updated_at=self.at,
            last_sequence=last,
            message_count=session.message_count + count,
            last_message_at=created_at,
            last_activity_at=created_at,
            preview=preview,
        )
        self.changed.update(_ADDED)

    def name(self, table: Table, *ids: str | None) -> None:
        """Makes users, agents or profiles known, unless they are."""
        self.named.setdefault(table, set()).update([one for one in ids if one is not None])

    def values(self, names: tuple[str, ...]) -> Row:
        """Returns the present values of these columns of the session."""
        if names == ADDED_COLUMNS:
            added: Row = added_values(self.session)
            return added
        columns = from_session(self.session, archived_through=self.archived_through)
        return tuple([columns[name] for name in names])


class SessionDraft(Draft):
    """A draft of one commit whose changes may read and write in between."""

    __slots__ = ("connection", "dialect", "is_new")

    def __init__(
        self,
        dialect: Dialect,
        connection: Connection,
        session: Session,
        archived_through: int,
        at: Timestamp,
    ) -> None:
        super().__init__(session, archived_through, at)
        self.dialect = dialect
        self.connection = connection
        self.is_new = session.revision == 0

    @property
    def key(self) -> dict[str, Any]:
        """The parameters that name the session in a statement."""
        return {"of": self.session.id}

    def write_messages(self) -> None:
        """Writes the messages added so far, so that statements see them."""
        if self.messages:
            _insert(self.dialect, self.connection, messages, self.messages)
            self.dialect.search.add(self.connection, self.texts)
            self.messages, self.texts = [], []

    def write_events(self) -> None:
        """Writes the events recorded so far."""
        if self.events:
            _insert(self.dialect, self.connection, events, self.events)
            self.events = []

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

    def write(self) -> None:
        """Writes what is left: the messages, the log, and the changed columns of the session."""
        write_drafts(self.dialect, self.connection, [self])


def write_drafts(dialect: Dialect, connection: Connection, drafts: Sequence[Draft]) -> None:
    """Writes what is left of some drafts of one transaction, in the statements that one takes."""
    for table in (users, agents, profiles):
        ids: set[str] = set()
        ids.update(*[draft.named[table] for draft in drafts if table in draft.named])
        # In one order for everybody, so that no two writers wait for each other.
        dialect.add_missing(connection, table, [{"id": one} for one in sorted(ids)])
    _insert(dialect, connection, messages, [row for draft in drafts for row in draft.messages])
    _insert(dialect, connection, events, [row for draft in drafts for row in draft.events])
    _index(dialect, connection, drafts)
    _update_sessions(dialect, connection, drafts)
    for draft in drafts:
        draft.messages, draft.events, draft.changed, draft.named = [], [], {}, {}


def _insert(dialect: Dialect, connection: Connection, table: Table, rows: list[Row]) -> None:
    """Adds rows to a table, each with all columns, but names none that is null in all of them.

    Most columns of most messages are, and SQLite's driver takes six times as long over a null as
    over a value: it asks whether somebody has an adapter for it.
    """
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    given = tuple(
        [
            place
            for place, column in enumerate(columns)
            if column[0] is not None or column.count(None) < len(rows)
        ]
    )
    if len(given) == len(columns):
        dialect.insert(connection, table, rows)
        return
    part = list(zip(*[columns[place] for place in given], strict=True))
    dialect.insert(connection, _part_of(table, given), part)


@lru_cache(maxsize=64)
def _part_of(table: Table, places: tuple[int, ...]) -> Table:
    """Returns a table for statements that leave all of its columns out but those."""
    columns = list(table.columns)
    kept = [Column(columns[place].name, columns[place].type) for place in places]
    return Table(table.name, MetaData(), *kept)


def _index(dialect: Dialect, connection: Connection, drafts: Sequence[Draft]) -> None:
    """Brings the search index to what the drafts add, and to their titles."""
    dialect.search.add(connection, [text for draft in drafts for text in draft.texts])
    for draft in drafts:
        session, before = draft.session, draft.title
        if session.title != before:
            dialect.search.retitle(
                connection, session.id, session.created_at, before, session.title
            )
        draft.texts, draft.title = [], session.title


def _update_sessions(dialect: Dialect, connection: Connection, drafts: Sequence[Draft]) -> None:
    """Writes the columns of the sessions that were set, those of the same ones together."""
    alike: dict[tuple[str, ...], list[Draft]] = {}
    for draft in drafts:
        if draft.changed:
            alike.setdefault(tuple(draft.changed), []).append(draft)
    for names, same in alike.items():

        def whole(same: list[Draft] = same) -> list[dict[str, Any]]:
            return [
                from_session(draft.session, archived_through=draft.archived_through)
                for draft in same
            ]

        changes = [(*draft.values(names), draft.session.id) for draft in same]
        dialect.update_sessions(connection, names, changes, whole)

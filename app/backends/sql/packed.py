"""Pages as JSON texts, decoded to objects of the model in one step.

The messages of a page are made without any Python for each of them. And sqlite3 gives up the
interpreter's lock for every row that it steps to, which a thread that reads has to win back each
time from a busy event loop: a page that comes as one value is one step.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from operator import attrgetter
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import DecodeError, Raw, Struct
from msgspec.json import Decoder
from msgspec.structs import astuple
from sqlalchemy import ColumnElement, FromClause, LargeBinary, Select, cast, func, select

from app.backends.sql.rows import SESSION_COLUMNS
from app.model.identifiers import Sequence, SessionId
from app.model.message import Message, MessageRole, MessageStatus, Sender
from app.model.paging import MessagePageRequest, Page, cut_page
from app.model.parts import KnownPart, Part, decode_parts
from app.model.session import Session
from app.model.timestamps import Timestamp

P = TypeVar("P")

PagedSessions: TypeAlias = tuple[tuple[int, int, Session | None], ...]
"""For each row whether something lies beyond the bound before and behind, and the session."""


class _Columns(Struct, Generic[P], array_like=True, gc=False, forbid_unknown_fields=True):
    """The messages of a page, field by field; None for what was not read.

    A damaged text that closes its array moves the fields behind it, and there is one too many.
    """

    sequence: list[Sequence]
    role: list[MessageRole] | None
    status: list[MessageStatus] | None
    preview: list[str | None] | None
    sender: list[Sender | None] | None
    model: list[str | None] | None
    usage: list[dict[str, Any] | None] | None
    metadata: list[dict[str, Any]] | None
    created_at: list[Timestamp] | None
    edited_at: list[Timestamp | None] | None
    archived_at: list[Timestamp | None] | None
    parts: list[P] | None


MESSAGE_FIELDS = _Columns.__struct_fields__
"""The fields of a message in the order in which a packed page has them."""

_COLUMNS: Decoder[_Columns[tuple[Part, ...]]] = Decoder(_Columns[tuple[KnownPart, ...]])
_COLUMNS_OF_ANY_PARTS: Decoder[_Columns[Raw]] = Decoder(_Columns[Raw])

# What stands for values that were not read.
_NONE: Iterable[None] = repeat(None)
_ROLE = repeat(MessageRole.USER)
_STATUS = repeat(MessageStatus.COMPLETE)
_PARTS: Iterable[tuple[Part, ...]] = repeat(())
_METADATA: Iterable[dict[str, Any]] = repeat({})
_CREATED_AT = repeat(Timestamp(""))

PAGED_SESSIONS: Decoder[PagedSessions] = Decoder(PagedSessions)


class PackedPage:
    """A row of a packed statement of pages: decoded once, by whoever first looks at it.

    That is the request that goes on with its messages at once. Decoded for all requests of a
    merged statement together, they would have left the processor's caches by then.
    """

    __slots__ = ("_items", "_page", "before", "behind")

    def __init__(self, before: int, behind: int, items: bytes) -> None:
        """`before` and `behind` tell whether something lies beyond the bounds of the window."""
        self.before = before
        self.behind = behind
        self._items = items
        self._page: Page[Message] | None = None

    def page_of(self, request: MessagePageRequest) -> Page[Message] | None:
        """Returns the page, None where it is not as it should be: its rows tell what that is."""
        if self._page is None:
            items = _items_of(request.session_id, self._items)
            if items is not None:
                window = request.window
                self._page = cut_page(
                    items,
                    window.limit,
                    window.take,
                    before=self.before > 0,
                    behind=self.behind > 0,
                )
                self._items = b""
        return self._page


def _items_of(session_id: SessionId, packed: bytes) -> list[Message] | None:
    """Returns a page's messages, ascending. None for what is damaged."""
    try:
        found: _Columns[Any] = _COLUMNS.decode(packed)
    except (DecodeError, UnicodeError):
        # A kind of part, or a field of one, of another version.
        return _items_of_any_parts(session_id, packed)
    return _messages(session_id, found, found.parts) if _is_even(found) else None


def _items_of_any_parts(session_id: SessionId, packed: bytes) -> list[Message] | None:
    try:
        found = _COLUMNS_OF_ANY_PARTS.decode(packed)
        if not _is_even(found):
            return None
        parts = [decode_parts(bytes(raw)) for raw in found.parts or ()]
    except (DecodeError, ValueError, TypeError):
        return None
    return _messages(session_id, found, parts)


def _is_even(found: _Columns[Any]) -> bool:
    """Tells whether all fields that were read have as many values.

    A text that grows too long may come to nothing without an error.
    """
    return len({len(values) for values in astuple(found) if values is not None}) == 1


def _messages(
    session_id: SessionId, found: _Columns[Any], parts: list[tuple[Part, ...]] | None
) -> list[Message]:
    sequence = found.sequence
    items = list(
        map(
            Message,
            repeat(session_id),
            sequence,
            found.role or _ROLE,
            found.status or _STATUS,
            parts or _PARTS,
            found.preview or _NONE,
            found.sender or _NONE,
            found.model or _NONE,
            found.usage or _NONE,
            found.metadata or _METADATA,
            found.created_at or _CREATED_AT,
            found.edited_at or _NONE,
            found.archived_at or _NONE,
        )
    )
    if sequence != sorted(sequence):
        items.sort(key=_SEQUENCE)
    return items


_SEQUENCE = attrgetter("sequence")


def unpacked(text: bytes, decoder: Decoder[P]) -> P | None:
    """Returns what a packed text holds, None for what is not as it should be."""
    try:
        return decoder.decode(text)
    except (DecodeError, UnicodeError):
        return None


def pack_records(statement: Select[Any]) -> Select[Any]:
    """Returns the statement of the ids and packed records of one, which reads id and name."""
    given = statement.subquery("given")
    return select(given.c[0], cast(func.json_array(*given.c), LargeBinary))


def pack_sessions(statement: Select[Any]) -> Select[Any]:
    """Returns the statement of the ids and packed records of one of `SESSION_COLUMNS`."""
    given = statement.subquery("given")
    return select(given.c[0], cast(func.json_array(*_session_fields(given)), LargeBinary))


def pack_paged_sessions(statement: Select[Any]) -> Select[Any]:
    """Returns the statement whose one row has all rows of one: two flags, `SESSION_COLUMNS`."""
    given = statement.subquery("given")
    before, behind, *_ = given.c
    session = func.json_array(*_session_fields(given))
    row = func.json_array(before, behind, func.iif(given.c.id.is_(None), None, session))
    return select(cast(func.json_group_array(row), LargeBinary))


def _session_fields(given: FromClause) -> list[ColumnElement[Any]]:
    """Returns the fields of a `Session` in their order."""
    fields: list[ColumnElement[Any]] = []
    for column in SESSION_COLUMNS:
        value = given.c[column.name]
        match column.name:
            case "owner_id":
                fields.append(func.nullif(value, ""))
            case "forked_from_id":
                place = func.json_array(value, given.c.forked_from_sequence)
                fields.append(func.iif(func.coalesce(value, "") == "", None, place))
            case "forked_from_sequence":
                pass
            case "metadata":
                fields.append(func.json(value))
            case _:
                fields.append(value)
    return fields

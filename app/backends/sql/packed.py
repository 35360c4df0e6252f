"""Pages as JSON texts, decoded to objects of the model in one step.

The decoder makes the messages of a page without any Python in between. And sqlite3 gives up the
interpreter's lock for every row that it steps to, which a thread that reads has to win back each
time from a busy event loop: a page that comes as one value is one step.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import DecodeError, Raw, Struct
from msgspec.json import Decoder
from msgspec.structs import force_setattr, replace
from sqlalchemy import ColumnElement, FromClause, LargeBinary, Select, cast, func, select

from app.backends.sql.rows import SESSION_COLUMNS
from app.model.message import Message
from app.model.paging import MessagePageRequest, Page, cut_page
from app.model.parts import decode_parts
from app.model.session import Session

M = TypeVar("M")
P = TypeVar("P")

PagedSessions: TypeAlias = tuple[tuple[int, int, Session | None], ...]
"""For each row whether something lies beyond the bound before and behind, and the session."""


class _Items(Struct, Generic[M], array_like=True, gc=False):
    """The messages of a page without their session's id, and how many there have to be."""

    count: int
    items: list[M]


_MESSAGE: Decoder[Message] = Decoder(Message)
_ITEMS: Decoder[_Items[Message]] = Decoder(_Items[Message])
_UNSURE_ITEMS: Decoder[_Items[list[Raw]]] = Decoder(_Items[list[Raw]])
_PARTS = Message.__struct_fields__.index("parts")

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
            items = _items_of(self._items)
            if items is not None:
                window, session_id = request.window, request.session_id
                for message in items:
                    # One text for all of them, whose hash is then known for all of them.
                    force_setattr(message, "session_id", session_id)
                self._page = cut_page(
                    items,
                    window.limit,
                    window.take,
                    before=self.before > 0,
                    behind=self.behind > 0,
                )
                self._items = b""
        return self._page


def _items_of(packed: bytes) -> list[Message] | None:
    try:
        found = _decode(packed)
    except (DecodeError, UnicodeError):
        return None
    items = found.items
    if found.count != len(items):
        return None
    if len(items) > 1:
        items.sort(key=_SEQUENCE)
    return items


def _decode(packed: bytes) -> _Items[Message]:
    try:
        return _ITEMS.decode(packed)
    except (DecodeError, UnicodeError):
        # A kind of part, or a field of one, of another version.
        found = _UNSURE_ITEMS.decode(packed)
        return _Items(found.count, [*map(_message, found.items)])


def _message(fields: list[Raw]) -> Message:
    """Returns the message of its fields, unknown parts kept as they are."""
    values = [bytes(field) for field in fields]
    parts, values[_PARTS] = decode_parts(values[_PARTS]), b"[]"
    return replace(_MESSAGE.decode(b"[%b]" % b",".join(values)), parts=parts)


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

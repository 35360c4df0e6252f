"""Pages as one JSON text, decoded to objects of the model in one step.

The decoder makes the messages of a page without any Python in between. And sqlite3 gives up the
interpreter's lock for every row that it steps to, which a thread that reads has to win back each
time from a busy event loop: a page that comes as one value is one step.
"""

from __future__ import annotations

from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import DecodeError, Raw, Struct
from msgspec.json import Decoder
from msgspec.structs import replace
from sqlalchemy import ColumnElement, FromClause, LargeBinary, Select, cast, func, select

from app.backends.sql.reads import Rows
from app.backends.sql.rows import SESSION_COLUMNS
from app.model.message import Message
from app.model.parts import decode_parts
from app.model.session import Session

M = TypeVar("M")
P = TypeVar("P")

PagedSessions: TypeAlias = tuple[tuple[int, int, Session | None], ...]
"""For each row whether something lies beyond the bound before and behind, and the session."""


class PackedPage(Struct, Generic[M], array_like=True, gc=False):
    """The page of one request: its number, whether something lies beyond its bounds, its items.

    `count` is how many items there have to be.
    """

    number: int
    before: int
    behind: int
    count: int
    items: list[M]


_MESSAGE: Decoder[Message] = Decoder(Message)
_PAGES: Decoder[list[PackedPage[Message]]] = Decoder(list[PackedPage[Message]])
_UNSURE_PAGES: Decoder[list[PackedPage[list[Raw]]]] = Decoder(list[PackedPage[list[Raw]]])
_PARTS = Message.__struct_fields__.index("parts")

PAGED_SESSIONS: Decoder[PagedSessions] = Decoder(PagedSessions)


def message_pages_of(rows: Rows) -> list[PackedPage[Message]] | None:
    """Returns the pages of the one row of a packed statement, None for what is not as it should.

    What that is, the statement that is not packed tells.
    """
    packed = rows[0][0]
    if packed is None:
        return []
    try:
        pages = _decode(packed)
    except (DecodeError, UnicodeError):
        return None
    return None if any(page.count != len(page.items) for page in pages) else pages


def _decode(packed: bytes) -> list[PackedPage[Message]]:
    try:
        return _PAGES.decode(packed)
    except (DecodeError, UnicodeError):
        # A kind of part, or a field of one, of another version.
        return [
            PackedPage(
                page.number, page.before, page.behind, page.count, [*map(_message, page.items)]
            )
            for page in _UNSURE_PAGES.decode(packed)
        ]


def _message(fields: list[Raw]) -> Message:
    """Returns the message of its fields, unknown parts kept as they are."""
    values = [bytes(field) for field in fields]
    parts, values[_PARTS] = decode_parts(values[_PARTS]), b"[]"
    return replace(_MESSAGE.decode(b"[%b]" % b",".join(values)), parts=parts)


def rows_of(rows: Rows, decoder: Decoder[P]) -> P | None:
    """Returns the rows of a packed statement, None for what is not as it should."""
    try:
        return decoder.decode(rows[0][0])
    except (DecodeError, UnicodeError):
        return None


def pack_records(statement: Select[Any]) -> Select[Any]:
    """Returns the statement whose one row has all rows of one, which reads id and name."""
    return _packed(func.json_array(*statement.subquery("given").c))


def pack_sessions(statement: Select[Any]) -> Select[Any]:
    """Returns the statement whose one row has all rows of one, which reads `SESSION_COLUMNS`."""
    return _packed(func.json_array(*_session_fields(statement.subquery("given"))))


def pack_paged_sessions(statement: Select[Any]) -> Select[Any]:
    """Returns the statement whose one row has all rows of one: two flags, `SESSION_COLUMNS`."""
    given = statement.subquery("given")
    before, behind, *_ = given.c
    session = func.json_array(*_session_fields(given))
    return _packed(func.json_array(before, behind, func.iif(given.c.id.is_(None), None, session)))


def _packed(row: ColumnElement[Any]) -> Select[Any]:
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

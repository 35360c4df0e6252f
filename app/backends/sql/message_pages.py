"""Pages of messages: which requests one statement answers, and from its answer to the pages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from app.backends.protocol import Scope
from app.backends.sql.dialects.dialect import NO_BOUND, Dialect, PageBounds, PageShape
from app.backends.sql.packed import PackedPage
from app.backends.sql.prepared import Query
from app.backends.sql.reads import Rows
from app.backends.sql.rows import columns_of, message_of
from app.model.message import Message, MessageScope
from app.model.paging import MessagePageRequest, Page, Take, cut_page

_ARCHIVE_CODES = {MessageScope.ALL: 0, MessageScope.ACTIVE: 1, MessageScope.ARCHIVED: 2}


class Kind(NamedTuple):
    """What requests have in common that one statement answers."""

    take: Take
    limit: int
    fields: frozenset[str] | None
    end: MessageScope | None
    """Of which messages of a session they are an end, where none has a bound."""


def by_kind(requests: Collection[MessagePageRequest]) -> dict[Kind, list[MessagePageRequest]]:
    """Returns the requests, each once, with those that one statement answers side by side."""
    sizes: dict[Any, list[MessagePageRequest]] = {}
    alike: list[MessagePageRequest] = []
    window = fields = None
    for request in dict.fromkeys(requests):
        # Fields of one document share their windows.
        if request.window is not window or request.fields is not fields:
            window, fields = request.window, request.fields
            alike = sizes.setdefault((window.take, window.limit, fields), [])
        alike.append(request)
    return {
        Kind(take, limit, fields, _common_end(alike)): alike
        for (take, limit, fields), alike in sizes.items()
    }


def _common_end(requests: Sequence[MessagePageRequest]) -> MessageScope | None:
    """Returns which messages of a session the requests all want an end of, None for others."""
    scope = requests[0].messages
    for request in requests:
        window = request.window
        if request.messages is not scope or window.after is not None or window.before is not None:
            return None
    return scope


def packed_pages(
    dialect: Dialect, kind: Kind, requests: Sequence[MessagePageRequest], scope: Scope
) -> Query | None:
    """Returns the statement of the pages as JSON texts, None where rows are as good."""
    shape = _shape_of(kind)
    if kind.end is not None:
        ids = [request.session_id for request in requests]
        return dialect.packed_end_pages(shape, kind.end, ids, scope.owner)
    asked = [_parameters(request) for request in requests]
    return dialect.packed_message_pages(shape, asked, scope.owner)


def pages_in_rows(
    dialect: Dialect, kind: Kind, requests: Sequence[MessagePageRequest], scope: Scope
) -> Query:
    """Returns the statement of the pages in rows."""
    asked = [_parameters(request) for request in requests]
    return dialect.page_messages(_shape_of(kind), asked, scope.owner)


def _shape_of(kind: Kind) -> PageShape:
    return PageShape(kind.take, kind.limit, columns_of(kind.fields, "sequence"))


def pages_of_packed(
    requests: Sequence[MessagePageRequest], rows: Rows
) -> dict[MessagePageRequest, PackedPage]:
    """Returns the pages of a packed statement; sessions out of scope have none."""
    return {
        requests[number]: PackedPage(before, behind, items)
        for number, before, behind, items in rows
    }


def pages_of_rows(
    requests: Sequence[MessagePageRequest], rows: Rows
) -> dict[MessagePageRequest, Page[Message]]:
    """Returns the pages of a statement of rows; sessions out of scope have none."""
    found: dict[int, list[Sequence[Any]]] = {}
    for row in rows:
        number = row[0]
        if number in found:
            found[number].append(row)
        else:
            found[number] = [row]
    return {requests[number]: _page_of(requests[number], found[number]) for number in found}


def _page_of(request: MessagePageRequest, rows: Rows) -> Page[Message]:
    _, before, behind, _, sequence, *_ = rows[0]
    session_id = request.session_id
    items: list[Message] = []
    if sequence is not None:
        rows.sort(key=_SEQUENCE)
        items = [message_of(session_id, row[4:]) for row in rows]
    window = request.window
    return cut_page(items, window.limit, window.take, before=before > 0, behind=behind > 0)


def _parameters(request: MessagePageRequest) -> PageBounds:
    window = request.window
    return (
        request.session_id,
        min(window.after or 0, NO_BOUND),
        NO_BOUND if window.before is None else min(window.before, NO_BOUND),
        _ARCHIVE_CODES[request.messages],
    )


_SEQUENCE = itemgetter(4)

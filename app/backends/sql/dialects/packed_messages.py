"""Writing a row of messages as JSON text in the database."""

from __future__ import annotations

from collections.abc import Callable

from app.backends.sql.dialects.dialect import UNREAD
from app.backends.sql.rows import MESSAGE_COLUMNS
from app.model.message import MessageScope

_SENDER = ("sender_name", "sender_user_id", "sender_agent_id")
_JSON = frozenset({"parts", "metadata"})
_PLAIN = frozenset({"role", "status", "created_at"})
"""Texts that need no escaping: they come from fixed sets and formats."""


def packed_items(
    alias: str,
    wanted: frozenset[str] | None,
    quote: Callable[[str], str],
    aggregate: str,
    *,
    integer: str = "%s",
) -> str:
    """Returns the expression of the text that a `PackedPage` is decoded from.

    It has how many messages there are and then them all: counted because a text that grows too
    long may come to nothing without an error. `aggregate` is the function that joins texts.
    """
    items = f"{aggregate}({message_as_json(alias, wanted, quote, integer)}, ',')"
    return f"'[' || count(*) || ',[' || coalesce({items}, '') || ']]'"


def message_as_json(
    alias: str, wanted: frozenset[str] | None, quote: Callable[[str], str], integer: str
) -> str:
    """Returns the expression of a message as the JSON array that `Message` is decoded from.

    Its session is left empty: it is the same for all of a page, and known. What is not `wanted`
    (None: all is) is a constant and is not read. `quote` returns the expression of any text, or
    null, in JSON, `integer` is how `format` writes a number, and stored JSON goes in as it is. One
    call of `format`: SQLite would make a new text for each `||`.
    """
    template: list[str] = []
    values: list[str] = []
    for column in MESSAGE_COLUMNS:
        name = column.name
        if name in _SENDER[1:]:
            continue
        if name == "session_id":
            template.append('""')
            continue
        if wanted is not None and name not in wanted:
            template.append(_constant(name))
            continue
        template.append('"%s"' if name in _PLAIN else integer if name == "sequence" else "%s")
        value = f"{alias}.{name}"
        if name == "sender_name":
            value = _sender(alias, quote)
        elif name == "usage":
            value = f"coalesce({value}, 'null')"
        elif name != "sequence" and name not in _JSON and name not in _PLAIN:
            value = quote(value)
        values.append(value)
    return f"format('[{','.join(template)}]', {', '.join(values)})"


def within(scope: MessageScope, sequence: str, archived_through: str) -> str:
    """Returns the condition that a sequence is one of a session's messages of that scope."""
    match scope:
        case MessageScope.ACTIVE:
            return f"{sequence} > {archived_through}"
        case MessageScope.ARCHIVED:
            return f"{sequence} <= {archived_through}"
        case MessageScope.ALL:
            return "true"


def _constant(name: str) -> str:
    unread = UNREAD.get(name, "null").strip("'")
    return f'"{unread}"' if name in _PLAIN else unread


def _sender(alias: str, quote: Callable[[str], str]) -> str:
    given = f"coalesce({', '.join(f'{alias}.{name}' for name in _SENDER)})"
    quoted = ", ".join(quote(f"{alias}.{name}") for name in _SENDER)
    return f"CASE WHEN {given} IS NULL THEN 'null' ELSE format('[%s,%s,%s]', {quoted}) END"

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


def message_as_json(
    alias: str, session: str, wanted: frozenset[str] | None, quote: Callable[[str], str]
) -> str:
    """Returns the expression of a message as the JSON array that `Message` is decoded from.

    `session` is the expression of the session's id in JSON, and `quote` returns the expression of
    any text, or null, in JSON. What is not `wanted` (None: all is) is a constant and is not read.
    Stored JSON goes in as it is.
    """
    pieces: list[str] = []
    for column in MESSAGE_COLUMNS:
        name = column.name
        if name in _SENDER[1:]:
            continue
        if name == "session_id":
            pieces.append(session)
        elif wanted is not None and name not in wanted:
            pieces.append(_constant(name))
        elif name == "sender_name":
            pieces.append(_sender(alias, quote))
        elif name == "sequence" or name in _JSON:
            pieces.append(f"{alias}.{name}")
        elif name == "usage":
            pieces.append(f"coalesce({alias}.usage, 'null')")
        elif name in _PLAIN:
            pieces.append(f"""'"' || {alias}.{name} || '"'""")
        else:
            pieces.append(quote(f"{alias}.{name}"))
    array = " || ',' || ".join(pieces)
    return f"'[' || {array} || ']'".replace("' || '", "")


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
    unread = UNREAD.get(name)
    if unread is None:
        return "'null'"
    return unread if name in _JSON else f"""'"' || {unread} || '"'"""


def _sender(alias: str, quote: Callable[[str], str]) -> str:
    given = f"coalesce({', '.join(f'{alias}.{name}' for name in _SENDER)})"
    quoted = " || ',' || ".join(quote(f"{alias}.{name}") for name in _SENDER)
    return f"CASE WHEN {given} IS NULL THEN 'null' ELSE '[' || {quoted} || ']' END"

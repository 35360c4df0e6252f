"""Writing pages of messages as JSON text in the database."""

from __future__ import annotations

from collections.abc import Callable

from app.backends.sql.packed import MESSAGE_FIELDS
from app.model.message import MessageScope

_SENDER = ("sender_name", "sender_user_id", "sender_agent_id")
_JSON = frozenset({"sender", "usage", "metadata", "parts"})
_PLAIN = frozenset({"role", "status", "created_at"})
"""Texts that are never null and need no escaping: they come from fixed sets and formats."""


def packed_items(
    alias: str,
    wanted: frozenset[str] | None,
    aggregate: str,
    array: Callable[[str], str],
    quoted: Callable[[str], str],
) -> str:
    """Returns the expression of the text that a `PackedPage` is decoded from.

    It is a JSON array of the fields of `MESSAGE_FIELDS`, for each the array of its values: a text
    for each message costs a database more than a text for each field. What is not `wanted` (None:
    all is) is null and is not read. `aggregate` is the function that joins texts, `array` returns
    the expression of the JSON array of numbers, texts and nulls, `quoted` that of one as JSON;
    stored JSON goes in as it is.
    """
    written: list[str] = []
    between = "["
    for name in MESSAGE_FIELDS:
        if wanted is not None and (_SENDER[0] if name == "sender" else name) not in wanted:
            between += "null,"
            continue
        value = f"{alias}.{name}"
        if name in _JSON:
            joined = f"{aggregate}({_json(alias, name, quoted)}, ',')"
            written += [f"'{between}['", f"coalesce({joined}, '')"]
            between = "],"
            continue
        if name in _PLAIN:
            joined = f"""'["' || {aggregate}({value}, '","') || '"]'"""
            values = f"coalesce({joined}, '[]')"
        else:
            values = array(value)
        written += [f"'{between}'", values]
        between = ","
    # Each `||` makes a new text of all before it: what is largest comes last.
    return f"{' || '.join(written)} || '{between[:-1]}]'"


def within(scope: MessageScope, sequence: str, archived_through: str) -> str:
    """Returns the condition that a sequence is one of a session's messages of that scope."""
    match scope:
        case MessageScope.ACTIVE:
            return f"{sequence} > {archived_through}"
        case MessageScope.ARCHIVED:
            return f"{sequence} <= {archived_through}"
        case MessageScope.ALL:
            return "true"


def _json(alias: str, name: str, quoted: Callable[[str], str]) -> str:
    """Returns the expression of what is JSON already, or is written as JSON for each message."""
    if name == "sender":
        given = f"coalesce({', '.join(f'{alias}.{part}' for part in _SENDER)})"
        values = ", ".join(quoted(f"{alias}.{part}") for part in _SENDER)
        return f"CASE WHEN {given} IS NULL THEN 'null' ELSE format('[%s,%s,%s]', {values}) END"
    value = f"{alias}.{name}"
    return f"coalesce({value}, 'null')" if name == "usage" else value

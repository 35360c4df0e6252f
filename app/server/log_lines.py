"""From a record of the standard library's logging to a line of the log.

What a record tells beside its event comes as `extra`: `log.info("request", extra={"status": 200})`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson

REQUEST_ID: ContextVar[str | None] = ContextVar("REQUEST_ID", default=None)
"""The id of the request that is being answered, which its lines carry."""

OWN_LOGGERS = ("app", "scrollback")
"""What our own loggers are below; the others are of libraries."""

_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has of itself."""

_FORMATTER = logging.Formatter()

_EVENT_WIDTH = 30
_PLAIN, _BOLD, _DIM = "\x1b[0m", "\x1b[1m", "\x1b[2m"
_COLOURS = {
    "debug": "\x1b[32m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[31m",
}


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Returns what a record tells: its own fields, the event, the request's id, level, traceback.

    A record of a library has the name of its logger, too. A traceback is without the values of
    variables: what clients sent is among them.
    """
    fields = {name: value for name, value in vars(record).items() if name not in _ATTRIBUTES}
    if record.name.partition(".")[0] not in OWN_LOGGERS:
        fields["logger"] = record.name
    fields["event"] = record.getMessage()
    request_id = REQUEST_ID.get()
    if request_id is not None:
        fields.setdefault("request_id", request_id)
    fields["level"] = record.levelname.lower()
    if record.exc_info and record.exc_info[0]:
        fields["exception"] = _FORMATTER.formatException(record.exc_info)
    return fields


def json_line(fields: dict[str, Any]) -> bytes:
    """Renders a line for machines: JSON, with the time."""
    fields["timestamp"] = datetime.now(UTC)
    return orjson.dumps(fields, default=repr, option=orjson.OPT_UTC_Z)


def text_line(fields: Mapping[str, Any]) -> bytes:
    """Renders a line for people, a traceback below it."""
    return _text(fields, dict.fromkeys(_COLOURS, ""), "", "", "")


def coloured_line(fields: Mapping[str, Any]) -> bytes:
    """Renders a line for people at a terminal."""
    return _text(fields, _COLOURS, _BOLD, _DIM, _PLAIN)


class TextFormatter(logging.Formatter):
    """Lines for people, for a stream of text."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns a record's line."""
        return text_line(fields_of(record)).decode()


def _text(
    fields: Mapping[str, Any], colours: Mapping[str, str], bold: str, dim: str, plain: str
) -> bytes:
    told = dict(fields)
    level, event = told.pop("level"), told.pop("event")
    traceback = told.pop("exception", None)
    line = (
        f"{dim}{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}{plain} "
        f"[{colours.get(level, '')}{level:<8}{plain}] {bold}{event:<{_EVENT_WIDTH}}{plain}"
    )
    line += "".join([f" {name}={bold}{_value(told[name])}{plain}" for name in sorted(told)])
    if traceback is not None:
        line += f"\n{traceback}"
    return line.rstrip(" ").encode(errors="backslashreplace")


def _value(value: object) -> str:
    """Returns a value as text that neither ends its line nor steers the terminal."""
    text = str(value)
    return text if text.isprintable() and " " not in text else repr(text)

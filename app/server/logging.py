"""Logs on standard error: JSON lines for machines, or text for a terminal.

Every line carries the id of the request that it belongs to. Nothing here logs what a client sent
beside the name of its operation: no variables, no documents, no message contents.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, BinaryIO

import orjson
import structlog
from aiohttp.http_exceptions import HttpProcessingError
from structlog.typing import EventDict, Processor

from app.server.log_writer import LogWriter

REQUEST_ID: ContextVar[str | None] = ContextVar("REQUEST_ID", default=None)
"""The id of the request that is being answered, which its lines carry."""


class LogFormat(StrEnum):
    """How a line of the log looks."""

    JSON = "json"
    TEXT = "text"


def configure_logging(
    log_format: LogFormat, level: str = "info", stream: BinaryIO | None = None
) -> None:
    """Sets up structlog and the standard library's logging for this process.

    `level` is a name of the logging module in any case. `stream` takes UTF-8 bytes; standard
    error when not given. Lines of libraries come out in the same shape. Raises ValueError for a
    level that does not exist.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"no log level {level!r}: use debug, info, warning, error or critical")
    stream = stream or sys.stderr.buffer
    processors: list[Processor] = (
        [json_line]
        if log_format is LogFormat.JSON
        else [
            add_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
            _encode,
        ]
    )
    writer = LogWriter(stream)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=True,
    )
    handler = _LibraryHandler()
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))


class _LibraryHandler(logging.Handler):
    """Passes records of the standard library's logging on to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            log = structlog.get_logger(record.name)
            exception = record.exc_info if record.exc_info and record.exc_info[0] else None
            if exception and isinstance(exception[1], HttpProcessingError):
                # Any scanner of ports causes these, and their text quotes what was sent.
                log.info("malformed HTTP request", problem=type(exception[1]).__name__)
                return
            fields: dict[str, Any] = {"logger": record.name}
            if exception:
                fields["exc_info"] = exception
            log.log(record.levelno, record.getMessage(), **fields)
        except Exception:  # noqa: BLE001 - logging's own contract: a handler must not raise
            self.handleError(record)


def add_request_id(_: Any, __: str, fields: EventDict) -> EventDict:
    """Adds the id of the request that the line belongs to, if to any."""
    request_id = REQUEST_ID.get()
    if request_id is not None:
        fields.setdefault("request_id", request_id)
    return fields


def json_line(logger: Any, level: str, fields: EventDict) -> bytes:
    """Renders a line as JSON, with the request's id, the level, the time and any traceback.

    One step for what structlog has a processor each for: every request logs a line.
    """
    add_request_id(logger, level, fields)
    structlog.processors.add_log_level(logger, level, fields)
    if "exc_info" in fields:
        fields = structlog.processors.format_exc_info(logger, level, fields)
    return timed_line(fields)


def timed_line(fields: EventDict) -> bytes:
    """Renders a line that lacks nothing but its time."""
    fields["timestamp"] = datetime.now(UTC)
    return orjson.dumps(fields, default=repr, option=orjson.OPT_UTC_Z)


def _encode(_: Any, __: str, line: Any) -> bytes:
    return str(line).encode(errors="backslashreplace")

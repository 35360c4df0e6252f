"""Logs on standard error: JSON lines for machines, or text for a terminal.

Every line carries the id of the request that it belongs to. Nothing here logs what a client sent
beside the name of its operation: no variables, no documents, no message contents.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Any, BinaryIO

from aiohttp.http_exceptions import HttpProcessingError

from app.server.log_lines import OWN_LOGGERS, coloured_line, fields_of, json_line, text_line
from app.server.log_writer import LogWriter


class LogFormat(StrEnum):
    """How a line of the log looks."""

    JSON = "json"
    TEXT = "text"


def configure_logging(
    log_format: LogFormat, level: str = "info", stream: BinaryIO | None = None
) -> None:
    """Sets up the standard library's logging for this process.

    `level` is a name of the logging module in any case. `stream` takes UTF-8 bytes; standard
    error when not given. Lines of libraries come out in the same shape, from warnings on. Raises
    ValueError for a level that does not exist.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"no log level {level!r}: use debug, info, warning, error or critical")
    stream = stream or sys.stderr.buffer
    render: Callable[[dict[str, Any]], bytes] = json_line
    if log_format is LogFormat.TEXT:
        render = coloured_line if stream.isatty() else text_line
    root = logging.getLogger()
    root.handlers[:] = [LineHandler(render, LogWriter(stream))]
    root.setLevel(max(number, logging.WARNING))
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(number)


class LineHandler(logging.Handler):
    """Writes each record as a line."""

    def __init__(self, render: Callable[[dict[str, Any]], bytes], writer: LogWriter) -> None:
        super().__init__()
        self.render = render
        self.writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
                # Any scanner of ports causes these, and their text quotes what was sent.
                _log.info(
                    "malformed HTTP request",
                    extra={"problem": type(record.exc_info[1]).__name__},
                )
                return
            line = self.render(fields_of(record))
            if record.levelno > logging.INFO:
                self.writer.error(line)
            else:
                self.writer.info(line)
        except Exception:  # noqa: BLE001 - logging's own contract: a handler must not raise
            self.handleError(record)


_log = logging.getLogger("scrollback.server")

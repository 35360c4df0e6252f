"""The line that is logged of every request."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from app.server.log_lines import json_line
from app.server.logging import LineHandler

if TYPE_CHECKING:
    from app.server.exchange import Exchange
    from app.server.log_writer import LogWriter


class RequestLog:
    """Logs requests as logging was configured when this was made.

    JSON lines are written without the steps of logging that do nothing for them and cost more
    than the line itself.
    """

    def __init__(self) -> None:
        self._log = logging.getLogger("scrollback.server")
        self._lines: LogWriter | None = None
        for handler in logging.getLogger().handlers:
            if isinstance(handler, LineHandler) and handler.render is json_line:
                self._lines = handler.writer if self._log.isEnabledFor(logging.INFO) else None

    def write(self, method: str, path: str, exchange: Exchange, status: int) -> None:
        """Logs a request that was answered with this status. It says nothing of its contents."""
        fields: dict[str, Any] = {
            "method": method,
            "path": path,
            "status": status,
            "duration_ms": milliseconds_since(exchange.started),
        }
        if exchange.kind is not None:
            fields["kind"] = exchange.kind
            fields["operation"] = exchange.operation
        if exchange.events is not None:
            fields["events"] = exchange.events
        if self._lines is None:
            self._log.info("request", extra=fields)
            return
        fields["event"] = "request"
        fields["request_id"] = exchange.request_id
        fields["level"] = "info"
        self._lines.info(json_line(fields))


def milliseconds_since(started: float) -> float:
    """Returns the time since a moment of `time.perf_counter`, in hundredths of a millisecond."""
    return int((time.perf_counter() - started) * 100_000 + 0.5) / 100

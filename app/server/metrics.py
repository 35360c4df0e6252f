"""`/metrics`: what the server has done since it was started, in Prometheus' text format.

Format: "Exposition formats" of Prometheus' documentation, version 0.0.4. Labels have few values,
all of them ours: nothing that a client sends becomes one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from app.execution.compiled.operation import Statistics
from app.server.exchange import EXCHANGE
from app.server.lifecycle import Lifecycle

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_STARTED = time.time()
"""When this process began to serve, as near as makes no difference."""


class Metrics:
    """Counts what the transport answers, and shows it with what the executor counts."""

    def __init__(self, statistics: Statistics, lifecycle: Lifecycle) -> None:
        self._statistics = statistics
        self._lifecycle = lifecycle
        self._responses: dict[int, int] = {}

    def count_response(self, status: int) -> None:
        """Counts an answered request by its status."""
        self._responses[status] = self._responses.get(status, 0) + 1

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers a scrape."""
        text = "".join([line for metric in self._metrics() for line in metric.lines()])
        return request[EXCHANGE].respond(text.encode(), CONTENT_TYPE)

    def _metrics(self) -> Iterable[_Metric]:
        done = self._statistics
        yield _Metric(
            "scrollback_http_responses_total",
            "HTTP requests by the status they were answered with; a socket at its end.",
            "status",
            {str(status): count for status, count in sorted(self._responses.items())},
        )
        yield _Metric(
            "scrollback_operations_total",
            "GraphQL operations that were run, over any transport.",
            "kind",
            dict(done.operations),
        )
        yield _Metric(
            "scrollback_subscriptions", "Subscriptions open now.", value=done.open_subscriptions
        )
        yield _Metric(
            "scrollback_connections",
            "Long-lived connections open now.",
            "kind",
            self._lifecycle.open_connections(),
        )
        yield _Metric(
            "scrollback_documents_total",
            "Documents asked for, by whether they were in the cache.",
            "cache",
            {"hit": done.document_hits, "miss": done.document_misses},
        )
        yield _Metric("scrollback_plans_total", "Operations that were compiled.", value=done.plans)
        yield _Metric(
            "scrollback_compiled_runs_total",
            "Runs of compiled operations; an event of a subscription is one.",
            value=done.compiled_runs,
        )
        yield _Metric(
            "scrollback_fallback_runs_total",
            "Runs of operations that were not compiled, by the reason.",
            "reason",
            {reason.replace(" ", "_"): count for reason, count in done.fallbacks.items()},
        )
        yield _Metric(
            "process_cpu_seconds_total", "Processor time, in seconds.", value=time.process_time()
        )
        yield _Metric(
            "process_start_time_seconds", "When the process began, in Unix time.", value=_STARTED
        )


@dataclass(frozen=True, slots=True)
class _Metric:
    """One metric: a value, or a value for each value of one label."""

    name: str
    description: str
    label: str | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    value: float = 0

    def lines(self) -> Iterable[str]:
        """Returns the lines of the metric. What ends in `_total` only rises: a counter."""
        kind = "counter" if self.name.endswith("_total") else "gauge"
        yield f"# HELP {self.name} {self.description}\n# TYPE {self.name} {kind}\n"
        if self.label is None:
            yield f"{self.name} {self.value}\n"
        for label, value in self.values.items():
            yield f'{self.name}{{{self.label}="{label}"}} {value}\n'

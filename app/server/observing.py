"""Around every request: its id, the check of Host, errors into answers, one line in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from app.server.exchange import Exchange, new_request_id, open_exchange
from app.server.known_heads import KnownHead
from app.server.log_lines import REQUEST_ID
from app.server.metrics import Metrics
from app.server.origins import OriginPolicy
from app.server.refusal import INTERNAL_ERROR, Refusal
from app.server.request_log import RequestLog
from app.server.whole_response import WholeAnswer

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
AnswerKnown: TypeAlias = Callable[
    [web.Request, KnownHead, bytes], Awaitable[WholeAnswer | web.StreamResponse]
]
KnownHandler: TypeAlias = Callable[
    [web.Request, KnownHead, bytes, Exchange], Awaitable[WholeAnswer]
]

HEALTH_PATHS = frozenset({"/healthz", "/readyz"})
CLIENT_CLOSED_REQUEST = 499
"""The status logged for a client that left before its answer; none is sent."""

_log = logging.getLogger("scrollback.server")


class Observer:
    """Puts itself around handlers, which costs a request less than a middleware of aiohttp's."""

    def __init__(self, origins: OriginPolicy, metrics: Metrics, endpoint: str) -> None:
        """`endpoint` is named to those who ask for a path that is not there."""
        self._origins = origins
        self._metrics = metrics
        self._endpoint = endpoint
        self._log = RequestLog()

    def observed(self, handler: Handler) -> Handler:
        """Returns a handler that answers whatever comes out of this one, and logs it."""
        origins, metrics, request_log = self._origins, self._metrics, self._log
        endpoint = self._endpoint

        async def answer(request: web.Request) -> web.StreamResponse:
            exchange = open_exchange(request)
            # aiohttp runs each request in a task of its own, so this reaches every line logged for
            # it, the resolvers' too, and no other request.
            REQUEST_ID.set(exchange.request_id)
            try:
                # Probes come by whatever address the network gives this process, and learn nothing.
                if request.path not in HEALTH_PATHS:
                    origins.check_host(request.headers)
                response = await handler(request)
            except asyncio.CancelledError:
                metrics.count_response(CLIENT_CLOSED_REQUEST)
                request_log.write(request.method, request.path, exchange, CLIENT_CLOSED_REQUEST)
                raise
            except Exception as error:  # noqa: BLE001 - the last stop
                response = _answer_failure(request, exchange, error, endpoint)
            metrics.count_response(response.status)
            request_log.write(request.method, request.path, exchange, response.status)
            return response

        return answer

    def observed_known(self, handler: KnownHandler) -> AnswerKnown:
        """Returns the same for requests whose head is known: their Host was checked before."""
        metrics, request_log, endpoint = self._metrics, self._log, self._endpoint

        async def answer(
            request: web.Request, known: KnownHead, body: bytes
        ) -> WholeAnswer | web.StreamResponse:
            exchange = Exchange(new_request_id(), known.cors)
            REQUEST_ID.set(exchange.request_id)
            response: WholeAnswer | web.StreamResponse
            try:
                response = await handler(request, known, body, exchange)
            except asyncio.CancelledError:
                metrics.count_response(CLIENT_CLOSED_REQUEST)
                request_log.write("POST", endpoint, exchange, CLIENT_CLOSED_REQUEST)
                raise
            except Exception as error:  # noqa: BLE001 - the last stop
                response = _answer_failure(request, exchange, error, endpoint)
            # A mutation goes on when its client leaves.
            status = CLIENT_CLOSED_REQUEST if request.transport is None else response.status
            metrics.count_response(status)
            request_log.write("POST", endpoint, exchange, status)
            return response

        return answer


def _answer_failure(
    request: web.Request, exchange: Exchange, error: Exception, endpoint: str
) -> web.StreamResponse:
    """Returns what a request is answered that a handler did not answer; logs what is unknown."""
    if isinstance(error, Refusal):
        return exchange.refuse(request, error)
    if isinstance(error, web.HTTPException):
        return exchange.refuse(request, _as_refusal(error, endpoint))
    if isinstance(error, ConnectionError):
        # The client left while its request was read or its answer written: nobody gets this.
        return web.Response(status=CLIENT_CLOSED_REQUEST)
    _log.error("request failed", exc_info=error)
    if request.writer.output_size and request.transport is not None:
        # Part of an answer is out already: cut off, it can't be taken for the whole.
        request.transport.abort()
    return exchange.refuse(request, Refusal(500, INTERNAL_ERROR, "Internal error"))


def _as_refusal(error: web.HTTPException, endpoint: str) -> Refusal:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return Refusal(405, "METHOD_NOT_ALLOWED", f"Allowed here: {allowed}.", {"Allow": allowed})
    if error.status == 404:
        return Refusal(404, "NOT_FOUND", f"Nothing is served here. The API is at {endpoint}.")
    return Refusal(error.status, error.reason.upper().replace(" ", "_"), error.reason)

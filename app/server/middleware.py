"""Around every request: its id, the check of Host, errors into answers, one line in the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from app.server.exchange import Exchange, open_exchange
from app.server.logging import REQUEST_ID
from app.server.origins import OriginPolicy
from app.server.refusal import INTERNAL_ERROR, Refusal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEALTH_PATHS = frozenset({"/healthz", "/readyz"})
CLIENT_CLOSED_REQUEST = 499
"""The status logged for a client that left before its answer; none is sent."""

_log = structlog.get_logger("scrollback.server")


def observe(origins: OriginPolicy, endpoint: str) -> Middleware:
    """Returns the middleware. `endpoint` is named to those who ask for a path that is not there."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        exchange = open_exchange(request)
        # aiohttp runs each request in a task of its own, so this reaches every line logged for
        # it, the resolvers' too, and no other request.
        REQUEST_ID.set(exchange.request_id)
        try:
            response = await _answer(request, handler, exchange, origins, endpoint)
        except asyncio.CancelledError:
            _log_request(request, exchange, CLIENT_CLOSED_REQUEST)
            raise
        _log_request(request, exchange, response.status)
        return response

    return middleware


async def _answer(
    request: web.Request,
    handler: Handler,
    exchange: Exchange,
    origins: OriginPolicy,
    endpoint: str,
) -> web.StreamResponse:
    try:
        # Probes come by whatever address the network gives this process, and learn nothing.
        if request.path not in HEALTH_PATHS:
            origins.check_host(request)
        return await handler(request)
    except Refusal as refusal:
        return exchange.refuse(request, refusal)
    except web.HTTPException as error:
        return exchange.refuse(request, _as_refusal(error, endpoint))
    except ConnectionError:
        # The client left while its request was read or its answer written: nobody gets this.
        return web.Response(status=CLIENT_CLOSED_REQUEST)
    except Exception as error:  # noqa: BLE001 - the last stop: logged in full, masked outside
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


def _log_request(request: web.Request, exchange: Exchange, status: int) -> None:
    fields: dict[str, object] = {
        "method": request.method,
        "path": request.path,
        "status": status,
        "duration_ms": round((time.perf_counter() - exchange.started) * 1000, 2),
    }
    if exchange.kind is not None:
        fields["kind"] = exchange.kind
        fields["operation"] = exchange.operation
    if exchange.events is not None:
        fields["events"] = exchange.events
    _log.info("request", **fields)

"""Results as Server-Sent Events: the "distinct connections mode" of GraphQL over SSE.

Each result is an event `next`, the end is an event `complete`. Framing: the HTML standard, section
9.2, with LF, which every client reads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

from aiohttp import web

from app.execution.operation import Response
from app.server.exchange import Exchange
from app.server.lifecycle import EVENT_STREAM, Lifecycle
from app.server.parts import Authenticated, ServerOptions

_COMPLETE = b"event: complete\ndata: \n\n"
_KEEP_ALIVE = b":\n\n"


async def send_response(
    request: web.Request, exchange: Exchange, response: Response, options: ServerOptions
) -> web.StreamResponse:
    """Sends one result as a stream of one event."""
    stream = await _open_stream(request, exchange)
    await _write(request, stream, _next_event(response) + _COMPLETE, options.send_timeout)
    return stream


async def stream_subscription(
    request: web.Request,
    exchange: Exchange,
    results: AsyncGenerator[Response],
    options: ServerOptions,
    lifecycle: Lifecycle,
    authenticated: Authenticated[Any],
) -> web.StreamResponse:
    """Sends the results of a subscription until it ends, or the client's permission does.

    The stream is cut without `complete` when the server stops, so that the client comes back.
    The source is closed however this ends.
    """
    exchange.events = 0
    handler = asyncio.current_task()
    if handler is None:
        raise RuntimeError("an event stream is served by a task")
    try:
        with lifecycle.connection(EVENT_STREAM, handler.cancel):
            stream = await _open_stream(request, exchange)
            permitted = asyncio.timeout(_seconds_left(authenticated))
            try:
                async with permitted:
                    await _send_results(request, exchange, stream, results, options)
            except TimeoutError:
                if not permitted.expired():
                    raise
            return stream
    finally:
        await results.aclose()


async def _send_results(
    request: web.Request,
    exchange: Exchange,
    stream: web.StreamResponse,
    results: AsyncGenerator[Response],
    options: ServerOptions,
) -> None:
    while True:
        awaited = asyncio.ensure_future(anext(results, None))
        try:
            while not awaited.done():
                await asyncio.wait((awaited,), timeout=options.heartbeat)
                if not awaited.done():
                    await _write(request, stream, _KEEP_ALIVE, options.send_timeout)
        finally:
            if not awaited.done():
                # The source's own cleanup runs in there, so it is waited for.
                awaited.cancel()
                await asyncio.wait((awaited,))
        result = awaited.result()
        if result is None:
            await _write(request, stream, _COMPLETE, options.send_timeout)
            return
        exchange.events = (exchange.events or 0) + 1
        await _write(request, stream, _next_event(result), options.send_timeout)


async def _open_stream(request: web.Request, exchange: Exchange) -> web.StreamResponse:
    stream = web.StreamResponse(
        headers={
            **exchange.headers,
            "Content-Type": "text/event-stream; charset=utf-8",
            # Asks proxies to pass each event on at once.
            "X-Accel-Buffering": "no",
        }
    )
    await stream.prepare(request)
    return stream


async def _write(
    request: web.Request, stream: web.StreamResponse, event: bytes, send_timeout: float
) -> None:
    """Writes an event; a client that does not read for `send_timeout` seconds is cut off."""
    transport = request.transport
    try:
        async with asyncio.timeout(send_timeout):
            await stream.write(event)
    except TimeoutError:
        # Closing would wait for the unread data to be taken first.
        if transport is not None:
            transport.abort()
        raise ConnectionResetError("the client does not read its event stream") from None


def _next_event(response: Response) -> bytes:
    return b"event: next\ndata: %b\n\n" % response.encoded()


def _seconds_left(authenticated: Authenticated[Any]) -> float | None:
    if authenticated.expires_at is None:
        return None
    return max(0.0, authenticated.expires_at - time.time())

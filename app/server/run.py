"""Listening on an address, and stopping gracefully."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from aiohttp import web
from yarl import URL

from app.server.application import OPTIONS, SHORT_WAY
from app.server.connection import Connection
from app.server.lifecycle import LIFECYCLE

_KEEP_ALIVE_SECONDS = 75.0
_HANDLER_SECONDS = 1.0
_BACKLOG = 128

_log = logging.getLogger("scrollback.server")


async def serve(
    application: web.Application,
    host: str,
    port: int,
    *,
    on_listening: Callable[[str], None],
) -> None:
    """Serves until SIGTERM or SIGINT, then stops gracefully; a second signal ends the process.

    `port` 0 takes any free one; `on_listening` is given the base URL, such as
    `http://127.0.0.1:8000`, once connections are accepted. Raises OSError when the address can't
    be listened on. Must run in the main thread, where signals arrive.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def receive(signum: signal.Signals) -> None:
        if stop.is_set():
            _log.warning("stopped at once", extra={"signal": signum.name})
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)
        _log.info("stopping", extra={"signal": signum.name})
        stop.set()

    signals = (signal.SIGTERM, signal.SIGINT)
    try:
        async with listening(application, host, port) as base_url:
            # Windows has no such handlers: there, Ctrl-C cancels the task that runs this.
            with suppress(NotImplementedError):
                for signum in signals:
                    loop.add_signal_handler(signum, receive, signum)
            on_listening(base_url)
            await stop.wait()
    finally:
        # Only here: while running operations finish, the second signal is listened for.
        with suppress(NotImplementedError):
            for signum in signals:
                loop.remove_signal_handler(signum)


@asynccontextmanager
async def listening(application: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Accepts connections inside the block and gives its base URL; drains at the end."""
    options: dict[str, Any] = {
        "access_log": None,
        "keepalive_timeout": _KEEP_ALIVE_SECONDS,
        # Beyond our own limit, so that a URL over that is refused by us and in JSON.
        "max_line_size": 4 * application[OPTIONS].url_limit,
    }
    runner = web.AppRunner(
        application, handler_cancellation=True, shutdown_timeout=_HANDLER_SECONDS, **options
    )
    await runner.setup()
    try:
        server = runner.server
        if server is None:
            raise RuntimeError("a runner that is set up has a server")
        loop = asyncio.get_running_loop()
        connect = partial(Connection, server, application[SHORT_WAY], loop=loop, **options)
        listener = await loop.create_server(connect, host, port, backlog=_BACKLOG)
        try:
            yield reachable_url(host, listener.sockets[0].getsockname()[1])
            application[LIFECYCLE].begin_drain()
        finally:
            listener.close()
        # Before the runner's own cleanup, which stops reading from sockets and so would never
        # see a client's close frame.
        await _drain(application)
    finally:
        await runner.cleanup()


async def _drain(application: web.Application) -> None:
    options = application[OPTIONS]
    await application[LIFECYCLE].drain(options.drain_timeout, options.close_timeout)


def reachable_url(host: str, port: int) -> str:
    """Returns the URL under which a browser on this computer reaches a listening address."""
    if not host:
        host = "127.0.0.1"
    elif (address := _address(host)) and address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return str(URL.build(scheme="http", host=host, port=port))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None

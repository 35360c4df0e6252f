"""From settings to a server that is ready to listen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from app.config import Settings
from app.server.application import build_application
from app.server.authentication import authenticate_as
from app.server.parts import Readiness, ServerOptions, ServerParts
from app.wiring import LOCAL_CALLER, wire


@asynccontextmanager
async def open_server(settings: Settings) -> AsyncIterator[web.Application]:
    """Opens the store and gives the application over it; closes the store at the end.

    Raises `StoreUnusable` where the store can't be opened.
    """
    async with wire(settings) as wired:

        async def ready() -> Readiness:
            readiness = await wired.services.backend.ready()
            return Readiness(readiness.ready, readiness.detail)

        yield build_application(
            ServerParts(
                executor=wired.executor,
                open_context=wired.open_context,
                authenticate=authenticate_as(LOCAL_CALLER),
                ready=ready,
                options=_options(settings),
            )
        )


def _options(settings: Settings) -> ServerOptions:
    return ServerOptions(
        graphiql=settings.graphiql,
        allowed_origins=("loopback", *settings.allowed_origins),
        allowed_hosts=(settings.host, *settings.allowed_hosts),
        body_limit=settings.body_limit,
        connection_init_timeout=settings.socket_init_timeout,
        heartbeat=settings.heartbeat_seconds,
        send_timeout=settings.send_timeout,
        operations_per_socket=settings.operations_per_socket,
        drain_timeout=settings.drain_seconds,
    )

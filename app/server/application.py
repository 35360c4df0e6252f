"""The aiohttp application: which address is answered by what."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from app.server.connection import ShortWay
from app.server.graphiql_page import GraphiqlPage
from app.server.health import Health
from app.server.http import GraphQLEndpoint
from app.server.known_heads import KnownHeads
from app.server.lifecycle import LIFECYCLE, Lifecycle
from app.server.metrics import Metrics
from app.server.observing import Handler, Observer
from app.server.origins import OriginPolicy
from app.server.parts import ServerOptions, ServerParts

_READING = ("GET", "HEAD")

OPTIONS = web.AppKey("options", ServerOptions)
SHORT_WAY = web.AppKey("short_way", ShortWay)


def for_reading(handler: Handler) -> Handler:
    """Returns a handler that lets only GET and HEAD through to this one."""

    async def read(request: web.Request) -> web.StreamResponse:
        if request.method not in _READING:
            raise web.HTTPMethodNotAllowed(request.method, _READING)
        return await handler(request)

    return read


async def nothing_here(_: web.Request) -> web.StreamResponse:
    """Answers for all paths that nobody else answers for."""
    raise web.HTTPNotFound


def redirect_to(path: str) -> Handler:
    """Returns a handler that sends a browser at the bare address on to the page."""

    async def redirect(_: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": path})

    return redirect


def build_application(parts: ServerParts[Any]) -> web.Application:
    """Puts the server together over the given parts.

    Run it with `app.server.run.serve` or `listening`, which stop it gracefully. Under another
    runner, switch `handler_cancellation` on: without it an operation outlives its client.
    """
    options = parts.options
    lifecycle = Lifecycle()
    origins = OriginPolicy(options)
    page = GraphiqlPage(options.path) if options.graphiql else None
    health = Health(parts, lifecycle)
    metrics = Metrics(parts.executor.statistics, lifecycle)
    endpoint = GraphQLEndpoint(parts, lifecycle, origins, page)

    application = web.Application(client_max_size=options.body_limit)
    application[LIFECYCLE] = lifecycle
    application[OPTIONS] = options
    observer = Observer(origins, metrics, options.path)
    observed = observer.observed
    router = application.router
    route = router.add_route("*", options.path, observed(endpoint.handle))
    match_info = web.UrlMappingMatchInfo({}, route)
    match_info.add_app(application)
    application[SHORT_WAY] = ShortWay(
        KnownHeads(options, origins),
        observer.observed_known(endpoint.answer_known),
        lifecycle.may_be_given_up,
        match_info,
    )
    reading: dict[str, Handler] = {
        "/healthz": health.live,
        "/readyz": health.ready,
        "/metrics": metrics.handle,
    }
    if page is not None:
        reading["/"] = redirect_to(options.path)
        reading[options.path + "/assets/{name:.+}"] = page.asset
    for path, handler in reading.items():
        router.add_route("*", path, observed(for_reading(handler)))
    router.add_route("*", r"/{path:[\s\S]*}", observed(nothing_here))

    async def drain(_: web.Application) -> None:
        await lifecycle.drain(options.drain_timeout, options.close_timeout)

    application.on_shutdown.append(drain)
    return application

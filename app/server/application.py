"""The aiohttp application: which address is answered by what."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from app.server.graphiql_page import GraphiqlPage
from app.server.health import Health
from app.server.http import GraphQLEndpoint
from app.server.lifecycle import LIFECYCLE, Lifecycle
from app.server.metrics import Metrics
from app.server.middleware import observe
from app.server.origins import OriginPolicy
from app.server.parts import ServerOptions, ServerParts

OPTIONS = web.AppKey("options", ServerOptions)


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

    application = web.Application(
        client_max_size=options.body_limit, middlewares=[observe(origins, metrics, options.path)]
    )
    application[LIFECYCLE] = lifecycle
    application[OPTIONS] = options
    router = application.router
    router.add_route("*", options.path, endpoint.handle)
    router.add_get("/healthz", health.live)
    router.add_get("/readyz", health.ready)
    router.add_get("/metrics", metrics.handle)
    if page is not None:
        router.add_get("/", redirect_to(options.path))
        router.add_get(options.path + "/assets/{name:.+}", page.asset)

    async def drain(_: web.Application) -> None:
        await lifecycle.drain(options.drain_timeout, options.close_timeout)

    application.on_shutdown.append(drain)
    return application

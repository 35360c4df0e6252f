"""Serves the GraphiQL page and its assets."""

from __future__ import annotations

import secrets
from pathlib import Path

from aiohttp import web

from app.server.exchange import EXCHANGE, Exchange
from app.server.graphiql.page import assets_directory, content_security_policy, render_page
from app.server.refusal import Refusal

_FOR_EVER = "public, max-age=31536000, immutable"
"""For files whose name changes with their content."""

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
"""Our own table: the system's differ, and with `nosniff` a wrong type stops a script."""


class GraphiqlPage:
    """The page at the GraphQL path, and the files below it."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._bundled = (directory := assets_directory()) is not None
        # The files are listed once, so that a request can only name what is there.
        self._assets: dict[str, Path] = (
            {}
            if directory is None
            else {
                file.relative_to(directory).as_posix(): file
                for file in directory.rglob("*")
                if file.is_file() and file.name != "manifest.json"
            }
        )

    def respond(self, exchange: Exchange) -> web.Response:
        """Returns the page, with a policy that lets only its own scripts run."""
        nonce = secrets.token_urlsafe(16)
        page = render_page(
            endpoint=self._endpoint, subscription_endpoint=self._endpoint, nonce=nonce
        )
        return exchange.respond(
            page.encode(),
            "text/html; charset=utf-8",
            headers={
                "Content-Security-Policy": content_security_policy(nonce, self._bundled),
                "X-Frame-Options": "DENY",
                "Referrer-Policy": "no-referrer",
            },
        )

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """Serves a file of the bundle; reading it happens off the event loop."""
        file = self._assets.get(request.match_info["name"])
        if file is None:
            raise Refusal(404, "NOT_FOUND", "There is no such file.")
        headers = {
            **request[EXCHANGE].headers,
            "Cache-Control": _FOR_EVER,
            "Vary": "Accept-Encoding",
            "Content-Type": _MEDIA_TYPES.get(file.suffix, "application/octet-stream"),
        }
        return web.FileResponse(file, headers=headers)

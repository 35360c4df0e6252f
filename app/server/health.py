"""`/healthz` (the process lives) and `/readyz` (it can serve)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
from aiohttp import web

from app.server.exchange import EXCHANGE
from app.server.lifecycle import Lifecycle
from app.server.parts import ServerParts

_log = logging.getLogger("scrollback.server")


class Health:
    """The two handlers. Neither asks who calls, so neither says more than it must."""

    def __init__(self, parts: ServerParts[Any], lifecycle: Lifecycle) -> None:
        self._ready = parts.ready
        self._ready_timeout = parts.options.ready_timeout
        self._lifecycle = lifecycle

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Answers 200 as long as the event loop turns."""
        return request[EXCHANGE].respond_json(request, b'{"status":"ok"}')

    async def ready(self, request: web.Request) -> web.StreamResponse:
        """Answers 200 when the store serves, 503 with the reason when not."""
        status, detail = await self._status()
        code = 200 if status == "ready" else 503
        body = orjson.dumps({"status": status, "detail": detail})
        return request[EXCHANGE].respond_json(request, body, code)

    async def _status(self) -> tuple[str, str]:
        if self._lifecycle.draining:
            return "draining", "The server is shutting down."
        try:
            async with asyncio.timeout(self._ready_timeout):
                readiness = await self._ready()
        except TimeoutError:
            return "unavailable", "The store does not answer."
        except Exception as error:  # noqa: BLE001 - whatever is wrong, the answer is "not ready"
            _log.error("readiness check failed", exc_info=error)
            return "unavailable", "The store can't be reached."
        return ("ready" if readiness.ok else "unavailable"), readiness.detail

"""A response whose whole body is there: head and body leave in one write, and cheaply."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import HttpVersion11, web
from aiohttp.helpers import rfc822_formatted_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.abc import AbstractStreamWriter

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus}


def whole_response(
    request: web.Request, body: bytes, status: int, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Returns the response to a GET or a POST with a body in bytes; the headers name its type."""
    if request.version == HttpVersion11 and request.keep_alive:
        return _WholeResponse(body, status, headers)
    return web.Response(body=body, status=status, headers=headers)


class _WholeResponse(web.StreamResponse):
    """What `web.Response` sends on a connection of HTTP/1.1 that stays open.

    There nothing is left to decide on: no chunks, no compression, no `Connection` header.
    """

    def __init__(self, body: bytes, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(status=status, headers=headers)
        self._bytes = body

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Sends all of the response."""
        body, headers, writer = self._bytes, self.headers, request.writer
        headers["Content-Length"] = str(len(body))
        headers["Date"] = rfc822_formatted_time()
        await writer.write_headers(_STATUS_LINES[self.status], headers)
        await writer.write_eof(body)
        return writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Does nothing: the end was sent with the rest."""

"""A response whose whole body is there: head and body leave in one write, and cheaply."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import HttpVersion11, web
from aiohttp.helpers import rfc822_formatted_time

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

HeaderFields: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values of headers, in order."""

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def whole_response(
    request: web.Request, body: bytes, status: int, alike: HeaderFields, own: HeaderFields
) -> web.StreamResponse:
    """Returns the response with a body in bytes, whose type the headers name.

    `alike` are headers that many responses have with the same values, `own` those of this one:
    they are sent as they are, so nothing of them may come from outside unchecked. Raises
    ValueError for a control character in one of `alike`.
    """
    if request.version != HttpVersion11 or not request.keep_alive or request.method == "HEAD":
        return web.Response(body=body, status=status, headers=(*alike, *own))
    return _WholeResponse(whole_head(common_head(status, alike), own, len(body)) + body, status)


@dataclass(frozen=True, slots=True)
class WholeAnswer:
    """A response as its bytes, for a connection of HTTP/1.1 that stays open."""

    status: int
    head: bytes
    body: bytes


@lru_cache(maxsize=256)
def common_head(status: int, alike: HeaderFields) -> str:
    """Returns the beginning of a head. Raises ValueError for a control character in a header."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in alike]
    if any(_CONTROL_CHARACTERS.search(line) for line in lines):
        raise ValueError("a header has a control character")
    return "".join([f"{line}\r\n" for line in lines])


def whole_head(common: str, own: HeaderFields, length: int) -> bytes:
    """Returns a head with headers of its own, of a response with a body of so many bytes."""
    head = common
    for name, value in own:
        head += f"{name}: {value}\r\n"
    head += f"Content-Length: {length}\r\nDate: {rfc822_formatted_time()}\r\n\r\n"
    # Header values are decoded like this by aiohttp, and may come back in an answer.
    return head.encode("utf-8", "surrogateescape")


class _WholeResponse(web.StreamResponse):
    """What `web.Response` sends on a connection of HTTP/1.1 that stays open.

    There nothing is left to decide on: no chunks, no compression, no `Connection` header.
    """

    def __init__(self, whole: bytes, status: int) -> None:
        super().__init__(status=status)
        self._whole = whole

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Sends all of the response."""
        writer = request.writer
        # aiohttp keeps the last response of a connection until its next request.
        whole, self._whole = self._whole, b""
        await writer.write_eof(whole)
        return writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Does nothing: the end was sent with the rest."""

"""Sending on a WebSocket to a client that may not read."""

from __future__ import annotations

import asyncio
import struct
import sys
from functools import lru_cache

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

UNLIMITED = sys.maxsize
"""The writer limit for a WebSocketResponse sent to by a SocketSender, which waits by itself."""


_FINAL_TEXT = 0x81
_HEAD_16 = struct.Struct("!BBH")
_HEAD_64 = struct.Struct("!BBQ")


class SocketSender:
    """Sends text frames, and cuts the connection of a client that leaves them unread.

    Many operations send on one socket. A frame is written whole before anyone else's, and every
    sender waits while the client's buffer is full, so a socket holds one unsent frame an
    operation at most.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        writer: AbstractStreamWriter,
        send_timeout: float,
    ) -> None:
        self._socket = socket
        self._protocol = request.protocol
        self._transport = request.transport
        self._writer = writer
        # More than that in the buffer makes it full.
        self._fits = 0 if self._transport is None else self._transport.get_write_buffer_limits()[1]
        self._send_timeout = send_timeout
        self._drained: asyncio.Task[None] | None = None
        self.stalled = False

    @property
    def is_full(self) -> bool:
        """Whether the client has left so much unread that whoever sends has to wait."""
        return self._protocol.writing_paused

    async def send(self, text: bytes) -> None:
        """Sends UTF-8 text. Raises ConnectionError when the client is gone or cut off."""
        self.write(text)
        if self.is_full:
            await self.wait_until_drained()

    def write(self, text: bytes) -> None:
        """Sends UTF-8 text; the caller waits while `is_full`. Raises ConnectionError.

        Written here and not by aiohttp, whose way costs twice as much: a frame of a server has no
        mask, and this socket has no compression.
        """
        transport = self._transport
        if transport is None or transport.is_closing() or self._socket.closed:
            raise ConnectionResetError("the socket is closed")
        transport.write(_frame_head(len(text)) + text)

    def offer(self, text: bytes) -> bool:
        """Sends UTF-8 text if that fails nobody and makes nobody wait; answers whether it has."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._socket.closed:
            return False
        frame = _frame_head(len(text)) + text
        unsent = transport.get_write_buffer_size()
        if unsent + len(frame) > self._fits or (unsent and self.is_full):
            return False
        transport.write(frame)
        return True

    def abort(self) -> None:
        """Ends the connection without waiting for unread data to be taken."""
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Ends what is left of waiting; nothing can be sent any more."""
        if self._drained is not None and not self._drained.done():
            self._drained.cancel()
            await asyncio.wait((self._drained,))
        transport = self._transport
        if transport is not None and transport.get_write_buffer_size():
            # A closed connection would stay for as long as its client leaves this unread.
            asyncio.get_running_loop().call_later(self._send_timeout, _cut_off, transport)

    async def wait_until_drained(self) -> None:
        """Waits until the client has read. Raises ConnectionError when it is cut off."""
        # One task waits for all senders: cancelling one of several that wait on the writer
        # itself would cancel the others with it.
        if self._drained is None or self._drained.done():
            self._drained = asyncio.get_running_loop().create_task(self._writer.drain())
        drained = self._drained
        finished, _ = await asyncio.wait((drained,), timeout=self._send_timeout)
        if not finished:
            self.stalled = True
            self.abort()
            raise ConnectionResetError("the client does not read its socket")
        if not drained.cancelled() and (error := drained.exception()):
            raise error


@lru_cache(1024)
def _frame_head(length: int) -> bytes:
    """Returns the head of a whole, unmasked text frame (RFC 6455, section 5.2)."""
    if length < 126:
        return bytes((_FINAL_TEXT, length))
    if length < 65536:
        return _HEAD_16.pack(_FINAL_TEXT, 126, length)
    return _HEAD_64.pack(_FINAL_TEXT, 127, length)


def _cut_off(transport: asyncio.Transport) -> None:
    # asyncio's own transport breaks when it is aborted after it has sent the rest and closed.
    if transport.get_write_buffer_size():
        transport.abort()

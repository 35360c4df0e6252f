"""Sending on a WebSocket to a client that may not read."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import WSMsgType, web
from aiohttp.abc import AbstractStreamWriter

UNLIMITED = sys.maxsize
"""The writer limit for a WebSocketResponse sent to by a SocketSender, which waits by itself."""


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
        self._send_timeout = send_timeout
        self._drained: asyncio.Task[None] | None = None
        self.stalled = False

    async def send(self, frame: bytes) -> None:
        """Sends UTF-8 text. Raises ConnectionError when the client is gone or cut off."""
        await self._socket.send_frame(frame, WSMsgType.TEXT)
        if self._protocol.writing_paused:
            await self._wait_until_drained()

    def abort(self) -> None:
        """Ends the connection without waiting for unread data to be taken."""
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Ends what is left of waiting; nothing can be sent any more."""
        if self._drained is not None and not self._drained.done():
            self._drained.cancel()
            await asyncio.wait((self._drained,))

    async def _wait_until_drained(self) -> None:
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

"""One WebSocket that costs the measuring side little: it only counts what it is sent.

Hundreds of subscribers on the same machine as the server would otherwise measure themselves.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import Callable
from typing import cast

_MASK = 0x80
_TEXT = 0x81
_CLOSE = 0x88
_LONG, _LONGEST = 126, 127


class SocketConnection(asyncio.Protocol):
    """The client's side of RFC 6455, as far as a server needs that sends whole text messages."""

    def __init__(self, receive: Callable[[bytes], None]) -> None:
        """`receive` is called with each message, in the turn in which it came."""
        self._receive = receive
        self._buffer = b""
        self._open = False
        self._transport: asyncio.Transport
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def connect(
        cls, host: str, port: int, receive: Callable[[bytes], None]
    ) -> SocketConnection:
        """Opens a connection to /graphql with the protocol graphql-transport-ws."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: cls(receive), host, port)
        await asyncio.wait_for(connection.opened, 30)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the protocol of WebSockets."""
        # uvloop's are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        host, port, *_ = transport.get_extra_info("peername")
        transport.write(
            f"GET /graphql HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )

    def connection_lost(self, error: Exception | None) -> None:
        """Ends the wait for it to open."""
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionResetError("the server left"))

    def data_received(self, data: bytes) -> None:
        """Takes messages out of what came."""
        buffer = self._buffer + data if self._buffer else data
        if not self._open:
            head, end, buffer = buffer.partition(b"\r\n\r\n")
            if not end:
                self._buffer = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(RuntimeError(f"no WebSocket: {head[:80]!r}"))
                return
            self._open = True
            self.opened.set_result(None)
        place = 0
        while (frame := _frame(buffer, place)) is not None:
            begin, place = frame
            if buffer[begin[0]] == _CLOSE:
                self._transport.close()
                return
            self._receive(buffer[begin[1] : place])
        self._buffer = buffer[place:]

    def send(self, message: bytes) -> None:
        """Sends a text message."""
        size = len(message)
        head = bytes((_TEXT, _MASK | size)) if size < _LONG else bytes((_TEXT, _MASK | _LONG))
        length = b"" if size < _LONG else size.to_bytes(2, "big")
        # Masked with zeros, which changes nothing.
        self._transport.write(head + length + bytes(4) + message)

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()


def _frame(buffer: bytes, place: int) -> tuple[tuple[int, int], int] | None:
    """Returns where a frame and its payload begin, and where it ends; None where it has not come.

    The server masks nothing.
    """
    if len(buffer) < place + 2:
        return None
    size, begin = buffer[place + 1], place + 2
    if size == _LONG:
        size, begin = int.from_bytes(buffer[begin : begin + 2], "big"), begin + 2
    elif size == _LONGEST:
        size, begin = int.from_bytes(buffer[begin : begin + 8], "big"), begin + 8
    end = begin + size
    return ((place, begin), end) if len(buffer) >= end else None

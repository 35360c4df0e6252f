"""A client of `graphql-transport-ws` that says exactly what a test wants it to say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from tests.server.world import PATIENCE


class SocketClient:
    """One connection. Every wait ends after a while, as a failure."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, **message: Any) -> None:
        await self.socket.send_str(orjson.dumps(message).decode())

    async def subscribe(self, id_: str, query: str, **parameters: Any) -> None:
        await self.send(id=id_, type="subscribe", payload={"query": query, **parameters})

    async def receive(self) -> dict[str, Any]:
        """Returns the next message, which must be a text frame with a JSON object."""
        frame = await self.socket.receive(PATIENCE)
        assert frame.type is WSMsgType.TEXT, (frame.type, frame.data, frame.extra)
        message: dict[str, Any] = orjson.loads(frame.data)
        assert isinstance(message, dict)
        return message

    async def data(self, id_: str) -> Any:
        """Returns the data of the next message, which must be a result of this operation."""
        message = await self.receive()
        assert (message["type"], message["id"]) == ("next", id_), message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def error_code(self, id_: str) -> str:
        """Returns the code in the next message, which must end this operation with one error."""
        message = await self.receive()
        assert (message["type"], message["id"]) == ("error", id_), message
        (error,) = message["payload"]
        return str(error["extensions"]["code"])

    async def closed_with(self) -> tuple[int | None, str]:
        """Returns the code and the reason with which the server closes, nothing else being sent."""
        frame = await self.socket.receive(PATIENCE)
        assert frame.type is WSMsgType.CLOSE, (frame.type, frame.data)
        return frame.data, frame.extra or ""

    async def still_lives(self) -> bool:
        """Answers whether an operation still runs on this socket."""
        await self.subscribe("still-lives", "{ hello }")
        alive = await self.data("still-lives") == {"hello": "hello world"}
        return alive and await self.receive() == {"id": "still-lives", "type": "complete"}


@asynccontextmanager
async def connected(http: ClientSession, url: str) -> AsyncIterator[SocketClient]:
    """Opens a socket that is not initialised yet."""
    async with asyncio.timeout(PATIENCE):
        socket = await http.ws_connect(url, protocols=["graphql-transport-ws"])
    try:
        yield SocketClient(socket)
    finally:
        await socket.close()


@asynccontextmanager
async def initialised(
    http: ClientSession, url: str, payload: Any = None
) -> AsyncIterator[SocketClient]:
    """Opens a socket on which operations can run."""
    async with connected(http, url) as client:
        await client.send(type="connection_init", payload=payload)
        assert await client.receive() == {"type": "connection_ack"}
        yield client

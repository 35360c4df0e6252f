"""The whole server on a store of its own, and clients that reach it over the network."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from app.config import Settings
from app.server.opening import open_server
from app.server.run import listening


@asynccontextmanager
async def serve(store: Path) -> AsyncIterator[str]:
    """Serves a store on a free port; gives the URL of the API."""
    settings = Settings(store=f"sqlite:///{store}", catch_up_seconds=2.0)
    async with (
        open_server(settings) as application,
        listening(application, "127.0.0.1", 0) as base_url,
    ):
        yield f"{base_url}/graphql"


class HttpClient:
    """A client over HTTP."""

    def __init__(self, url: str, http: ClientSession) -> None:
        self._url = url
        self._http = http

    async def run(self, query: str, **variables: Any) -> Any:
        """Runs an operation that has no errors and returns its data."""
        body = {"query": query, "variables": variables}
        async with self._http.post(self._url, json=body) as response:
            answer = await response.json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def mutate(self, mutation: str, fields: str, /, **given: Any) -> Any:
        """Runs a mutation by its name and returns its payload."""
        document = (
            f"mutation ($input: {mutation[0].upper()}{mutation[1:]}Input!) {{"
            f" {mutation}(input: $input) {{ {fields} userErrors {{ code message path }} }} }}"
        )
        return (await self.run(document, input=given))[mutation]

    async def create(self) -> str:
        """Creates a session and returns its id."""
        payload = await self.mutate("createSession", "session { id }")
        session_id: str = payload["session"]["id"]
        return session_id

    async def say(self, session_id: str, *texts: str) -> list[str]:
        """Adds messages and returns their ids."""
        payload = await self.mutate(
            "addMessages",
            "messages { id }",
            sessionId=session_id,
            messages=[{"role": "USER", "parts": [{"text": {"text": text}}]} for text in texts],
        )
        assert payload["userErrors"] == []
        return [message["id"] for message in payload["messages"]]


class Subscriber:
    """One subscription over a WebSocket of its own, in the graphql-transport-ws protocol."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, http: ClientSession, query: str, **variables: Any
    ) -> AsyncIterator[Subscriber]:
        """Connects and subscribes."""
        address = url.replace("http", "ws", 1)
        async with http.ws_connect(address, protocols=["graphql-transport-ws"]) as websocket:
            await websocket.send_json({"type": "connection_init"})
            assert (await websocket.receive_json())["type"] == "connection_ack"
            payload = {"query": query, "variables": variables}
            await websocket.send_json({"id": "1", "type": "subscribe", "payload": payload})
            yield cls(websocket)

    async def next(self) -> dict[str, Any] | None:
        """Returns the data of the next event; None when the stream is complete."""
        while True:
            message = await self._socket.receive(timeout=20)
            assert message.type is WSMsgType.TEXT, message
            content = message.json()
            if content["type"] == "ping":
                await self._socket.send_json({"type": "pong"})
            elif content["type"] == "complete":
                return None
            else:
                assert content["type"] == "next", content
                assert "errors" not in content["payload"], content
                data: dict[str, Any] = content["payload"]["data"]
                return data

    def cut(self) -> None:
        """Cuts the connection off, without a word of the protocol."""
        self._socket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

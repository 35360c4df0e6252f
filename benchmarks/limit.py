"""The limit: the same answers from the same database with nothing in between.

aiohttp on uvloop, prepared SQL on the driver (`limit_store`), rows to dictionaries to orjson. No
GraphQL, no access scope, no limits on queries, no log of requests: what no server can be faster
than on this machine. Run as `python -m benchmarks.limit STORE`, with the URL of a store in SQLite
or PostgreSQL; it prints its port.
"""

from __future__ import annotations

import asyncio
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import uvloop
from aiohttp import WSMsgType, web

from benchmarks.limit_store import LimitStore, PostgresqlStore, Row, SqliteStore


class Limit:
    """The answers, by the name of the operation that a request carries."""

    def __init__(self, store: LimitStore) -> None:
        self._store = store
        self.sockets: set[web.WebSocketResponse] = set()
        self.answers: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            "query SessionList": self.session_list,
            "query Page": self.page,
            "query NestedList": self.nested_list,
            "query Find": self.find,
            "query Some": self.some,
            "query Back": self.back,
        }

    async def session_list(self, _: dict[str, Any]) -> Any:
        """Q1."""
        edges = []
        names = await self._store.user_names()
        sessions = (await self._store.newest_sessions(21))[:20]
        newest = await self._store.newest_messages([row[0] for row in sessions], 1)
        for session, title, last, count, preview, owner in sessions:
            sequence, role, _status, _at, _model, parts = newest[session][0]
            text = "\n".join(part["text"] for part in orjson.loads(parts) if part["type"] == "text")
            message = {"id": f"M{sequence}.{session}", "role": role.upper(), "text": text}
            node = {
                "id": _id(session),
                "title": title,
                "lastMessageAt": last,
                "messageCount": count,
                "preview": preview,
                "owner": {"id": owner, "displayName": names[owner]},
                "messages": {"edges": [{"node": message}]},
            }
            edges.append({"cursor": last, "node": node})
        return {"sessions": {"edges": edges, "pageInfo": {"hasNextPage": True, "endCursor": ""}}}

    async def page(self, variables: dict[str, Any]) -> Any:
        """Q2 and Q3."""
        session = _session(variables["session"])
        before = variables.get("before")
        bound = 2**62 if before is None else int(before)
        title = await self._store.title(session)
        rows = await self._store.messages(session, bound, 51)
        messages = self._connection(session, rows, 50)
        return {"session": {"id": variables["session"], "title": title, "messages": messages}}

    async def back(self, variables: dict[str, Any]) -> Any:
        """Goes a hundred messages back."""
        session, before = _session(variables["session"]), variables["before"]
        rows = await self._store.messages(session, 2**62 if before is None else int(before), 100)
        return {"session": {"messages": {"pageInfo": {"startCursor": str(rows[-1][0])}}}}

    async def nested_list(self, _: dict[str, Any]) -> Any:
        """Q4."""
        edges = []
        sessions = (await self._store.newest_sessions(21))[:20]
        newest = await self._store.newest_messages([row[0] for row in sessions], 21)
        for session, title, *_rest in sessions:
            rows = newest[session]
            more = {"hasPreviousPage": len(rows) > 20}
            messages = {"edges": _edges(session, rows, 20), "pageInfo": more}
            node = {"id": _id(session), "title": title, "messages": messages}
            edges.append({"node": node})
        return {"sessions": {"edges": edges}}

    async def find(self, variables: dict[str, Any]) -> Any:
        """Finds a session by its title."""
        session = await self._store.find(variables["title"])
        return {"sessions": {"edges": [{"node": {"id": _id(session)}}]}}

    async def some(self, _: dict[str, Any]) -> Any:
        """Lists the sessions that are worked on."""
        sessions = await self._store.some(100)
        return {"sessions": {"edges": [{"node": {"id": _id(session)}} for session in sessions]}}

    async def append(self, variables: dict[str, Any]) -> Any:
        """Appends a message and tells the subscribers of any session."""
        given = variables["input"]
        session = _session(given["sessionId"])
        text = given["message"]["parts"][0]["text"]["text"]
        sequence = await self._store.append(session, text)
        message = {"id": f"M{sequence}.{session}", "sequence": sequence}
        if self.sockets:
            event = {"__typename": "MessageAdded", "message": {**message, "text": text}}
            payload = {"data": {"sessionEvents": event}}
            frame = orjson.dumps({"id": "1", "type": "next", "payload": payload}).decode()
            for socket in self.sockets:
                await socket.send_str(frame)
        edge = {"cursor": str(sequence), "node": message}
        return {"addMessage": {"messageEdge": edge, "userErrors": []}}

    def _connection(self, session: str, rows: Sequence[Row], size: int) -> dict[str, Any]:
        kept = rows[:size][::-1]
        return {
            "edges": _edges(session, rows, size),
            "pageInfo": {
                "hasPreviousPage": len(rows) > size,
                "hasNextPage": False,
                "startCursor": str(kept[0][0]) if kept else None,
                "endCursor": str(kept[-1][0]) if kept else None,
            },
        }


def _edges(session: str, rows: Sequence[Row], size: int) -> list[dict[str, Any]]:
    return [_edge(session, row) for row in rows[:size][::-1]]


def _edge(session: str, row: Any) -> dict[str, Any]:
    sequence, role, status, created_at, model, stored = row
    node = {
        "id": f"M{sequence}.{session}",
        "sequence": sequence,
        "role": role.upper(),
        "status": status.upper(),
        "createdAt": created_at,
        "model": model,
        "parts": [_part(index, part) for index, part in enumerate(orjson.loads(stored))],
    }
    return {"cursor": str(sequence), "node": node}


def _part(index: int, part: dict[str, Any]) -> dict[str, Any]:
    if part["type"] == "text":
        return {"__typename": "TextPart", "index": index, "text": part["text"]}
    if part["type"] == "tool_call":
        return {
            "__typename": "ToolCallPart",
            "index": index,
            "toolCallId": part["tool_call_id"],
            "name": part["name"],
            "argumentsText": part["arguments_text"],
        }
    return {
        "__typename": "ToolResultPart",
        "index": index,
        "toolCallId": part["tool_call_id"],
        "toolName": part.get("tool_name"),
        "text": part["text"],
        "isError": part.get("is_error", False),
    }


def _id(session: str) -> str:
    return urlsafe_b64encode(b"S" + session.encode()).rstrip(b"=").decode()


def _session(text: str) -> str:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()[1:]


async def serve(url: str) -> None:
    """Serves until it is ended."""
    scheme, _, rest = url.partition("://")
    limit = Limit(
        SqliteStore(rest[1:]) if scheme == "sqlite" else await PostgresqlStore.connect(url)
    )

    async def post(request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        query: str = body["query"].lstrip()
        if query.startswith("mutation Append"):
            data = await limit.append(body["variables"])
        else:
            name = query[: query.index(" ", 6)].split("(")[0]
            data = await limit.answers[name](body["variables"])
        return web.Response(body=orjson.dumps({"data": data}), content_type="application/json")

    async def get(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("graphql-transport-ws",), compress=False)
        await socket.prepare(request)
        await socket.receive()
        await socket.send_str('{"type":"connection_ack"}')
        await socket.receive()
        caught_up = {"data": {"sessionEvents": {"__typename": "CaughtUp"}}}
        frame = {"id": "1", "type": "next", "payload": caught_up}
        await socket.send_str(orjson.dumps(frame).decode())
        limit.sockets.add(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            limit.sockets.discard(socket)
        return socket

    application = web.Application()
    application.router.add_post("/graphql", post)
    application.router.add_get("/graphql", get)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sys.stdout.write(f"GraphQL    http://127.0.0.1:{site.port}/graphql\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))

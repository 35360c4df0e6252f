"""The limit: the same answers from the same database with nothing in between.

aiohttp on uvloop, prepared SQL on sqlite3 in the event loop, rows to dictionaries to orjson. No
GraphQL, no access scope, no limits on queries, no log of requests: what no server can be faster
than on this machine. Run as `python -m benchmarks.limit STORE`; it prints its port.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import orjson
import uvloop
from aiohttp import WSMsgType, web

from app.model.timestamps import now

_NEWEST = """
SELECT id, title, last_message_at, message_count, preview, owner_id FROM sessions
ORDER BY last_activity_at DESC, id DESC LIMIT 21
"""
_MESSAGES = """
SELECT sequence, role, status, created_at, model, parts FROM messages
WHERE session_id = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?
"""


class Limit:
    """The answers, by the name of the operation that a request carries."""

    def __init__(self, path: str) -> None:
        self._reading = sqlite3.connect(path, isolation_level=None, cached_statements=64)
        self._writing = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._writing.execute("PRAGMA synchronous = FULL")
        self._waiting: list[tuple[str, str, asyncio.Future[int]]] = []
        self._writer: asyncio.Task[None] | None = None
        self.sockets: set[web.WebSocketResponse] = set()
        self.answers: dict[str, Callable[[dict[str, Any]], Any]] = {
            "query SessionList": self.session_list,
            "query Page": self.page,
            "query NestedList": self.nested_list,
            "query Find": self.find,
            "query Some": self.some,
            "query Back": self.page,
        }

    def session_list(self, _: dict[str, Any]) -> Any:
        """Q1."""
        edges = []
        names = dict(self._reading.execute("SELECT id, display_name FROM users").fetchall())
        for session, title, last, count, preview, owner in self._sessions():
            sequence, role, _status, _at, _model, parts = self._rows(session, 2**62, 1)[0]
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

    def page(self, variables: dict[str, Any]) -> Any:
        """Q2 and Q3."""
        session = _session(variables["session"])
        before = variables.get("before")
        bound = 2**62 if before is None else int(before)
        (title,) = self._reading.execute(
            "SELECT title FROM sessions WHERE id = ?", (session,)
        ).fetchone()
        rows = self._rows(session, bound, 51)
        messages = self._connection(session, rows, 50)
        return {"session": {"id": variables["session"], "title": title, "messages": messages}}

    def nested_list(self, _: dict[str, Any]) -> Any:
        """Q4."""
        edges = []
        for session, title, *_rest in self._sessions():
            messages = self._connection(session, self._rows(session, 2**62, 21), 20)
            node = {"id": _id(session), "title": title, "messages": messages}
            edges.append({"node": node})
        return {"sessions": {"edges": edges}}

    def find(self, variables: dict[str, Any]) -> Any:
        """Finds a session by its title."""
        (session,) = self._reading.execute(
            "SELECT id FROM sessions WHERE title = ?", (variables["title"],)
        ).fetchone()
        return {"sessions": {"edges": [{"node": {"id": _id(session)}}]}}

    def some(self, _: dict[str, Any]) -> Any:
        """Lists the sessions that are worked on."""
        rows = self._reading.execute("SELECT id FROM sessions ORDER BY title_order, id LIMIT 100")
        return {"sessions": {"edges": [{"node": {"id": _id(row[0])}} for row in rows]}}

    async def append(self, variables: dict[str, Any]) -> Any:
        """Appends a message and tells the subscribers of any session."""
        given = variables["input"]
        session = _session(given["sessionId"])
        text = given["message"]["parts"][0]["text"]["text"]
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((session, text, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        sequence = await done
        message = {"id": f"M{sequence}.{session}", "sequence": sequence}
        if self.sockets:
            event = {"__typename": "MessageAdded", "message": {**message, "text": text}}
            payload = {"data": {"sessionEvents": event}}
            frame = orjson.dumps({"id": "1", "type": "next", "payload": payload}).decode()
            for socket in self.sockets:
                await socket.send_str(frame)
        edge = {"cursor": str(sequence), "node": message}
        return {"addMessage": {"messageEdge": edge, "userErrors": []}}

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:64], self._waiting[64:]
            sequences = await asyncio.to_thread(self._commit, group)
            for (_, _, done), sequence in zip(group, sequences, strict=True):
                done.set_result(sequence)

    def _commit(self, group: list[tuple[str, str, asyncio.Future[int]]]) -> list[int]:
        sequences = []
        self._writing.execute("BEGIN IMMEDIATE")
        for session, text, _ in group:
            at = now()
            sequence, revision = self._writing.execute(
                "UPDATE sessions SET last_sequence = last_sequence + 1, revision = revision + 1,"
                " message_count = message_count + 1, last_message_at = ?, last_activity_at = ?,"
                " updated_at = ?, preview = ? WHERE id = ? RETURNING last_sequence, revision",
                (at, at, at, text[:120], session),
            ).fetchone()
            parts = orjson.dumps([{"type": "text", "text": text}]).decode()
            self._writing.execute(
                "INSERT INTO messages (session_id, sequence, role, status, parts, preview,"
                " metadata, created_at) VALUES (?, ?, 'user', 'complete', ?, ?, '{}', ?)",
                (session, sequence, parts, text[:120], at),
            )
            self._writing.execute(
                "INSERT INTO events (session_id, revision, kind, at, sequence)"
                " VALUES (?, ?, 'message_added', ?, ?)",
                (session, revision, at, sequence),
            )
            sequences.append(sequence)
        self._writing.execute("COMMIT")
        return sequences

    def _sessions(self) -> list[Any]:
        return self._reading.execute(_NEWEST).fetchall()[:20]

    def _rows(self, session: str, before: int, count: int) -> list[Any]:
        return self._reading.execute(_MESSAGES, (session, before, count)).fetchall()

    def _connection(self, session: str, rows: list[Any], size: int) -> dict[str, Any]:
        kept = rows[:size][::-1]
        edges = [_edge(session, row) for row in kept]
        return {
            "edges": edges,
            "pageInfo": {
                "hasPreviousPage": len(rows) > size,
                "hasNextPage": False,
                "startCursor": str(kept[0][0]) if kept else None,
                "endCursor": str(kept[-1][0]) if kept else None,
            },
        }


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


async def serve(path: str) -> None:
    """Serves until it is ended."""
    limit = Limit(path)

    async def post(request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        query: str = body["query"].lstrip()
        if query.startswith("mutation Append"):
            data = await limit.append(body["variables"])
        else:
            name = query[: query.index(" ", 6)].split("(")[0]
            data = limit.answers[name](body["variables"])
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

"""Any page costs the same number of calls of the store, however long it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import event

from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import AddMessages, Commit, CreateSession
from app.model.identifiers import AgentId, Epoch, ProfileId, SessionId, UserId
from app.model.message import MessageRole, NewMessage, Sender
from app.model.parts import TextPart
from app.model.timestamps import Timestamp
from tests.schema.client import Api, CountingBackend, build_services
from tests.schema.conftest import WRITER

AT = Timestamp("2026-03-01T09:30:00.000000Z")
SESSIONS = 100


@pytest.fixture
async def counted(backend: Backend) -> AsyncIterator[tuple[Api, CountingBackend, list[str]]]:
    """An API over a hundred sessions of a hundred owners, its store's calls and statements."""
    commits = [
        Commit(
            session_id=SessionId(f"{number:032x}"),
            changes=(
                CreateSession(
                    key=str(number),
                    epoch=Epoch("00000000"),
                    owner_id=UserId(f"user {number}"),
                    agent_id=AgentId(f"agent {number}"),
                    profile_id=ProfileId(f"profile {number}"),
                ),
                AddMessages(
                    tuple(
                        NewMessage(
                            role=MessageRole.USER,
                            parts=(TextPart(f"{number}.{place}"),),
                            sender=Sender(user_id=UserId(f"user {number}")),
                        )
                        for place in range(5)
                    )
                ),
            ),
            at=AT,
        )
        for number in range(SESSIONS)
    ]
    await backend.commit(commits, EVERYTHING)
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("PRAGMA", "BEGIN", "COMMIT", "ROLLBACK")):
            statements.append(statement)

    engines = backend.engines  # type: ignore[attr-defined]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    counting = CountingBackend(backend)
    yield Api(build_services(counting), WRITER, []), counting, statements
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


QUERIES = {
    "the session list": (
        "query ($n: Int!) { sessions(first: $n) { edges { node { id displayName preview"
        " messageCount owner { displayName } } } } }",
        {"page_sessions": 1, "get_users": 1, "get_agents": 1},
    ),
    "sessions with their newest messages": (
        "query ($n: Int!) { sessions(first: $n) { edges { node { preview owner { name }"
        " messages(last: 3) { edges { node { text parts { __typename } } }"
        " pageInfo { hasPreviousPage } } } } } }",
        {"page_sessions": 1, "get_users": 1, "page_messages": 1},
    ),
    "sessions with all that they lead to": (
        "query ($n: Int!) { sessions(first: $n) { edges { node { owner { name } agent { name }"
        " profile { name } messages(last: 2) { edges { node { session { key }"
        " sender { user { name } } } } } } } } }",
        {
            "page_sessions": 1,
            "get_users": 1,
            "get_agents": 1,
            "get_profiles": 1,
            "page_messages": 1,
            "get_sessions": 1,
        },
    ),
}


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("size", [1, 20, 100])
async def test_a_page_costs_the_same_however_long_it_is(
    counted: tuple[Api, CountingBackend, list[str]], name: str, size: int
) -> None:
    api, backend, statements = counted
    query, expected = QUERIES[name]
    data = await api.run(query, n=size)
    assert len(data["sessions"]["edges"]) == size
    assert dict(backend.calls) == expected
    assert len(statements) == sum(expected.values())


@pytest.mark.parametrize("order", ["RELEVANCE", "NEWEST"])
async def test_a_page_of_hits_costs_the_same_however_long_it_is(
    counted: tuple[Api, CountingBackend, list[str]], order: str
) -> None:
    api, backend, statements = counted
    counts: set[int] = set()
    for size in (1, 20, 100):
        backend.calls.clear()
        statements.clear()
        data = await api.run(
            "query ($n: Int!, $order: SearchOrder!) {"
            ' searchMessages(query: ".3", first: $n, orderBy: $order) { edges {'
            " node { text session { key owner { name } } } snippet { text } } } }",
            n=size,
            order=order,
        )
        edges = data["searchMessages"]["edges"]
        assert len({edge["node"]["session"]["key"] for edge in edges}) == size
        assert all(edge["node"]["text"].endswith(".3") for edge in edges)
        assert backend.calls == {"search_messages": 1, "get_users": 1}
        counts.add(len(statements))
    assert len(counts) == 1
    assert max(counts) <= 4


async def test_active_and_archived_pages_of_a_session_are_one_batch(
    counted: tuple[Api, CountingBackend, list[str]],
) -> None:
    api, backend, _ = counted
    await api.run(
        "query ($n: Int!) { sessions(first: $n) { edges { node {"
        " messages(last: 3) { edges { cursor } } archivedMessages(last: 3) { edges { cursor } }"
        " } } } }",
        n=20,
    )
    assert backend.calls == {"page_sessions": 1, "page_messages": 1}


async def test_nodes_of_a_kind_are_one_batch(
    counted: tuple[Api, CountingBackend, list[str]],
) -> None:
    api, backend, statements = counted
    data = await api.run("{ sessions(first: 50) { edges { node { id } } } }")
    ids = [edge["node"]["id"] for edge in data["sessions"]["edges"]]
    backend.calls.clear()
    statements.clear()
    found = await api.run("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids * 2)
    assert [node["id"] for node in found["nodes"]] == ids * 2
    assert backend.calls == {"get_sessions": 1}
    assert len(statements) == 1


async def test_an_added_message_is_one_commit_and_nothing_is_read_back(
    counted: tuple[Api, CountingBackend, list[str]],
) -> None:
    api, backend, _ = counted
    session_id = await api.create()
    backend.calls.clear()
    await api.mutate(
        "addMessage",
        "message { id text createdAt } messageEdge { cursor } session { messageCount preview }",
        sessionId=session_id,
        message={"role": "USER", "parts": [{"text": {"text": "hello"}}]},
    )
    assert backend.calls == {"commit": 1}

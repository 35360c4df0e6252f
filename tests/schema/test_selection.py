"""A page is read with the columns that its selection needs, and answers as if it had them all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type
from sqlalchemy import event

from app.backends.protocol import EVERYTHING
from app.backends.sql.backend import SqlBackend
from app.config import load_settings
from app.execution.operation import Request, Response
from app.execution.strawberry_schema import core_schema
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    Commit,
    Committed,
    CreateSession,
    PinSession,
    StarSession,
)
from app.model.identifiers import AgentId, Epoch, ProfileId, Sequence, SessionId, UserId
from app.model.message import MessageRole, NewMessage, Sender
from app.model.parts import TextPart, ToolCallPart
from app.model.session import SessionKind
from app.model.timestamps import Timestamp
from app.schema import schema
from app.wiring import LOCAL_CALLER, Wired, wire

SESSION = SessionId("a" * 32)
AT = Timestamp("2026-03-01T09:00:00.000000Z")


@pytest.fixture
async def wired(tmp_path: Path) -> AsyncIterator[Wired]:
    """A store with one session in which nothing is empty."""
    async with wire(load_settings({"store": f"sqlite:///{tmp_path}/store.db"})) as wired:
        creation = CreateSession(
            key="a key",
            epoch=Epoch("epoch"),
            owner_id=UserId("ana"),
            agent_id=AgentId("one"),
            peer_agent_id=AgentId("other"),
            profile_id=ProfileId("careful"),
            title="A title",
            kind=SessionKind.AGENT_TO_AGENT,
            channel="web",
            metadata={"tag": [1, 2]},
        )
        message = NewMessage(
            MessageRole.ASSISTANT,
            (TextPart("hello"), ToolCallPart("1", "look", "{}")),
            preview="hello",
            sender=Sender("Ana", UserId("ana"), AgentId("one")),
            model="a model",
            usage={"tokens": 3},
            metadata={"mood": "good"},
        )
        changes = (
            creation,
            AddMessages((message,) * 3),
            ArchiveMessages(Sequence(1)),
            PinSession(True),
            StarSession(True),
        )
        [outcome] = await wired.services.backend.commit([Commit(SESSION, changes, AT)], EVERYTHING)
        assert isinstance(outcome, Committed)
        yield wired


async def answer(wired: Wired, document: str) -> dict[str, Any]:
    request = Request(document, {})
    prepared = wired.executor.prepare(request)
    assert not isinstance(prepared, Response), prepared.errors
    response = await wired.executor.execute(prepared, request, wired.open_context(LOCAL_CALLER))
    assert response.errors == []
    assert response.data is not None
    return response.data


def selections(type_name: str) -> list[str]:
    """Returns each field of a type as a selection of its own, down to something that is a leaf."""
    type_ = core_schema(schema).get_type(type_name)
    assert isinstance(type_, GraphQLObjectType)
    found = []
    for name, field in type_.fields.items():
        if name == "messagesAround":
            continue
        inner: Any = get_named_type(field.type)
        below = ""
        if not is_leaf_type(inner):
            below = " { id }" if "id" in getattr(inner, "fields", {}) else " { __typename }"
        found.append(f"{name}{below}")
    assert len(found) > 10
    return found


CONNECTIONS = {
    "Session": "{{ sessions(first: 9) {{ edges {{ node {{ {} }} }} }} }}",
    "Message": (
        "{{ sessions(first: 9) {{ edges {{ node {{ messages(last: 9) {{ edges {{ node {{ {} }}"
        " }} }} }} }} }} }}"
    ),
}


@pytest.mark.parametrize("type_name", CONNECTIONS)
async def test_a_field_alone_is_what_it_is_among_all(wired: Wired, type_name: str) -> None:
    document = CONNECTIONS[type_name]
    every = selections(type_name)

    def nodes(data: dict[str, Any]) -> list[dict[str, Any]]:
        [edge] = data["sessions"]["edges"]
        if type_name == "Session":
            return [edge["node"]]
        return [inner["node"] for inner in edge["node"]["messages"]["edges"]]

    whole = nodes(await answer(wired, document.format(" ".join(every))))
    assert whole
    for selection in every:
        alone = nodes(await answer(wired, document.format(selection)))
        name = selection.split()[0]
        assert [node[name] for node in alone] == [node[name] for node in whole], selection


@pytest.fixture
def statements(wired: Wired) -> list[str]:
    """The statements that read, as they run."""
    backend = wired.services.backend
    assert isinstance(backend, SqlBackend)
    seen: list[str] = []
    for engine in backend.engines:
        event.listen(
            engine, "before_cursor_execute", lambda *given: seen.append(" ".join(given[2].split()))
        )
    return seen


async def test_what_is_not_selected_is_not_read(wired: Wired, statements: list[str]) -> None:
    await answer(
        wired,
        "query A { sessions(first: 9) { edges { cursor node { id title ...More } } } }"
        " fragment More on Session { messages(last: 2) { edges { node { ... on Message { role } } }"
        " pageInfo { endCursor } } }",
    )
    sessions, messages = statements
    assert "sessions.title" in sessions
    assert "sessions.last_activity_at" in sessions
    assert "sessions.metadata" not in sessions
    assert "sessions.preview" not in sessions
    assert "m.role" in messages
    assert "m.parts" not in messages
    assert "m.metadata" not in messages


async def test_merged_and_conditional_selections_are_all_read(
    wired: Wired, statements: list[str]
) -> None:
    data = await answer(
        wired,
        "query A($yes: Boolean = true) { sessions(first: 9) { edges { node { title } } }"
        " sessions(first: 9) { edges { node { key @include(if: $yes) metadata @skip(if: $yes) } } }"
        " }",
    )
    assert data["sessions"]["edges"] == [{"node": {"title": "A title", "key": "a key"}}]
    assert len(statements) == 1

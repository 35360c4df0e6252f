"""What is asked of the server: the requests of a chat frontend, prepared as bytes."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from benchmarks.dataset import HOT_TITLE, LONG_TITLE
from benchmarks.http_connection import HttpConnection

_MESSAGE = """
  id sequence role status createdAt model
  parts {
    __typename index
    ... on TextPart { text }
    ... on ToolCallPart { toolCallId name argumentsText }
    ... on ToolResultPart { toolCallId toolName text isError }
  }
"""

SESSION_LIST = """
query SessionList {
  sessions(first: 20) {
    edges { cursor node {
      id title lastMessageAt messageCount preview
      owner { id displayName }
      messages(last: 1) { edges { node { id role text } } }
    } }
    pageInfo { hasNextPage endCursor }
  }
}
"""

PAGE = (
    """
query Page($session: ID!, $before: String) {
  session(id: $session) {
    id title
    messages(last: 50, before: $before) {
      edges { cursor node {"""
    + _MESSAGE
    + """} }
      pageInfo { hasPreviousPage hasNextPage startCursor endCursor }
    }
  }
}
"""
)

NESTED_LIST = (
    """
query NestedList {
  sessions(first: 20) {
    edges { node {
      id title
      messages(last: 20) { edges { cursor node {"""
    + _MESSAGE
    + """} } pageInfo { hasPreviousPage } }
    } }
  }
}
"""
)

APPEND = """
mutation Append($input: AddMessageInput!) {
  addMessage(input: $input) {
    messageEdge { cursor node { id sequence } }
    userErrors { code message }
  }
}
"""

_FIND = """
query Find($title: String!) {
  sessions(first: 1, filter: {title: $title}) { edges { node { id } } }
}
"""
_SOME = "query Some { sessions(first: 100, orderBy: {field: TITLE}) { edges { node { id } } } }"
_BACK = """
query Back($session: ID!, $before: String) {
  session(id: $session) { messages(last: 100, before: $before) { pageInfo { startCursor } } }
}
"""


NAMES = ("Q1", "Q2", "Q3", "Q4", "append")
"""The names of `workloads`, in their order."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A request to repeat: its document, and how each request's variables are made."""

    name: str
    what: str
    document: str
    variables: Callable[[random.Random], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Targets:
    """What the measured requests are about, by its global ids and cursors."""

    sessions: list[str]
    long: str
    hot: str
    deep_cursors: list[str]


async def find_targets(connection: HttpConnection, depth: int) -> Targets:
    """Looks up what the workloads read; `depth` is how many messages back "deep" is."""

    async def ask(document: str, **variables: Any) -> Any:
        return check(await connection.send(connection.encode(document, variables)))["data"]

    async def find(title: str) -> str:
        found = await ask(_FIND, title=title)
        return str(found["sessions"]["edges"][0]["node"]["id"])

    some = await ask(_SOME)
    long = await find(LONG_TITLE)
    cursor: str | None = None
    deep: deque[str] = deque(maxlen=20)
    for _ in range(depth // 100):
        page = await ask(_BACK, session=long, before=cursor)
        cursor = page["session"]["messages"]["pageInfo"]["startCursor"]
        deep.append(str(cursor))
    return Targets(
        sessions=[edge["node"]["id"] for edge in some["sessions"]["edges"]],
        long=long,
        hot=await find(HOT_TITLE),
        # Several places: everybody asking for one and the same would be read once for all.
        deep_cursors=list(deep),
    )


def check(body: bytes) -> dict[str, Any]:
    """Returns a response, or raises RuntimeError when it holds an error."""
    response: dict[str, Any] = orjson.loads(body)
    if "errors" in response:
        raise RuntimeError(f"the server answered with errors: {response['errors']}")
    return response


def workloads(targets: Targets) -> list[Workload]:
    """Returns the workloads, reads first."""

    def append(chance: random.Random) -> dict[str, Any]:
        return {
            "input": {
                "sessionId": chance.choice(targets.sessions),
                "message": {
                    "role": "USER",
                    "parts": [{"text": {"text": "Is the window seat still free? " * 4}}],
                },
            }
        }

    return [
        Workload("Q1", "20 sessions, owner, last message", SESSION_LIST, lambda _: {}),
        Workload(
            "Q2",
            "newest 50 messages",
            PAGE,
            lambda chance: {"session": chance.choice(targets.sessions)},
        ),
        Workload(
            "Q3",
            "50 messages, deep in a long session",
            PAGE,
            lambda chance: {
                "session": targets.long,
                "before": chance.choice(targets.deep_cursors),
            },
        ),
        Workload("Q4", "20 sessions x 20 messages", NESTED_LIST, lambda _: {}),
        Workload("append", "one message to one of 100 sessions", APPEND, append),
    ]

"""The npm packages graphql-http (its audits) and graphql-ws against the product."""

from __future__ import annotations

import pytest

from tests.api.server import HttpClient
from tests.clients.node import install_clients, run_audits, run_socket_client

AUDITS = 61


@pytest.fixture(autouse=True)
def _installed() -> None:
    install_clients()


async def test_every_audit_of_graphql_over_http_passes(url: str) -> None:
    results = await run_audits(url)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == AUDITS


async def test_graphql_ws_reads_writes_and_watches(url: str, client: HttpClient) -> None:
    session_id = await client.create()
    message = {"role": "USER", "parts": [{"text": {"text": "from JavaScript"}}]}
    got = await run_socket_client(
        url,
        {
            "query": {
                "query": "query ($id: ID!) { session(id: $id) { messageCount } }",
                "variables": {"id": session_id},
            },
            "mutation": {
                "query": "mutation ($input: AddMessageInput!) {"
                " addMessage(input: $input) { message { sequence } userErrors { code } } }",
                "variables": {"input": {"sessionId": session_id, "message": message}},
            },
            "subscription": {
                "query": "subscription ($id: ID!) { sessionEvents(sessionId: $id) {"
                " __typename ... on MessageAdded { message { text } } } }",
                "variables": {"id": session_id},
            },
            "mutateAfter": 1,
            "take": 2,
        },
    )
    assert got["query"]["data"] == {"session": {"messageCount": 0}}
    assert got["mutation"]["data"] == {"addMessage": {"message": {"sequence": 1}, "userErrors": []}}
    assert [result["data"]["sessionEvents"] for result in got["results"]] == [
        {"__typename": "CaughtUp"},
        {"__typename": "MessageAdded", "message": {"text": "from JavaScript"}},
    ]

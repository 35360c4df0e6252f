"""The npm packages graphql-http (its audits) and graphql-ws against the server."""

from __future__ import annotations

import pytest

from tests.clients.node import run_audits, run_socket_client
from tests.server.world import World

AUDITS = 61

pytestmark = pytest.mark.usefixtures("node_clients")


async def test_every_audit_of_graphql_over_http_passes(url: str) -> None:
    results = await run_audits(url)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == AUDITS


async def test_graphql_ws_runs_a_query_a_mutation_and_a_subscription(
    url: str, world: World
) -> None:
    got = await run_socket_client(
        url,
        {
            "query": {
                "query": "query ($n: String!) { hello(name: $n) }",
                "variables": {"n": "Ada"},
            },
            "mutation": {"query": "mutation { increment }"},
            "subscription": {"query": "subscription { counter }"},
            "mutateAfter": 1,
            "take": 2,
        },
    )
    assert got["query"]["data"] == {"hello": "hello Ada"}
    assert got["mutation"]["data"] == {"increment": 1}
    assert [result["data"] for result in got["results"]] == [{"counter": 0}, {"counter": 1}]
    assert world.mutations.value == 1
    await world.sources_closed.reach(1)

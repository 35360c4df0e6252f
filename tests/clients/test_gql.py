"""Python's gql client against the server."""

from __future__ import annotations

import pytest
from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from tests.server.world import World


async def test_gql_runs_queries_and_mutations_over_http(url: str, world: World) -> None:
    async with Client(transport=AIOHTTPTransport(url)) as session:
        query = gql("query ($n: String!) { hello(name: $n) }")
        query.variable_values = {"n": "Ada"}
        assert await session.execute(query) == {"hello": "hello Ada"}
        assert await session.execute(gql("mutation { increment }")) == {"increment": 1}
        with pytest.raises(TransportQueryError, match="Cannot query field 'nothing'"):
            await session.execute(gql("{ nothing }"))
    assert world.mutations.value == 1


async def test_gql_fetches_the_schema(url: str) -> None:
    transport = AIOHTTPTransport(url)
    async with Client(transport=transport, fetch_schema_from_transport=True) as session:
        schema = session.client.schema
        assert schema is not None
        assert schema.subscription_type is not None
        assert "countTo" in schema.subscription_type.fields


async def test_gql_runs_queries_mutations_and_subscriptions_over_a_socket(
    url: str, world: World
) -> None:
    transport = WebsocketsTransport(url.replace("http", "ws"))
    async with Client(transport=transport) as session:
        assert await session.execute(gql("{ hello }")) == {"hello": "hello world"}
        numbers = []
        async for result in session.subscribe(gql("subscription { counter }")):
            numbers.append(result["counter"])
            if len(numbers) == 3:
                break
            await session.execute(gql("mutation { increment }"))
        assert numbers == [0, 1, 2]
        with pytest.raises(TransportQueryError, match="Cannot query field 'nothing'"):
            await session.execute(gql("{ nothing }"))
        assert await session.execute(gql("{ hello }")) == {"hello": "hello world"}
    await world.sources_closed.reach(1)

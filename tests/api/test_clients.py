"""Python's gql client against the product."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import ClientSession
from gql import Client, GraphQLRequest, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from tests.api.server import HttpClient, Subscriber

ADD = """
mutation ($input: AddMessageInput!) {
  addMessage(input: $input) { message { sequence text } userErrors { code } }
}
"""


async def test_gql_reads_and_writes_over_http_with_the_schema_it_fetched(url: str) -> None:
    transport = AIOHTTPTransport(url)
    async with Client(transport=transport, fetch_schema_from_transport=True) as session:
        created = await session.execute(
            gql('mutation { createSession(input: {key: "k"}) { session { id key } } }')
        )
        session_id = created["createSession"]["session"]["id"]
        message = {"role": "USER", "parts": [{"text": {"text": "hello"}}]}
        request = GraphQLRequest(
            ADD, variable_values={"input": {"sessionId": session_id, "message": message}}
        )
        assert await session.execute(request) == {
            "addMessage": {"message": {"sequence": 1, "text": "hello"}, "userErrors": []}
        }
        with pytest.raises(TransportQueryError, match="This is no id"):
            await session.execute(gql('{ session(id: "nonsense") { id } }'))


async def test_gql_watches_a_session_over_a_socket(url: str, client: HttpClient) -> None:
    session_id = await client.create()
    transport = WebsocketsTransport(url.replace("http", "ws"))
    told: list[Any] = []
    async with Client(transport=transport) as session:
        request = GraphQLRequest(
            "subscription ($id: ID!) { sessionEvents(sessionId: $id) {"
            " __typename ... on MessageAdded { message { text } } } }",
            variable_values={"id": session_id},
        )
        async for result in session.subscribe(request):
            told.append(result["sessionEvents"])
            if len(told) == 1:
                await client.say(session_id, "one", "two")
            if len(told) == 3:
                await client.mutate("deleteSession", "", sessionId=session_id)
    assert told == [
        {"__typename": "CaughtUp"},
        {"__typename": "MessageAdded", "message": {"text": "one"}},
        {"__typename": "MessageAdded", "message": {"text": "two"}},
        {"__typename": "SessionDeleted"},
    ]


async def test_a_subscription_completes_after_the_deletion(
    url: str, http: ClientSession, client: HttpClient
) -> None:
    session_id = await client.create()
    query = "subscription ($id: ID!) { sessionEvents(sessionId: $id) { __typename } }"
    async with Subscriber.open(url, http, query, id=session_id) as subscriber:
        assert await subscriber.next() == {"sessionEvents": {"__typename": "CaughtUp"}}
        await client.mutate("deleteSession", "", sessionId=session_id)
        assert await subscriber.next() == {"sessionEvents": {"__typename": "SessionDeleted"}}
        assert await subscriber.next() is None

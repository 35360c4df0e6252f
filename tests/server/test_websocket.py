"""GraphQL over WebSocket: operations, and what ends one of them or the whole socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.server.socket_client import connected, initialised
from tests.server.world import World


async def test_queries_and_mutations_run_over_a_socket(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as client:
        await client.subscribe(
            "q", "query A($n: String!) { hello(name: $n) }", variables={"n": "Ada 🏊"}
        )
        assert await client.data("q") == {"hello": "hello Ada 🏊"}
        assert await client.receive() == {"id": "q", "type": "complete"}
        await client.subscribe("m", "mutation { increment }")
        assert await client.data("m") == {"increment": 1}
        assert await client.receive() == {"id": "m", "type": "complete"}
    assert world.mutations.value == 1


async def test_a_subscription_sends_each_result_and_completes(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as client:
        await client.subscribe("s", "subscription { countTo(last: 3) }")
        for number in (1, 2, 3):
            assert await client.data("s") == {"countTo": number}
        assert await client.receive() == {"id": "s", "type": "complete"}
    assert world.sources_closed.value == 1


async def test_loaders_are_new_for_each_operation_and_each_event(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as client:
        await client.subscribe("s", "subscription { countTo(last: 3) }")
        for _ in range(3):
            await client.data("s")
        await client.receive()
        assert await client.still_lives()
    subscription, query = world.contexts
    assert subscription is not query
    assert subscription.renewals == 3
    assert query.renewals == 0


async def test_an_id_can_be_used_again_after_complete(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as client:
        for _ in range(3):
            await client.subscribe("same", "{ hello }")
            await client.data("same")
            assert await client.receive() == {"id": "same", "type": "complete"}
        await client.subscribe("same", "subscription { oneThenWait }")
        await client.data("same")
        await client.send(id="same", type="complete")
        await client.subscribe("same", "{ hello }")
        assert await client.data("same") == {"hello": "hello world"}
    assert world.sources_closed.value == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { hello } query B { hello }", "OPERATION_RESOLUTION_FAILURE"),
        ("query ($v: JSON!) { echo(value: $v) }", "BAD_USER_INPUT"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_a_wrong_operation_ends_alone(
    http: ClientSession, url: str, query: str, code: str
) -> None:
    async with initialised(http, url) as client:
        await client.subscribe("wrong", query)
        assert await client.error_code("wrong") == code
        assert await client.still_lives()


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "{ hello }",
        [],
        {},
        {"query": None},
        {"query": 7},
        {"query": "{ hello }", "variables": []},
        {"query": "{ hello }", "operationName": 1},
        {"query": "{ hello }", "extensions": "x"},
    ],
)
async def test_a_wrong_payload_ends_its_operation_alone(
    http: ClientSession, url: str, payload: Any
) -> None:
    async with initialised(http, url) as client:
        await client.send(id="wrong", type="subscribe", payload=payload)
        assert await client.error_code("wrong") == "BAD_REQUEST"
        assert await client.still_lives()


async def test_a_failed_field_is_a_result_and_an_unexpected_error_is_masked(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as client:
        await client.subscribe("q", "{ hello broken }")
        message = await client.receive()
        assert message["type"] == "next"
        assert message["payload"]["data"] == {"hello": "hello world", "broken": None}
        assert message["payload"]["errors"][0]["extensions"]["code"] == "INTERNAL_ERROR"
        assert "swordfish" not in str(message)
        assert await client.receive() == {"id": "q", "type": "complete"}
    assert len(world.reported) == 1


async def test_a_failure_outside_of_resolvers_ends_the_operation_masked(
    http: ClientSession, url: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(world, "open_context", fail)
    async with world.serve() as url, initialised(http, url) as client:
        for _ in range(2):
            await client.subscribe("q", "{ hello }")
            message = await client.receive()
            assert message == {
                "id": "q",
                "type": "error",
                "payload": [
                    {"message": "Internal error", "extensions": {"code": "INTERNAL_ERROR"}}
                ],
            }


async def test_the_client_completes_an_operation_and_its_source_is_closed(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as client:
        await client.subscribe("s", "subscription { oneThenWait }")
        await client.data("s")
        await client.send(id="s", type="complete")
        await client.send(id="never-started", type="complete")
        await world.sources_closed.reach(1)
        assert await client.still_lives()


async def test_starting_and_completing_in_a_loop_piles_up_no_operations(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as client, initialised(http, url) as other:
        await client.subscribe("s", "subscription { closeLate }")
        await client.data("s")
        for _ in range(4):
            await client.send(id="s", type="complete")
            await client.subscribe("s", "subscription { closeLate }")
        # By the time another socket is served, this one's messages have been looked at.
        assert await other.still_lives()
        world.gate.set()
        await client.send(id="s", type="complete")
        await client.subscribe("last", "{ hello }")
        # Each start may have got as far as its first event.
        while (message := await client.receive())["id"] == "s":
            assert message["type"] == "next"
        assert message["id"] == "last"
    assert world.most_open == 1


async def test_closing_the_socket_closes_every_source(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as client:
        for number in range(5):
            await client.subscribe(f"s{number}", "subscription { oneThenWait }")
            await client.data(f"s{number}")
    await world.sources_closed.reach(5)


async def test_a_connection_that_breaks_closes_every_source(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as client:
        await client.subscribe("s", "subscription { oneThenWait }")
        await client.data("s")
        await client.subscribe("q", "{ slow }")
        await world.waiting.reach(1)
        transport = client.socket._writer.transport
        transport.abort()
        await world.sources_closed.reach(1)
        await world.cancelled.reach(1)


async def test_the_twenty_first_operation_is_refused_and_the_others_go_on(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as client:
        for number in range(20):
            await client.subscribe(f"s{number}", "subscription { oneThenWait }")
            await client.data(f"s{number}")
        await client.subscribe("one-more", "{ hello }")
        assert await client.error_code("one-more") == "LIMIT_EXCEEDED"
        assert world.queries.value == 0
        await client.send(id="s0", type="complete")
        assert await client.still_lives()
        assert world.sources_closed.value == 1


async def test_one_slow_operation_does_not_hold_up_another(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as client:
        await client.subscribe("slow", "{ slow }")
        await world.waiting.reach(1)
        assert await client.still_lives()
        world.gate.set()
        assert await client.data("slow") == {"slow": "at last"}


async def test_a_ping_is_answered_with_its_payload(http: ClientSession, url: str) -> None:
    async with connected(http, url) as client:
        await client.send(type="ping")
        assert await client.receive() == {"type": "pong"}
        await client.send(type="ping", payload={"at": "noon"})
        assert await client.receive() == {"type": "pong", "payload": {"at": "noon"}}
        await client.send(type="pong")
        await client.send(type="pong", payload={"at": "one"})
        await client.send(type="connection_init")
        assert await client.receive() == {"type": "connection_ack"}


BAD_MESSAGES = {
    "not JSON": "{",
    "empty": "",
    "null": "null",
    "a string": '"connection_init"',
    "a list": '[{"type": "connection_init"}]',
    "no type": "{}",
    "unknown type": '{"type": "start", "id": "1"}',
    "a type of the server": '{"type": "connection_ack"}',
    "type a list": '{"type": ["ping"]}',
    "NaN": '{"type": "ping", "payload": {"n": NaN}}',
    "a lone surrogate": '{"type": "ping", "payload": {"n": "\\ud800"}}',
    "deep": '{"type": "ping", "payload": ' + '{"a":' * 5000 + "1" + "}" * 5001,
    "deeper than an answer may be": '{"type":"ping","payload":' + '{"a":' * 110 + "1" + "}" * 111,
    "ping with a list": '{"type": "ping", "payload": []}',
    "init with a string": '{"type": "connection_init", "payload": "x"}',
    "subscribe without id": '{"type": "subscribe", "payload": {"query": "{ hello }"}}',
    "subscribe with a number": '{"id": 1, "type": "subscribe", "payload": {"query": "{ hello }"}}',
    "subscribe with an empty id": '{"id": "", "type": "subscribe", "payload": {}}',
    "complete without id": '{"type": "complete"}',
    "a very long id": '{"type": "complete", "id": "' + "x" * 300 + '"}',
}


@pytest.mark.parametrize("message", BAD_MESSAGES.values(), ids=BAD_MESSAGES.keys())
@pytest.mark.parametrize("first", ["initialised", "at once"])
async def test_a_message_that_is_none_closes_with_4400(
    http: ClientSession, url: str, world: World, message: str, first: str
) -> None:
    opened = initialised if first == "initialised" else connected
    async with opened(http, url) as client:
        await client.socket.send_str(message)
        code, reason = await client.closed_with()
        assert code == 4400
        assert reason
    assert world.queries.value == 0


async def test_a_binary_frame_closes_with_4400(http: ClientSession, url: str) -> None:
    async with initialised(http, url) as client:
        await client.socket.send_bytes(b'{"type": "ping"}')
        assert (await client.closed_with())[0] == 4400


async def test_a_message_over_the_body_limit_closes_with_1009(
    http: ClientSession, world: World
) -> None:
    async with world.serve(body_limit=1000) as url, initialised(http, url) as client:
        await client.subscribe("q", "{ hello }" + " " * 2000)
        assert (await client.closed_with())[0] == 1009
    assert world.queries.value == 0


async def test_an_operation_before_initialisation_closes_with_4401(
    http: ClientSession, url: str, world: World
) -> None:
    async with connected(http, url) as client:
        await client.subscribe("m", "mutation { increment }")
        assert await client.closed_with() == (4401, "Unauthorized")
    assert world.mutations.value == 0


async def test_a_second_initialisation_closes_with_4429(http: ClientSession, url: str) -> None:
    async with initialised(http, url) as client:
        await client.send(type="connection_init")
        assert await client.closed_with() == (4429, "Too many initialisation requests")


async def test_an_id_in_use_closes_with_4409(http: ClientSession, url: str, world: World) -> None:
    async with initialised(http, url) as client:
        await client.subscribe("s", "subscription { oneThenWait }")
        await client.data("s")
        await client.subscribe("s", "{ hello }")
        assert await client.closed_with() == (4409, "Subscriber for s already exists")
    await world.sources_closed.reach(1)
    assert world.queries.value == 0


async def test_a_reason_in_any_script_fits_into_the_close_frame(
    http: ClientSession, url: str
) -> None:
    long_id = "🏊" * 200
    async with initialised(http, url) as client:
        await client.subscribe(long_id, "subscription { oneThenWait }")
        await client.data(long_id)
        await client.subscribe(long_id, "{ hello }")
        code, reason = await client.closed_with()
        assert code == 4409
        assert 100 < len(reason.encode()) <= 123


async def test_a_socket_without_initialisation_closes_with_4408(
    http: ClientSession, world: World
) -> None:
    async with world.serve(connection_init_timeout=0.5) as url, connected(http, url) as client:
        await client.send(type="ping")
        await client.receive()
        assert await client.closed_with() == (4408, "Connection initialisation timeout")


async def test_an_initialised_socket_outlives_the_initialisation_timeout(
    http: ClientSession, world: World
) -> None:
    async with (
        world.serve(connection_init_timeout=0.5) as url,
        initialised(http, url) as client,
        connected(http, url) as late,
    ):
        assert (await late.closed_with())[0] == 4408
        assert await client.still_lives()


async def test_wrong_credentials_close_with_4403(
    http: ClientSession, url: str, world: World
) -> None:
    async with connected(http, url) as client:
        await client.send(type="connection_init", payload={"token": "wrong"})
        assert await client.closed_with() == (4403, "The token is not valid.")
    assert world.contexts == []


async def test_credentials_in_the_payload_name_the_caller(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url, {"token": "ada"}) as client:
        assert await client.still_lives()
    assert world.callers == ["ada"]


async def test_expired_credentials_close_with_4403_and_end_every_operation(
    http: ClientSession, world: World
) -> None:
    world.expires_in = 0.5
    async with world.serve() as url, initialised(http, url) as client:
        await client.subscribe("s", "subscription { oneThenWait }")
        await client.data("s")
        assert await client.closed_with() == (4403, "The credentials have expired.")
        await world.sources_closed.reach(1)


@pytest.mark.parametrize("protocols", [[], ["graphql-ws"], ["chat", "graphql-ws"]])
async def test_another_subprotocol_closes_with_4406(
    http: ClientSession, url: str, protocols: list[str]
) -> None:
    socket = await http.ws_connect(url, protocols=protocols)
    frame = await socket.receive(10)
    assert frame.data == 4406
    assert frame.extra == "Use the subprotocol graphql-transport-ws."
    await socket.close()


async def test_the_subprotocol_is_picked_from_among_several(http: ClientSession, url: str) -> None:
    socket = await http.ws_connect(url, protocols=["graphql-ws", "graphql-transport-ws"])
    assert socket.protocol == "graphql-transport-ws"
    await socket.close()


async def test_a_handshake_that_is_none_is_a_400(http: ClientSession, url: str) -> None:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "1"}
    async with http.get(url, headers=headers) as response:
        assert response.status == 400
        (error,) = (await response.json())["errors"]
        assert error["extensions"]["code"] == "BAD_REQUEST"


async def test_frames_are_not_compressed(http: ClientSession, url: str) -> None:
    socket = await http.ws_connect(url, protocols=["graphql-transport-ws"], compress=15)
    assert socket.compress == 0
    await socket.close()


async def test_a_mutation_that_has_begun_outlives_its_socket(
    http: ClientSession, url: str, world: World
) -> None:
    async with initialised(http, url) as client:
        await client.subscribe("m", "mutation { slowIncrement }")
        await world.mutations_begun.reach(1)
        await client.subscribe("q", "{ slow }")
        await world.waiting.reach(1)
    await world.cancelled.reach(1)
    assert world.mutations.value == 0
    world.gate.set()
    await world.mutations.reach(1)


async def test_a_client_that_stops_answering_pings_is_dropped(
    http: ClientSession, world: World
) -> None:
    async with world.serve(heartbeat=0.5) as url:
        socket = await http.ws_connect(url, protocols=["graphql-transport-ws"], autoping=False)
        await socket.send_str('{"type":"connection_init"}')
        await socket.send_str(
            '{"id":"s","type":"subscribe","payload":{"query":"subscription { oneThenWait }"}}'
        )
        await world.sources_closed.reach(1)
        await socket.close()


async def test_many_sockets_at_once_get_their_own_results(http: ClientSession, url: str) -> None:
    async def greet(name: str) -> str:
        async with initialised(http, url) as client:
            await client.subscribe(
                "q", "query ($n: String!) { hello(name: $n) }", variables={"n": name}
            )
            return str((await client.data("q"))["hello"])

    names = [f"client {number}" for number in range(30)]
    assert await asyncio.gather(*map(greet, names)) == [f"hello {name}" for name in names]

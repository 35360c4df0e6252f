"""GraphQL over HTTP: what is answered, with which status, and to whom."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import ClientSession

from app.execution.limits import QueryLimits
from tests.server.http_client import RESPONSE_JSON, code, post
from tests.server.world import World


async def test_post_runs_a_query_with_variables(http: ClientSession, url: str) -> None:
    status, answer = await post(
        http,
        url,
        query="query Greet($name: String!) { hello(name: $name) } query Other { hello }",
        variables={"name": "Ada 🏊"},
        operationName="Greet",
    )
    assert status == 200
    assert answer["data"] == {"hello": "hello Ada 🏊"}
    assert "errors" not in answer


async def test_get_runs_a_query_with_variables(http: ClientSession, url: str) -> None:
    parameters = {
        "query": "query Greet($name: String!) { hello(name: $name) }",
        "variables": '{"name": "Ada & Bob"}',
        "operationName": "Greet",
        "extensions": "",
    }
    async with http.get(url, params=parameters) as response:
        assert response.status == 200
        assert (await response.json())["data"] == {"hello": "hello Ada & Bob"}


async def test_get_refuses_a_mutation_and_runs_nothing(
    http: ClientSession, url: str, world: World
) -> None:
    async with http.get(url, params={"query": "mutation { increment }"}) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "POST"
        assert code(await response.json()) == "METHOD_NOT_ALLOWED"
    assert world.mutations.value == 0
    assert world.contexts == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "TRACE"])
async def test_other_methods_are_refused(http: ClientSession, url: str, method: str) -> None:
    async with http.request(method, url) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET, POST, OPTIONS"


@pytest.mark.parametrize("method", ["get", "post"])
async def test_a_subscription_sent_as_plain_json_gets_a_hint(
    http: ClientSession, url: str, world: World, method: str
) -> None:
    query = "subscription { countTo(last: 1) }"
    sent = {"params": {"query": query}} if method == "get" else {"json": {"query": query}}
    async with http.request(method, url, **sent) as response:  # type: ignore[arg-type]
        assert response.status == 400
        answer = await response.json()
    assert code(answer) == "SUBSCRIPTION_TRANSPORT_REQUIRED"
    assert "graphql-transport-ws" in answer["errors"][0]["message"]
    assert "text/event-stream" in answer["errors"][0]["message"]
    assert world.sources_opened.value == 0


async def test_request_errors_differ_in_status_by_media_type(http: ClientSession, url: str) -> None:
    for query, error_code in (
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { hello } query B { hello }", "OPERATION_RESOLUTION_FAILURE"),
        ("query ($v: JSON!) { echo(value: $v) }", "BAD_USER_INPUT"),
    ):
        for accept, status in ((RESPONSE_JSON, 400), ("application/json", 200)):
            headers = {"Accept": accept}
            async with http.post(url, json={"query": query}, headers=headers) as response:
                assert response.status == status
                assert response.content_type == accept
                answer = await response.json()
            assert code(answer) == error_code
            assert "data" not in answer


async def test_a_failed_field_keeps_the_data_of_its_siblings(http: ClientSession, url: str) -> None:
    status, answer = await post(http, url, query="{ hello refused }")
    assert status == 200
    assert answer["data"] == {"hello": "hello world", "refused": None}
    assert code(answer) == "REFUSED"


async def test_data_made_null_by_a_field_is_still_a_result(http: ClientSession, url: str) -> None:
    status, answer = await post(http, url, query="{ requiredRefused }")
    assert status == 200
    assert answer["data"] is None
    assert answer["errors"][0]["path"] == ["requiredRefused"]


async def test_a_timeout_is_an_error_of_the_server_without_data(
    http: ClientSession, world: World
) -> None:
    world.limits = QueryLimits(timeout_seconds=0.01)
    async with world.serve() as url:
        status, answer = await post(http, url, query="{ hello slow }")
        assert status == 504
        assert code(answer) == "OPERATION_TIMEOUT"
        assert "data" not in answer
        headers = {"Accept": "application/json"}
        async with http.post(url, json={"query": "{ slow }"}, headers=headers) as response:
            assert response.status == 200
            answer = await response.json()
        assert answer["data"] is None
        assert code(answer) == "OPERATION_TIMEOUT"
    assert world.cancelled.value == 2


async def test_internals_never_reach_the_client(
    http: ClientSession, url: str, world: World
) -> None:
    status, answer = await post(http, url, query="{ hello broken }")
    assert status == 200
    assert code(answer) == "INTERNAL_ERROR"
    assert "swordfish" not in json.dumps(answer)
    (error,) = world.reported
    assert str(error) == "the password is swordfish"


async def test_a_failure_outside_of_resolvers_is_masked(
    http: ClientSession, url: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(world, "open_context", fail)
    async with (
        world.serve() as other_url,
        http.post(other_url, json={"query": "{ hello }"}) as response,
    ):
        assert response.status == 500
        answer = await response.json()
    assert answer == {
        "errors": [{"message": "Internal error", "extensions": {"code": "INTERNAL_ERROR"}}]
    }


async def test_wrong_credentials_are_401_and_run_nothing(
    http: ClientSession, url: str, world: World
) -> None:
    headers = {"Authorization": "wrong"}
    async with http.post(url, json={"query": "mutation { increment }"}, headers=headers) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert code(await answer.json()) == "UNAUTHENTICATED"
    assert world.mutations.value == 0


async def test_each_operation_has_a_context_of_its_own_for_its_caller(
    http: ClientSession, url: str, world: World
) -> None:
    for name in ("ada", "bob"):
        headers = {"Authorization": name}
        async with http.post(url, json={"query": "{ hello }"}, headers=headers) as response:
            assert response.status == 200
    assert world.callers == ["ada", "bob"]
    assert world.contexts[0] is not world.contexts[1]


async def test_a_query_ends_when_its_client_leaves(
    http: ClientSession, url: str, world: World
) -> None:
    asking = asyncio.create_task(post(http, url, query="{ slow }"))
    await world.waiting.reach(1)
    asking.cancel()
    await world.cancelled.reach(1)


async def test_a_mutation_that_has_begun_outlives_its_client(
    http: ClientSession, url: str, world: World
) -> None:
    asking = asyncio.create_task(post(http, url, query="mutation { slowIncrement }"))
    await world.mutations_begun.reach(1)
    asking.cancel()
    # A query that is cancelled shows that the server has seen connections close by now.
    leaving = asyncio.create_task(post(http, url, query="{ slow }"))
    await world.waiting.reach(1)
    leaving.cancel()
    await world.cancelled.reach(1)
    assert world.mutations.value == 0
    world.gate.set()
    await world.mutations.reach(1)


async def test_an_unknown_path_names_the_api(http: ClientSession, url: str) -> None:
    async with http.get(url.replace("/graphql", "/grpahql")) as response:
        assert response.status == 404
        assert "/graphql" in (await response.json())["errors"][0]["message"]


async def test_answers_are_private_and_name_no_software_versions(
    http: ClientSession, url: str
) -> None:
    async with http.post(url, json={"query": "{ hello }"}) as response:
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Vary"] == "Accept, Origin"
        assert response.headers["Server"] == "Scrollback"


async def test_a_request_id_is_kept_when_it_is_a_plain_token_and_made_otherwise(
    http: ClientSession, url: str
) -> None:
    async def answered_id(sent: str | None) -> str:
        headers = {} if sent is None else {"X-Request-Id": sent}
        async with http.post(url, json={"query": "{ hello }"}, headers=headers) as response:
            return response.headers["X-Request-Id"]

    assert await answered_id("req-1.a:b_C") == "req-1.a:b_C"
    for sent in (None, "", "a b", "a" * 129, '{"level":"error"}', "-x"):
        made = await answered_id(sent)
        assert made != sent
        assert len(made) == 16
    assert await answered_id(None) != await answered_id(None)

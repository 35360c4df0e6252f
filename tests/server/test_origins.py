"""Which pages and which host names reach the server."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession, WSServerHandshakeError

from app.server.origins import is_loopback
from tests.server.world import World

MUTATION = {"query": "mutation { increment }"}


async def test_a_page_of_another_site_is_refused_and_nothing_runs(
    http: ClientSession, url: str, world: World
) -> None:
    for origin in ("https://evil.example", "null", "http://localhost.evil.example", "file://", ""):
        async with http.post(url, json=MUTATION, headers={"Origin": origin}) as response:
            assert response.status == 403
            (error,) = (await response.json())["errors"]
            assert error["extensions"]["code"] == "ORIGIN_NOT_ALLOWED"
            assert "Access-Control-Allow-Origin" not in response.headers
        headers = {"Origin": origin}
        async with http.get(url, params={"query": "{ hello }"}, headers=headers) as response:
            assert response.status == 403
        with pytest.raises(WSServerHandshakeError) as refused:
            await http.ws_connect(url, protocols=["graphql-transport-ws"], origin=origin or "null")
        assert refused.value.status == 403
    assert world.mutations.value == 0
    assert world.queries.value == 0


async def test_pages_of_this_computer_and_of_the_server_itself_are_allowed(
    http: ClientSession, url: str
) -> None:
    own = url.removesuffix("/graphql")
    for origin in (own, "http://localhost:3000", "http://127.0.0.1:5173", "http://[::1]:1"):
        async with http.post(url, json=MUTATION, headers={"Origin": origin}) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == origin
            assert response.headers["Access-Control-Allow-Credentials"] == "true"
            assert "X-Request-Id" in response.headers["Access-Control-Expose-Headers"]


async def test_refusals_can_be_read_by_an_allowed_page(http: ClientSession, url: str) -> None:
    headers = {"Origin": "http://localhost:3000", "Content-Type": "application/json"}
    async with http.post(url, data=b"{", headers=headers) as response:
        assert response.status == 400
        assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"


async def test_only_configured_origins_are_allowed_when_loopback_is_not_among_them(
    http: ClientSession, world: World
) -> None:
    async with world.serve(allowed_origins=("https://chat.example/",)) as url:
        for origin, status in (
            ("https://chat.example", 200),
            ("HTTPS://CHAT.example", 200),
            ("http://chat.example", 403),
            ("https://chat.example:8443", 403),
            ("http://localhost:3000", 403),
        ):
            async with http.post(url, json=MUTATION, headers={"Origin": origin}) as response:
                assert response.status == status


async def test_every_origin_means_without_credentials(http: ClientSession, world: World) -> None:
    async with world.serve(allowed_origins=("*",)) as url:
        headers = {"Origin": "https://anywhere.example"}
        async with http.post(url, json=MUTATION, headers=headers) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert "Access-Control-Allow-Credentials" not in response.headers


async def test_a_preflight_of_an_allowed_page_is_answered_for_two_hours(
    http: ClientSession, url: str
) -> None:
    headers = {
        "Origin": "http://localhost:3000",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, x-request-id",
    }
    async with http.options(url, headers=headers) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
        assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS"
        assert response.headers["Access-Control-Allow-Headers"] == "content-type, x-request-id"
        assert response.headers["Access-Control-Max-Age"] == "7200"
    headers["Origin"] = "https://evil.example"
    async with http.options(url, headers=headers) as response:
        assert response.status == 403
        assert "Access-Control-Allow-Headers" not in response.headers


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "a@localhost",
        "localhost/",
        "",
        "[::1",
    ],
)
async def test_a_name_pointed_here_by_somebody_else_is_refused(
    http: ClientSession, url: str, world: World, host: str
) -> None:
    for path in (url, url.replace("/graphql", "/graphql/assets/app.js")):
        async with http.post(path, json=MUTATION, headers={"Host": host}) as response:
            assert response.status == 403
            (error,) = (await response.json())["errors"]
            assert error["extensions"]["code"] == "HOST_NOT_ALLOWED"
    assert world.mutations.value == 0


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "localhost.",
        "app.localhost",
        "127.0.0.1:1",
        "[::1]:8000",
        "192.168.1.7:8000",
    ],
)
async def test_loopback_names_and_plain_addresses_are_served(
    http: ClientSession, url: str, host: str
) -> None:
    async with http.post(url, json=MUTATION, headers={"Host": host}) as response:
        assert response.status == 200


async def test_configured_hosts_are_served(http: ClientSession, world: World) -> None:
    async with world.serve(allowed_hosts=("Chat.example",)) as url:
        for host, status in (("chat.example:443", 200), ("other.example", 403)):
            async with http.post(url, json=MUTATION, headers={"Host": host}) as response:
                assert response.status == status
    any_host = {"Host": "any.example"}
    async with (
        world.serve(allowed_hosts=("*",)) as url,
        http.post(url, json=MUTATION, headers=any_host) as response,
    ):
        assert response.status == 200


def test_loopback_names_are_told_from_look_alikes() -> None:
    for name in ("localhost", "a.localhost", "127.0.0.9", "::1"):
        assert is_loopback(name)
    for name in ("localhost.example", "xlocalhost", "10.0.0.1", "::", ""):
        assert not is_loopback(name)

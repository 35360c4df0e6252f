"""GraphiQL at the API's own address, and the files of its bundle."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import ClientSession
from yarl import URL

from tests.server.world import World

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of assets in place of the built ones."""
    (tmp_path / "fonts").mkdir()
    (tmp_path / "app-ABCD1234.js").write_text("console.log('Scrollback')")
    (tmp_path / "fonts" / "codicon-ABCD1234.ttf").write_bytes(b"\0\1\0\0")
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path.parent / "secret.txt").write_text("swordfish")
    monkeypatch.setattr("app.server.graphiql_page.assets_directory", lambda: tmp_path)
    return tmp_path


async def test_the_bare_address_leads_to_the_page(http: ClientSession, url: str) -> None:
    root = url.removesuffix("/graphql") + "/"
    async with http.get(root, headers={"Accept": "text/html"}) as response:
        assert str(response.url) == url
        assert response.status == 200
        assert response.content_type == "text/html"


async def test_a_browser_gets_the_page_and_nothing_runs(
    http: ClientSession, url: str, world: World
) -> None:
    for address in (url, url + "?query=%7Bhello%7D"):
        async with http.get(address, headers=BROWSER) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/html; charset=utf-8"
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Frame-Options"] == "DENY"
            assert "Scrollback" in await response.text()
    assert world.queries.value == 0


async def test_the_policy_lets_only_this_answers_scripts_run(http: ClientSession, url: str) -> None:
    nonces = set()
    for _ in range(2):
        async with http.get(url, headers=BROWSER) as response:
            policy = response.headers["Content-Security-Policy"]
            nonce = policy.partition("'nonce-")[2].partition("'")[0]
            assert len(nonce) >= 16
            assert f'nonce="{nonce}"' in await response.text()
            nonces.add(nonce)
    assert len(nonces) == 2


async def test_api_clients_get_no_page(http: ClientSession, url: str) -> None:
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.9"):
        headers = {"Accept": accept}
        async with http.get(url, params={"query": "{ hello }"}, headers=headers) as response:
            assert (await response.json())["data"] == {"hello": "hello world"}


async def test_without_graphiql_a_browser_gets_json_and_there_are_no_assets(
    http: ClientSession, world: World, bundle: Path
) -> None:
    async with world.serve(graphiql=False) as url:
        async with http.get(url, params={"query": "{ hello }"}, headers=BROWSER) as response:
            assert (await response.json())["data"] == {"hello": "hello world"}
        async with http.get(f"{url}/assets/app-ABCD1234.js") as response:
            assert response.status == 404
        async with http.get(url, headers={"Accept": "text/html"}) as response:
            assert response.status == 406


async def test_assets_may_be_cached_for_ever(
    http: ClientSession, world: World, bundle: Path
) -> None:
    async with world.serve() as url:
        for name, media_type, body in (
            ("app-ABCD1234.js", "text/javascript", b"console.log('Scrollback')"),
            ("fonts/codicon-ABCD1234.ttf", "font/ttf", b"\0\1\0\0"),
        ):
            async with http.get(f"{url}/assets/{name}") as response:
                assert response.status == 200
                assert response.content_type == media_type
                assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert await response.read() == body
                etag = response.headers["ETag"]
            headers = {"If-None-Match": etag}
            async with http.get(f"{url}/assets/{name}", headers=headers) as response:
                assert response.status == 304


@pytest.mark.parametrize(
    "name",
    [
        "missing.js",
        "manifest.json",
        "fonts",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "fonts/..%2f..%2fsecret.txt",
        "%2fetc%2fpasswd",
        "app-ABCD1234.js%00",
    ],
)
async def test_nothing_but_the_bundle_can_be_fetched(
    http: ClientSession, world: World, bundle: Path, name: str
) -> None:
    async with (
        world.serve() as url,
        http.get(URL(f"{url}/assets/{name}", encoded=True)) as response,
    ):
        assert response.status == 404
        (error,) = (await response.json())["errors"]
        assert error["extensions"]["code"] == "NOT_FOUND"

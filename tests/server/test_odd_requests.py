"""Requests that no client means to send are refused in JSON like any other."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession
from yarl import URL

from tests.server.http_client import code


@pytest.mark.parametrize("size", [80, 300_000])
async def test_a_body_that_is_not_compressed_as_it_says_is_refused(
    http: ClientSession, url: str, size: int
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with http.post(url, data=b"no gzip " * (size // 8), headers=headers) as response:
        assert response.status == 400
        assert code(await response.json(content_type=None)) == "BAD_REQUEST"


@pytest.mark.parametrize("path", ["/foo%0Abar", "/graphql/assets/a%0Ab"])
async def test_a_path_with_a_line_break_is_not_found_in_json(
    http: ClientSession, url: str, path: str
) -> None:
    async with http.get(URL(url).origin().join(URL(path, encoded=True))) as response:
        assert response.status == 404
        assert "X-Request-Id" in response.headers
        assert code(await response.json(content_type=None)) == "NOT_FOUND"

"""Asking over HTTP, in the media type that tells all errors by status."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientSession

RESPONSE_JSON = "application/graphql-response+json"


async def post(http: ClientSession, url: str, **request: Any) -> tuple[int, Any]:
    async with http.post(url, json=request, headers={"Accept": RESPONSE_JSON}) as response:
        return response.status, await response.json()


def code(answer: Any) -> str:
    (error,) = answer["errors"]
    return str(error["extensions"]["code"])

"""Fixtures for a server over the small schema of `world`."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import pytest
from aiohttp import ClientSession

from app.server.log_lines import fields_of
from tests.server.world import World


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """The lines logged by a test, in place of standard output."""
    capture = _Capture()
    root, ours = logging.getLogger(), logging.getLogger("scrollback")
    handlers, level = root.handlers[:], ours.level
    root.handlers[:] = [capture]
    ours.setLevel(logging.DEBUG)
    yield capture.lines
    root.handlers[:] = handlers
    ours.setLevel(level)


class _Capture(logging.Handler):
    """Keeps what records tell, an exception as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[MutableMapping[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields = fields_of(record)
        if fields.pop("exception", None) is not None and record.exc_info:
            fields["exc_info"] = record.exc_info[1]
        self.lines.append(fields)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def url(world: World) -> AsyncIterator[str]:
    """The URL of a server with the default options."""
    async with world.serve() as url:
        yield url


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session

"""A small schema, and a server over it, for looking at the transport alone.

What happened inside is counted in the world, so that a test can see that nothing did.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import strawberry
from aiohttp import web
from strawberry.scalars import JSON
from strawberry.types import Info

from app.execution.executor import Executor
from app.execution.limits import QueryLimits
from app.execution.operation import ShownError
from app.execution.sharing import SharingSource, Standby
from app.server.application import build_application
from app.server.authentication import AuthenticationFailed
from app.server.parts import Authenticated, Readiness, ServerOptions, ServerParts
from app.server.run import listening

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds after which something that a test waits for counts as not happening."""


class Tally:
    """A number that goes up, and that can be waited for."""

    def __init__(self) -> None:
        self.value = 0
        self._changed = asyncio.Event()

    def add(self) -> None:
        self.value += 1
        self._changed.set()

    async def wait_for(self, value: int) -> None:
        while self.value < value:
            self._changed.clear()
            await self._changed.wait()

    async def reach(self, value: int) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.wait_for(value)


READY = Readiness(ok=True, detail="The store answers.")


class Refused(Exception):
    """An error of the small schema that clients may see."""


@dataclass
class World:
    """What the operations of the schema did, and what holds them up."""

    options: ServerOptions = field(default_factory=ServerOptions)
    readiness: Readiness | Exception = READY
    expires_in: float | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    queries: Tally = field(default_factory=Tally)
    mutations_begun: Tally = field(default_factory=Tally)
    mutations: Tally = field(default_factory=Tally)
    waiting: Tally = field(default_factory=Tally)
    cancelled: Tally = field(default_factory=Tally)
    sources_opened: Tally = field(default_factory=Tally)
    sources_closed: Tally = field(default_factory=Tally)
    events_taken: Tally = field(default_factory=Tally)
    contexts: list[WorldContext] = field(default_factory=list)
    callers: list[str] = field(default_factory=list)
    reported: list[BaseException] = field(default_factory=list)
    application: web.Application | None = None
    executor: Executor = field(init=False)
    limits: QueryLimits = field(default_factory=QueryLimits)
    most_open: int = 0
    held: list[AsyncGenerator[Any]] = field(default_factory=list)
    shared: list[SharedSource] = field(default_factory=list)

    def open_context(self, caller: str) -> WorldContext:
        self.callers.append(caller)
        context = WorldContext(self)
        self.contexts.append(context)
        return context

    async def authenticate(
        self, request: web.Request, parameters: Mapping[str, Any]
    ) -> Authenticated[str]:
        token = parameters.get("token", request.headers.get("Authorization", "anybody"))
        if token == "wrong":  # noqa: S105 - the one that the tests mean to fail with
            raise AuthenticationFailed("The token is not valid.")
        expires_at = None if self.expires_in is None else time.time() + self.expires_in
        return Authenticated(token, expires_at)

    async def ready(self) -> Readiness:
        if isinstance(self.readiness, Exception):
            raise self.readiness
        return self.readiness

    def build(self) -> web.Application:
        """Builds the application over this world."""
        self.executor = Executor(
            SCHEMA,
            limits=self.limits,
            describe_error=_describe,
            report_error=self._report_error,
        )
        self.application = build_application(
            ServerParts(
                executor=self.executor,
                open_context=self.open_context,
                authenticate=self.authenticate,
                ready=self.ready,
                options=self.options,
            )
        )
        return self.application

    def hold(self, source: AsyncGenerator[T]) -> AsyncGenerator[T]:
        """Keeps a source, so that nothing but closing it closes it."""
        self.held.append(source)
        return source

    @asynccontextmanager
    async def serve(self, **options: Any) -> AsyncIterator[str]:
        """Serves on a free port with these options changed; gives the URL of the API."""
        self.options = replace(self.options, **options)
        async with listening(self.build(), "127.0.0.1", 0) as base_url:
            yield base_url + self.options.path

    def _report_error(self, error: BaseException, _: Mapping[str, object]) -> None:
        self.reported.append(error)


@dataclass
class WorldContext:
    """The context of one operation."""

    world: World
    renewals: int = 0

    def renew(self) -> None:
        self.renewals += 1


def _describe(error: BaseException) -> ShownError | None:
    return ShownError(str(error), "REFUSED") if isinstance(error, Refused) else None


def _world(info: Info[WorldContext, None]) -> World:
    return info.context.world


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, info: Info[WorldContext, None], name: str = "world") -> str:
        _world(info).queries.add()
        return f"hello {name}"

    @strawberry.field
    def echo(self, value: JSON) -> JSON:
        return value

    @strawberry.field
    def refused(self) -> str | None:
        raise Refused("not this one")

    @strawberry.field
    def required_refused(self) -> str:
        raise Refused("not this one")

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("the password is swordfish")

    @strawberry.field
    async def slow(self, info: Info[WorldContext, None]) -> str:
        world = _world(info)
        world.waiting.add()
        try:
            await world.gate.wait()
        except asyncio.CancelledError:
            world.cancelled.add()
            raise
        return "at last"


@strawberry.type
class Mutation:
    @strawberry.mutation
    def increment(self, info: Info[WorldContext, None]) -> int:
        world = _world(info)
        world.mutations.add()
        return world.mutations.value

    @strawberry.mutation
    async def slow_increment(self, info: Info[WorldContext, None]) -> int:
        world = _world(info)
        world.mutations_begun.add()
        await world.gate.wait()
        world.mutations.add()
        return world.mutations.value


class SharedSource(SharingSource[str]):
    """Gives out the texts that a test puts in, and keeps what stands by for others' answers."""

    def __init__(self, world: World) -> None:
        self.texts: asyncio.Queue[str] = asyncio.Queue()
        self.standby: Standby | None = None
        self._world = world
        world.shared.append(self)
        world.sources_opened.add()

    def stand_by(self, standby: Standby) -> None:
        self.standby = standby

    async def asend(self, value: None) -> str:
        return await self.texts.get()

    async def athrow(self, *_: Any) -> str:
        raise NotImplementedError

    async def aclose(self) -> None:
        self._world.sources_closed.add()


async def _one_then_wait(world: World) -> AsyncGenerator[int]:
    world.sources_opened.add()
    try:
        yield 1
        await world.gate.wait()
        yield 2
    finally:
        world.sources_closed.add()


async def _close_late(world: World) -> AsyncGenerator[int]:
    world.sources_opened.add()
    world.most_open = max(world.most_open, world.sources_opened.value - world.sources_closed.value)
    try:
        yield 1
        await asyncio.Event().wait()
    finally:
        await world.gate.wait()
        world.sources_closed.add()


async def _flood(world: World, size: int) -> AsyncGenerator[str]:
    world.sources_opened.add()
    try:
        while True:
            world.events_taken.add()
            yield "x" * size
            await asyncio.sleep(0)
    finally:
        world.sources_closed.add()


async def _counter(world: World) -> AsyncGenerator[int]:
    number = world.mutations.value
    try:
        while True:
            yield number
            number += 1
            await world.mutations.wait_for(number)
    finally:
        world.sources_closed.add()


async def _count_to(world: World, last: int) -> AsyncGenerator[int]:
    world.sources_opened.add()
    try:
        for number in range(1, last + 1):
            yield number
    finally:
        world.sources_closed.add()


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count_to(self, info: Info[WorldContext, None], last: int) -> AsyncIterator[int]:
        return _world(info).hold(_count_to(_world(info), last))

    @strawberry.subscription
    async def one_then_wait(self, info: Info[WorldContext, None]) -> AsyncIterator[int]:
        return _world(info).hold(_one_then_wait(_world(info)))

    @strawberry.subscription
    async def close_late(self, info: Info[WorldContext, None]) -> AsyncIterator[int]:
        return _world(info).hold(_close_late(_world(info)))

    @strawberry.subscription
    async def shared(self, info: Info[WorldContext, None]) -> AsyncIterator[str]:
        return SharedSource(_world(info))

    @strawberry.subscription
    async def counter(self, info: Info[WorldContext, None]) -> AsyncIterator[int]:
        return _world(info).hold(_counter(_world(info)))

    @strawberry.subscription
    async def flood(self, info: Info[WorldContext, None], size: int) -> AsyncIterator[str]:
        return _world(info).hold(_flood(_world(info), size))

    @strawberry.subscription
    async def breaks(self) -> AsyncIterator[int]:
        yield 1
        raise RuntimeError("the password is swordfish")


SCHEMA = strawberry.Schema(Query, Mutation, Subscription)

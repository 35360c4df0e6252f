"""A small schema for these tests: books, their authors and reviews, and ways to go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NewType, cast

import strawberry
from graphql import GraphQLError

from app.execution.compiled.operation import ExecutionOptions
from app.execution.executor import Executor
from app.execution.limits import QueryLimits
from app.execution.operation import Request, Response, ShownError

SECRET = "password=hunter2"  # noqa: S105 - what no response may hold


USUAL_OPTIONS = ExecutionOptions()
"""How libraries are opened that don't say; tests of both ways set it."""


class OutOfStockError(Exception):
    """An exception that clients may see."""


@dataclass
class Desk:
    """The context of an operation: what its resolvers met."""

    expected: int = 1
    started: int = 0
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    renewals: int = 0
    closed: list[str] = field(default_factory=list)

    async def wait(self, name: str) -> str:
        """Waits until released, and notes how that ended; `waiting` is set by the last expected."""
        self.started += 1
        order = self.started
        if self.started == self.expected:
            self.waiting.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            # Each resolver takes longer than the one before to tidy up after its cancellation.
            for _ in range(5 * order):
                await asyncio.sleep(0)
            self.cancelled.append(name)
            raise
        self.finished.append(name)
        return name


Info = strawberry.Info[Desk, None]


def parse_shelf(value: object) -> str:
    """Parses a shelf mark; what it raises on others is not for clients."""
    if not isinstance(value, str) or not value.startswith("S"):
        raise ValueError(SECRET)
    return value


Shelf = NewType("Shelf", str)
SHELF = strawberry.scalar(name="Shelf", serialize=str, parse_value=parse_shelf)


@strawberry.interface
class Node:
    id: strawberry.ID


@strawberry.type
class Author(Node):
    name: str = "Ursula"

    @strawberry.field
    def books(self, first: int | None = None, last: int | None = None) -> BookConnection:
        return BookConnection()


@strawberry.type
class PageInfo:
    has_next_page: bool = False
    origin: Author = field(default_factory=lambda: Author(id=strawberry.ID("a")))


@strawberry.type
class Book(Node):
    title: str = "The Dispossessed"
    tags: list[str] = field(default_factory=list)

    @strawberry.field
    def author(self) -> Author:
        return Author(id=strawberry.ID("a"))

    @strawberry.field
    def related(self) -> list[Book]:
        return []

    @strawberry.field
    def reviews(self, first: int | None = None, last: int | None = 20) -> ReviewConnection:
        return ReviewConnection()

    @strawberry.field
    async def slow(self, info: Info, name: str) -> str:
        return await info.context.wait(name)

    @strawberry.field
    def failing(self) -> str:
        raise RuntimeError(SECRET)


@strawberry.type
class BookEdge:
    cursor: str = ""
    node: Book = field(default_factory=lambda: Book(id=strawberry.ID("b")))


@strawberry.type
class BookConnection:
    edges: list[BookEdge] = field(default_factory=list)
    nodes: list[Book] = field(default_factory=list)
    page_info: PageInfo = field(default_factory=PageInfo)
    total_count: int = 0


@strawberry.type
class Review(Node):
    text: str = ""
    book: Book = field(default_factory=lambda: Book(id=strawberry.ID("b")))


@strawberry.type
class ReviewEdge:
    node: Review = field(default_factory=lambda: Review(id=strawberry.ID("r")))


@strawberry.type
class ReviewConnection:
    edges: list[ReviewEdge] = field(default_factory=list)
    page_info: PageInfo = field(default_factory=PageInfo)


@strawberry.input(one_of=True)
class Target:
    book: strawberry.Maybe[str]
    author: strawberry.Maybe[str]


@strawberry.input
class Change:
    title: strawberry.Maybe[str]


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"Hello, {name}!"

    @strawberry.field
    def book(self) -> Book | None:
        return Book(id=strawberry.ID("b"))

    @strawberry.field
    def books(self, first: int | None = None, last: int | None = None) -> BookConnection:
        return BookConnection(edges=[BookEdge()] * (first or last or 0))

    @strawberry.field
    def authors(self) -> list[Author]:
        return []

    @strawberry.field
    def nodes(self, ids: list[strawberry.ID]) -> list[Node | None]:
        return [None] * len(ids)

    @strawberry.field
    def on_shelf(self, shelf: Shelf) -> str:
        return shelf

    @strawberry.field
    def find(self, target: Target) -> str:
        return str(target.book or target.author)

    @strawberry.field
    async def slow(self, info: Info, name: str) -> str | None:
        return await info.context.wait(name)

    @strawberry.field
    def failing(self) -> str | None:
        raise RuntimeError(SECRET)

    @strawberry.field
    def many_failing(self) -> list[str | None]:
        failure: Any = RuntimeError(SECRET)
        return [failure, failure]

    @strawberry.field
    def sold_out(self) -> str | None:
        raise OutOfStockError("No copies left")

    @strawberry.field
    def coded(self) -> str | None:
        raise GraphQLError("Come back later", extensions={"code": "CLOSED", "until": 8})

    @strawberry.field
    def uncoded(self) -> str | None:
        raise GraphQLError(SECRET)

    @strawberry.field
    def badly_typed(self) -> int | None:
        return cast("int", SECRET)

    @strawberry.field
    def unexpectedly_null(self) -> str:
        return cast("str", None)

    @strawberry.field
    async def abandoned(self) -> str | None:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        future.cancel()
        return await future


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def note(self, info: Info, text: str) -> str:
        info.context.finished.append(text)
        return text

    @strawberry.mutation
    def change(self, change: Change) -> str:
        return "changed"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(
        self, info: Info, to: int, fail_after: bool = False
    ) -> AsyncGenerator[int, None]:
        try:
            for number in range(to):
                yield number
            if fail_after:
                raise RuntimeError(SECRET)
        finally:
            info.context.closed.append("count")

    @strawberry.subscription
    async def arrivals(self, info: Info, count: int = 1) -> AsyncGenerator[Book, None]:
        try:
            for number in range(count):
                yield Book(id=strawberry.ID(str(number)))
            await info.context.wait("arrivals")
        finally:
            info.context.closed.append("arrivals")

    @strawberry.subscription
    async def abandoned(self) -> AsyncGenerator[int, None]:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.cancel()
        yield await future

    @strawberry.subscription
    async def refused(self) -> AsyncGenerator[int, None]:
        raise OutOfStockError("No copies left")
        yield 1


SCHEMA = strawberry.Schema(
    Query,
    Mutation,
    Subscription,
    types=[Review],
    config=strawberry.schema.config.StrawberryConfig(scalar_map={Shelf: SHELF}),
)


def describe_error(error: BaseException) -> ShownError | None:
    """Shows the one exception that clients may see."""
    if isinstance(error, OutOfStockError):
        return ShownError(str(error), "OUT_OF_STOCK", {"copies": 0})
    return None


@dataclass
class Library:
    """An executor over the schema, with what it reported."""

    executor: Executor
    reports: list[tuple[BaseException, Mapping[str, object]]]

    async def run(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        *,
        operation_name: str | None = None,
        desk: Desk | None = None,
    ) -> dict[str, Any]:
        """Runs a query or mutation and returns the response as it goes over the wire."""
        request = Request(query, variables, operation_name)
        prepared = self.executor.prepare(request)
        if isinstance(prepared, Response):
            return prepared.formatted()
        return (await self.executor.execute(prepared, request, desk or Desk())).formatted()

    async def refused(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """Returns the only error of a request that is not executed."""
        response = await self.run(query, variables)
        assert "data" not in response
        (error,) = response["errors"]
        return dict(error)

    async def subscribe(
        self, query: str, desk: Desk, renew: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[Response] | Response:
        """Starts a subscription."""
        request = Request(query)
        prepared = self.executor.prepare(request)
        assert not isinstance(prepared, Response), prepared
        return await self.executor.subscribe(prepared, request, desk, renew=renew)


def open_library(
    limits: QueryLimits | None = None, options: ExecutionOptions | None = None
) -> Library:
    """Returns a library with the given limits and options, or the usual ones."""
    reports: list[tuple[BaseException, Mapping[str, object]]] = []
    executor = Executor(
        SCHEMA,
        limits=limits or QueryLimits(),
        options=options or USUAL_OPTIONS,
        describe_error=describe_error,
        report_error=lambda error, details: reports.append((error, details)),
    )
    return Library(executor, reports)

"""A small schema whose resolvers wait: for loaders, for each other, and for what never comes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, cast

import strawberry
from strawberry.dataloader import DataLoader

from app.execution.batch_loader import BatchLoader
from app.execution.compiled.operation import ExecutionOptions
from app.execution.document import Prepared
from app.execution.executor import Executor
from app.execution.limits import QueryLimits
from app.execution.operation import Request, ShownError

NAME: ContextVar[str] = ContextVar("NAME", default="nobody")


class World:
    """What the resolvers of an operation met."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.loader: DataLoader[int, int] = DataLoader(self._load)
        self.batches: BatchLoader[int, int] = BatchLoader(self._load_by_key)
        self.relays: BatchLoader[int, int | None] = BatchLoader(self._relay)
        self.found: list[list[int]] = []
        self.found_twice = asyncio.Event()
        self.finder: BatchLoader[int, Item] = BatchLoader(self._find)
        self.late_finder: BatchLoader[int, Item] = BatchLoader(self._find_late)
        self.failing: BatchLoader[int, int] = BatchLoader(self._fail)
        self.gate = asyncio.Event()
        self.gate.set()
        self.tasks: list[object] = []
        self.waiting = asyncio.Event()
        self.ended: list[str] = []
        self.loading: asyncio.Task[Any] | None = None
        self.begun = asyncio.Event()

    async def _load(self, keys: list[int]) -> list[int]:
        self.asked.append(keys)
        await asyncio.sleep(0)
        return [key * 10 for key in keys]

    async def _load_by_key(self, keys: list[int]) -> Mapping[int, int | Exception]:
        self.asked.append(keys)
        self.loading = asyncio.create_task(self.gate.wait())
        self.begun.set()
        await self.loading
        found: dict[int, int | Exception] = {key: key * 10 for key in keys if key != 3}
        if 2 in keys:
            found[2] = ValueError("two")
        return found

    async def _relay(self, keys: list[int]) -> Mapping[int, int | Exception | None]:
        found = await asyncio.gather(*[self.batches.load(key + 10) for key in keys])
        return dict(zip(keys, found, strict=True))

    async def _find(self, keys: list[int]) -> Mapping[int, Item | Exception]:
        if self.found:
            self.found_twice.set()
        self.found.append(keys)
        return {key: Item(number=key + 10) for key in keys}

    async def _fail(self, keys: list[int]) -> Mapping[int, int | Exception]:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return {key: ValueError(key) for key in keys}

    async def _find_late(self, keys: list[int]) -> Mapping[int, Item | Exception]:
        await asyncio.sleep(0)
        return {key: Item(number=key + 20) for key in keys}


Info = strawberry.Info[World, None]


@strawberry.type
class Item:
    number: int

    @strawberry.field
    async def loaded(self, info: Info) -> int:
        info.context.tasks.append(asyncio.current_task())
        return await info.context.loader.load(self.number)

    @strawberry.field
    def operation(self, info: Info) -> str:
        return info.operation.operation.value

    @strawberry.field
    def refused(self) -> int | None:
        raise ValueError(self.number)

    @strawberry.field
    async def shared(self, info: Info) -> int:
        return await info.context.loader.load(1)

    @strawberry.field
    def batched(self, info: Info) -> int | None:
        return cast("int | None", info.context.batches.load(self.number))

    @strawberry.field
    def batched_surely(self, info: Info) -> int:
        return cast("int", info.context.batches.load(self.number))

    @strawberry.field
    def relayed(self, info: Info) -> int | None:
        return cast("int | None", info.context.relays.load(self.number))

    @strawberry.field
    def found(self, info: Info) -> Item:
        return cast("Item", info.context.finder.load(self.number))

    @strawberry.field
    def found_late(self, info: Info) -> Item:
        return cast("Item", info.context.late_finder.load(self.number))

    @strawberry.field
    async def fails_at_once(self) -> int:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        raise ValueError(self.number)

    @strawberry.field
    def named(self) -> str:
        return NAME.get()

    @strawberry.field
    def sets(self) -> str:
        NAME.set(f"item {self.number}")
        return NAME.get()

    @strawberry.field
    def failing(self, info: Info) -> int | None:
        return cast("int | None", info.context.failing.load(self.number))

    @strawberry.field
    def next(self) -> Item:
        return Item(number=self.number + 1)

    @strawberry.field
    def given_up(self, info: Info) -> int | None:
        loading = info.context.batches.load(self.number)
        loading.cancel()
        return cast("int | None", loading)

    @strawberry.field
    async def fails_on_two(self) -> int:
        await asyncio.sleep(0)
        if self.number == 2:
            raise ValueError("two")
        return self.number


@strawberry.type
class Query:
    @strawberry.field
    def items(self) -> list[Item | None]:
        return [Item(number=number) for number in (1, 2, 3)]

    @strawberry.field
    def batched(self, info: Info) -> int | None:
        return cast("int | None", info.context.batches.load(1))

    @strawberry.field
    async def named(self, name: str) -> str:
        NAME.set(name)
        await asyncio.sleep(0)
        return NAME.get()

    @strawberry.field
    async def names(self, name: str) -> Item:
        NAME.set(name)
        await asyncio.sleep(0)
        return Item(number=1)

    @strawberry.field
    async def timed_out(self) -> str:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            return "in time"
        return "too late"

    @strawberry.field
    async def grouped(self, fail: bool = False) -> str | None:
        async def part(text: str) -> str:
            await asyncio.sleep(0)
            if fail and text == "b":
                raise ValueError(text)
            return text

        try:
            async with asyncio.TaskGroup() as group:
                parts = [group.create_task(part(text)) for text in "ab"]
        except ExceptionGroup as errors:
            return f"failed: {errors.exceptions[0]}"
        return "".join(task.result() for task in parts)

    @strawberry.field
    async def stays(self, info: Info, stubborn: bool = False) -> str:
        try:
            info.context.waiting.set()
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            info.context.ended.append("stubborn" if stubborn else "stays")
        return "never"


def executor(limits: QueryLimits | None = None) -> Executor:
    return Executor(
        strawberry.Schema(Query),
        limits=limits or QueryLimits(),
        options=ExecutionOptions(compiled=True, runs_before_compiling=0),
        describe_error=lambda error: ShownError(str(error), "SHOWN"),
        report_error=lambda *_: None,
    )


async def run(text: str, world: World | None = None, limits: QueryLimits | None = None) -> Any:
    chosen, request = executor(limits), Request(text)
    prepared = chosen.prepare(request)
    assert isinstance(prepared, Prepared), prepared
    response = await chosen.execute(prepared, request, world or World())
    assert chosen.statistics.compiled_runs == 1
    return response

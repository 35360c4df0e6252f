"""One run of an operation on graphql-core's executor, which leaves nothing running behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable, Iterator
from inspect import CORO_CREATED, getcoroutinestate
from types import CoroutineType
from typing import Any, TypeVar

from graphql import (
    ExecutionResult,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    default_field_resolver,
    default_type_resolver,
)
from graphql.execution import Executor as CoreExecutor
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.values import VariableValues
from graphql.pyutils import Path

from app.execution.deadlines import Deadlines
from app.execution.document import Prepared
from app.execution.given_up import is_given_up

T = TypeVar("T")

_AWAITING_OTHERS = frozenset({CoreExecutor.__module__, __name__})
"""The modules whose coroutines await those of others."""


class OperationTimeoutError(Exception):
    """The run took longer than it may."""


class AbandonedError(Exception):
    """What a resolver awaited was cancelled, though the operation was not."""


class Run(CoreExecutor[Any]):
    """One run of an operation; every event of a subscription is a run of its own.

    graphql-core lets the siblings of a failed field go on in the background, and on cancellation
    it returns when the first of them has ended. This notes every task in which it awaits a
    resolver, and ends them all before a result or an exception comes out.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        prepared: Prepared,
        variables: VariableValues,
        context: object,
        root_value: object = None,
    ) -> None:
        super().__init__(
            schema,
            prepared.fragment_definitions,
            prepared.fragments,
            root_value,
            context,
            prepared.operation,
            variables,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
        )
        self._tasks: set[asyncio.Task[Any] | None] = set()
        self._coroutines: list[CoroutineType[Any, Any, Any]] = []

    async def result(self, deadlines: Deadlines) -> ExecutionResult:
        """Runs the operation and returns its result.

        Raises OperationTimeoutError when its time is over. On a timeout, and when the caller is
        cancelled, resolvers are cancelled and awaited: one that swallows its cancellation delays
        the return.
        """
        try:
            running = self.execute_operation()
            if isinstance(running, Awaitable):
                running = await self.within(deadlines, running)
            elif self.background_futures:
                await self._end_leftovers()
        finally:
            self.take_apart()
        if not isinstance(running, ExecutionResult):
            raise TypeError("Incremental delivery is not part of this executor.")
        return running

    def take_apart(self) -> None:
        """Breaks the cycles of a run that has ended; nothing more can be run with it."""
        self._tasks.clear()
        if hasattr(self, "async_helpers"):
            del self.async_helpers

    async def within(self, deadlines: Deadlines, awaitable: Awaitable[T]) -> T:
        """Awaits a part of the run, under the promises of `result`."""
        deadline = deadlines.begin(asyncio.get_running_loop())
        try:
            with deadline:
                value = await awaitable
        except BaseException as error:
            await self._end_leftovers()
            if isinstance(error, TimeoutError) and deadline.expired:
                raise OperationTimeoutError from None
            raise
        if self.background_futures:
            await self._end_leftovers()
        return value

    def complete_awaitable_value(
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Coroutine[Any, Any, Any]:
        """Completes a value once it is there, or handles the error that came instead."""
        if isinstance(result, CoroutineType):
            self._coroutines.append(result)
        return self._complete_later(
            return_type, field_details_list, info, path, result, position_context
        )

    def complete_awaitable_list_item_value(
        self,
        item: Any,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        item_path: Path,
        position_context: Any,
    ) -> Coroutine[Any, Any, Any]:
        """Completes an item of a list as `complete_awaitable_value` completes a field."""
        return self.complete_awaitable_value(
            item_type, field_details_list, info, item_path, item, position_context
        )

    async def complete_async_iterator_value(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Completes a list that an asynchronous iterator gives."""
        self._tasks.add(asyncio.current_task())
        return await super().complete_async_iterator_value(*args, **kwargs)

    def settle_in_background(self, awaitables: list[Awaitable[Any]]) -> None:
        """Takes over what nobody waits for any more, since a field beside it has failed."""
        self._coroutines += _not_begun(awaitables)
        super().settle_in_background(awaitables)

    async def _complete_later(
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Awaitable[Any],
        position_context: Any,
    ) -> Any:
        self._tasks.add(asyncio.current_task())
        try:
            try:
                resolved = await result
            except asyncio.CancelledError as error:
                if is_given_up():
                    raise
                raise AbandonedError("A resolver awaited what was cancelled.") from error
            completed = self.complete_value(
                return_type, field_details_list, info, path, resolved, position_context
            )
            return await completed if self.is_awaitable(completed) else completed
        except Exception as error:  # noqa: BLE001 - becomes an error of this field
            self.handle_field_error(error, return_type, field_details_list, path)
            return None

    async def _end_leftovers(self) -> None:
        current = asyncio.current_task()
        while True:
            background = {future for future in self.background_futures if not future.done()}
            tasks = {
                task
                for task in self._tasks
                if task is not None and task is not current and not task.done()
            }
            if not background and not tasks:
                break
            for future in background:
                future.cancel()
            for task in tasks:
                # A second cancellation would break off a resolver that is tidying up.
                if not task.cancelling():
                    task.cancel()
            await asyncio.wait(background | tasks)
            for future in background | tasks:
                if not future.cancelled():
                    future.exception()  # read, so that asyncio does not complain of it
        # A task that is cancelled before its first step never awaits its resolver.
        for coroutine in self._coroutines:
            if getcoroutinestate(coroutine) == CORO_CREATED:
                coroutine.close()


def _not_begun(values: Iterable[Any]) -> Iterator[CoroutineType[Any, Any, Any]]:
    """Yields the coroutines among values that were not begun, and those that they would await.

    What would await them is never begun either, and nothing else knows of them.
    """
    for value in values:
        if isinstance(value, CoroutineType) and getcoroutinestate(value) == CORO_CREATED:
            yield value
            frame = value.cr_frame
            # A resolver's own variables are its own.
            if frame is None or frame.f_globals["__name__"] not in _AWAITING_OTHERS:
                continue
            for held in frame.f_locals.values():
                if isinstance(held, dict):
                    yield from _not_begun(held.values())
                else:
                    yield from _not_begun(held if isinstance(held, list) else (held,))

"""Completion of lists, item by item.

Follows graphql-core's `Executor.complete_list_value` (GraphQL specification, section 6.4.3). Lists
and tuples of objects have generated functions, which end here when an item fails.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from graphql import GraphQLError
from graphql.pyutils import is_iterable
from graphql.pyutils.is_awaitable import is_async_iterable, is_awaitable

from app.execution.compiled.job import Collected, Complete, Job, Spot, open_job
from app.execution.compiled.kinds import KINDS
from app.execution.compiled.paths import LinkedPath
from app.execution.compiled.plan import FieldPlan, Position
from app.execution.compiled.run import CompiledRun
from app.execution.compiled.values import complete_value, place_failed, raised


def list_values(position: Position, item: Position) -> Complete:
    """Returns the completion of a list's values."""
    field = position.field
    complete_items = _nullable_items if item.nullable else _items

    def complete(run: CompiledRun, value: Any, path: LinkedPath) -> Any:
        type_ = type(value)
        if type_ is not list and type_ is not tuple:
            if is_async_iterable(value):
                items = _async_items(run, field, item, aiter(value), path)
                return open_job(run, position, items, path, _release)
            if not is_iterable(value):
                raise GraphQLError(
                    "Expected Iterable, but did not find one for field"
                    f" '{field.typename}.{field.name}'."
                )
        return complete_items(run, item, iter(value), path)

    return complete


def _items(
    run: CompiledRun, item: Position, iterator: Iterator[Any], path: LinkedPath
) -> list[Any]:
    completed: list[Any] = []
    append = completed.append
    plain = item.plain
    index = 0
    try:
        for value in iterator:
            place = (path, index, None)
            if KINDS[type(value)]:
                result = _item(run, item, value, place)
            else:
                try:
                    result = plain(run, value, place)
                except Exception as error:  # noqa: BLE001 - becomes an error of this item
                    place_failed(run, item, error, place)
            if type(result) is Job:
                result.into = completed
            append(result)
            index += 1
    except Exception:
        _dispose_rest(run, iterator)
        raise
    return completed


def _nullable_items(
    run: CompiledRun, item: Position, iterator: Iterator[Any], path: LinkedPath
) -> list[Any]:
    completed: list[Any] = []
    append = completed.append
    plain = item.plain
    jobs = run.open
    index = 0
    try:
        for value in iterator:
            place = (path, index, None)
            if KINDS[type(value)]:
                result = _item(run, item, value, place)
            else:
                mark = len(jobs)
                try:
                    result = plain(run, value, place)
                    if len(jobs) > mark and type(result) is not Job:
                        run.enclose(mark, place)
                except Exception as error:  # noqa: BLE001 - becomes an error of this item
                    place_failed(run, item, error, place, mark)
                    result = None
            if type(result) is Job:
                result.into = completed
            append(result)
            index += 1
    except Exception:
        _dispose_rest(run, iterator)
        raise
    return completed


def _item(run: CompiledRun, item: Position, value: Any, path: LinkedPath) -> Any:
    """Completes an item of any kind, errors included."""
    mark = len(run.open)
    try:
        result = complete_value(run, item, value, path)
        if item.nullable and len(run.open) > mark and type(result) is not Job:
            run.enclose(mark, path)
    except Exception as error:  # noqa: BLE001 - becomes an error of this item
        place_failed(run, item, error, path, mark)
        return None
    return result


def _dispose_rest(run: CompiledRun, iterator: Iterator[Any]) -> None:
    # The list has failed already, for an earlier reason.
    with suppress(Exception):
        for value in iterator:
            if is_awaitable(value):
                run.dispose(value)


async def _async_items(
    run: CompiledRun,
    field: FieldPlan,
    item: Position,
    iterator: AsyncIterator[Any],
    path: LinkedPath,
) -> Collected:
    """Completes what an asynchronous iterator gives; its awaitables start when it has ended."""
    completed: list[Any] = []
    jobs: list[Job | Spot] = []
    queued: list[Job] = []
    try:
        while True:
            place = (path, len(completed), None)
            try:
                value = await anext(iterator)
            except StopAsyncIteration:
                break
            except Exception as error:
                raise field.locate(error, path) from error
            opened, begun = len(run.open), len(run.queue)
            try:
                result = _item(run, item, value, place)
            except Exception:
                run.drop(opened)
                raise
            if type(result) is Job:
                result.into = completed
            completed.append(result)
            jobs += run.open[opened:]
            queued += run.queue[begun:]
            del run.open[opened:], run.queue[begun:]
    except BaseException:
        for job in queued:
            if not job.dead:
                job.discard()
        await _close(iterator)
        raise
    return Collected(completed, jobs, queued)


def _release(run: CompiledRun, collected: Collected, _path: LinkedPath) -> list[Any]:
    """Lets the awaitables among the collected items start."""
    run.open += collected.open
    run.queue += collected.queued
    return collected.items


async def _close(iterator: AsyncIterator[Any]) -> None:
    close: Any = getattr(iterator, "aclose", None)
    if close is not None:
        # The list has failed already, for an earlier reason.
        with suppress(Exception):
            await close()


def item_failed(run: CompiledRun, item: Position, path: LinkedPath, mark: int) -> None:
    """Takes the exception being handled for the error of an item that may be null."""
    place_failed(run, item, raised(), path, mark)


def list_failed(
    run: CompiledRun, item: Position, values: Sequence[Any], path: LinkedPath
) -> NoReturn:
    """Raises the exception being handled, located at the item of the list that it is of.

    The items behind it are given up.
    """
    error = raised()
    _dispose_rest(run, iter(values[int(path[1]) + 1 :]))
    raise item.field.locate(error, path)

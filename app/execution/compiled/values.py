"""Completion of values out of the ordinary, and of abstract types; `lists` has that of lists.

Follows graphql-core's `Executor.complete_value` step by step (GraphQL specification, section
6.4.3), with the same messages; what it returns as a coroutine is a `Job` here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from graphql import GraphQLNonNull, Undefined, default_type_resolver
from graphql.execution.executor import invalid_return_type_error
from graphql.pyutils import inspect
from graphql.pyutils.is_awaitable import is_awaitable

from app.execution.compiled.arguments_used import ignores_argument
from app.execution.compiled.job import Complete, Job, open_job
from app.execution.compiled.kinds import AWAITABLE, KINDS, UNSURE
from app.execution.compiled.paths import LinkedPath
from app.execution.compiled.plan import ObjectPlan, Position
from app.execution.compiled.run import CompiledRun


def complete_value(run: CompiledRun, position: Position, value: Any, path: LinkedPath) -> Any:
    """Completes whatever a resolver returned or a list holds."""
    kind = KINDS[type(value)]
    if kind == AWAITABLE or (kind == UNSURE and is_awaitable(value)):
        return open_job(run, position, value, path)
    return position.complete(run, value, path)


def complete_leaf(
    run: CompiledRun, position: Position, value: Any, before: LinkedPath | None
) -> Any:
    """Completes a scalar or enum, given the path of the object that it is of."""
    field = position.field
    return complete_value(run, position, value, (before, field.key, field.typename))


def field_failed(
    run: CompiledRun, position: Position, before: LinkedPath | None, mark: int = -1
) -> None:
    """Takes the exception being handled for the error of a field of the object at a path."""
    field = position.field
    place_failed(run, position, raised(), (before, field.key, field.typename), mark)


def raised() -> Exception:
    """Returns the exception being handled. TypeError where there is none."""
    error = sys.exception()
    if not isinstance(error, Exception):
        raise TypeError("There is no exception that could be a field's error.")
    return error


def place_failed(
    run: CompiledRun, position: Position, error: Exception, path: LinkedPath, mark: int = -1
) -> None:
    """Records the error of a field or item that may be null, or raises it located.

    `mark` is where the run's open jobs were when the place began.
    """
    located = position.field.locate(error, path)
    if not position.nullable:
        raise located
    if mark >= 0:
        run.drop(mark)
    run.errors.append(located)


def place_jobs(completed: dict[str, Any]) -> None:
    """Tells the jobs among the values of an object where they belong."""
    for value in completed.values():
        if type(value) is Job:
            value.into = completed


def checked(position: Position, plain: Complete) -> Complete:
    """Puts the first steps of completion before those for a plain value."""
    if not isinstance(position.type, GraphQLNonNull):

        def complete_nullable(run: CompiledRun, value: Any, path: LinkedPath) -> Any:
            if isinstance(value, Exception):
                raise value
            if value is None or value is Undefined:
                return None
            return plain(run, value, path)

        return complete_nullable

    field = position.field

    def complete(run: CompiledRun, value: Any, path: LinkedPath) -> Any:
        if isinstance(value, Exception):
            raise value
        if value is None or value is Undefined:
            message = f"Cannot return null for non-nullable field {field.typename}.{field.name}."
            raise TypeError(message)
        return plain(run, value, path)

    return complete


def leaf_values(position: Position, leaf_type: Any) -> Complete:
    """Returns the completion of a scalar's or an enum's values."""
    coerce = leaf_type.coerce_output_value

    def complete(run: CompiledRun, value: Any, path: LinkedPath) -> Any:
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise TypeError(
                f"Expected `{inspect(leaf_type)}.coerce_output_value({inspect(value)})` to return"
                f" non-nullable value, returned: {inspect(coerced)}"
            )
        if KINDS[type(coerced)] >= AWAITABLE and is_awaitable(coerced):
            return open_job(run, position, coerced, path, _as_it_is)
        return coerced

    return complete


def _as_it_is(_run: CompiledRun, value: Any, _path: LinkedPath) -> Any:
    return value


def object_values(position: Position, plan: ObjectPlan) -> Complete:
    """Returns the completion of an object type's values."""
    is_type_of: Any = plan.type.is_type_of
    if is_type_of is None:
        return lambda run, value, path: plan.build(run, value, path)
    needs_info = not ignores_argument(is_type_of, 1)
    field = position.field

    def complete(run: CompiledRun, value: Any, path: LinkedPath) -> Any:
        verdict: Any = is_type_of(value, field.info(run, path) if needs_info else None)
        if verdict is True:
            return plan.build(run, value, path)
        return judged(run, position, plan, value, path, verdict)

    return complete


def judged(
    run: CompiledRun,
    position: Position,
    plan: ObjectPlan,
    value: Any,
    path: LinkedPath,
    verdict: Any,
) -> Any:
    """Completes an object as its type's `is_type_of` decides, now or when it is awaited."""

    def complete(run: CompiledRun, verdict: Any, path: LinkedPath) -> Any:
        if not verdict:
            raise invalid_return_type_error(plan.type, value, position.field.details)
        return plan.build(run, value, path)

    if is_awaitable(verdict):
        return open_job(run, position, verdict, path, complete)
    return complete(run, verdict, path)


def abstract_values(
    position: Position, abstract_type: Any, possible: Mapping[str, Complete]
) -> Complete:
    """Returns the completion of an interface's or a union's values, by their type's name."""
    resolve_type: Any = abstract_type.resolve_type or default_type_resolver
    needs_info = not ignores_argument(resolve_type, 1)
    field = position.field

    def complete_as(run: CompiledRun, value: Any, name: Any, path: LinkedPath) -> Any:
        complete = possible.get(name) if isinstance(name, str) else None
        if complete is None:
            # Raises, in graphql-core's words.
            run.core.ensure_valid_runtime_type(
                name, abstract_type, field.details, field.info(run, path), value
            )
            raise TypeError(f"The type {name!r} is possible now, and was not before.")
        return complete(run, value, path)

    def complete(run: CompiledRun, value: Any, path: LinkedPath) -> Any:
        info = field.info(run, path) if needs_info else None
        name: Any = resolve_type(value, info, abstract_type)
        known = possible.get(name) if type(name) is str else None
        if known is not None:
            return known(run, value, path)
        if is_awaitable(name):
            return open_job(
                run,
                position,
                name,
                path,
                lambda run, name, path: complete_as(run, value, name, path),
            )
        return complete_as(run, value, name, path)

    return complete

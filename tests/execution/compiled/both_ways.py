"""Runs one operation on graphql-core's executor and compiled, and tells the answers apart."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import (
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues, get_variable_values

from app.execution.compiled.compiler import Compiler
from app.execution.compiled.operation import CompiledOperation
from app.execution.compiled.plan import Plan
from app.execution.compiled.run import CompiledRun
from app.execution.compiled.shape import shape_of
from app.execution.cost import NOTHING
from app.execution.deadlines import Deadlines
from app.execution.document import Prepared
from app.execution.errors import innermost
from app.execution.operation import OperationKind
from app.execution.running import AbandonedError, OperationTimeoutError, Run
from app.execution.variables import InputTypes, VariableCoercer

MOST_INPUT_VALUES = 10_000

Answer: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]
"""Runs a document one way: the type of the fixture `answer`."""


async def later(value: Any) -> Any:
    """Answers a value, or raises it, in the next turn of the event loop."""
    await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


def prepare(schema: GraphQLSchema, text: str) -> Prepared:
    """Prepares the only operation of a document that is valid already."""
    definitions = parse(text).definitions
    fragments = {
        definition.name.value: definition
        for definition in definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    (operation,) = (d for d in definitions if isinstance(d, OperationDefinitionNode))
    declared = operation.variable_definitions or ()
    return Prepared(
        kind=OperationKind(operation.operation.value),
        operation_name=operation.name.value if operation.name else None,
        operation=operation,
        fragment_definitions=fragments,
        fragments={name: FragmentDetails(node) for name, node in fragments.items()},
        variable_definitions=declared,
        variables=VariableCoercer(InputTypes(), schema, declared),
        cost=NOTHING,
        compiled=CompiledOperation(),
    )


@dataclass
class Answers:
    """What both ways answered to one request."""

    core: ExecutionResult
    compiled: ExecutionResult


class BothWays:
    """A document to be run both ways."""

    def __init__(self, schema: GraphQLSchema, compiler: Compiler, text: str) -> None:
        self._schema = schema
        self._compiler = compiler
        self.text = text
        self.prepared = prepare(schema, text)
        self.shape = shape_of(self.prepared.operation, self.prepared.fragments)
        self._plans: dict[tuple[Any, ...], Plan] = {}

    def coerce(self, variables: dict[str, Any]) -> VariableValues | None:
        """Returns the variables as execution takes them, None where they don't fit."""
        coerced = get_variable_values(self._schema, self.prepared.variable_definitions, variables)
        ours = self.prepared.variables.coerce(variables, MOST_INPUT_VALUES)
        if isinstance(coerced, VariableValues):
            assert ours is None or ours.coerced == coerced.coerced
            return coerced
        assert ours is None
        return None

    def plan(self, variables: VariableValues) -> Plan | None:
        """Returns the plan for a request, None where graphql-core answers it in production."""
        conditions = tuple(variables.coerced.get(name) for name in self.shape.conditions)
        if self.shape.refusal is not None or not all(type(c) is bool for c in conditions):
            return None
        if conditions not in self._plans:
            plan = self._compiler.compile(self.prepared, variables)
            if plan is None:
                return None
            self._plans[conditions] = plan
        return self._plans[conditions]

    async def run(
        self,
        variables: VariableValues,
        world: Callable[[], tuple[object, object]],
        timeout_seconds: float = 10,
    ) -> Answers | None:
        """Runs both ways, each in a new world (a context and a root value)."""
        plan = self.plan(variables)
        if plan is None:
            return None
        context, root = world()
        try:
            core = await Run(self._schema, self.prepared, variables, context, root).result(
                Deadlines(timeout_seconds)
            )
        except OperationTimeoutError:
            # It cancels all that a data loader was about to load, and that loads nothing any more.
            return None
        context, root = world()
        compiled = await CompiledRun(
            plan, self._schema, self.prepared, variables, context, root
        ).result(Deadlines(timeout_seconds))
        return Answers(core, compiled)


def without_addresses(text: str) -> str:
    """Takes out of a text what `repr()` tells of an object's place in memory."""
    return re.sub(r"0x[0-9a-f]+", "", text)


def shown(error: GraphQLError) -> str:
    """Returns all of an error that a client or a log sees."""
    return json.dumps(
        {
            "message": without_addresses(error.message),
            "path": error.path,
            "locations": [location.formatted for location in error.locations or ()],
            "extensions": error.extensions,
            "exception": type(innermost(error)).__name__,
        },
        default=str,
    )


def difference(answers: Answers, *, in_order: bool) -> str | None:
    """Returns how the two answers differ, None for the same.

    `data` is compared whole, in the order of its keys. With `in_order` so are the errors. Without
    (something was awaited), the order of errors depends on time and is left aside, as the
    specification does; and of the errors below one place that became null by propagation there
    have to be some in both answers, because which of several failures comes first depends on time.
    """
    core, compiled = answers.core, answers.compiled
    core_errors, compiled_errors = core.errors or [], compiled.errors or []
    if any(isinstance(innermost(error), AbandonedError) for error in core_errors):
        # graphql-core cancels what the siblings of a failed field wait for, a loader's future that
        # others wait for as well among it; compiled, those others get their value.
        return None
    data = [without_addresses(json.dumps(r.data, default=repr)) for r in (core, compiled)]
    if data[0] != data[1]:
        return f"data:\n{data[0]}\n{data[1]}"
    if in_order:
        lists = [[shown(error) for error in errors] for errors in (core_errors, compiled_errors)]
        return None if lists[0] == lists[1] else f"errors:\n{lists[0]}\n{lists[1]}"
    own = [_own_errors(core.data, core_errors), _own_errors(compiled.data, compiled_errors)]
    return None if own[0] == own[1] else f"errors:\n{own[0]}\n{own[1]}"


def _own_errors(data: Any, errors: Sequence[GraphQLError]) -> tuple[list[str], list[str]]:
    """Returns errors where the null is, and the places that became null by propagation."""
    own: list[str] = []
    propagated: set[str] = set()
    for error in errors:
        path = error.path or []
        place, length = data, 0
        while place is not None and length < len(path):
            place = place[path[length]]
            length += 1
        if length == len(path):
            own.append(shown(error))
        else:
            propagated.add(json.dumps(path[:length]))
    return sorted(own), sorted(propagated)

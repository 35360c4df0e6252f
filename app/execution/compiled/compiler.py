"""Compiles an operation: collects its fields as graphql-core does, and writes their functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationType,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import (
    FieldDetailsList,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues

from app.execution.batch_loader import BatchFuture
from app.execution.compiled import lists, values
from app.execution.compiled.by_type import CompletionByType, CompletionOfAwaited
from app.execution.compiled.info import LazyInfo
from app.execution.compiled.job import Job, open_job
from app.execution.compiled.kinds import KINDS
from app.execution.compiled.plan import Build, FieldPlan, ObjectPlan, Plan, Position
from app.execution.compiled.source import SourceWriter
from app.execution.document import Prepared
from app.execution.strawberry_schema import FieldCall, field_call

MOST_FIELDS = 2_000
"""Fields of one plan, each selection of each possible type once. A larger one is not compiled."""

SHARED: dict[str, Any] = {
    "BatchFuture": BatchFuture,
    "Info": LazyInfo,
    "Job": Job,
    "open_job": open_job,
    "K": KINDS,
    "failed": values.field_failed,
    "leaf": values.complete_leaf,
    "item_failed": lists.item_failed,
    "list_failed": lists.list_failed,
    "place": values.place_jobs,
    "value": values.complete_value,
}


class TooLargeError(Exception):
    """The operation has more fields than are compiled."""


class Compiler:
    """Compiles operations of one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._calls: dict[int, tuple[GraphQLField, FieldCall | None]] = {}

    def compile(self, prepared: Prepared, variables: VariableValues) -> Plan | None:
        """Returns an operation's plan for the conditions of a request, None for one too large."""
        try:
            return PlanCompiler(self._schema, self._call, prepared, variables).compile()
        except (TooLargeError, RecursionError):
            return None

    def _call(self, field: GraphQLField) -> FieldCall | None:
        """Returns the field's call, None for what only graphql-core's way answers."""
        known = self._calls.get(id(field))
        if known is None:
            known = self._calls[id(field)] = (field, field_call(field))
        return known[1]


class PlanCompiler:
    """Compiles one operation of a validated document, for the conditions of one request."""

    def __init__(
        self,
        schema: GraphQLSchema,
        call: Callable[[GraphQLField], FieldCall | None],
        prepared: Prepared,
        variables: VariableValues,
    ) -> None:
        self._schema = schema
        self._call = call
        self._prepared = prepared
        self._variables = variables
        self._objects: dict[tuple[str, tuple[int, ...]], ObjectPlan] = {}
        self._written: list[ObjectPlan] = []
        self._fields = 0
        self._writer = SourceWriter(SHARED)

    def compile(self) -> Plan:
        """Returns the plan. TooLargeError for an operation with too many fields."""
        operation = self._prepared.operation
        root_type = self._schema.get_root_type(operation.operation)
        if root_type is None:
            raise ValueError(f"The schema has no {operation.operation.value}.")
        fields, _defer_usages, _forbidden = collect_fields(
            self._schema, self._prepared.fragments, self._variables, root_type, operation
        )
        serial = operation.operation is OperationType.MUTATION
        parts = [{key: details} for key, details in fields.items()] if serial else [fields]
        roots = [self._object(root_type, part) for part in parts]
        # What is kept of a plan may write further functions later, and must not keep what one
        # request has sent.
        del self._variables
        inlined = self._writer.inlined
        # An object is written before those that it holds, so what it inlines is known by then.
        for plan in self._written:
            if plan.number not in inlined:
                self._writer.object_function(plan)
        source = self._take_source()
        for plan in self._written:
            if plan.number not in inlined:
                plan.build = self._writer.names[f"b{plan.number}"]
        for plan in self._written:
            for field in plan.fields:
                _link(field.position)
        characters = len(source) * (2 if inlined else 1)
        return Plan(tuple(root.build for root in roots), serial, source, characters)

    def _take_source(self) -> str:
        """Makes the functions that are written, and returns their source."""
        source = "\n".join(self._writer.lines)
        self._writer.lines.clear()
        # The source holds names of the schema and literals made by repr(), nothing of a request.
        code = compile(source, "<compiled operation>", "exec", dont_inherit=True)
        exec(code, self._writer.names)  # noqa: S102
        return source

    def _write(self, plan: ObjectPlan) -> Build:
        """Makes the function of an object that is written into others. It inlines none itself."""
        self._writer.object_function(plan, inlines=False)
        self._take_source()
        build: Build = self._writer.names[f"b{plan.number}"]
        return build

    def _object(self, type_: GraphQLObjectType, fields: GroupedFieldSet) -> ObjectPlan:
        plan = ObjectPlan(len(self._written), type_, self._write)
        self._written.append(plan)
        for key, details in fields.items():
            definition = self._schema.get_field(type_, details[0].node.name.value)
            if definition is None:
                continue
            self._fields += 1
            if self._fields > MOST_FIELDS:
                raise TooLargeError
            call = self._call(definition)
            field = FieldPlan(self._fields, key, type_, definition, details, call)
            field.position = self._position(field, definition.type)
            plan.fields.append(field)
        return plan

    def _selected(self, type_: GraphQLObjectType, details: FieldDetailsList) -> ObjectPlan:
        """Returns the plan of an object below a field; selections that are the same share one."""
        key = (type_.name, tuple(id(detail.node) for detail in details))
        plan = self._objects.get(key)
        if plan is None:
            fields, _defer_usages, _forbidden = collect_subfields(
                self._schema,
                self._prepared.fragments,
                self._variables,
                self._prepared.operation,
                type_,
                details,
            )
            plan = self._objects[key] = self._object(type_, fields)
        plan.uses += 1
        return plan

    def _position(self, field: FieldPlan, type_: GraphQLOutputType) -> Position:
        position = Position(field, type_, nullable=not is_non_null_type(type_))
        named: Any = get_nullable_type(type_)
        if is_list_type(named):
            position.item = self._position(field, named.of_type)
            position.plain = lists.list_values(position, position.item)
        elif is_leaf_type(named):
            position.plain = values.leaf_values(position, named)
        elif is_abstract_type(named):
            possible = {
                object_type.name: self._selected(object_type, field.details)
                for object_type in self._schema.get_possible_types(named)
            }
            position.possible, position.resolve_type = possible, named.resolve_type
            position.plain = values.abstract_values(
                position,
                named,
                {name: values.object_values(position, plan) for name, plan in possible.items()},
            )
        else:
            position.object = self._selected(named, field.details)
            position.plain = values.object_values(position, position.object)
        position.complete = values.checked(position, position.plain)
        position.by_type = CompletionByType(position)
        position.awaited = CompletionOfAwaited(position)
        return position


def _link(position: Position) -> None:
    """Lets lists call the functions of their objects without a function between."""
    plan = position.object
    if plan is not None and plan.type.is_type_of is None and plan.has_function:
        position.plain = plan.build
    if position.item is not None:
        _link(position.item)

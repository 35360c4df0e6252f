"""The one place that reaches into Strawberry, with `strawberry_inputs` for arguments.

Its graphql-core schema, its validation rules, and what its resolvers do for a field, so that
compiled operations can do the same without the wrappers around it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, Flag
from keyword import iskeyword
from types import FunctionType
from typing import Any, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLNamedType,
    GraphQLScalarType,
    GraphQLSchema,
    ObjectValueNode,
    OperationDefinitionNode,
    ValidationContext,
    VariableNode,
)
from graphql.validation import ASTValidationRule
from strawberry import Schema
from strawberry.schema.schema_converter import CustomGraphQLEnumType, GraphQLCoreConverter
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryContainer, has_object_definition
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info
from strawberry.types.lazy_type import LazyType
from strawberry.types.scalar import identity

from app.execution.hints import is_place_in_list
from app.execution.strawberry_inputs import ArgumentConversion


class OneOfInputRule(OneOfInputValidationRule):
    """Strawberry's rule, made safe for variables in fragments.

    The original knows the variables of the operation visited last, and raises KeyError or
    AttributeError for one that is undefined there or used in a fragment that stands first.
    """

    def __init__(self, validation_context: ValidationContext) -> None:
        super().__init__(validation_context)
        self.variable_definitions = {
            variable.variable.name.value: variable
            for operation in validation_context.document.definitions
            if isinstance(operation, OperationDefinitionNode)
            for variable in operation.variable_definitions or ()
        }

    def enter_operation_definition(self, node: Any, *_args: Any) -> None:
        """Keeps the variables of all operations."""

    def validate_one_of(self, node: ObjectValueNode, *type_: GraphQLNamedType) -> None:
        """Checks one input object; leaves undefined variables to the rule that names them."""
        if len(node.fields) == 1:
            value = node.fields[0].value
            if (
                isinstance(value, VariableNode)
                and value.name.value not in self.variable_definitions
            ):
                return
        super().validate_one_of(node, *type_)


INPUT_RULES: tuple[type[ASTValidationRule], ...] = (MaybeNullValidationRule, OneOfInputRule)
"""The rules that Strawberry adds to those of the specification."""


def core_schema(schema: Schema) -> GraphQLSchema:
    """Returns the graphql-core schema behind a Strawberry schema.

    Raises ValueError for a schema with Strawberry extensions or operation directives: those run
    inside Strawberry's own pipeline, which is not used here, and would be left out in silence.
    """
    if schema.extensions or schema.directives:
        raise ValueError(
            "The executor runs no Strawberry extensions and no operation directives:"
            " build the schema without them."
        )
    return schema._schema


@dataclass(frozen=True, slots=True)
class Attribute:
    """The field is the attribute of that name."""

    name: str


@dataclass(frozen=True, slots=True)
class SourceItself:
    """The field is the object it is asked of: the event, in a subscription."""


@dataclass(frozen=True, slots=True)
class DirectCall:
    """The field is what a function of the schema's author returns.

    `positional` and `keywords` say where the source and the info go: "source" and "info" by
    position, and parameter names to one of them.
    """

    function: Callable[..., Any]
    positional: tuple[str, ...]
    keywords: Mapping[str, str]
    is_async: bool
    takes_arguments: bool
    is_place: bool
    field: StrawberryField
    arguments: ArgumentConversion


FieldCall: TypeAlias = Attribute | SourceItself | DirectCall


def field_call(field: GraphQLField) -> FieldCall | None:
    """Returns what Strawberry's resolver of a field comes down to.

    None where there is more to it: a resolver of graphql-core's, extensions and permissions,
    handlers of exceptions, classes of Strawberry's that were extended.
    """
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(definition, StrawberryField) or not isinstance(field.resolve, FunctionType):
        return None
    if field.resolve.__module__ != GraphQLCoreConverter.__module__ or definition.extensions:
        return None
    if type(definition).get_result is not StrawberryField.get_result:
        return None
    made_by = field.resolve.__qualname__
    if definition.is_subscription:
        return SourceItself() if made_by.endswith("from_field.<locals>.<lambda>") else None
    if made_by.endswith("from_resolver.<locals>._get_basic_result"):
        name = definition.python_name
        plain = definition.default_resolver is getattr
        return Attribute(name) if plain and name.isidentifier() and not iskeyword(name) else None
    return _direct_call(field.resolve, definition, made_by)


def _direct_call(
    resolve: FunctionType, definition: StrawberryField, made_by: str
) -> DirectCall | None:
    around = inspect.getclosurevars(resolve).nonlocals
    make_info = around.get("_strawberry_info_from_graphql")
    resolver = definition.base_resolver
    if around.get("field_exception_handlers") != () or make_info is None or resolver is None:
        return None
    converter = inspect.getclosurevars(make_info).nonlocals.get("self")
    if not isinstance(converter, GraphQLCoreConverter) or converter.config.info_class is not Info:
        return None
    function = resolver.wrapped_func
    if type(resolver).__module__ != "strawberry.types.fields.resolver" or not callable(function):
        return None
    is_async = made_by.endswith("._async_resolver")
    if is_async and not inspect.iscoroutinefunction(function):
        return None
    if any(_builds_itself(argument) for argument in definition.arguments):
        return None
    positional: tuple[str, ...] = ("source",) if resolver.self_parameter else ()
    keywords = {
        parameter.name: what
        for parameter, what in (
            (resolver.parent_parameter, "source"),
            (resolver.root_parameter, "source"),
            (resolver.info_parameter, "info"),
        )
        if parameter is not None
    }
    if isinstance(function, FunctionType) and not positional:
        # By position where that is the same: it is the faster way to call.
        leading = function.__code__.co_varnames[: min(len(keywords), function.__code__.co_argcount)]
        if set(leading) == set(keywords):
            positional = tuple(keywords[name] for name in leading)
            keywords = {}
    return DirectCall(
        function=function,
        positional=positional,
        keywords=keywords,
        is_async=is_async,
        takes_arguments=bool(definition.arguments),
        is_place=is_place_in_list(definition.metadata),
        field=definition,
        arguments=ArgumentConversion(definition.arguments, converter),
    )


def _builds_itself(argument: StrawberryArgument) -> bool:
    """Tells whether an input type in an argument converts its value itself, by its own info."""
    pending: list[Any] = [argument.type]
    seen: list[Any] = []
    while pending:
        type_ = pending.pop()
        while isinstance(type_, (StrawberryContainer, LazyType)):
            type_ = type_.resolve_type() if isinstance(type_, LazyType) else type_.of_type
        if not has_object_definition(type_) or type_ in seen:
            continue
        seen.append(type_)
        if type_.__strawberry_definition__.from_input is not None:
            return True
        pending += [field.type for field in type_.__strawberry_definition__.fields]
    return False


def enum_names(enum: GraphQLEnumType) -> tuple[type[Enum], dict[Enum, str]] | None:
    """Returns the Python class behind an enum and the names of its members.

    None for an enum of graphql-core's own, or one whose members can't all be told beforehand.
    """
    if not isinstance(enum, CustomGraphQLEnumType):
        return None
    if not issubclass(enum.wrapped_cls, Enum) or issubclass(enum.wrapped_cls, Flag):
        return None
    members: list[Any] = list(enum.wrapped_cls)
    names = {member: enum.coerce_output_value(member) for member in members}
    return (enum.wrapped_cls, names) if len(names) == len(members) else None


def passes_through(scalar: GraphQLScalarType) -> bool:
    """Tells whether a scalar's values go into the response as they are."""
    return scalar.coerce_output_value is identity

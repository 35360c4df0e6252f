"""Coercion of a request's variables, compiled once for the types that an operation declares.

graphql-core looks at every field of an input type, and through several functions, for each
value anew. Here an input type is read once; what it comes to are plain functions. They take what
is common and correct. For everything else (a wrong value, a single item where a list belongs, a
type that contains itself) graphql-core is asked, whose answer and whose errors are the ones that
count (GraphQL specification, section 6.1.2, CoerceVariableValues).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, TypeAlias

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    VariableDefinitionNode,
)
from graphql.execution.get_variable_signature import (
    GraphQLVariableSignature,
    get_variable_signature,
)
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.type import is_required_input_field
from graphql.utilities.coerce_input_value import coerce_default_value

Coerce: TypeAlias = Callable[[Any, list[int]], Any]
"""From a value that is not null to the coerced one. The list holds one number, how many more
objects and list items there may be; it goes below zero, or `Uncommon` is raised."""

SHAREABLE = (str, int, float, bool, type(None), Enum)
"""Classes of values that no resolver can change for the next one."""

_MOST_LEVELS = 16
"""Input types nested deeper are left to graphql-core, which guards the depth of values."""


class Uncommon(Exception):
    """The value needs a closer look than is taken here. No error of the client by itself."""


class VariableCoercer:
    """Coerces the variables of one operation."""

    __slots__ = ("_variables",)

    def __init__(
        self,
        types: InputTypes,
        schema: GraphQLSchema,
        definitions: Iterable[VariableDefinitionNode],
    ) -> None:
        self._variables: list[_Variable] | None = []
        for definition in definitions:
            signature = get_variable_signature(schema, definition)
            coerce = None
            if not isinstance(signature, GraphQLError):
                coerce = types.coercion(signature.type)
            if coerce is None or isinstance(signature, GraphQLError):
                self._variables = None
                return
            self._variables.append(_Variable(signature, coerce))

    def coerce(self, given: Mapping[str, Any], limit: int) -> VariableValues | None:
        """Returns the variables as graphql-core coerces them.

        None where graphql-core has to be asked, and where they may hold more than `limit`
        objects and list items.
        """
        if self._variables is None:
            return None
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        left = [limit]
        try:
            for variable in self._variables:
                variable.take(given, sources, coerced, left)
        except Exception:  # noqa: BLE001 - whatever it was, graphql-core says it in its own words
            return None
        return None if left[0] < 0 else VariableValues(sources, coerced)


class _Variable:
    """A variable that an operation declares."""

    __slots__ = ("_coerce", "_default", "_signature", "_unset")

    def __init__(self, signature: GraphQLVariableSignature, coerce: Coerce) -> None:
        self._signature = signature
        self._coerce = coerce
        self._unset = VariableValueSource(signature)
        self._default: Any = Undefined
        if signature.default is not None:
            default = coerce_default_value(signature)
            # graphql-core makes it anew for each request, so that none can change another's.
            self._default = default if isinstance(default, SHAREABLE) else Uncommon

    def take(
        self,
        given: Mapping[str, Any],
        sources: dict[str, VariableValueSource],
        coerced: dict[str, Any],
        left: list[int],
    ) -> None:
        signature = self._signature
        name = signature.name
        value = given.get(name, Undefined)
        if value is not Undefined:
            sources[name] = VariableValueSource(signature, value)
            coerced[name] = self._coerce(value, left)
            return
        sources[name] = self._unset
        if self._default is Uncommon:
            raise Uncommon
        if self._default is not Undefined:
            coerced[name] = self._default
        elif isinstance(signature.type, GraphQLNonNull):
            raise Uncommon


class InputTypes:
    """The input types of one schema, each compiled when it is first declared."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[Coerce, int] | None] = {}

    def coercion(self, type_: GraphQLInputType) -> Coerce | None:
        """Returns the coercion to a type, None where graphql-core has to do it."""
        compiled = self._compile(type_)
        return None if compiled is None or compiled[1] > _MOST_LEVELS else compiled[0]

    def _compile(self, type_: GraphQLInputType) -> tuple[Coerce, int] | None:
        """Returns the coercion and how many levels the type has."""
        if isinstance(type_, GraphQLNonNull):
            # None of them takes null.
            return self._compile_nullable(type_.of_type)
        compiled = self._compile_nullable(type_)
        return compiled and (_or_null(compiled[0]), compiled[1])

    def _compile_nullable(self, type_: Any) -> tuple[Coerce, int] | None:
        if isinstance(type_, GraphQLList):
            item = self._compile(type_.of_type)
            return item and (_list(item[0]), item[1] + 1)
        if isinstance(type_, GraphQLInputObjectType):
            if type_.name not in self._objects:
                # Whoever meets it again on the way down is told that it contains itself.
                self._objects[type_.name] = None
                self._objects[type_.name] = self._compile_object(type_)
            return self._objects[type_.name]
        if isinstance(type_, GraphQLEnumType):
            return _enum(type_), 0
        return _scalar(type_), 0

    def _compile_object(self, type_: GraphQLInputObjectType) -> tuple[Coerce, int] | None:
        fields: dict[str, tuple[str, type | None, Coerce]] = {}
        levels = 0
        for name, field in type_.fields.items():
            compiled = self._compile(field.type)
            if compiled is None:
                return None
            fields[name] = field.out_name or name, _class_as_it_is(field.type), compiled[0]
            levels = max(levels, compiled[1])
        return _object(type_, fields), levels + 1


def _or_null(coerce: Coerce) -> Coerce:
    def coerce_value(value: Any, left: list[int]) -> Any:
        return None if value is None else coerce(value, left)

    return coerce_value


def _list(item: Coerce) -> Coerce:
    def coerce_list(value: Any, left: list[int]) -> Any:
        if type(value) is not list:
            raise Uncommon
        left[0] -= len(value)
        if left[0] < 0:
            raise Uncommon
        return [item(one, left) for one in value]

    return coerce_list


def _enum(type_: GraphQLEnumType) -> Coerce:
    members = {name: type_.coerce_input_value(name) for name in type_.values}

    def coerce_enum(value: Any, _left: list[int]) -> Any:
        return members[value]

    return coerce_enum


def _scalar(type_: GraphQLScalarType) -> Coerce:
    by_class = _BUILT_IN.get(type_.name)
    if by_class is not None and by_class[0] is type_:
        return by_class[1]
    coerce = type_.coerce_input_value

    def coerce_scalar(value: Any, _left: list[int]) -> Any:
        if value is None:
            raise Uncommon
        coerced = coerce(value)
        if coerced is Undefined:
            raise Uncommon
        return coerced

    return coerce_scalar


def _text(value: Any, _left: list[int]) -> Any:
    if type(value) is not str:
        raise Uncommon
    return value


def _int(value: Any, _left: list[int]) -> Any:
    if type(value) is not int or not -0x80000000 <= value <= 0x7FFFFFFF:
        raise Uncommon
    return value


def _boolean(value: Any, _left: list[int]) -> Any:
    if type(value) is not bool:
        raise Uncommon
    return value


_BUILT_IN: Mapping[str, tuple[GraphQLScalarType, Coerce, type | None]] = {
    "String": (GraphQLString, _text, str),
    "ID": (GraphQLID, _text, str),
    "Int": (GraphQLInt, _int, None),
    "Boolean": (GraphQLBoolean, _boolean, bool),
}
"""The scalars of GraphQL with their coercions, and the class whose values they all take."""


def _class_as_it_is(type_: GraphQLInputType) -> type | None:
    """Returns the class whose values a type takes as they are, None where it has none."""
    named: Any = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    known = _BUILT_IN.get(getattr(named, "name", ""))
    return known[2] if known is not None and known[0] is named else None


def _object(
    type_: GraphQLInputObjectType, fields: Mapping[str, tuple[str, type | None, Coerce]]
) -> Coerce:
    required = {name for name, field in type_.fields.items() if is_required_input_field(field)}
    defaults = {
        fields[name][0]: default
        for name, field in type_.fields.items()
        if (default := coerce_default_value(field)) is not Undefined
    }
    one_of = type_.is_one_of
    # By default the type's own function hands the dictionary through.
    make = None if type_.out_type is GraphQLInputObjectType.out_type else type_.out_type

    def coerce_object(value: Any, left: list[int]) -> Any:
        if type(value) is not dict or (required and not required <= value.keys()):
            raise Uncommon
        left[0] -= 1
        coerced = defaults.copy()
        for name, item in value.items():
            out_name, class_, coerce = fields[name]
            coerced[out_name] = item if type(item) is class_ else coerce(item, left)
        if one_of and (
            len(value) != 1 or len(coerced) != 1 or next(iter(coerced.values())) is None
        ):
            raise Uncommon
        return coerced if make is None else make(coerced)

    return coerce_object

"""Coercion of a request's variables, compiled once for the types that an operation declares.

graphql-core looks at every field of an input type, and through several functions, for each
value anew. Here an input type is read once; what it comes to are plain functions. They take what
is common and correct. For everything else (a wrong value, a single item where a list belongs, a
type that contains itself) graphql-core is asked, whose answer and whose errors are the ones that
count (GraphQL specification, section 6.1.2, CoerceVariableValues).

What Strawberry makes of an input object is made on the way, where it is known what that is: to
walk through it again would cost as much once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

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

from app.execution.input_source import (
    Both,
    Coerce,
    InputCoercion,
    InputField,
    Uncommon,
    write_object,
)
from app.execution.strawberry_inputs import InputValue, input_class, is_checked_one_of

SHAREABLE = (str, int, float, bool, type(None), Enum)
"""Classes of values that no resolver can change for the next one."""

_MOST_LEVELS = 16
"""Input types nested deeper are left to graphql-core, which guards the depth of values."""


class VariableCoercer:
    """Coerces the variables of one operation."""

    __slots__ = ("_variables",)

    def __init__(
        self,
        types: InputTypes,
        schema: GraphQLSchema,
        definitions: Iterable[VariableDefinitionNode],
    ) -> None:
        self._variables: list[tuple[str, GraphQLVariableSignature, Coerce, _Variable]] | None = []
        for definition in definitions:
            signature = get_variable_signature(schema, definition)
            coerce = None
            if not isinstance(signature, GraphQLError):
                coerce = types.coercion_of_variable(signature.type)
            if coerce is None or isinstance(signature, GraphQLError):
                self._variables = None
                return
            variable = _Variable(signature)
            self._variables.append((signature.name, signature, coerce, variable))

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
            for name, signature, coerce, variable in self._variables:
                value = given.get(name, Undefined)
                if value is Undefined:
                    variable.leave_out(sources, coerced)
                else:
                    sources[name] = VariableValueSource(signature, value)
                    coerced[name] = coerce(value, left)
        except Exception:  # noqa: BLE001 - whatever it was, graphql-core says it in its own words
            return None
        return None if left[0] < 0 else VariableValues(sources, coerced)


class _Variable:
    """A variable that an operation declares, for requests without it."""

    __slots__ = ("_default", "_signature", "_unset")

    def __init__(self, signature: GraphQLVariableSignature) -> None:
        self._signature = signature
        self._unset = VariableValueSource(signature)
        self._default: Any = Undefined
        if signature.default is not None:
            default = coerce_default_value(signature)
            # graphql-core makes it anew for each request, so that none can change another's.
            self._default = default if isinstance(default, SHAREABLE) else Uncommon

    def leave_out(self, sources: dict[str, VariableValueSource], coerced: dict[str, Any]) -> None:
        """Notes its default, if it has one. Raises `Uncommon` where it has to be given."""
        signature = self._signature
        name = signature.name
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
        self._objects: dict[str, InputCoercion | None] = {}

    def coercion_of_variable(self, type_: GraphQLInputType) -> Coerce | None:
        """Returns the coercion to a type, None where graphql-core has to do it.

        An object that it gives is an `InputValue`.
        """
        compiled = self._compile(type_)
        if compiled is None or compiled.levels > _MOST_LEVELS:
            return None
        coerce = compiled.coerce
        named = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if isinstance(named, GraphQLInputObjectType) and compiled.both is not None:
            coerce = _kept_together(compiled.both)
        return coerce if isinstance(type_, GraphQLNonNull) else _or_null(coerce)

    def _compile(self, type_: Any) -> InputCoercion | None:
        """Returns the coercion to a type, for values that are not null."""
        if isinstance(type_, GraphQLNonNull):
            return self._compile(type_.of_type)
        if isinstance(type_, GraphQLList):
            item = self._compile(type_.of_type)
            nullable = not isinstance(type_.of_type, GraphQLNonNull)
            return item and _list(item, nullable=nullable)
        if isinstance(type_, GraphQLInputObjectType):
            if type_.name not in self._objects:
                # Whoever meets it again on the way down is told that it contains itself.
                self._objects[type_.name] = None
                self._objects[type_.name] = self._compile_object(type_)
            return self._objects[type_.name]
        return _enum(type_) if isinstance(type_, GraphQLEnumType) else _scalar(type_)

    def _compile_object(self, type_: GraphQLInputObjectType) -> InputCoercion | None:
        fields: list[InputField] = []
        for name, field in type_.fields.items():
            coercion = self._compile(field.type)
            if coercion is None:
                return None
            fields.append(
                InputField(
                    name=name,
                    out_name=field.out_name or name,
                    coercion=coercion,
                    nullable=not isinstance(field.type, GraphQLNonNull),
                    required=is_required_input_field(field),
                    default=coerce_default_value(field),
                )
            )
        return _object(type_, fields)


def _or_null(coerce: Coerce) -> Coerce:
    def coerce_value(value: Any, left: list[int]) -> Any:
        return None if value is None else coerce(value, left)

    return coerce_value


def _kept_together(both: Both) -> Coerce:
    def coerce_object(value: Any, left: list[int]) -> InputValue:
        coerced, made = both(value, left)
        kept = InputValue(coerced)
        kept.made = made
        return kept

    return coerce_object


def _list(item: InputCoercion, *, nullable: bool) -> InputCoercion:
    coerce = _or_null(item.coerce) if nullable else item.coerce
    of_item = item.both

    def items_of(value: Any, left: list[int]) -> list[Any]:
        if type(value) is not list:
            raise Uncommon
        left[0] -= len(value)
        if left[0] < 0:
            raise Uncommon
        return value

    def coerce_list(value: Any, left: list[int]) -> list[Any]:
        return [coerce(item, left) for item in items_of(value, left)]

    def both_lists(value: Any, left: list[int]) -> tuple[list[Any], list[Any]]:
        if of_item is None:
            items = coerce_list(value, left)
            return items, items.copy()
        coerced: list[Any] = []
        made: list[Any] = []
        for item in items_of(value, left):
            one, its = (None, None) if item is None and nullable else of_item(item, left)
            coerced.append(one)
            made.append(its)
        return coerced, made

    known = item.is_known
    return InputCoercion(coerce_list, item.levels + 1, both_lists if known else None, known)


def _enum(type_: GraphQLEnumType) -> InputCoercion:
    members = {name: type_.coerce_input_value(name) for name in type_.values}

    def coerce_enum(value: Any, _left: list[int]) -> Any:
        return members[value]

    return InputCoercion(coerce_enum, members=members)


def _scalar(type_: GraphQLScalarType) -> InputCoercion:
    known = _BUILT_IN.get(type_.name)
    if known is not None and known[0] is type_:
        return known[1]
    coerce = type_.coerce_input_value

    def coerce_scalar(value: Any, _left: list[int]) -> Any:
        if value is None:
            raise Uncommon
        coerced = coerce(value)
        if coerced is Undefined:
            raise Uncommon
        return coerced

    return InputCoercion(coerce_scalar)


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


_BUILT_IN: Mapping[str, tuple[GraphQLScalarType, InputCoercion]] = {
    "String": (GraphQLString, InputCoercion(_text, class_=str)),
    "ID": (GraphQLID, InputCoercion(_text, class_=str)),
    "Int": (GraphQLInt, InputCoercion(_int)),
    "Boolean": (GraphQLBoolean, InputCoercion(_boolean, class_=bool)),
}
"""The scalars of GraphQL with their coercions."""


def _object(type_: GraphQLInputObjectType, fields: Sequence[InputField]) -> InputCoercion | None:
    one_of = type_.is_one_of or is_checked_one_of(type_)
    if one_of and any(field.default is not Undefined for field in fields):
        return None
    known = all(
        field.coercion.is_known and isinstance(field.default, (*SHAREABLE, type(Undefined)))
        for field in fields
    )
    class_ = input_class(type_) if known else None
    both = write_object(fields, class_, one_of=one_of)
    # By default the type's own function hands the dictionary through.
    is_plain = type_.out_type is GraphQLInputObjectType.out_type or is_checked_one_of(type_)
    make = None if is_plain else type_.out_type

    def coerce_object(value: Any, left: list[int]) -> Any:
        coerced = both(value, left)[0]
        return coerced if make is None else make(coerced)

    levels = 1 + max((field.coercion.levels for field in fields), default=0)
    if class_ is None or make is not None:
        return InputCoercion(coerce_object, levels, is_known=False)
    return InputCoercion(coerce_object, levels, both)

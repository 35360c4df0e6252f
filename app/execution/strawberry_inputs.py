"""What Strawberry makes of the arguments of a field, compiled once a field.

Strawberry's `convert_arguments` works out the names and types of all fields of an input type for
each value anew, which costs more than all else that is done for a small mutation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING
from typing import Any, TypeAlias

from strawberry.relay import GlobalID
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import (
    StrawberryArgument,
    _is_leaf_type,
    convert_argument,
)
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryOptional,
    has_object_definition,
)
from strawberry.types.enum import has_enum_definition
from strawberry.types.lazy_type import LazyType
from strawberry.types.unset import UNSET

Convert: TypeAlias = Callable[[Any], Any]


class ArgumentConversion:
    """Turns graphql-core's arguments of a field into those of its resolver."""

    __slots__ = ("_arguments",)

    def __init__(
        self, arguments: Sequence[StrawberryArgument], converter: GraphQLCoreConverter
    ) -> None:
        types = _InputTypes(converter)
        name_of = converter.config.name_converter.from_argument
        self._arguments = [
            (name_of(argument), argument.python_name, types.conversion(argument.type))
            for argument in arguments
        ]

    def convert(self, values: dict[str, Any]) -> dict[str, Any]:
        """Returns the keyword arguments, input types as their classes."""
        return {
            python_name: values[name] if convert is None else convert(values[name])
            for name, python_name, convert in self._arguments
            if name in values
        }


class _InputTypes:
    """The conversions of the types that one field's arguments are made of.

    None stands for a type whose values stay as they are. Follows `convert_argument`, which does
    the work itself for what is rare.
    """

    def __init__(self, converter: GraphQLCoreConverter) -> None:
        self._scalars = converter.scalar_registry
        self._config = converter.config
        self._objects: dict[Any, _Object] = {}

    def conversion(self, type_: Any) -> Convert | None:
        """Returns what is to be done to values of a type."""
        if isinstance(type_, StrawberryMaybe) or type_ is GlobalID:
            return self._by_strawberry(type_)
        if isinstance(type_, StrawberryOptional):
            return self.conversion(type_.of_type)
        if isinstance(type_, StrawberryList):
            return _list(self.conversion(type_.of_type))
        if _is_leaf_type(type_, self._scalars) or has_enum_definition(type_):
            return None
        if isinstance(type_, LazyType):
            return self.conversion(type_.resolve_type())
        if not has_object_definition(type_):
            return self._by_strawberry(type_)
        definition = type_.__strawberry_definition__
        if definition.from_input is not None or not definition.is_input:
            return self._by_strawberry(type_)
        known = self._objects.get(type_)
        if known is None:
            # Known before its fields are: one of them may be of this type.
            known = self._objects[type_] = _Object(type_)
            name_of = self._config.name_converter.from_field
            for field in definition.fields:
                convert = self.conversion(field.resolve_type(type_definition=definition))
                known.add(field, name_of(field), convert)
        return known.convert

    def _by_strawberry(self, type_: Any) -> Convert:
        scalars, config = self._scalars, self._config
        return lambda value: convert_argument(value, type_, scalars, config)


class _Object:
    """An input type."""

    __slots__ = ("_class", "_fields", "_implied")

    def __init__(self, class_: Callable[..., Any]) -> None:
        self._class = class_
        self._fields: dict[str, tuple[str, Convert | None]] = {}
        self._implied: dict[str, None] = {}

    def add(self, field: Any, name: str, convert: Convert | None) -> None:
        """Adds a field of the type."""
        self._fields[name] = field.python_name, convert
        if field.default_value is MISSING and field.default_factory is MISSING:
            self._implied[field.python_name] = None

    def convert(self, value: Any) -> Any:
        """Returns an instance of the type."""
        if value is None or value is UNSET:
            return value
        given: dict[str, Any] = self._implied.copy()
        fields = self._fields
        for name, item in value.items():
            python_name, convert = fields[name]
            given[python_name] = item if convert is None else convert(item)
        return self._class(**given)


def _list(item: Convert | None) -> Convert:
    def convert_list(value: Any) -> Any:
        if value is None or value is UNSET:
            return value
        # Copied where the items stay as they are, too: a default belongs to all requests.
        return list(value) if item is None else [item(one) for one in value]

    return convert_list

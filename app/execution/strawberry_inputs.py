"""What Strawberry makes of the arguments of a field, compiled once a field.

Strawberry's `convert_arguments` works out the names and types of all fields of an input type for
each value anew, which costs more than all else that is done for a small mutation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import FunctionType
from typing import Any, TypeAlias

from graphql import GraphQLInputObjectType, get_named_type
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
    StrawberryObjectDefinition,
    StrawberryOptional,
    has_object_definition,
)
from strawberry.types.enum import has_enum_definition
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType
from strawberry.types.unset import UNSET

from app.execution.input_source import InputClass

Convert: TypeAlias = Callable[[Any], Any]

_MAKING = ("__new__", "__setattr__")
"""What makes an instance, beside its class's `__init__`."""


class InputValue(dict[str, Any]):
    """A coerced input object that brings along what Strawberry makes of it."""

    __slots__ = ("made",)

    made: Any
    """None where somebody has taken it."""

    def take(self) -> Any:
        """Returns what was made, once: who asks next may not get what another may have changed."""
        made, self.made = self.made, None
        return made


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
        if type(value) is InputValue and type(value.made) is self._class:
            return value.take()
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


def is_checked_one_of(type_: GraphQLInputObjectType) -> bool:
    """Tells whether a type is a `@oneOf` of Strawberry's, which checks its values itself."""
    made_by = getattr(type_.out_type, "__qualname__", "")
    return made_by == f"{GraphQLCoreConverter.from_input_object.__qualname__}.<locals>.check_one_of"


def input_class(type_: GraphQLInputObjectType) -> InputClass | None:
    """Returns the class that Strawberry makes instances of for a type of a schema.

    None where there is more to it than to set attributes to the coerced values, or to what was
    made of them: a constructor of its own, values that are converted themselves.
    """
    definition = type_.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(definition, StrawberryObjectDefinition):
        return None
    if definition.from_input is not None or not definition.is_input:
        return None
    attributes = _plain_attributes(definition.origin)
    names: dict[str, str] = {}
    for name, field in type_.fields.items():
        known = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if not isinstance(known, StrawberryField) or field.out_name not in (None, name):
            return None
        if _is_converted(known.resolve_type(type_definition=definition), field.type):
            return None
        names[name] = known.python_name
    if attributes is None or attributes.keys() != set(names.values()):
        return None
    return InputClass(definition.origin, tuple(attributes), names, attributes)


def _plain_attributes(class_: type) -> dict[str, Any] | None:
    """Returns the defaults of a dataclass whose constructor sets its fields and does no more.

    None for any other class. What has no default must be given or is None.
    """
    made = class_.__dict__.get("__init__")
    # What dataclasses write has no file.
    if not isinstance(made, FunctionType) or made.__code__.co_filename != "<string>":
        return None
    if hasattr(class_, "__post_init__") or not is_dataclass(class_):
        return None
    if any(getattr(class_, name) is not getattr(object, name) for name in _MAKING):
        return None
    if type(class_).__call__ is not type.__call__:
        return None
    attributes: dict[str, Any] = {}
    for field in fields(class_):
        if not field.init or field.default_factory is not MISSING:
            return None
        attributes[field.name] = None if field.default is MISSING else field.default
    return attributes


def _is_converted(declared: Any, type_: Any) -> bool:
    """Tells whether Strawberry has another look at the values of a type, inside objects aside."""
    while True:
        if isinstance(declared, StrawberryMaybe) or declared is GlobalID:
            return True
        if isinstance(declared, LazyType):
            declared = declared.resolve_type()
        elif isinstance(declared, (StrawberryOptional, StrawberryList)):
            declared = declared.of_type
        else:
            break
    named = get_named_type(type_)
    if not isinstance(named, GraphQLInputObjectType):
        return False
    definition = named.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return getattr(definition, "origin", None) is not declared

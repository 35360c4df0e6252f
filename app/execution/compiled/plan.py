"""What an operation is compiled to, and what its generated code knows of its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    located_error,
)
from graphql.execution.collect_fields import FieldDetailsList

from app.execution.compiled.arguments import ArgumentReader
from app.execution.compiled.paths import LinkedPath, field_path, keys_of, lazy_path
from app.execution.strawberry_schema import Attribute, DirectCall, SourceItself
from app.execution.variables import SHAREABLE

if TYPE_CHECKING:
    from app.execution.compiled.job import Complete
    from app.execution.compiled.run import CompiledRun

Build: TypeAlias = "Callable[[CompiledRun, Any, LinkedPath | None], dict[str, Any]]"
"""A generated function: from an object to its part of the response."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An operation compiled for one set of conditions. `fields` is one function for all fields
    of the root, or, for a mutation, one a field."""

    fields: tuple[Build, ...]
    serial: bool
    source: str
    characters: int
    """Of source, with what may still be written when it is needed."""


class ObjectPlan:
    """A selection of an object type's fields."""

    __slots__ = ("_build", "_write", "fields", "number", "type", "uses")

    def __init__(
        self, number: int, type_: GraphQLObjectType, write: Callable[[ObjectPlan], Build]
    ) -> None:
        self.number = number
        self.type = type_
        self.fields: list[FieldPlan] = []
        self.uses = 0
        """Places that have it."""
        self._write = write
        self._build: Build | None = None

    @property
    def build(self) -> Build:
        """The generated function, written when it is first asked for."""
        build = self._build
        if build is None:
            build = self._build = self._write(self)
        return build

    @build.setter
    def build(self, function: Build) -> None:
        self._build = function

    @property
    def has_function(self) -> bool:
        """Whether the function is there already."""
        return self._build is not None


class FieldPlan:
    """A field of a selection, with all that its uses have in common."""

    __slots__ = (
        "_arguments",
        "_constant",
        "call",
        "definition",
        "details",
        "from_selection",
        "has_arguments",
        "index",
        "key",
        "name",
        "nodes",
        "parent_type",
        "position",
        "typename",
    )

    position: Position

    def __init__(
        self,
        index: int,
        key: str,
        parent_type: GraphQLObjectType,
        definition: GraphQLField,
        details: FieldDetailsList,
        call: Attribute | SourceItself | DirectCall | None,
    ) -> None:
        self.index = index
        self.key = key
        self.from_selection: dict[object, Any] = {}
        self.details = details
        self.nodes: list[FieldNode] = [detail.node for detail in details]
        self.name = self.nodes[0].name.value
        self.parent_type = parent_type
        self.typename = parent_type.name
        self.definition = definition
        self.call = call
        self.has_arguments = bool(definition.args or self.nodes[0].arguments)
        self._arguments = ArgumentReader(definition, self.nodes[0])
        self._constant: dict[str, Any] | None = None

    def locate(self, error: Exception, path: LinkedPath) -> GraphQLError:
        """Returns an error with the field's locations and the path, unless it has its own."""
        return located_error(error, self.nodes, keys_of(path))

    def info(self, run: CompiledRun, path: LinkedPath) -> GraphQLResolveInfo[Any]:
        """Returns what graphql-core tells the resolver of the field at a path, or below it."""
        core = run.core
        return core.build_resolve_info(
            self.definition, self.nodes, self.parent_type, lazy_path(field_path(path))
        )

    def core_arguments(self, run: CompiledRun) -> dict[str, Any]:
        """Returns the arguments in graphql-core's form. GraphQLError for a value that is wrong."""
        if not self.has_arguments:
            return {}
        return self._arguments.read(run.variables)

    def arguments(self, run: CompiledRun) -> dict[str, Any] | None:
        """Returns the keyword arguments of a direct call, None where they can't be converted.

        The same for all objects of a run as long as no resolver could change a value for the
        next, and for all runs where no variable is in them. GraphQLError for a wrong value.
        """
        known = self._constant or run.arguments.get(self.index)
        if known is not None:
            return known
        values = self.core_arguments(run)
        call = self.call
        if not isinstance(call, DirectCall):
            raise TypeError("Only a direct call has arguments of its own.")
        try:
            converted = call.arguments.convert(values)
        except Exception:  # noqa: BLE001 - raised anew by the resolver that Strawberry made
            return None
        for value in converted.values():
            if not isinstance(value, SHAREABLE):
                return converted
        if self._arguments.has_variables:
            run.arguments[self.index] = converted
        else:
            self._constant = converted
        return converted

    def resolve(self, run: CompiledRun, source: Any, path: LinkedPath) -> Any:
        """Calls the resolver as graphql-core does."""
        resolver = self.definition.resolve or run.core.field_resolver
        info = self.info(run, path)
        return resolver(source, info, **self.core_arguments(run))


class Position:
    """A place that a value is completed for: a field, or an item of its list."""

    __slots__ = (
        "awaited",
        "by_type",
        "complete",
        "field",
        "item",
        "nullable",
        "object",
        "plain",
        "possible",
        "resolve_type",
        "type",
    )

    complete: Complete
    """From any value that is not awaitable."""
    plain: Complete
    """From a value that is neither awaitable nor null nor an exception."""
    by_type: Mapping[type, Complete]
    """From any value, by its type."""
    awaited: Mapping[type, Complete]
    """From any value that was awaited, by its type: it is not awaited once more."""

    def __init__(self, field: FieldPlan, type_: GraphQLOutputType, nullable: bool) -> None:
        self.field = field
        self.type = type_
        self.nullable = nullable
        self.item: Position | None = None
        self.object: ObjectPlan | None = None
        """Of an object type."""
        self.possible: Mapping[str, ObjectPlan] | None = None
        """Of an abstract type, by the names of its object types."""
        self.resolve_type: Callable[..., Any] | None = None

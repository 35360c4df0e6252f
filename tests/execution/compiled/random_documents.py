"""Random documents that are valid for a schema, made to merge, nest and repeat as documents may."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLSchema,
    OperationType,
    Undefined,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_composite_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

Pools = Mapping[str, Sequence[Any]]
"""Values by the name of an argument, an input field or a scalar type."""


class RandomDocument:
    """A document with one operation, and how to make variables for it."""

    def __init__(
        self,
        schema: GraphQLSchema,
        chance: random.Random,
        *,
        operation: OperationType = OperationType.QUERY,
        depth: int = 4,
        pools: Pools | None = None,
        avoid: frozenset[str] = frozenset(),
    ) -> None:
        self._schema = schema
        self._chance = chance
        self._pools = pools or {}
        self._avoid = avoid
        self._fragments: list[tuple[str, GraphQLNamedType, str]] = []
        self._variables: dict[str, tuple[Any, str]] = {}
        self._types_of: dict[str, set[str]] = {}
        for type_ in schema.type_map.values():
            for name, field in getattr(type_, "fields", {}).items():
                if isinstance(field, GraphQLField):
                    self._types_of.setdefault(name, set()).add(str(field.type))
        root = schema.get_root_type(operation)
        assert root is not None
        if operation is OperationType.SUBSCRIPTION:
            name = chance.choice(sorted(root.fields))
            body = self._field(root.fields[name], name, depth, directives=False) or ""
        else:
            body = self._selections(root, depth)
        declared = ", ".join(
            f"${name}: {type_}{default}" for name, (type_, default) in self._variables.items()
        )
        fragments = "\n".join(
            f"fragment {name} on {type_.name} {{ {inside} }}"
            for name, type_, inside in self._fragments
            if f"...{name} " in body or any(f"...{name} " in f[2] for f in self._fragments)
        )
        head = f"{operation.value} {f'({declared})' if declared else ''}"
        self.text = f"{head} {{ {body} }}\n{fragments}"

    def variables(self, chance: random.Random) -> dict[str, Any]:
        """Returns values for the variables; those that may be absent sometimes are."""
        values: dict[str, Any] = {}
        for name, (type_, default) in self._variables.items():
            required = is_non_null_type(type_) and not default
            if required or chance.random() < 0.7:
                values[name] = self._value(type_, chance, name.partition("_")[2])
        return values

    def _selections(self, type_: Any, depth: int) -> str:
        chance = self._chance
        parts: list[str] = []
        for _ in range(chance.choice((1, 2, 2, 3, 5) if depth > 0 else (1, 2))):
            roll = chance.random()
            if roll < 0.1 or not getattr(type_, "fields", None):
                if roll < 0.6 and is_abstract_type(type_):
                    parts.append(self._inline(type_, depth))
                else:
                    parts.append(chance.choice(("__typename", "kind: __typename")))
            elif roll < 0.2:
                parts.append(self._inline(type_, depth))
            elif roll < 0.3:
                parts.append(self._spread(type_, depth))
            else:
                name = chance.choice(sorted(type_.fields))
                field = self._field(type_.fields[name], name, depth)
                parts.append(field or "__typename")
        return " ".join(parts)

    def _field(
        self, field: GraphQLField, name: str, depth: int, *, directives: bool = True
    ) -> str | None:
        named = get_named_type(field.type)
        composite = is_composite_type(named)
        if (composite and depth <= 0) or name in self._avoid:
            return None
        arguments = self._arguments(field)
        alias = ""
        if arguments or len(self._types_of[name]) > 1 or self._chance.random() < 0.15:
            # The same key only for the same field with the same arguments and type, so that
            # wherever two selections meet, they can be merged.
            mark = zlib.crc32(f"{name}{arguments}{field.type}".encode())
            alias = f"{name}_{mark}: "
        inside = f" {{ {self._selections(named, depth - 1)} }}" if composite else ""
        directive = self._directive() if directives else ""
        return f"{alias}{name}{arguments}{directive}{inside}"

    def _inline(self, type_: Any, depth: int) -> str:
        on = self._fitting(type_)
        condition = f" on {on.name}" if on is not type_ or self._chance.random() < 0.7 else ""
        return f"...{condition}{self._directive()} {{ {self._selections(on, depth - 1)} }}"

    def _spread(self, type_: Any, depth: int) -> str:
        chance = self._chance
        fitting = [
            name
            for name, on, _ in self._fragments
            if on is type_ or (is_object_type(on) and on in self._possible(type_))
        ]
        if fitting and chance.random() < 0.6:
            name = chance.choice(fitting)
        else:
            on = self._fitting(type_)
            inside = self._selections(on, min(depth - 1, 2))
            name = f"F{len(self._fragments)}"
            self._fragments.append((name, on, inside))
        return f"...{name} {self._directive()}"

    def _possible(self, type_: Any) -> Sequence[Any]:
        return self._schema.get_possible_types(type_) if is_abstract_type(type_) else [type_]

    def _fitting(self, type_: Any) -> Any:
        choices = [type_, *self._possible(type_), *getattr(type_, "interfaces", ())]
        return self._chance.choice(choices)

    def _directive(self) -> str:
        roll = self._chance.random()
        if roll < 0.85:
            return ""
        which = self._chance.choice(("include", "skip"))
        if roll < 0.9:
            return f" @{which}(if: {self._chance.choice(('true', 'false'))})"
        number = self._chance.randrange(3)
        self._variables[f"if{number}"] = (
            self._schema.type_map["Boolean"],
            " = true" if number else " = false",
        )
        return f" @{which}(if: $if{number})"

    def _arguments(self, field: GraphQLField) -> str:
        chance = self._chance
        written: list[str] = []
        for name, argument in field.args.items():
            required = is_non_null_type(argument.type) and (
                argument.default is None and argument.default_value is Undefined
            )
            if not required and chance.random() < 0.5:
                continue
            if chance.random() < 0.35:
                variable = f"v{len(self._variables)}_{name}"
                default = ""
                if chance.random() < 0.3:
                    default = f" = {self._literal(argument.type, chance, name)}"
                self._variables[variable] = (argument.type, default)
                written.append(f"{name}: ${variable}")
            else:
                written.append(f"{name}: {self._literal(argument.type, chance, name)}")
        return f"({', '.join(written)})" if written else ""

    def _literal(self, type_: Any, chance: random.Random, name: str) -> str:
        return literal(self._value(type_, chance, name), type_)

    def _value(self, type_: Any, chance: random.Random, name: str) -> Any:
        if not is_non_null_type(type_) and chance.random() < 0.12:
            return None
        type_ = get_nullable_type(type_)
        if is_list_type(type_):
            return [
                self._value(type_.of_type, chance, name) for _ in range(chance.choice((0, 1, 2, 3)))
            ]
        pool = self._pools.get(name) or self._pools.get(type_.name)
        if pool and not isinstance(type_, GraphQLInputObjectType):
            return chance.choice(pool)
        if isinstance(type_, GraphQLEnumType):
            return chance.choice(sorted(type_.values))
        if isinstance(type_, GraphQLInputObjectType):
            fields = type_.fields
            if type_.is_one_of:
                chosen = chance.choice(sorted(fields))
                non_null: Any = get_nullable_type(fields[chosen].type)
                value = None
                while value is None:
                    value = self._value(non_null, chance, chosen)
                return {chosen: value}
            return {
                key: self._value(field.type, chance, key)
                for key, field in fields.items()
                if is_non_null_type(field.type) or chance.random() < 0.4
            }
        return {
            "Int": lambda: chance.choice((0, 1, 2, 3, 7, -1)),
            "Float": lambda: chance.choice((0.5, 2.0, -3.25)),
            "Boolean": lambda: chance.random() < 0.5,
        }.get(type_.name, lambda: chance.choice(("a", "b", "", "ü", "x y")))()


def literal(value: Any, type_: Any) -> str:
    """Writes a value in GraphQL's literals."""
    type_ = get_nullable_type(type_)
    if value is None:
        return "null"
    if is_list_type(type_):
        return f"[{', '.join(literal(item, type_.of_type) for item in value)}]"
    if isinstance(type_, GraphQLEnumType):
        return str(value)
    if isinstance(type_, GraphQLInputObjectType):
        fields = (f"{key}: {literal(item, type_.fields[key].type)}" for key, item in value.items())
        return f"{{{', '.join(fields)}}}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {literal(item, type_)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(literal(item, type_) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)

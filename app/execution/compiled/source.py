"""The Python source of an object's function: the common way of each field, written out.

A field takes three to eight lines. What is not common (see `kinds`) calls into `values`; nothing
of a document goes into the source but the names of fields, as literals.
"""

from __future__ import annotations

from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLScalarType,
    GraphQLString,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)

from app.execution.compiled.plan import FieldPlan, ObjectPlan, Position
from app.execution.strawberry_schema import (
    Attribute,
    DirectCall,
    SourceItself,
    enum_names,
    passes_through,
)

UNCOMMON = {
    "String": "type(f{i}) is not str",
    "ID": "type(f{i}) is not str",
    "Int": "type(f{i}) is not int or not -2147483648 <= f{i} <= 2147483647",
    "Float": "type(f{i}) is not float or f{i} - f{i} != 0.0",
    "Boolean": "f{i} is not True and f{i} is not False",
}
"""When a value of a built-in scalar needs more than a look; inf - inf is not 0.0 either."""

BUILT_IN = (GraphQLString, GraphQLID, GraphQLInt, GraphQLFloat, GraphQLBoolean)


class SourceWriter:
    """Writes the functions of one plan, and collects the objects that they name."""

    def __init__(self, shared: dict[str, Any]) -> None:
        self.names: dict[str, Any] = dict(shared)
        self.lines: list[str] = []

    def object_function(self, plan: ObjectPlan) -> None:
        """Adds `b<number>(run, s, p)`: from the object `s` at the path `p` to its fields."""
        body: list[str] = []
        for field in plan.fields:
            body += self._field(field)
        self.lines += [f"def b{plan.number}(run, s, p):", " O = run.open", *body]
        entries = ", ".join(f"{field.key!r}: {self._local(field)}" for field in plan.fields)
        self.lines += [f" d = {{{entries}}}", " return place(d) if O else d"]

    def _local(self, field: FieldPlan) -> str:
        if field.name == "__typename":
            return repr(field.typename)
        return f"f{field.index}"

    def _field(self, field: FieldPlan) -> list[str]:
        """Returns the lines that leave a field's value in its variable."""
        if field.name == "__typename":
            return []
        i = field.index
        position = field.position
        self.names[f"P{i}"] = position
        path = f"(p, {field.key!r}, {field.typename!r})"
        if isinstance(field.call, DirectCall) and field.call.is_async:
            return [
                f" try: f{i} = Job(run, P{i}, {self._value(field)}, {path})",
                f" except Exception: f{i} = failed(run, P{i}, p)",
            ]
        type_ = get_nullable_type(position.type)
        if is_leaf_type(type_):
            return [
                " try:",
                f"  f{i} = {self._value(field)}",
                *self._leaf(field, type_),
                f" except Exception: f{i} = failed(run, P{i}, p)",
            ]
        lines = [
            f" q = {path}",
            " try:",
            f"  f{i} = {self._value(field)}",
            *self._composite(field),
        ]
        if position.nullable:
            lines.insert(0, " m = len(O)")
            lines.append(f"  if len(O) != m and type(f{i}) is not Job: run.enclose(m, q)")
            lines.append(f" except Exception: f{i} = failed(run, P{i}, p, m)")
        else:
            lines.append(f" except Exception: f{i} = failed(run, P{i}, p)")
        return lines

    def _leaf(self, field: FieldPlan, type_: Any) -> list[str]:
        i = field.index
        otherwise = f"f{i} = leaf(run, P{i}, f{i}, p)"
        unless_null = f"f{i} is not None and " if field.position.nullable else ""
        if type_ in BUILT_IN:
            uncommon = UNCOMMON[type_.name].format(i=i)
            condition = f"{unless_null}({uncommon})" if unless_null else uncommon
            return [f"  if {condition}: {otherwise}"]
        if isinstance(type_, GraphQLScalarType) and passes_through(type_):
            return [f"  if type(f{i}) is not str and {unless_null}K[type(f{i})]: {otherwise}"]
        members = enum_names(type_) if isinstance(type_, GraphQLEnumType) else None
        if members is not None:
            self.names[f"E{i}"], self.names[f"N{i}"] = members
            rest = f"  elif f{i} is not None: " if unless_null else "  else: "
            return [f"  if type(f{i}) is E{i}: f{i} = N{i}[f{i}]", rest + otherwise]
        return [f"  if f{i} is not None: {otherwise}" if unless_null else f"  {otherwise}"]

    def _composite(self, field: FieldPlan) -> list[str]:
        """Returns the lines that complete an object, a value of an abstract type, or a list."""
        i = field.index
        position = field.position
        if position.item is None:
            self.names[f"C{i}"] = position.by_type
            unless_null = f"if f{i} is not None: " if position.nullable else ""
            return [f"  {unless_null}f{i} = C{i}[type(f{i})](run, f{i}, q)"]
        if is_list_type(get_nullable_type(position.item.type)) or is_leaf_type(
            get_nullable_type(position.item.type)
        ):
            self.names[f"C{i}"] = position.plain
            return [
                f"  if K[type(f{i})]: f{i} = value(run, P{i}, f{i}, q)",
                f"  else: f{i} = C{i}(run, f{i}, q)",
            ]
        self._list_function(i, position.item)
        return [
            f"  if type(f{i}) is tuple or type(f{i}) is list: f{i} = l{i}(run, f{i}, q)",
            f"  else: f{i} = value(run, P{i}, f{i}, q)",
        ]

    def _list_function(self, i: int, item: Position) -> None:
        """Adds `l<index>(run, v, p)`: from a list or tuple `v` to its items, completed."""
        self.names[f"I{i}"], self.names[f"C{i}"] = item, item.by_type
        self.lines += [f"def l{i}(run, v, p):", " O = run.open", " c = []"]
        if item.nullable:
            self.lines += [
                " for x in v:",
                "  q = (p, len(c), None)",
                "  m = len(O)",
                "  try:",
                f"   x = C{i}[type(x)](run, x, q)",
                "   if len(O) != m and type(x) is not Job: run.enclose(m, q)",
                f"  except Exception: x = item_failed(run, I{i}, q, m)",
                "  c.append(x)",
            ]
        else:
            self.lines += [
                " n = iter(v)",
                " try:",
                f"  for x in n: c.append(C{i}[type(x)](run, x, (p, len(c), None)))",
                f" except Exception: list_failed(run, I{i}, n, (p, len(c), None))",
            ]
        self.lines += [" if O: place_items(c)", " return c"]

    def _value(self, field: FieldPlan) -> str:
        """Returns the expression of what the field's resolver returns."""
        i = field.index
        call = field.call
        if isinstance(call, Attribute):
            return f"s.{call.name}"
        if isinstance(call, SourceItself):
            return "s"
        generic = f"P{i}.field.resolve(run, s, (p, {field.key!r}, {field.typename!r}))"
        if call is None:
            return generic
        self.names[f"R{i}"] = call.function
        what = {"source": "s", "info": f"Info(run, P{i}.field, p)"}
        given = [what[name] for name in call.positional]
        given += [f"{name}={what[source]}" for name, source in call.keywords.items()]
        if not call.takes_arguments:
            called = f"R{i}({', '.join(given)})"
            # Only the path of a place in a list has no type.
            place = "p[1] if p is not None and p[2] is None else "
            return place + called if call.is_place else called
        given.append("**a")
        arguments = f"(a := P{i}.field.arguments(run))"
        return f"R{i}({', '.join(given)}) if {arguments} is not None else {generic}"

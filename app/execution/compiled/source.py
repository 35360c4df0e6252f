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
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLString,
    get_nullable_type,
    is_leaf_type,
)

from app.execution.compiled.arguments_used import ignores_argument
from app.execution.compiled.plan import FieldPlan, ObjectPlan
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
        uses_jobs = False
        for field in plan.fields:
            field_lines, jobs = self._field(field)
            body += field_lines
            uses_jobs = uses_jobs or jobs
        self.lines.append(f"def b{plan.number}(run, s, p):")
        self.lines.append(" j = False")
        if uses_jobs:
            self.lines.append(" O = run.open")
        self.lines += body
        entries = ", ".join(f"{field.key!r}: {self._local(field)}" for field in plan.fields)
        self.lines += [f" d = {{{entries}}}", " return place(d) if j else d"]

    def _local(self, field: FieldPlan) -> str:
        if field.name == "__typename":
            return repr(field.typename)
        return f"f{field.index}"

    def _field(self, field: FieldPlan) -> tuple[list[str], bool]:
        """Returns the lines that leave a field's value in its variable."""
        if field.name == "__typename":
            return [], False
        i = field.index
        position = field.position
        self.names[f"P{i}"] = position
        path = f"(p, {field.key!r}, {field.typename!r})"
        if isinstance(field.call, DirectCall) and field.call.is_async:
            lines = [
                " try:",
                f"  f{i} = Job(run, P{i}, {self._value(field)}, {path}); j = True",
                f" except Exception: f{i} = failed(run, P{i}, p)",
            ]
            return lines, False
        type_ = get_nullable_type(position.type)
        if is_leaf_type(type_):
            lines = [
                " try:",
                f"  f{i} = {self._value(field)}",
                *self._leaf(field, type_),
                f" except Exception: f{i} = failed(run, P{i}, p)",
            ]
            return lines, False
        lines = [
            f" q = {path}",
            " try:",
            f"  f{i} = {self._value(field)}",
            *self._composite(field, type_),
        ]
        if position.nullable:
            lines.insert(0, " m = len(O)")
            lines.append(f"  if len(O) != m and type(f{i}) is not Job: run.enclose(m, q)")
            lines.append(f" except Exception: f{i} = failed(run, P{i}, p, m)")
        else:
            lines.append(f" except Exception: f{i} = failed(run, P{i}, p)")
        return lines, position.nullable

    def _leaf(self, field: FieldPlan, type_: Any) -> list[str]:
        i = field.index
        otherwise = f"f{i} = leaf(run, P{i}, f{i}, p); j = True"
        unless_null = f"f{i} is not None and " if field.position.nullable else ""
        if type_ in BUILT_IN:
            uncommon = UNCOMMON[type_.name].format(i=i)
            condition = f"{unless_null}({uncommon})" if unless_null else uncommon
            return [f"  if {condition}: {otherwise}"]
        if isinstance(type_, GraphQLScalarType) and passes_through(type_):
            return [f"  if {unless_null}K[type(f{i})]: {otherwise}"]
        members = enum_names(type_) if isinstance(type_, GraphQLEnumType) else None
        if members is not None:
            self.names[f"E{i}"], self.names[f"N{i}"] = members
            rest = f"  elif f{i} is not None: " if unless_null else "  else: "
            return [f"  if type(f{i}) is E{i}: f{i} = N{i}[f{i}]", rest + otherwise]
        if unless_null:
            return [
                f"  if f{i} is not None:",
                f"   f{i} = leaf(run, P{i}, f{i}, p)",
                f"   if type(f{i}) is Job: j = True",
            ]
        return [
            f"  f{i} = leaf(run, P{i}, f{i}, p)",
            f"  if type(f{i}) is Job: j = True",
        ]

    def _composite(self, field: FieldPlan, type_: Any) -> list[str]:
        i = field.index
        position = field.position
        lines = [f"  if K[type(f{i})]: f{i} = value(run, P{i}, f{i}, q)"]
        inner = position.object
        if isinstance(type_, GraphQLObjectType) and inner is not None:
            is_type_of = type_.is_type_of
            if is_type_of is None:
                lines.append(f"  else: f{i} = b{inner.number}(run, f{i}, q)")
            elif ignores_argument(is_type_of, 1):
                self.names[f"T{i}"], self.names[f"B{i}"] = is_type_of, inner
                lines += [
                    f"  elif (t := T{i}(f{i}, None)) is True: f{i} = b{inner.number}(run, f{i}, q)",
                    f"  else: f{i} = judged(run, P{i}, B{i}, f{i}, q, t)",
                ]
            else:
                self.names[f"C{i}"] = position.plain
                lines.append(f"  else: f{i} = C{i}(run, f{i}, q)")
        else:
            self.names[f"C{i}"] = position.plain
            lines.append(f"  else: f{i} = C{i}(run, f{i}, q)")
        lines.append(f"  if type(f{i}) is Job: j = True")
        return lines

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
            return f"R{i}({', '.join(given)})"
        given.append("**a")
        arguments = f"(a := P{i}.field.arguments(run))"
        return f"R{i}({', '.join(given)}) if {arguments} is not None else {generic}"

"""The Python source of an object's function: the common way of each field, written out.

A field takes three to eight lines, and an object that is inlined the lines of its fields. What is
not common (see `kinds`) calls into `values`; nothing of a document goes into the source but the
names of fields, as literals.

Its variables, with the index of a field: `f` the field's value, `x` an item of its list, `c` the
items completed, `y` the type of the value before and `k` the number of that type's plan, `m` and
`o` how many jobs there were before a field or an item. `U` is set when an object may hold a job
that was not told its place. What it names from outside: `P` and `I` the places of a field and its
items, `C` and `A` what completes and what is known of a type there, `R` a resolver, `G` the globals
of one, `E` and `N` an enum and its names, `t` the makers of paths.
"""

from __future__ import annotations

import re
from dataclasses import replace
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

from app.execution.compiled.by_type import PlanByType
from app.execution.compiled.expressions import expression_of
from app.execution.compiled.inlining import answers_at_once, inlined_plans
from app.execution.compiled.place import Place
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
    "Int": "type(f{i}) is not int or not 0 <= f{i} <= 1073741823",
    "Float": "type(f{i}) is not float or f{i} - f{i} != 0.0",
    "Boolean": "f{i} is not True and f{i} is not False",
}
"""When a value of a built-in scalar needs more than a look; inf - inf is not 0.0 either.

Numbers below 2**30 are compared fastest; the others of an `Int` need more than a look.
"""

_LAST_TYPES = re.compile(r"\by\d+\b")
"""The variables that hold the type of the value before."""

BUILT_IN = (GraphQLString, GraphQLID, GraphQLInt, GraphQLFloat, GraphQLBoolean)


class SourceWriter:
    """Writes the functions of one plan, and collects the objects that they name."""

    def __init__(self, shared: dict[str, Any]) -> None:
        self.names: dict[str, Any] = dict(shared)
        self.lines: list[str] = []
        self.inlined: set[int] = set()
        """The numbers of the plans that were written into the functions of others."""
        self._inlines = True
        self._told_directly: set[int] = set()
        """The indexes of fields whose job is told its place by a line of its own."""

    def object_function(self, plan: ObjectPlan, *, inlines: bool = True) -> None:
        """Adds `b<number>(run, s, p)`: from the object `s` at the path `p` to its fields."""
        self._inlines = inlines
        place = Place("s")
        lines = [*self._fields(plan, place), *self._assembled(plan, "d"), "return d"]
        self._function(f"b{plan.number}(run, s, p)", lines)

    def _function(self, signature: str, lines: list[str]) -> None:
        text = "\n".join(lines)
        opening = ["O = run.open"] if "len(O)" in text else []
        if "U = True" in text:
            opening.append("U = False")
        else:
            lines = [line for line in lines if not line.lstrip().startswith("if U:")]
        opening += [f"{name} = None" for name in sorted(set(_LAST_TYPES.findall(text)))]
        self.lines += [f"def {signature}:", *_indented(opening), *_indented(lines)]

    def _fields(self, plan: ObjectPlan, place: Place) -> list[str]:
        """Returns the lines that leave each field's value in its variable."""
        lines: list[str] = []
        for field in plan.fields:
            if field.name != "__typename":
                self.names[f"P{field.index}"] = field.position
                lines += self._field(field, place)
        return lines

    def _inlined(self, plan: ObjectPlan, place: Place) -> list[str]:
        """Returns the lines that complete an object where it stands, without a function."""
        self.inlined.add(plan.number)
        lines: list[str] = []
        if any(_takes_path(field, place) for field in plan.fields):
            base = f"p{plan.number}"
            lines = [f"{base} = {place.whole_path}"]
            place = place.rebased(base)
        return [
            *lines,
            *self._fields(plan, place),
            *self._assembled(plan, place.source),
        ]

    def _field(self, field: FieldPlan, place: Place) -> list[str]:
        i = field.index
        position = field.position
        call = field.call
        if _is_index(field, place):
            return [f"f{i} = {place.item}"]
        path = place.field_path(field)
        value = self._value(field, place, path)
        failed = f"except Exception: f{i} = failed(run, P{i}, {place.path})"
        if not answers_at_once(field):
            self._told_directly.add(i)
        if isinstance(call, DirectCall) and call.is_async:
            return [f"try: f{i} = open_job(run, P{i}, {value}, {path})", failed]
        type_ = get_nullable_type(position.type)
        if is_leaf_type(type_):
            return ["try:", f" f{i} = {value}", *_indented(self._leaf(field, type_, place)), failed]
        if not position.nullable:
            completing = self._composite(field, place, path, [])
            return ["try:", f" f{i} = {value}", *_indented(completing), failed]
        enclosing = f"if len(O) != m{i} and type(f{i}) is not Job: run.enclose(m{i}, {path})"
        return [
            f"m{i} = len(O)",
            "try:",
            f" f{i} = {value}",
            *_indented(self._composite(field, place, path, [enclosing])),
            f"except Exception: f{i} = failed(run, P{i}, {place.path}, m{i})",
        ]

    def _leaf(self, field: FieldPlan, type_: Any, place: Place) -> list[str]:
        i = field.index
        otherwise = self._rarely(i, f"f{i} = leaf(run, P{i}, f{i}, {place.path})")
        unless_null = f"f{i} is not None and " if field.position.nullable else ""
        if type_ in BUILT_IN:
            uncommon = UNCOMMON[type_.name].format(i=i)
            condition = f"{unless_null}({uncommon})" if unless_null else uncommon
            return [f"if {condition}: {otherwise}"]
        if isinstance(type_, GraphQLScalarType) and passes_through(type_):
            return [f"if type(f{i}) is not str and {unless_null}K[type(f{i})]: {otherwise}"]
        members = enum_names(type_) if isinstance(type_, GraphQLEnumType) else None
        if members is not None:
            self.names[f"E{i}"], self.names[f"N{i}"] = members
            rest = f"elif f{i} is not None: " if unless_null else "else: "
            return [f"if type(f{i}) is E{i}: f{i} = N{i}[f{i}]", rest + otherwise]
        return [f"if f{i} is not None: {otherwise}" if unless_null else otherwise]

    def _composite(self, field: FieldPlan, place: Place, path: str, after: list[str]) -> list[str]:
        """Returns the lines that complete an object, a value of an abstract type, or a list.

        `after` is for what was completed, in contrast to what is awaited.
        """
        i = field.index
        position = field.position
        if position.item is None:
            self.names[f"C{i}"] = position.by_type
            unless_null = f"if f{i} is not None: " if position.nullable else ""
            called = f"{unless_null}f{i} = C{i}[type(f{i})](run, f{i}, {path})"
            plans = self._inlined_plans(position, place.blocks + 1, answers_at_once(field))
            if not plans:
                self._told_directly.add(i)
                loading = f"if type(f{i}) is BatchFuture: f{i} = open_job(run, P{i}, f{i}, {path})"
                if answers_at_once(field):
                    return [called, *after]
                otherwise = f"elif f{i} is not None:" if unless_null else "else:"
                completed = f"f{i} = C{i}[type(f{i})](run, f{i}, {path})"
                return [loading, otherwise, *_indented([completed, *after])]
            self._maker(i, place.parameters, place.made_field_path(field))
            inner = replace(
                place,
                source=f"f{i}",
                maker=f"t{i}",
                item=None,
                blocks=place.blocks + 1,
                whole_path=place.whole_field_path(field),
            )
            return [*self._object(i, position, plans, inner, [self._rarely(i, called)]), *after]
        item_type = get_nullable_type(position.item.type)
        if is_list_type(item_type) or is_leaf_type(item_type):
            self.names[f"C{i}"] = position.plain
            self._told_directly.add(i)
            return [
                f"if K[type(f{i})]: f{i} = value(run, P{i}, f{i}, {path})",
                f"else: f{i} = C{i}(run, f{i}, {path})",
                *after,
            ]
        whether = f"if type(f{i}) is tuple or type(f{i}) is list:"
        otherwise = self._rarely(i, f"else: f{i} = value(run, P{i}, f{i}, {path})")
        if self._inlined_plans(position.item, place.blocks + 4, answers_at_once(field)):
            items = self._items(field, position.item, f"f{i}", place, path)
            return [whether, *_indented([*items, f"f{i} = c{i}"]), otherwise, *after]
        if f"l{i}" not in self.names:  # it may be there from when it inlined more
            items = self._items(field, position.item, "v", None, "p")
            self._function(f"l{i}(run, v, p)", [*items, f"return c{i}"])
        return [f"{whether} f{i} = l{i}(run, f{i}, {path})", otherwise, *after]

    def _inlined_plans(
        self, position: Position, blocks: int, at_once: bool = True
    ) -> list[ObjectPlan]:
        return inlined_plans(position, blocks) if self._inlines and at_once else []

    def _items(
        self, field: FieldPlan, item: Position, values: str, place: Place | None, path: str
    ) -> list[str]:
        """Returns the lines that complete the items of a list or tuple, as the list `c<index>`.

        `place` is where the object is that has the list, None in a function for the list alone.
        """
        i = field.index
        self.names[f"I{i}"], self.names[f"C{i}"] = item, item.by_type
        index = f"len(c{i})"
        path = f"({path}, {index}, None)"
        lines = [
            f"x{i} = C{i}[type(x{i})](run, x{i}, {path})",
            f"if type(x{i}) is Job: x{i}.into = c{i}",
        ]
        blocks = 3 if place is None else place.blocks + 4
        plans = self._inlined_plans(item, blocks)
        if plans:
            outer = place or Place("v")
            made, whole = "p", "p"
            if place is not None:
                made, whole = place.made_field_path(field), place.whole_field_path(field)
            self._maker(i, (*outer.parameters, "i"), f"({made}, i, None)")
            inner = replace(
                outer,
                source=f"x{i}",
                indexes=(*outer.indexes, index),
                maker=f"t{i}",
                item=index,
                blocks=blocks,
                whole_path=f"({whole}, {index}, None)",
            )
            path = inner.path
            lines = self._object(i, item, plans, inner, lines)
        if item.nullable:
            return [
                f"c{i} = []",
                f"for x{i} in {values}:",
                f" o{i} = len(O)",
                " try:",
                *_indented(lines, 2),
                f"  if len(O) != o{i} and type(x{i}) is not Job: run.enclose(o{i}, {path})",
                f" except Exception: x{i} = item_failed(run, I{i}, {path}, o{i})",
                f" c{i}.append(x{i})",
            ]
        return [
            f"c{i} = []",
            "try:",
            f" for x{i} in {values}:",
            *_indented(lines, 2),
            f"  c{i}.append(x{i})",
            f"except Exception: list_failed(run, I{i}, {values}, {path})",
        ]

    def _maker(self, i: int, parameters: tuple[str, ...], path: str) -> None:
        """Adds `t<index>()`: from a path and the indexes below it to the path of an object."""
        self.lines.append(f"def t{i}({', '.join(parameters)}): return {path}")

    def _object(
        self, i: int, position: Position, plans: list[ObjectPlan], place: Place, called: list[str]
    ) -> list[str]:
        """Returns the lines that complete an object: where it is for these plans, else `called`."""
        self.names[f"A{i}"] = PlanByType(position)
        # Most values are of the type of the last one.
        type_ = f"type({place.source})"
        lines = [f"if {type_} is not y{i}: k{i} = A{i}[{type_}]; y{i} = {type_}"]
        word = "if"
        for plan in plans:
            lines.append(f"{word} k{i} == {plan.number}:")
            lines += _indented(self._inlined(plan, place))
            word = "elif"
        return [*lines, "else:", *_indented(called)]

    def _rarely(self, i: int, line: str) -> str:
        """Returns the line of what is not common, after which there may be a job in the object."""
        return line if i in self._told_directly else f"{line}; U = True"

    def _assembled(self, plan: ObjectPlan, variable: str) -> list[str]:
        """Returns the lines that make an object's part of the response from its fields' variables.

        What is awaited is told its place: where that is usual by a line of its own, otherwise by
        looking through the object.
        """
        entries: list[str] = []
        awaited: list[str] = []
        for field in plan.fields:
            value = repr(field.typename) if field.name == "__typename" else f"f{field.index}"
            entries.append(f"{field.key!r}: {value}")
            if field.index in self._told_directly:
                awaited.append(f"if type({value}) is Job: {value}.into = {variable}")
        return [
            f"{variable} = {{{', '.join(entries)}}}",
            *awaited,
            f"if U: place({variable})",
        ]

    def _value(self, field: FieldPlan, place: Place, path: str) -> str:
        """Returns the expression of what the field's resolver returns."""
        i = field.index
        call = field.call
        if isinstance(call, Attribute):
            return f"{place.source}.{call.name}"
        if isinstance(call, SourceItself):
            return place.source
        generic = f"P{i}.field.resolve(run, {place.source}, {path})"
        if call is None:
            return generic
        expression = expression_of(call.function) if _asks_object_alone(call) else None
        if expression is not None:
            self.names[f"G{i}"] = expression.globals
            return expression.of(place.source, f"G{i}")
        self.names[f"R{i}"] = call.function
        what = {"source": place.source, "info": f"Info(run, P{i}.field, {place.path})"}
        given = [what[name] for name in call.positional]
        given += [f"{name}={what[source]}" for name, source in call.keywords.items()]
        if not call.takes_arguments:
            called = f"R{i}({', '.join(given)})"
            if not call.is_place or place.source != "s":
                return called
            # Only the path of a place in a list has no type.
            return f"p[1] if p is not None and p[2] is None else {called}"
        given.append("**a")
        arguments = f"(a := P{i}.field.arguments(run))"
        return f"R{i}({', '.join(given)}) if {arguments} is not None else {generic}"


def _asks_object_alone(call: DirectCall) -> bool:
    """Tells whether a resolver is given its object and nothing else."""
    return call.positional == ("source",) and not (
        call.keywords or call.takes_arguments or call.is_async
    )


def _is_index(field: FieldPlan, place: Place) -> bool:
    """Tells whether a field is its object's index in the list that is written around it."""
    call = field.call
    return isinstance(call, DirectCall) and call.is_place and place.item is not None


def _takes_path(field: FieldPlan, place: Place) -> bool:
    """Tells whether completing a field takes the path of its object, even in the common way."""
    known = field.name == "__typename" or _is_index(field, place) or answers_at_once(field)
    return not known


def _indented(lines: list[str], levels: int = 1) -> list[str]:
    return [" " * levels + line for line in lines]

"""The Python source of what coerces an input object, a straight line for each of its fields.

The function `coerce(value, left)` takes an object of JSON and how many objects and list items there
may still be, and returns the coerced object and what Strawberry makes of it, which is None for a
type that has no `class_`. Whatever is not common raises: `Uncommon`, or what Python raises by
itself, such as KeyError for a required field that is not there. Nothing of a request goes into the
source, and of a schema only the names of its fields.

Its variables, with the index of a field: `a` the coerced value and `b` what Strawberry makes of it.
What it names from outside: `T` the class, `C` what coerces a value that is not null, `M` the
members of an enum by name, `D` the value of a field that is not given, and `E` its attribute's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import Undefined

Coerce: TypeAlias = Callable[[Any, list[int]], Any]
"""From a value that is not null to the coerced one. The list holds one number, how many more
objects and list items there may be; it goes below zero, or `Uncommon` is raised."""

Both: TypeAlias = Callable[[Any, list[int]], tuple[Any, Any]]
"""From a value that is not null to the coerced one and to what Strawberry makes of it."""


class Uncommon(Exception):
    """The value needs a closer look than is taken here. No error of the client by itself."""


@dataclass(frozen=True, slots=True)
class InputCoercion:
    """The coercion of a type, for values that are not null."""

    coerce: Coerce
    levels: int = 0
    """How many objects and lists are within each other."""
    both: Both | None = None
    """None where Strawberry takes the coerced value as it is, or makes nothing here."""
    is_known: bool = True
    """Whether it is known what Strawberry makes of the value."""
    class_: type | None = None
    """The class whose values all are taken as they are."""
    members: Mapping[str, Any] | None = None
    """Those of an enum."""


@dataclass(frozen=True, slots=True)
class InputField:
    """A field of an input object."""

    name: str
    out_name: str
    coercion: InputCoercion
    nullable: bool
    required: bool
    default: Any
    """The coerced value where it is not given; Undefined for none."""


@dataclass(frozen=True, slots=True)
class InputClass:
    """The class that Strawberry makes of an input object by setting its attributes, all of them."""

    class_: type
    attributes: Sequence[str]
    """In the order in which they are set."""
    names: Mapping[str, str]
    """The attribute of each field."""
    absent: Mapping[str, Any]
    """The value of each attribute whose field has none."""


def write_object(
    fields: Sequence[InputField], made: InputClass | None, *, one_of: bool
) -> Callable[[Any, list[int]], tuple[Any, Any]]:
    """Returns the function that coerces an object; `one_of` says that it has exactly one field."""
    writer = _ObjectWriter(fields, made)
    lines = writer.one_of() if one_of else writer.any_of()
    source = "\n".join(["def coerce(value, left):", *[f"    {line}" for line in lines]])
    exec(compile(source, "<coerced input>", "exec"), writer.outside)  # noqa: S102
    function: Both = writer.outside["coerce"]
    return function


class _ObjectWriter:
    def __init__(self, fields: Sequence[InputField], made: InputClass | None) -> None:
        self._fields = fields
        self._made = made
        self.outside: dict[str, Any] = {"Uncommon": Uncommon, "Undefined": Undefined}
        if made is not None:
            self.outside |= {"new": object.__new__, "T": made.class_}
            for index, attribute in enumerate(made.attributes):
                self.outside[f"E{index}"] = made.absent[attribute]
        for index, field in enumerate(fields):
            coercion = field.coercion
            self.outside[f"C{index}"] = coercion.both if self._differs(index) else coercion.coerce
            self.outside[f"M{index}"] = coercion.members
            self.outside[f"D{index}"] = field.default

    def any_of(self) -> list[str]:
        """Returns the lines for an object with any of its fields."""
        given = [index for index, field in enumerate(self._fields) if field.required]
        lines = self._start()
        for index in given:
            lines += self._read(index, nullable=self._fields[index].nullable)
        sure = [
            index
            for index, field in enumerate(self._fields)
            if field.required or field.default is not Undefined
        ]
        lines += [f"coerced = {self._coerced(sure, given)}", *self._make(sure, given)]
        lines += [f"if len(value) == {len(given)}:", f"    return coerced, {self._result}"]
        lines.append(f"count = {len(given)}")
        for index, field in enumerate(self._fields):
            if field.required:
                continue
            lines.append(f"if {field.name!r} in value:")
            inner = self._read(index, nullable=field.nullable)
            inner.append(f"coerced[{field.out_name!r}] = a{index}")
            if self._made is not None:
                inner.append(f"made.{self._made.names[field.name]} = {self._value(index)}")
            inner.append("count += 1")
            lines += [f"    {line}" for line in inner]
        # There is one that the type does not have.
        lines += ["if count != len(value):", "    raise Uncommon"]
        return [*lines, f"return coerced, {self._result}"]

    def one_of(self) -> list[str]:
        """Returns the lines for an object with exactly one field, which is not null."""
        lines = [*self._start(), "if len(value) != 1:", "    raise Uncommon"]
        for index, field in enumerate(self._fields):
            lines.append(f"if {field.name!r} in value:")
            inner = [
                *self._read(index, nullable=False),
                # A scalar may make nothing of what was something.
                f"if a{index} is None or a{index} is Undefined:",
                "    raise Uncommon",
                *self._make([index], [index]),
            ]
            inner.append(f"return {self._coerced([index], [index])}, {self._result}")
            lines += [f"    {line}" for line in inner]
        return [*lines, "raise Uncommon"]

    @property
    def _result(self) -> str:
        return "None" if self._made is None else "made"

    def _start(self) -> list[str]:
        return ["if type(value) is not dict:", "    raise Uncommon", "left[0] -= 1"]

    def _read(self, index: int, *, nullable: bool) -> list[str]:
        """Returns the lines that coerce the value of a field that is given."""
        field = self._fields[index]
        coercion = field.coercion
        lines = [f"a{index} = value[{field.name!r}]"]
        if coercion.class_ is not None:
            or_null = f" and a{index} is not None" if nullable else ""
            test = f"if type(a{index}) is not {coercion.class_.__name__}{or_null}:"
            return [*lines, test, "    raise Uncommon"]
        if coercion.members is not None:
            coerced = [f"a{index} = M{index}[a{index}]"]
        elif self._differs(index):
            coerced = [f"a{index}, b{index} = C{index}(a{index}, left)"]
        else:
            coerced = [f"a{index} = C{index}(a{index}, left)"]
        if not nullable:
            return lines + coerced
        if self._differs(index):
            lines.append(f"b{index} = None")
        return [*lines, f"if a{index} is not None:", *[f"    {line}" for line in coerced]]

    def _value(self, index: int) -> str:
        """Returns the name of what Strawberry makes of a field's value."""
        return f"b{index}" if self._differs(index) else f"a{index}"

    def _differs(self, index: int) -> bool:
        """Tells whether Strawberry makes something else of a field's value."""
        return self._made is not None and self._fields[index].coercion.both is not None

    def _coerced(self, sure: Sequence[int], given: Sequence[int]) -> str:
        """Returns the coerced object with the fields that have a value for sure."""
        items = [
            f"{self._fields[index].out_name!r}: {'a' if index in given else 'D'}{index}"
            for index in sure
        ]
        return "{" + ", ".join(items) + "}"

    def _make(self, sure: Sequence[int], given: Sequence[int]) -> list[str]:
        """Returns the lines that make the instance with all attributes."""
        if self._made is None:
            return []
        lines = ["made = new(T)"]
        place = {self._made.names[self._fields[index].name]: index for index in sure}
        for number, attribute in enumerate(self._made.attributes):
            index = place.get(attribute)
            if index is None:
                value = f"E{number}"
            else:
                value = self._value(index) if index in given else f"D{index}"
            lines.append(f"made.{attribute} = {value}")
        return lines

"""From what a client selects to the fields of the model that are looked at for it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from msgspec import Struct
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.utils.str_converters import to_camel_case

from app.execution.compiled.info import FromSelection
from app.schema.field import READS


class FieldsOfEdges(FromSelection[frozenset[str] | None]):
    """The fields of the model behind a type that a connection's selection looks at.

    None where that is not known, which means all of them.
    """

    path = ("edges", "node")

    def __init__(self, type_: type, model: type[Struct]) -> None:
        self._type = type_
        self._model = model

    def make(self, names: frozenset[str]) -> frozenset[str] | None:
        known = _reads(self._type, self._model)
        fields: set[str] = set()
        for name in names:
            if name not in known:
                return None
            fields.update(known[name])
        return frozenset(fields)


@lru_cache(maxsize=16)
def _reads(type_: Any, model: type[Struct]) -> dict[str, tuple[str, ...]]:
    """Returns what each field of a type reads: what it declares, or the attribute of its name."""
    definition: StrawberryObjectDefinition = type_.__strawberry_definition__
    known: dict[str, tuple[str, ...]] = {"__typename": ()}
    for field in definition.fields:
        name = field.graphql_name or to_camel_case(field.python_name)
        if READS in field.metadata:
            known[name] = field.metadata[READS]
        elif field.base_resolver is None and field.python_name in model.__struct_fields__:
            known[name] = (field.python_name,)
    return known

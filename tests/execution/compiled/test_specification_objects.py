"""Objects, lists of them, and what their class decides, on graphql-core's executor and compiled.

The topics are those of graphql-core's own tests of execution.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from inspect import CORO_CLOSED, getcoroutinestate
from typing import Any

import pytest
import strawberry
from graphql import GraphQLSchema, build_schema

from app.execution.hints import PLACE_IN_LIST
from app.execution.strawberry_schema import core_schema
from tests.execution.compiled.both_ways import Answer, later


class Item:
    def __init__(self, name: object) -> None:
        self.name = name


def items() -> list[Any]:
    """Returns four items: a good one, a failure, none, and one that fails inside."""
    return [Item("a"), RuntimeError("gone"), None, Item(ValueError("no name"))]


async def one_by_one(values: list[Any]) -> AsyncIterator[Any]:
    for value in values:
        yield await later(value)


@pytest.mark.parametrize(
    "give",
    [
        lambda: items(),
        lambda: tuple(items()),
        lambda: iter(items()),
        lambda: later(items()),
        lambda: [later(item) for item in items()],
        lambda: one_by_one([Item("a"), None, None, Item(ValueError("no name"))]),
    ],
)
@pytest.mark.parametrize("name", ["String", "String!"])
async def test_an_item_that_fails_is_null_where_it_may_be(
    answer: Answer, give: Callable[[], Any], name: str
) -> None:
    schema = build_schema(f"type Item {{ name: {name} }} type Query {{ items: [Item] }}")
    answered = await answer(schema, "{ items { name } }", {"items": give()})
    last = None if name == "String!" else {"name": None}
    assert answered["data"] == {"items": [{"name": "a"}, None, None, last]}
    errors = sorted(answered["errors"], key=lambda error: error[1])
    assert errors[-1] == ("no name", ["items", 3, "name"], [11])
    assert errors[:-1] in ([], [("gone", ["items", 1], [3])])


@pytest.mark.parametrize(
    ("give", "error"),
    [
        (lambda: [Item("a"), RuntimeError("gone"), Item("b")], ("gone", ["items", 1], [3])),
        (
            lambda: (Item("a"), None),
            ("Cannot return null for non-nullable field Query.items.", ["items", 1], [3]),
        ),
        (lambda: [Item("a"), Item(ValueError("no"))], ("no", ["items", 1, "name"], [11])),
    ],
)
async def test_an_item_that_fails_and_may_not_takes_its_list_with_it(
    answer: Answer, give: Callable[[], Any], error: Any
) -> None:
    schema = build_schema("type Item { name: String! } type Query { items: [Item!] x: Int }")
    # What stands behind the failure and would be awaited is given up.
    coroutine = later(Item("c"))
    values = give()
    answered = await answer(
        schema, "{ items { name } x }", {"items": type(values)([*values, coroutine]), "x": 1}
    )
    assert answered == {"data": {"items": None, "x": 1}, "errors": [error]}
    assert getcoroutinestate(coroutine) == CORO_CLOSED


async def test_lists_of_lists_of_objects(answer: Answer) -> None:
    schema = build_schema("type Item { name: String! } type Query { grid: [[Item!]]! }")
    root = {"grid": [[Item("a"), Item("b")], (Item("c"), None), [], None, [later(Item("d"))]]}
    assert await answer(schema, "{ grid { name } }", root) == {
        "data": {"grid": [[{"name": "a"}, {"name": "b"}], None, [], None, [{"name": "d"}]]},
        "errors": [
            ("Cannot return null for non-nullable field Query.grid.", ["grid", 1, 1], [3]),
        ],
    }


async def test_a_path_leads_through_aliases(answer: Answer) -> None:
    schema = build_schema("type A { a: A must: A! fails: String! } type Query { a: A }")

    class Source:
        def a(self, _info: object) -> Any:
            return Source()

        must = a

        def fails(self, _info: object) -> Any:
            raise RuntimeError("Catch me if you can")

    text = "{ a { aliased: a { must { another: must { fails } } } } }"
    assert await answer(schema, text, Source()) == {
        "data": {"a": {"aliased": None}},
        "errors": [
            ("Catch me if you can", ["a", "aliased", "must", "another", "fails"], [43]),
        ],
    }


async def test_fields_and_items_are_awaited_together(answer: Answer) -> None:
    barrier = asyncio.Barrier(5)

    async def together(value: Any) -> Any:
        await asyncio.wait_for(barrier.wait(), 5)
        return value

    schema = build_schema("type Item { name: String } type Query { items: [Item] a: Int }")
    root = {
        "items": [together(Item("a")), together(Item("b")), Item(together("c")), Item("d")],
        "a": together(1),
    }
    waiting = asyncio.create_task(barrier.wait())
    assert await answer(schema, "{ items { name } a }", root) == {
        "data": {"items": [{"name": name} for name in "abcd"], "a": 1}
    }
    await waiting


class Animal:
    """An object of a model."""

    name = "Rex"


class Puppy(Animal):
    """A kind of it."""


class Plant:
    """An object of another sort, which says that it is an animal."""

    name = "Fern"
    claims = Animal

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return self.claims


@strawberry.interface
class Living:
    name: str

    @strawberry.field(metadata=PLACE_IN_LIST)
    @staticmethod
    def index(info: strawberry.Info) -> int:
        """Answers the place in the list, 0 for what is in none."""
        before = info.path.prev
        return before.key if before is not None and isinstance(before.key, int) else 0


@strawberry.type(name="Animal")
class AnimalType(Living):
    @classmethod
    def is_type_of(cls, value: object, _info: Any) -> bool:
        return isinstance(value, Animal)


@strawberry.type(name="Stone")
class StoneType(Living):
    @classmethod
    def is_type_of(cls, value: object, _info: Any) -> bool:
        return value == "stone"


@strawberry.type
class Query:
    living: list[Living]
    rows: list[list[Living]]
    one: Living
    animal: AnimalType | None
    animals: list[AnimalType | None]


LIVING: GraphQLSchema = core_schema(strawberry.Schema(Query, types=[AnimalType, StoneType]))


class Root:
    def __init__(self, **values: object) -> None:
        self.__dict__ = values


async def test_subclasses_and_those_who_say_that_they_are_count_as_isinstance_does(
    answer: Answer,
) -> None:
    modest = Plant()
    modest.claims = Plant
    root = Root(animals=[Puppy(), Plant(), modest, Puppy(), Animal()])
    answered = await answer(LIVING, "{ animals { name } }", root)
    names = [one and one["name"] for one in answered["data"]["animals"]]
    assert names == ["Rex", "Fern", None, "Rex", "Rex"]
    ((message, path, _columns),) = answered["errors"]
    assert message.startswith("Expected value of type 'Animal' but got: <")
    assert path == ["animals", 2]


async def test_the_place_in_a_list_is_its_index_by_the_hint_and_by_the_resolver(
    answer: Answer,
) -> None:
    root = Root(
        living=[Animal(), Puppy(), Plant()],
        rows=[[Animal()], (Animal(), Animal())],
        one=Animal(),
        animal=Animal(),
    )
    text = "{ living { index } rows { __typename i: index } one { index } animal { index } }"
    assert await answer(LIVING, text, root) == {
        "data": {
            "living": [{"index": 0}, {"index": 1}, {"index": 2}],
            "rows": [
                [{"__typename": "Animal", "i": 0}],
                [{"__typename": "Animal", "i": 0}, {"__typename": "Animal", "i": 1}],
            ],
            "one": {"index": 0},
            "animal": {"index": 0},
        }
    }

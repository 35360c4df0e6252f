"""Values that are planted: what a place answers is decided by a seed and the place's name.

The objects behind the types are `Thing`s, whose attributes answer what their type allows and what
it does not: null, exceptions raised and returned, wrong values, awaitables of all of these.
"""

from __future__ import annotations

import asyncio
import enum
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, NewType

import strawberry
from strawberry.dataloader import DataLoader

from app.execution.batch_loader import BatchLoader


class PlantedError(Exception):
    """An error of a resolver."""


class Mood(enum.Enum):
    """An enum whose members are no text."""

    GOOD = 1
    BAD = 2


strawberry.enum(Mood)

Odd = NewType("Odd", int)
Anything = NewType("Anything", object)


def serialize_odd(value: Any) -> Any:
    """Fails, or answers null or an awaitable, on some values."""
    if value == 3:
        raise PlantedError("three is not odd enough")
    if value == 5:
        return None
    if value == 7:
        return settle(str(value), 1)
    return f"odd {value if isinstance(value, int) else type(value).__name__}"


@dataclass
class World:
    """What the resolvers of one run share."""

    seed: int
    asynchronous: bool
    trouble: float
    awaited: int = 0
    asked: list[list[str]] = field(default_factory=list)
    loader: DataLoader[str, Any] | BatchLoader[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.loader = DataLoader(self._load) if self.seed % 2 else BatchLoader(self._load_by_key)

    async def _load(self, keys: list[str]) -> list[Any]:
        self.asked.append(keys)
        await asyncio.sleep(0)
        return [self._loaded(key) for key in keys]

    async def _load_by_key(self, keys: list[str]) -> dict[str, Any]:
        return dict(zip(keys, await self._load(keys), strict=True))

    def _loaded(self, key: str) -> Any:
        chance = self.chance(key)
        if chance.random() < self.trouble:
            return chance.choice((None, PlantedError(f"not loaded: {key}")))
        return new_thing(self, key, "Cat")

    def chance(self, place: str) -> random.Random:
        """Returns the chance of a place: the same whenever it is asked."""
        return random.Random(f"{self.seed}:{place}")


class Thing:
    """An object of the model."""

    __slots__ = ("label", "world")

    def __init__(self, world: World, label: str) -> None:
        self.world = world
        self.label = label


class CatThing(Thing):
    """A cat of the model."""

    __slots__ = ()


class DogThing(Thing):
    """A dog of the model."""

    __slots__ = ()


class RockThing(Thing):
    """A rock of the model."""

    __slots__ = ()


class Circle(Thing):
    """A circle of the model, called as its type in the schema."""

    __slots__ = ()


class Square(Thing):
    """A square of the model, called as its type in the schema."""

    __slots__ = ()


BEINGS: dict[str, type[Thing]] = {"Cat": CatThing, "Dog": DogThing, "Rock": RockThing}
SHAPES: dict[str, type[Thing]] = {"Circle": Circle, "Square": Square}
KINDS = BEINGS | SHAPES


def new_thing(world: World, label: str, kind: str) -> Thing:
    """Returns a thing of a kind, or of any for an abstract one."""
    if kind not in KINDS:
        kinds = SHAPES if kind == "Shape" else BEINGS
        kind = world.chance(f"{label}?").choice(sorted(kinds))
    return KINDS[kind](world, label)


async def settle(value: Any, steps: int) -> Any:
    """Answers a value, or raises it, some turns of the event loop later."""
    for _ in range(steps):
        await asyncio.sleep(0)
    if isinstance(value, PlantedError):
        raise value
    return value


class Later:
    """An awaitable that is neither a coroutine nor a future."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, Any, Any]:
        return settle(self._value, 1).__await__()


LEAVES: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "ID": (("i1", "i2", 7), (True, {}, 2.5)),
    "String": (("s", "", 12, True, 1.5), ([], object)),
    "Int": ((1, 0, -5, True, 4.0, "6"), (2**31, 1.5, "x", [])),
    "Float": ((1.5, 2, False, "2.5"), (float("inf"), float("nan"), "y", {})),
    "Boolean": ((True, False, 1, 0.0), ("yes", [])),
    "Mood": ((Mood.GOOD, Mood.BAD), ("GOOD", 1, 9, [])),
    "Odd": ((1, 9), (3, 5)),
    "Anything": (({"a": [1]}, [None], "x", 0, 2.5, ()), (None,)),
}


def planted(world: World, place: str, type_: Any, *, top: bool = True) -> Any:
    """Returns a value for a place of the type, or what should not be there, or raises."""
    chance = world.chance(place)
    trouble = world.trouble
    if world.asynchronous and chance.random() < (0.02 if place.endswith("~") else 0.12):
        world.awaited += 1
        value = or_error(lambda: planted(world, f"{place}~", type_, top=top))
        # The text of a future tells how far it has come, which differs.
        return _awaitable(chance, value, nested=place.endswith("~"))
    if top and chance.random() < trouble / 3:
        raise PlantedError(f"raised at {place}")
    if chance.random() < trouble / 3:
        return PlantedError(f"returned at {place}")
    if isinstance(type_, list):
        return _list(world, place, type_[0], chance)
    if chance.random() < trouble:
        return None
    if type_ in LEAVES:
        good, bad = LEAVES[type_]
        if type_ == "Odd" and world.asynchronous and chance.random() < 0.1:
            world.awaited += 1
            return 7
        return chance.choice(bad if chance.random() < trouble else good)
    if chance.random() < trouble / 3:
        return chance.choice((object(), "no thing", 5))
    if chance.random() < trouble / 3:
        return new_thing(world, place, chance.choice(sorted(KINDS)))
    return new_thing(world, place, type_)


def or_error(value: Callable[[], Any]) -> Any:
    """Returns a value, or the error that it raises."""
    try:
        return value()
    except PlantedError as error:
        return error


def _awaitable(chance: random.Random, value: Any, nested: bool) -> Awaitable[Any]:
    how = chance.randrange(5)
    if how == 0 and not nested:
        future = asyncio.get_running_loop().create_future()
        if isinstance(value, PlantedError):
            future.set_exception(value)
            future.exception()
        else:
            future.set_result(value)
        return future
    if how == 1:
        return Later(value)
    return settle(value, chance.randrange(3))


def _list(world: World, place: str, item: Any, chance: random.Random) -> Any:
    if chance.random() < world.trouble:
        return chance.choice((None, 5, "text", {"a": 1}, object()))
    length = chance.choice((0, 1, 2, 2, 3))
    places = [f"{place}[{index}]" for index in range(length)]
    how = chance.randrange(7)
    if how == 0:
        return _generated(world, places, item, chance.random() < world.trouble)
    if how == 1 and world.asynchronous:
        world.awaited += 1
        return _generated_later(world, places, item, chance.random() < world.trouble)
    values = [planted(world, place, item, top=False) for place in places]
    return tuple(values) if how == 2 else values


def _generated(world: World, places: list[str], item: Any, fails: bool) -> Iterator[Any]:
    for place in places:
        yield planted(world, place, item, top=False)
    if fails:
        raise PlantedError("the generator broke off")


async def _generated_later(
    world: World, places: list[str], item: Any, fails: bool
) -> AsyncIterator[Any]:
    for place in places:
        await asyncio.sleep(0)
        yield planted(world, place, item, top=False)
    if fails:
        raise PlantedError("the generator broke off")


ATTRIBUTES: dict[str, Any] = {
    "id": "ID",
    "name": "String",
    "level": "Int",
    "ratio": "Float",
    "flag": "Boolean",
    "mood": "Mood",
    "must_mood": "Mood",
    "odd": "Odd",
    "must_odd": "Odd",
    "raw": "Anything",
    "friend": "Cat",
    "owner": "Dog",
    "kin": ["Being"],
    "strict": ["Being"],
    "grid": [["Int"]],
    "words": ["String"],
    "pets": [["Pet"]],
    "nearest": "Being",
    "moods": ["Mood"],
    "shape": "Shape",
    "must_shape": "Shape",
    "shapes": ["Shape"],
    "must_shapes": ["Shape"],
    "circle": "Circle",
    "must_circle": "Circle",
    "circles": ["Circle"],
    "must_circles": ["Circle"],
}


def _attribute(name: str, type_: Any) -> property:
    return property(lambda thing: planted(thing.world, f"{thing.label}.{name}", type_))


for _name, _type in ATTRIBUTES.items():
    setattr(Thing, _name, _attribute(_name, _type))

"""A small schema in which everything goes wrong somewhere, as `planted` decides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated, Any, TypeVar

import strawberry
from strawberry.schema.config import StrawberryConfig

from app.execution.hints import PLACE_IN_LIST
from tests.execution.compiled.planted import (
    Anything,
    CatThing,
    DogThing,
    Mood,
    Odd,
    PlantedError,
    RockThing,
    Thing,
    World,
    or_error,
    planted,
    serialize_odd,
    settle,
)
from tests.execution.compiled.planted import Circle as CircleThing
from tests.execution.compiled.planted import Square as SquareThing

Info = strawberry.Info[World, None]
ResolverT = TypeVar("ResolverT")


def resolver(
    graphql_type: Any, metadata: Mapping[Any, Any] | None = None
) -> Callable[[ResolverT], ResolverT]:
    """Makes a function the resolver of a field of a type."""
    decorate: Callable[[ResolverT], ResolverT] = strawberry.field(
        graphql_type=graphql_type, metadata=metadata
    )
    return decorate


def source(graphql_type: Any) -> Callable[[ResolverT], ResolverT]:
    """Makes a function the source of a subscription."""
    decorate: Callable[[ResolverT], ResolverT] = strawberry.subscription(graphql_type=graphql_type)
    return decorate


Source = strawberry.Parent[Thing]


@strawberry.input
class Wish:
    """An input with all kinds of fields."""

    text: str
    count: int | None = 2
    moods: list[Mood] | None = None
    inner: Wish | None = None
    perhaps: strawberry.Maybe[str]


LazyCat = Annotated["Cat", strawberry.lazy("tests.execution.compiled.nasty")]


@strawberry.interface
class Being:
    """Whatever there is."""

    id: strawberry.ID
    name: str | None
    level: int
    kin: list[Being | None] | None

    @resolver(str | None)
    @staticmethod
    def where(thing: Source, info: Info, sign: str = "/") -> Any:
        """Answers the path it was asked at."""
        return sign.join(map(str, info.path.as_list())) + str(info.path.typename) + info.field_name

    @resolver(str | None)
    @staticmethod
    def granted(thing: Source, wish: Wish | None = None, times: list[int] | None = None) -> Any:
        """Answers what it was given, and changes it."""
        told = f"{wish} {times}"
        if wish is not None:
            wish.text += "!"
        if times is not None:
            times.append(1)
        return told

    @resolver(LazyCat | None)
    @staticmethod
    async def later(thing: Source, info: Info, steps: int = 1) -> Any:
        """Answers a cat, later."""
        info.context.awaited += 1
        return await settle(
            or_error(lambda: planted(thing.world, f"{thing.label}.later", "Cat")), steps
        )

    @resolver(LazyCat)
    @staticmethod
    async def must_later(thing: Source, info: Info) -> Any:
        """Answers a cat later, and has to."""
        info.context.awaited += 1
        return await settle(or_error(lambda: planted(thing.world, f"{thing.label}.m", "Cat")), 1)

    @resolver(LazyCat | None)
    @staticmethod
    async def loaded(thing: Source, info: Info, key: str | None = None) -> Any:
        """Loads a cat in a batch."""
        info.context.awaited += 1
        return await info.context.loader.load(key or f"{thing.label}.loaded")

    @resolver(LazyCat | None)
    @staticmethod
    def promised(thing: Source, info: Info) -> Any:
        """Answers the loader's future as it is."""
        info.context.awaited += 1
        return info.context.loader.load(f"{thing.label[:3]}.promised")


LazyCircle = Annotated["Circle", strawberry.lazy("tests.execution.compiled.nasty")]
LazyShape = Annotated["Shape", strawberry.lazy("tests.execution.compiled.nasty")]


def doubled(name: Any, level: Any) -> Any:
    """Answers from two attributes, or fails."""
    # The text of an awaitable tells where it is in memory.
    told = [value if type(value) in (str, int) else type(value).__name__ for value in (name, level)]
    if level == 1:
        raise PlantedError(f"not doubled: {told}")
    return None if level == 0 else str(told)


@strawberry.interface
class Shape:
    """Whatever is told by its class alone."""

    name: str | None
    level: int
    must_mood: Mood
    odd: Odd | None
    words: list[str] | None
    shape: LazyShape | None
    must_shape: LazyShape
    shapes: list[LazyShape | None] | None
    must_shapes: list[LazyShape]
    circle: LazyCircle | None
    must_circle: LazyCircle
    circles: list[LazyCircle | None] | None
    must_circles: list[LazyCircle]
    friend: LazyCat | None

    @resolver(int, metadata=PLACE_IN_LIST)
    @staticmethod
    def place(info: Info) -> int:
        """Answers the index in the list, -1 outside of lists."""
        before = info.path.prev
        return before.key if before is not None and isinstance(before.key, int) else -1

    @resolver(LazyShape | None)
    @staticmethod
    def itself(thing: Source) -> Any:
        """Answers the object, which is an expression."""
        return thing

    @resolver(LazyCircle | None)
    @staticmethod
    def twin(thing: Source) -> Any:
        """Answers an attribute, which is an expression."""
        return thing.circle  # type: ignore[attr-defined]

    @resolver(str)
    @staticmethod
    def call(thing: Source) -> Any:
        """Answers what a function makes of attributes, which is an expression."""
        return doubled(thing.name, thing.level)  # type: ignore[attr-defined]

    @resolver(LazyCat | None)
    @staticmethod
    def promised(thing: Source, info: Info) -> Any:
        """Answers the loader's future as it is."""
        info.context.awaited += 1
        return info.context.loader.load(f"{thing.label[:5]}.promised")

    @classmethod
    def resolve_type(cls, thing: object, *_: Any) -> str:
        """Answers that types are called as the classes of their objects."""
        return type(thing).__name__


@strawberry.type
class Circle(Shape):
    """A circle: its class decides."""

    ratio: float | None

    @classmethod
    def is_type_of(cls, thing: object, _info: Any) -> bool:
        """Answers whether this is a circle."""
        return isinstance(thing, CircleThing)


@strawberry.type
class Square(Shape):
    """A square: its class decides."""

    flag: bool

    @classmethod
    def is_type_of(cls, thing: object, _info: Any) -> bool:
        """Answers whether this is a square."""
        return isinstance(thing, SquareThing)


@strawberry.type
class Common:
    """Fields that all objects have."""

    ratio: float | None
    flag: bool
    mood: Mood | None
    must_mood: Mood
    odd: Odd | None
    must_odd: Odd
    raw: Anything | None
    friend: LazyCat | None
    strict: list[Being]
    grid: list[list[int | None] | None]
    words: list[str] | None
    moods: list[Mood]
    nearest: Being
    shape: Shape | None
    circles: list[Circle | None] | None
    must_shapes: list[Shape]


@strawberry.type
class Cat(Being, Common):
    """A cat: its predicate needs no info."""

    owner: Dog
    pets: list[list[Annotated[Cat | Dog | Rock, strawberry.union("Pet")] | None] | None]

    @classmethod
    def is_type_of(cls, thing: object, _info: Any) -> bool:
        """Answers whether this is a cat."""
        return isinstance(thing, CatThing)


@strawberry.type
class Dog(Being, Common):
    """A dog: its predicate looks at the info, and answers later on some paths."""

    owner: LazyCat | None

    @classmethod
    def is_type_of(cls, thing: object, info: Any) -> Any:
        """Answers whether this is a dog."""
        verdict = isinstance(thing, DogThing)
        if isinstance(thing, Thing) and thing.world.asynchronous and info.path.prev is not None:
            thing.world.awaited += 1
            return settle(verdict, 1)
        return verdict


@strawberry.type
class Rock(Being, Common):
    """A rock: its predicate answers with any value."""

    @classmethod
    def is_type_of(cls, thing: object, info: Any) -> Any:
        """Answers whether this is a rock."""
        return 1 if isinstance(thing, RockThing) else ""


def root_field(name: str, type_: Any, graphql_type: Any) -> Any:
    """Returns a field of the root whose value is planted."""

    def resolve(info: Info) -> Any:
        return planted(info.context, name, type_)

    resolve.__name__ = name
    return strawberry.field(resolver=resolve, graphql_type=graphql_type)


@strawberry.type
class Query:
    """The root of queries; `must` takes all data with it when it fails."""

    cat: Cat | None = root_field("cat", "Cat", Cat | None)
    dog: Dog | None = root_field("dog", "Dog", Dog | None)
    being: Being | None = root_field("being", "Being", Being | None)
    must: Cat = root_field("must", "Cat", Cat)
    beings: list[Being] | None = root_field("beings", ["Being"], list[Being] | None)
    cats: list[Cat | None] | None = root_field("cats", ["Cat"], list[Cat | None] | None)
    level: int | None = root_field("level", "Int", int | None)
    shape: Shape | None = root_field("shape", "Shape", Shape | None)
    must_circle: Circle = root_field("must_circle", "Circle", Circle)
    shapes: list[Shape | None] | None = root_field("shapes", ["Shape"], list[Shape | None] | None)
    circles: list[Circle] | None = root_field("circles", ["Circle"], list[Circle] | None)

    @resolver(Cat | None)
    async def slow(self, info: Info) -> Any:
        """Answers later."""
        info.context.awaited += 1
        return await settle(or_error(lambda: planted(info.context, "slow", "Cat")), 2)


@strawberry.type
class Mutation:
    """The root of mutations: what was done before a failure stays done."""

    change: Cat | None = root_field("change", "Cat", Cat | None)
    must_change: Being = root_field("must_change", "Being", Being)

    @resolver(Cat | None)
    async def change_later(self, info: Info, wish: Wish | None = None) -> Any:
        """Changes later."""
        info.context.awaited += 1
        return await settle(or_error(lambda: planted(info.context, "change", "Cat")), 1)


@strawberry.type
class Subscription:
    """The root of subscriptions; an event is what `event` plants."""

    @source(Being)
    async def happened(self) -> AsyncIterator[Any]:
        """Is never opened here: events are run one by one."""
        yield None


def event(world: World) -> Any:
    """Returns the value of an event."""
    return or_error(lambda: planted(world, "event", "Being"))


SCHEMA = strawberry.Schema(
    Query,
    Mutation,
    Subscription,
    types=[Cat, Dog, Rock, Circle, Square],
    config=StrawberryConfig(
        scalar_map={
            Odd: strawberry.scalar(name="Odd", serialize=serialize_odd, parse_value=int),
            Anything: strawberry.scalar(name="Anything", parse_value=lambda value: value),
        }
    ),
)

"""What Strawberry makes of a variable is made with its coercion, and is the same as if it were not.

Each is compared with graphql-core's coercion and Strawberry's conversion, one after the other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, NewType

import pytest
import strawberry
from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInputObjectType,
    OperationDefinitionNode,
    parse,
)
from graphql.execution.values import get_argument_values, get_variable_values
from hypothesis import example, given
from hypothesis import strategies as st
from strawberry.relay import GlobalID
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import convert_arguments

from app.execution.compiled.operation import ExecutionOptions
from app.execution.document import Prepared
from app.execution.executor import Executor
from app.execution.operation import Request, ShownError
from app.execution.strawberry_inputs import InputValue, input_class
from app.execution.strawberry_schema import DirectCall, core_schema, field_call
from app.execution.variables import InputTypes, VariableCoercer
from tests.execution.test_variables import Colour, objects


@strawberry.input
class Leaf:
    called: str = strawberry.field(name="name")
    size: int | None
    colour: Colour = Colour.BLUE
    weight: float | None = strawberry.UNSET
    data: JSON | None = None
    done: bool = False


@strawberry.input(one_of=True)
class Choice:
    leaf: Leaf | None = strawberry.UNSET
    number: int | None = strawberry.UNSET
    rows: list[list[int | None]] | None = strawberry.UNSET


@strawberry.input
class Named:
    id: strawberry.ID


@strawberry.input
class Tree(Named):
    leaves: list[Leaf | None]
    late_leaf: Annotated[Leaf, strawberry.lazy(__name__)] | None = None
    grid: list[list[int | None]] | None = None
    choices: list[Choice] | None = None
    colours: list[Colour] | None = None


@strawberry.input
class WithList:
    tags: list[str] = strawberry.field(default_factory=lambda: ["new"])


@strawberry.input
class WithNode:
    node: GlobalID


@strawberry.input
class WithMaybe:
    name: strawberry.Maybe[str | None]


@strawberry.input
class WithCheck:
    name: str

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("no name")


@strawberry.input
class WithConstructor:
    name: str

    def __init__(self, name: str) -> None:
        self.name = name.upper()


@strawberry.input
class WithSetter:
    name: str

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, f"{value}!")


@strawberry.input
class WithChecked:
    inner: WithCheck


@strawberry.type
class Query:
    @strawberry.field
    def grow(
        self, tree: Tree | None = None, second: Tree | None = None, leaf: Leaf | None = None
    ) -> str:
        return ""

    @strawberry.field
    def more(
        self,
        tags: WithList | None = None,
        node: WithNode | None = None,
        maybe: WithMaybe | None = None,
        check: WithCheck | None = None,
        constructor: WithConstructor | None = None,
        setter: WithSetter | None = None,
        checked: WithChecked | None = None,
        choice: Choice | None = None,
    ) -> str:
        return ""


STRAWBERRY = strawberry.Schema(query=Query)
SCHEMA = core_schema(STRAWBERRY)
TYPES = InputTypes()
NODE = str(GlobalID("Leaf", "1"))


def call(field: GraphQLField) -> DirectCall:
    found = field_call(field)
    assert isinstance(found, DirectCall)
    return found


def fields(definition: OperationDefinitionNode) -> Iterator[tuple[GraphQLField, FieldNode]]:
    """Yields the fields of the query that an operation selects."""
    assert SCHEMA.query_type is not None
    for node in definition.selection_set.selections:
        assert isinstance(node, FieldNode)
        yield SCHEMA.query_type.fields[node.name.value], node


@cache
def operation(document: str) -> OperationDefinitionNode:
    (definition,) = parse(document).definitions
    assert isinstance(definition, OperationDefinitionNode)
    return definition


def by_us(document: str, given: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Returns the arguments of the fields of an operation, None where graphql-core is to do it."""
    definition = operation(document)
    declared = definition.variable_definitions or ()
    variables = VariableCoercer(TYPES, SCHEMA, declared).coerce(given, 100)
    if variables is None:
        return None
    return [
        call(field).arguments.convert(get_argument_values(field, node, variables))
        for field, node in fields(definition)
    ]


def by_strawberry(document: str, given: dict[str, Any]) -> list[dict[str, Any]]:
    definition = operation(document)
    declared = definition.variable_definitions or ()
    variables = get_variable_values(SCHEMA, declared, given)
    assert not isinstance(variables, list)
    converter = STRAWBERRY.schema_converter
    return [
        convert_arguments(
            get_argument_values(field, node, variables),
            call(field).field.arguments,
            scalar_registry=converter.scalar_registry,
            config=converter.config,
        )
        for field, node in fields(definition)
    ]


def exact(value: Any) -> Any:
    """Tells apart what Python takes for equal, such as true and 1, and another order."""
    if dataclasses.is_dataclass(value):
        return type(value), [(name, exact(item)) for name, item in vars(value).items()]
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    return type(value), value


TEXT = st.text(max_size=3)
NUMBERS = st.integers(0, 9)
LEAVES = objects(
    name=TEXT,
    colour=st.sampled_from(["RED", "BLUE"]),
    size=NUMBERS,
    weight=st.floats(allow_nan=False, allow_infinity=False) | NUMBERS,
    data=st.none() | st.dictionaries(TEXT, NUMBERS, max_size=2),
    done=st.booleans(),
)
ROWS = st.lists(st.lists(st.none() | NUMBERS, max_size=2), max_size=2)
TREES = objects(
    id=TEXT,
    leaves=st.lists(LEAVES, max_size=2),
    lateLeaf=LEAVES,
    grid=ROWS,
    choices=st.lists(objects(leaf=LEAVES, number=NUMBERS, rows=ROWS), max_size=2),
    colours=st.lists(st.sampled_from(["RED", "BLUE"]), max_size=2),
)
LEAF = {"name": "oak", "colour": "RED", "size": 3, "weight": 1.5, "data": {"a": [1]}, "done": True}
TREE = {
    "id": "t",
    "leaves": [LEAF, None, {"name": "elm"}],
    "lateLeaf": {"name": "fir", "size": None, "data": None},
    "grid": [[1, None], []],
    "choices": [{"number": 2}, {"leaf": LEAF}, {"rows": [[1]]}],
    "colours": ["RED"],
}
TWICE = """query ($tree: Tree!, $leaf: Leaf = {name: "default"}) {
    grow(tree: $tree, second: $tree, leaf: $leaf)
    again: grow(tree: {id: "x", leaves: [$leaf, null, $leaf], lateLeaf: $leaf}, second: $tree)
}"""


@example({"tree": TREE, "leaf": LEAF})
@example({"tree": TREE, "leaf": None})
@example({"tree": {"id": "t", "leaves": []}, "leaf": {"name": "elm"}})
@example({"tree": {**TREE, "lateLeaf": None}, "leaf": LEAF})
@given(objects(tree=TREES, leaf=LEAVES))
def test_arguments_are_what_strawberry_makes_of_graphql_cores(given: dict[str, Any]) -> None:
    ours = by_us(TWICE, given)

    if ours is not None:
        assert exact(ours) == exact(by_strawberry(TWICE, given))


def test_what_is_common_needs_neither() -> None:
    variables = VariableCoercer(TYPES, SCHEMA, operation(TWICE).variable_definitions or ()).coerce(
        {"tree": TREE, "leaf": LEAF}, 100
    )

    assert variables is not None
    for name, class_ in (("tree", Tree), ("leaf", Leaf)):
        value = variables.coerced[name]
        assert type(value) is InputValue
        assert type(value.made) is class_


def test_each_use_of_a_variable_has_an_object_of_its_own() -> None:
    arguments = by_us(TWICE, {"tree": TREE, "leaf": LEAF})

    assert arguments is not None
    first, second = arguments
    trees = [first["tree"], first["second"], second["second"]]
    leaves = [first["leaf"], *second["tree"].leaves, second["tree"].late_leaf]
    assert len({id(tree) for tree in trees}) == 3
    assert len({id(tree.leaves[0]) for tree in trees}) == 3
    assert len({id(tree.grid[0]) for tree in trees}) == 3
    assert len({id(leaf) for leaf in leaves if leaf is not None}) == 4


@pytest.mark.parametrize(
    "given",
    [
        {"tree": {"id": "t"}},
        {"tree": {**TREE, "unknown": 1}},
        {"tree": {"id": "t", "leaves": [], "unknown": 1}},
        {"tree": {**TREE, "id": None}},
        {"tree": {**TREE, "leaves": [{"name": "elm", "colour": None}]}},
        {"tree": {**TREE, "choices": [{}]}},
        {"tree": {**TREE, "choices": [{"number": None}]}},
        {"tree": {**TREE, "choices": [{"number": 1, "leaf": LEAF}]}},
        {"tree": {**TREE, "choices": [{"unknown": 1}]}},
        {"tree": {**TREE, "choices": {"number": 1}}},
        {"tree": {**TREE, "choices": [None]}},
        {"tree": {**TREE, "grid": [[1, "2"]]}},
        {"tree": {**TREE, "grid": [1]}},
        {"tree": {**TREE, "leaves": [{"name": "elm", "done": 1}]}},
        {"tree": [TREE]},
        {"tree": "t"},
    ],
    ids=str,
)
def test_what_is_wrong_is_left_to_graphql_core(given: dict[str, Any]) -> None:
    assert by_us(TWICE, given) is None


MORE = """query ($tags: WithList, $node: WithNode, $maybe: WithMaybe, $check: WithCheck,
    $constructor: WithConstructor, $setter: WithSetter, $checked: WithChecked, $choice: Choice) {
    more(tags: $tags, node: $node, maybe: $maybe, check: $check, constructor: $constructor,
        setter: $setter, checked: $checked, choice: $choice)
}"""


@pytest.mark.parametrize(
    "given",
    [
        {"tags": {}},
        {"tags": {"tags": ["a"]}},
        {"node": {"node": NODE}},
        {"maybe": {}},
        {"maybe": {"name": None}},
        {"maybe": {"name": "a"}},
        {"check": {"name": "a"}},
        {"constructor": {"name": "a"}},
        {"setter": {"name": "a"}},
        {"checked": {"inner": {"name": "a"}}},
        {"choice": {"leaf": {"name": "elm"}}},
    ],
    ids=str,
)
def test_what_strawberry_does_more_for_is_done(given: dict[str, Any]) -> None:
    ours = by_us(MORE, given)

    assert ours is not None
    assert exact(ours) == exact(by_strawberry(MORE, given))


@pytest.mark.parametrize(
    "class_",
    [WithList, WithNode, WithMaybe, WithCheck, WithConstructor, WithSetter],
    ids=lambda class_: class_.__name__,
)
def test_what_strawberry_does_more_for_is_left_to_it(class_: type) -> None:
    type_ = SCHEMA.type_map[class_.__name__]
    assert isinstance(type_, GraphQLInputObjectType)

    assert input_class(type_) is None


def test_a_constructor_that_fails_fails_where_the_field_is_reached() -> None:
    given = {"check": {"name": ""}}

    declared = operation(MORE).variable_definitions or ()
    assert VariableCoercer(TYPES, SCHEMA, declared).coerce(given, 100) is not None
    with pytest.raises(ValueError, match="no name"):
        by_us(MORE, given)


Trimmed = NewType("Trimmed", str)


@strawberry.input(one_of=True)
class Given:
    text: Trimmed | None = strawberry.UNSET
    number: int | None = strawberry.UNSET


class Checking(type):
    def __call__(cls, *arguments: Any, **values: Any) -> Any:
        if values.get("name") == "":
            raise ValueError("empty")
        return super().__call__(*arguments, **values)


@strawberry.input
class Checked(metaclass=Checking):
    name: str


@strawberry.type
class OtherQuery:
    @strawberry.field
    def given(self, value: Given) -> str:
        return repr(value)

    @strawberry.field
    def checked(self, value: Checked) -> str:
        return repr(value)


@pytest.mark.parametrize(
    ("field", "type_", "value", "message"),
    [
        ("given", "Given", {"text": " "}, "Value for member field 'text' must be non-null"),
        ("checked", "Checked", {"name": ""}, "empty"),
    ],
)
async def test_what_strawberry_refuses_is_refused_in_its_words(
    field: str, type_: str, value: dict[str, Any], message: str
) -> None:
    scalars = {Trimmed: strawberry.scalar(name="Trimmed", parse_value=lambda v: v.strip() or None)}
    schema = strawberry.Schema(OtherQuery, config=StrawberryConfig(scalar_map=scalars))
    executor = Executor(
        schema,
        options=ExecutionOptions(compiled=True, runs_before_compiling=0),
        describe_error=lambda error: ShownError(str(error), "SHOWN"),
        report_error=lambda *_: None,
    )
    request = Request(f"query($v: {type_}!) {{ {field}(value: $v) }}", {"v": value})
    prepared = executor.prepare(request)
    assert isinstance(prepared, Prepared)
    found = (await executor.execute(prepared, request, None)).formatted()
    (error,) = found["errors"]
    assert message in error["message"]
    told = (await schema.execute(request.query, request.variables)).errors
    assert told is not None
    assert message in told[0].message

"""Random operations on nasty data: compiled, they answer what graphql-core answers."""

from __future__ import annotations

import asyncio
import math
import random

import pytest
from graphql import GraphQLSchema, OperationType, parse, validate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.execution.compiled.compiler import Compiler
from app.execution.strawberry_schema import core_schema
from tests.execution.compiled.both_ways import BothWays, difference
from tests.execution.compiled.nasty import SCHEMA, event
from tests.execution.compiled.planted import World
from tests.execution.compiled.random_documents import RandomDocument

DOCUMENTS = 2
WORLDS = 10
NASTY = core_schema(SCHEMA)
COMPILER = Compiler(NASTY)
OPERATIONS = (
    *(OperationType.QUERY,) * 7,
    *(OperationType.MUTATION,) * 2,
    OperationType.SUBSCRIPTION,
)


async def compare(schema: GraphQLSchema, seed: int) -> int:
    """Runs random operations of a seed both ways and returns how many; fails on a difference."""
    compared = 0
    chance = random.Random(seed)
    for _ in range(DOCUMENTS):
        operation = chance.choice(OPERATIONS)
        document = RandomDocument(schema, chance, operation=operation, depth=chance.randint(2, 3))
        both = BothWays(schema, COMPILER, document.text)
        conditions: dict[str, bool] = {}
        for turn in range(WORLDS):
            given_variables = document.variables(chance)
            if turn % 4:
                given_variables |= conditions  # plans are made once and used again
            conditions = {k: v for k, v in given_variables.items() if k.startswith("if")}
            variables = both.coerce(given_variables)
            if variables is None:
                continue
            kind = (chance.randrange(2**32), chance.random() < 0.6, chance.choice((0, 0.03, 0.15)))
            worlds: list[World] = []

            def world(kind: tuple[int, bool, float] = kind) -> tuple[World, object]:
                made = World(*kind)
                worlds.append(made)  # noqa: B023 - called before the next turn
                root = event(made) if operation is OperationType.SUBSCRIPTION else None  # noqa: B023
                return made, root

            answers = await both.run(variables, world)
            if answers is None:
                continue
            compared += 1
            found = difference(answers, in_order=not worlds[0].awaited)
            assert found is None, (
                f"seed {seed}, world {kind}\n{document.text}\n{given_variables}\n{found}"
            )
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return compared


@given(seed=st.integers(0, 2**40))
def test_random_documents_are_valid(seed: int) -> None:
    document = RandomDocument(NASTY, random.Random(seed), operation=OPERATIONS[seed % 10])
    assert validate(NASTY, parse(document.text)) == []


@pytest.mark.usefixtures("garbage_unheeded")
def test_compiled_operations_answer_what_graphql_core_answers(
    request: pytest.FixtureRequest,
) -> None:
    cases = request.config.getoption("--cases", 10_000)
    compared = 0

    @settings(
        # Some of them are refused for their variables, by both ways, and not counted.
        max_examples=math.ceil(1.25 * cases / (DOCUMENTS * WORLDS)),
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.integers(0, 2**40))
    def compare_seed(seed: int) -> None:
        nonlocal compared
        compared += asyncio.run(compare(NASTY, seed))

    compare_seed()
    assert compared >= cases

"""Random queries over this product's own schema and a real store, compiled and not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.backends.open import open_backend
from app.execution.compiled.compiler import Compiler
from app.execution.strawberry_schema import core_schema
from app.live.brokers.in_process import InProcessBroker
from app.live.feeds import Feeds
from app.resolvers.services import Services
from app.rules.limits import Limits
from app.schema import schema
from app.schema.context import OperationContext
from app.wiring import LOCAL_CALLER
from benchmarks.dataset import records
from tests.execution.compiled.both_ways import BothWays, difference
from tests.execution.compiled.random_documents import RandomDocument

CORE = core_schema(schema)
COMPILER = Compiler(CORE)
WORLDS = 4
FIND = """
{ sessions(first: 3) { edges { cursor node { id owner { id } messages(last: 2) {
  edges { cursor node { id } } } } } } }
"""


@asynccontextmanager
async def opened_store(store: Path) -> AsyncIterator[Services]:
    """Opens a small store, made when it is not there."""
    new = not store.exists()
    backend = await open_backend(f"sqlite:///{store}")
    broker = InProcessBroker()
    try:
        if new:
            await backend.load(records(6, 60, 12))
        yield Services(backend, broker, Feeds(backend, broker), Limits())
    finally:
        await broker.close()
        await backend.close()


async def known_values(services: Services) -> dict[str, list[Any]]:
    """Returns arguments that mean something in the store, by name, among some that don't."""
    both = BothWays(CORE, COMPILER, FIND)
    variables = both.coerce({})
    assert variables is not None
    answers = await both.run(variables, lambda: (OperationContext(services, LOCAL_CALLER), None))
    assert answers is not None
    assert answers.compiled.data is not None
    sessions = answers.compiled.data["sessions"]["edges"]
    ids: list[str] = ["nonsense"]
    cursors: list[str] = ["nonsense"]
    for edge in sessions:
        ids += [edge["node"]["id"], edge["node"]["owner"]["id"]]
        cursors.append(edge["cursor"])
        for message in edge["node"]["messages"]["edges"]:
            cursors.append(message["cursor"])
            ids.append(message["node"]["id"])
    names = dict.fromkeys(("id", "ids", "messageId", "agentId", "profileId"), ids)
    sizes = [1, 2, 5, 0, -1, 101]
    times = ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00+02:00"]
    return {
        **names,
        **dict.fromkeys(("first", "last"), sizes),
        **dict.fromkeys(("after", "before"), cursors),
        "key": ["benchmark:1", "nothing"],
        "title": ["Conversation", "nothing"],
        "DateTime": times,
    }


async def compare(store: Path, seed: int, documents: int) -> int:
    """Runs random queries of a seed both ways and returns how many; fails on a difference."""
    compared = 0
    chance = random.Random(seed)
    async with opened_store(store) as services:
        pools = await known_values(services)
        for _ in range(documents):
            document = RandomDocument(
                CORE,
                chance,
                depth=chance.randint(3, 6),
                pools=pools,
                avoid=frozenset({"messagesAround"}),
            )
            both = BothWays(CORE, COMPILER, document.text)
            for _ in range(WORLDS):
                given_variables = document.variables(chance)
                variables = both.coerce(given_variables)
                if variables is None:
                    continue
                answers = await both.run(
                    variables, lambda: (OperationContext(services, LOCAL_CALLER), None)
                )
                if answers is None:
                    continue
                compared += 1
                found = difference(answers, in_order=False)
                assert found is None, f"seed {seed}\n{document.text}\n{given_variables}\n{found}"
    return compared


@pytest.mark.usefixtures("garbage_unheeded")
def test_queries_of_the_product_answer_the_same_compiled(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    documents = max(1, request.config.getoption("--cases", 10_000) // 1_000)
    compared = 0

    @settings(
        max_examples=20,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.integers(0, 2**40))
    def compare_seed(seed: int) -> None:
        nonlocal compared
        compared += asyncio.run(compare(tmp_path / "store.db", seed, documents))

    compare_seed()
    assert compared >= 15 * documents * WORLDS

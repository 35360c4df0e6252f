"""What Scrollback is measured against gives the same answers, from the same store."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console

from benchmarks.http_connection import HttpConnection
from benchmarks.serving import Server, limit, product, serving
from benchmarks.stores import Size, postgresql_store, sqlite_store
from benchmarks.workloads import NAMES, check, find_targets, workloads
from tests.databases import DatabaseServer

SIZE = Size(30, 1_200)
DEPTH = 100


def shape(value: Any) -> Any:
    """Returns the names and kinds of what is in an answer, without what differs by encoding."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items() if name != "extensions"}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value)


def words(value: Any) -> list[str]:
    """Returns what was said in an answer, in its order."""
    if isinstance(value, dict):
        said = [value["text"]] if isinstance(value.get("text"), str) else []
        return said + [word for inner in value.values() for word in words(inner)]
    return [word for inner in value for word in words(inner)] if isinstance(value, list) else []


async def answers(server: Server, *, writing: bool) -> dict[str, Any]:
    found = {}
    async with HttpConnection(*server.address) as connection:
        for workload in workloads(await find_targets(connection, DEPTH)):
            if (workload.name == "append") is writing:
                request = connection.encode(workload.document, workload.variables(Random(1)))
                found[workload.name] = check(await connection.send(request))
    return found


async def compare(store: str, folder: Path) -> None:
    async with serving(product(store), folder) as ours, serving(limit(store), folder) as theirs:
        mine = await answers(ours, writing=False)
        limits = await answers(theirs, writing=False)
        added = [await answers(server, writing=True) for server in (ours, theirs)]
    assert (*mine, *added[0]) == NAMES
    for name in mine:
        assert shape(mine[name]) == shape(limits[name]), name
        assert words(mine[name]) == words(limits[name]), name
        assert words(mine[name]), name
    assert shape(added[0]) == shape(added[1])


async def test_the_limit_answers_the_same_from_sqlite(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path, SIZE, Console(quiet=True)) as store:
        await compare(store, tmp_path)


async def test_the_limit_answers_the_same_from_postgresql(
    postgresql: DatabaseServer, tmp_path: Path
) -> None:
    any_database = await postgresql.fresh("benchmark")
    async with postgresql_store(any_database, SIZE, Console(quiet=True)) as store:
        await compare(store, tmp_path)

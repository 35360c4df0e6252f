"""Measures servers on this computer from outside and prints a table.

Examples:
  python -m benchmarks                      the whole run, a quarter of an hour
  python -m benchmarks --quick              a small store and short runs
  python -m benchmarks --only Q2 append     two workloads
  python -m benchmarks --stores sqlite      without PostgreSQL
  python -m benchmarks --quick --against benchmarks/baseline.json
                                            and beside each ratio what it was
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import uvloop
from rich.console import Console

from benchmarks.fan_out import fan_out
from benchmarks.http_connection import HttpConnection
from benchmarks.load import Measured, measure
from benchmarks.results import Result, compared, result_of, save, table_of
from benchmarks.serving import Server, limit, product, serving
from benchmarks.stages import measure_stages
from benchmarks.statements import count_statements
from benchmarks.stores import Size, postgresql_store, sqlite_store
from benchmarks.workloads import NAMES, Workload, find_targets, workloads

console = Console(width=140)

STORES = ("sqlite", "postgresql")


def main() -> None:
    """Reads the arguments and runs."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a small store and short runs")
    parser.add_argument("--sessions", type=int, default=2_000, help="default 2000")
    parser.add_argument("--messages", type=int, default=316_000, help="default 316000")
    parser.add_argument("--connections", type=int, default=32, help="default 32")
    parser.add_argument("--seconds", type=float, default=4.0, help="a round of a workload")
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    parser.add_argument("--subscribers", type=int, default=200, help="default 200")
    parser.add_argument(
        "--only", nargs="+", choices=(*NAMES, "fan-out"), help="some of the workloads"
    )
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    parser.add_argument(
        "--postgresql",
        default="postgresql://127.0.0.1:5432/test",
        metavar="URL",
        help="any database of a server where databases may be created, default %(default)s",
    )
    parser.add_argument(
        "--no-plain", action="store_true", help="leave out the server without compiled execution"
    )
    parser.add_argument("--no-stages", action="store_true", help="leave out the shares of stages")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the results to a file")
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="show beside each ratio that of a file"
    )
    options = parser.parse_args()
    if options.quick:
        options.sessions, options.messages = 200, 20_000
        options.seconds, options.rounds = 1.0, 1
    uvloop.run(run(options))


@dataclass(frozen=True, slots=True)
class Measuring:
    """The servers over one store; `plain` is ours without compiled execution."""

    url: str
    name: str
    ours: Server
    limit: Server
    plain: Server | None
    size: Size

    @property
    def servers(self) -> list[Server]:
        """All that are measured, in turn."""
        return [self.ours, self.limit, *([self.plain] if self.plain else [])]


async def run(options: argparse.Namespace) -> None:
    """Measures every store in turn and prints what was reached."""
    results: list[Result] = []
    size = Size(options.sessions, options.messages)
    with tempfile.TemporaryDirectory(prefix="scrollback-benchmarks-") as name:
        folder = Path(name)
        for store in options.stores:
            try:
                async with measuring(store, folder, size, options) as servers:
                    results += await measure_store(servers, options)
            except (OSError, asyncpg.PostgresError) as error:
                if store == "sqlite":
                    raise
                console.print(f"left out: {store} can't be reached ({error})")
    describe(options)
    console.print(table_of(results))
    if options.against is not None:
        console.print(compared(results, options.against))
    if options.save is not None:
        save(results, options.save)


@asynccontextmanager
async def measuring(
    store: str, folder: Path, size: Size, options: argparse.Namespace
) -> AsyncIterator[Measuring]:
    """Makes a store and starts the servers over it."""
    async with AsyncExitStack() as stack:
        making = (
            sqlite_store(folder, size, console)
            if store == "sqlite"
            else postgresql_store(options.postgresql, size, console)
        )
        url = await stack.enter_async_context(making)
        ours = await stack.enter_async_context(serving(product(url), folder))
        theirs = await stack.enter_async_context(serving(limit(url), folder))
        plain = None
        if not options.no_plain:
            plain = await stack.enter_async_context(serving(product(url), folder, compiled=False))
        yield Measuring(url, store, ours, theirs, plain, size)


async def measure_store(servers: Measuring, options: argparse.Namespace) -> list[Result]:
    """Measures every workload over one store, the servers in turn."""
    chosen = {
        server: await choose(server, options, servers.size.deep) for server in servers.servers
    }
    named = chosen[servers.ours]
    memory = {"start": servers.ours.anonymous_memory()}
    measured: dict[tuple[Server, str], list[Measured]] = defaultdict(list)
    for number in range(options.rounds):
        for name in named:
            console.print(f"{servers.name}, round {number + 1}: {name} …")
            for server in servers.servers:
                measured[server, name].append(
                    await measure(
                        *server.address,
                        chosen[server][name],
                        connections=options.connections,
                        seconds=options.seconds,
                    )
                )
            memory[name] = servers.ours.anonymous_memory()
    statements = await count_statements(servers.url, list(named.values()))
    results = [
        result_of(
            servers.name,
            (name, workload.what),
            measured[servers.ours, name],
            measured[servers.limit, name],
            measured[servers.plain, name] if servers.plain else [],
            statements[name],
        )
        for name, workload in named.items()
    ]
    if not options.only or "fan-out" in options.only:
        results.append(await measure_fan_out(servers, options))
        memory["fan-out"] = servers.ours.anonymous_memory()
    told = ", ".join(f"{after} {mib:.0f}" for after, mib in memory.items() if mib is not None)
    if told:
        console.print(f"{servers.name}: MiB of anonymous memory after each: {told}")
    if not options.no_stages:
        requests = 64 if options.quick else 640
        shares = await measure_stages(
            servers.ours, servers.url, list(named.values()), requests=requests
        )
        console.print(f"{servers.name}: shares of a request's time")
        console.print(shares)
    return results


async def choose(server: Server, options: argparse.Namespace, deep: int) -> dict[str, Workload]:
    """Returns the workloads to measure at a server, by name."""
    async with HttpConnection(*server.address) as connection:
        targets = await find_targets(connection, deep)
    return {
        workload.name: workload
        for workload in workloads(targets)
        if not options.only or workload.name in options.only
    }


async def measure_fan_out(servers: Measuring, options: argparse.Namespace) -> Result:
    """Measures deliveries as fast as they go, then their times at ten messages a second."""
    console.print(f"{servers.name}: fan-out …")
    count = 100 if options.quick else 300
    rates: dict[Server, list[float]] = defaultdict(list)
    hot = {}
    for server in servers.servers:
        async with HttpConnection(*server.address) as connection:
            hot[server] = (await find_targets(connection, servers.size.deep)).hot
    for _ in range(options.rounds):
        for server in servers.servers:
            fastest = await fan_out(
                *server.address,
                hot[server],
                subscribers=options.subscribers,
                messages=count,
                per_second=None,
            )
            rates[server].append(fastest.rate)
    paced = await fan_out(
        *servers.ours.address,
        hot[servers.ours],
        subscribers=options.subscribers,
        messages=50,
        per_second=10,
    )

    def runs(server: Server) -> list[Measured]:
        return [Measured(rate, paced.p50, paced.p99, 0) for rate in rates[server]]

    what = f"deliveries to {options.subscribers} subscribers; times at 10 messages/s"
    return result_of(
        servers.name,
        ("fan-out", what),
        runs(servers.ours),
        runs(servers.limit),
        runs(servers.plain) if servers.plain else [],
        None,
    )


def describe(options: argparse.Namespace) -> None:
    """Says what was measured on."""
    console.print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} "
        f"cores for servers and clients; {options.connections} connections, {options.rounds} "
        f"rounds of {options.seconds:g} s, medians; log, limits and access scope on"
    )


if __name__ == "__main__":
    main()

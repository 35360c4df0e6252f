"""Measures a server on this computer from outside and prints a table.

Examples:
  python -m benchmarks                      the whole run, some minutes
  python -m benchmarks --quick              a small store and short runs
  python -m benchmarks --only Q2 append     two workloads
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import TypeAlias
from urllib.parse import urlsplit

import uvloop
from rich.console import Console
from rich.table import Table

from app.backends.open import open_backend
from benchmarks.dataset import records
from benchmarks.fan_out import fan_out
from benchmarks.http_connection import HttpConnection
from benchmarks.load import Measured, measure
from benchmarks.statements import count_statements
from benchmarks.workloads import Workload, find_targets, workloads

Address: TypeAlias = tuple[str, int]

console = Console(width=120)


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
    parser.add_argument("--seconds", type=float, default=5.0, help="a round of a workload")
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    parser.add_argument("--subscribers", type=int, default=200, help="default 200")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="Q1 Q2 Q3 Q4 append fan-out")
    options = parser.parse_args()
    if options.quick:
        options.sessions, options.messages = 200, 20_000
        options.seconds, options.rounds = 1.0, 1
    uvloop.run(run(options))


async def run(options: argparse.Namespace) -> None:
    """Builds the store, measures every workload in turn, and prints what was reached."""
    with tempfile.TemporaryDirectory(prefix="scrollback-benchmarks-") as folder:
        store = Path(folder) / "store.db"
        deep = 5_000 if options.messages >= 100_000 else 500
        await build(store, options, long=2 * deep)
        product = [
            str(Path(sys.executable).with_name("scrollback")),
            *("serve", "--store", f"sqlite:///{store}", "--port", "0"),
        ]
        limit = [sys.executable, "-m", "benchmarks.limit", str(store)]
        async with serving(product, folder) as ours, serving(limit, folder) as theirs:
            chosen = {address: await choose(address, options, deep) for address in (ours, theirs)}
            results: dict[tuple[Address, str], list[Measured]] = defaultdict(list)
            for number in range(options.rounds):
                for name in chosen[ours]:
                    console.print(f"round {number + 1}: {name} …")
                    for address, named in chosen.items():
                        measured = await measure(
                            *address,
                            named[name],
                            connections=options.connections,
                            seconds=options.seconds,
                        )
                        results[address, name].append(measured)
            statements = await count_statements(store, list(chosen[ours].values()))
            rows = [
                row_of(workload, results[ours, name], results[theirs, name], statements[name])
                for name, workload in chosen[ours].items()
            ]
            if not options.only or "fan-out" in options.only:
                rows.append(await measure_fan_out(ours, theirs, options, deep))
        describe(options)
        table = Table(
            *("workload", "what", "a second", "limit", "ratio", "p50 ms", "p99 ms", "statements")
        )
        for row in rows:
            table.add_row(*row)
        console.print(table)


async def choose(address: Address, options: argparse.Namespace, deep: int) -> dict[str, Workload]:
    """Returns the workloads to measure at an address, by name."""
    async with HttpConnection(*address) as connection:
        targets = await find_targets(connection, deep)
    return {
        workload.name: workload
        for workload in workloads(targets)
        if not options.only or workload.name in options.only
    }


def row_of(
    workload: Workload, ours: list[Measured], theirs: list[Measured], statements: int
) -> list[str]:
    """Returns a line of the table: medians of the rounds, and the ratio of each round's pair."""
    ratios = [one.rate / other.rate for one, other in zip(ours, theirs, strict=True)]
    return [
        workload.name,
        workload.what,
        f"{median(each.rate for each in ours):,.0f}",
        f"{median(each.rate for each in theirs):,.0f}",
        f"{median(ratios):.3f}",
        f"{median(each.p50 for each in ours):.1f}",
        f"{median(each.p99 for each in ours):.1f}",
        str(statements),
    ]


async def build(store: Path, options: argparse.Namespace, *, long: int) -> None:
    """Makes the store that is measured."""
    started = time.perf_counter()
    backend = await open_backend(f"sqlite:///{store}")
    loaded = await backend.load(records(options.sessions, options.messages, long))
    await backend.close()
    console.print(
        f"built {loaded.sessions:,} sessions with {loaded.messages:,} messages "
        f"in {time.perf_counter() - started:.1f} s"
    )


@asynccontextmanager
async def serving(command: list[str], folder: str) -> AsyncIterator[Address]:
    """Runs a server as a process of its own, and gives the address that it prints."""
    log_file = Path(folder) / "server.log"
    with log_file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=log
        )
        try:
            assert process.stdout is not None
            address = ""
            while not address:
                line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
                if not line:
                    raise RuntimeError(f"the server ended: {log_file.read_text()}")
                if line.startswith("GraphQL"):
                    address = line.split()[-1]
            parts = urlsplit(address)
            yield str(parts.hostname), int(parts.port or 0)
        finally:
            process.send_signal(signal.SIGTERM)
            await process.communicate()


async def measure_fan_out(
    ours: Address, theirs: Address, options: argparse.Namespace, deep: int
) -> list[str]:
    """Measures deliveries as fast as they go, then their times at ten messages a second."""
    console.print("fan-out …")
    count = 100 if options.quick else 300
    rates = {}
    for address in (ours, theirs):
        async with HttpConnection(*address) as connection:
            hot = (await find_targets(connection, deep)).hot
        fastest = await fan_out(
            *address, hot, subscribers=options.subscribers, messages=count, per_second=None
        )
        rates[address] = fastest.rate
        if address == ours:
            paced = await fan_out(
                *address, hot, subscribers=options.subscribers, messages=50, per_second=10
            )
    return [
        "fan-out",
        f"deliveries to {options.subscribers} subscribers; times at 10 messages/s",
        f"{rates[ours]:,.0f}",
        f"{rates[theirs]:,.0f}",
        f"{rates[ours] / rates[theirs]:.3f}",
        f"{paced.p50:.1f}",
        f"{paced.p99:.1f}",
        "",
    ]


def describe(options: argparse.Namespace) -> None:
    """Says what was measured on."""
    console.print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} "
        f"cores for server and clients; {options.connections} connections, {options.rounds} rounds "
        f"of {options.seconds:g} s, medians; log, limits and access scope on"
    )


if __name__ == "__main__":
    main()

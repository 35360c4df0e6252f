"""Measures the storage backends on this computer and prints tables.

Examples:
  python -m benchmarks.storage                              everything, about ten minutes
  python -m benchmarks.storage --quick                      small stores and short runs
  python -m benchmarks.storage --only append                one of append, pages, start
  python -m benchmarks.storage --backends sqlite files      some of the backends
  python -m benchmarks.storage --folder /mnt/disk           files and SQLite on another disk
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from app.backends.mounts import file_system_of
from benchmarks.storage.appending import LOADS, QUICK_LOADS, measure_appends
from benchmarks.storage.databases import Unreachable
from benchmarks.storage.paging import PAGE, Filled, compare_pages, fill
from benchmarks.storage.starting import MESSAGES, measure_starts
from benchmarks.storage.stores import BACKENDS, KINDS, Kind, Places, making

WORKLOADS = ("append", "pages", "start")
MOST = 1.5
"""How many times as long a page may take at most in the long conversation."""

console = Console(width=120)


def main() -> None:
    """Reads the arguments and runs."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.storage",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="small stores and short runs; figures mean little")
    add("--only", nargs="+", choices=WORKLOADS, default=WORKLOADS, help="some of the workloads")
    add("--backends", nargs="+", choices=BACKENDS, default=BACKENDS, help="some of the backends")
    add("--postgresql", metavar="URL", default="postgresql://postgres@127.0.0.1:5432/postgres")
    add("--mariadb", metavar="URL", default="mysql://root@127.0.0.1:3306/mysql")
    add(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()).absolute(),
        help="for SQLite and files",
    )
    add("--seconds", type=float, default=2.0, help="of appending for each figure; default 2")
    add("--small", type=int, default=1_000, help="messages of the short conversation")
    add("--large", type=int, default=1_000_000, help="messages of the long conversation")
    add("--pages", type=int, default=1_000, help="pages timed of each sort; default 1000")
    add("--sessions", type=int, default=100_000, help="of the store that is started")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.small, options.large = 0.2, 500, 5_000
        options.pages, options.sessions = 20, 500
    uvloop.run(run(options))


async def run(options: argparse.Namespace) -> None:
    """Measures what was asked for and prints it."""
    places = Places(options.folder.absolute(), options.postgresql, options.mariadb)
    kinds = [kind for kind in KINDS if kind.backend in options.backends]
    measurers = {"append": append, "pages": pages, "start": start}
    console.print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} "
        f"cores for servers and clients; {options.folder} is on {file_system_of(options.folder)}"
    )
    for name in WORKLOADS:
        if name in options.only:
            table = await measurers[name](kinds, places, options)
            if table.row_count:
                console.print(table)


async def append(kinds: Iterable[Kind], places: Places, options: argparse.Namespace) -> Table:
    """Measures appends."""
    table = Table(
        *("store", "sessions", "clients", "processes", "appends/s", "p50 ms", "p99 ms", "µs"),
        title="Appends of one message each. µs: processor time of ours for one",
    )
    loads = QUICK_LOADS if options.quick else LOADS
    for kind in kinds:
        console.print(f"append: {kind.name} …")
        try:
            async with making(kind, places) as fresh:
                async for load, reached in measure_appends(kind, fresh, loads, options.seconds):
                    table.add_row(
                        kind.name,
                        *(str(load.sessions), str(load.clients), str(load.processes)),
                        f"{reached.rate:,.0f}",
                        f"{reached.p50:.1f}",
                        f"{reached.p99:.1f}",
                        f"{reached.processor:,.0f}",
                    )
        except Unreachable as error:
            skip(kind, error)
    return table


async def pages(kinds: Iterable[Kind], places: Places, options: argparse.Namespace) -> Table:
    """Measures pages of a short and of a long conversation."""
    small, large = f"{options.small:,}", f"{options.large:,}"
    table = Table(
        *("store", "what", f"p50 ms of {small}", f"of {large}", f"p95 ms of {small}"),
        *(f"of {large}", "ratio", "loaded a second"),
        title=f"Pages of {PAGE} messages. Ratio: of the p95, at most {MOST} is wanted",
    )
    async with AsyncExitStack() as made:
        loading = asyncio.Semaphore(os.cpu_count() or 1)

        async def filled(kind: Kind) -> tuple[Filled, Filled] | None:
            fresh = await made.enter_async_context(making(kind, places))
            try:
                async with loading:
                    console.print(f"pages: loading {kind.backend} …")
                    return await fill(fresh, options.small), await fill(fresh, options.large)
            except Unreachable as error:
                skip(kind, error)
                return None

        reading = [kind for kind in kinds if kind.pages]
        stores = await asyncio.gather(*(filled(kind) for kind in reading))
        for kind, pair in zip(reading, stores, strict=True):
            if pair is None:
                continue
            console.print(f"pages: reading {kind.backend} …")
            for sort in await compare_pages(*pair, options.pages):
                console.print(f"pages: {kind.backend}, {sort.what}: ratio {sort.ratio:.2f}")
                times = zip(sort.small, sort.large, strict=True)
                table.add_row(
                    kind.backend,
                    sort.what,
                    *(f"{time:.2f}" for both in times for time in both),
                    f"{sort.ratio:.2f}" + (" !" if sort.ratio > MOST else ""),
                    f"{pair[1].rate:,.0f}",
                )
    return table


async def start(kinds: Iterable[Kind], places: Places, options: argparse.Namespace) -> Table:
    """Measures the start of a store of files."""
    table = Table(
        *("what", "seconds", "of them processor"),
        title=f"Files with {options.sessions:,} sessions of {MESSAGES} messages, to the first page",
    )
    for kind in [kind for kind in kinds if (kind.backend, kind.durability) == ("files", "os")]:
        console.print("start: files …")
        async with making(kind, places) as fresh:
            async for started in measure_starts(fresh, options.sessions):
                table.add_row(started.what, f"{started.seconds:.2f}", f"{started.processor:.2f}")
    return table


def skip(kind: Kind, error: Unreachable) -> None:
    """Says that a server is left out."""
    console.print(f"{kind.backend} is left out, it can't be reached: {error}")


if __name__ == "__main__":
    main()

"""Counts what a request costs the processor, of Scrollback and of the limit, under Valgrind.

Where a machine's speed changes from minute to minute, counts stay: the same program takes about
the same instructions and misses about as many lines of a cache of a given size. What the kernel
and the disk do is not in them.

Examples:
  python -m benchmarks.instructions                    all workloads on SQLite
  python -m benchmarks.instructions --only Q2 append   two of them, some minutes
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.http_connection import HttpConnection
from benchmarks.load import send
from benchmarks.serving import limit, product, serving
from benchmarks.stores import Size, sqlite_store
from benchmarks.workloads import NAMES, find_targets, workloads

# The same on every machine: 32 KiB twice, and a mebibyte of the last for a server beside others.
_VALGRIND = (
    "valgrind",
    "--tool=callgrind",
    "--instr-atstart=no",
    "--cache-sim=yes",
    "--I1=32768,8,64",
    "--D1=32768,8,64",
    "--LL=1048576,16,64",
)
_CONNECTIONS = 32
_SECONDS_TO_START = 300

console = Console(width=120)


@dataclass(frozen=True, slots=True)
class Counts:
    """What one request takes: instructions, and misses of the first and of the last cache."""

    instructions: float
    first_misses: float
    last_misses: float

    @property
    def cost(self) -> float:
        """One figure of all, in instructions: ten for a first miss and a hundred for a last."""
        return self.instructions + 10 * self.first_misses + 100 * self.last_misses


def main() -> None:
    """Reads the arguments and runs. Exits with 2 where Valgrind is not there."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.instructions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sessions", type=int, default=500, help="default 500")
    parser.add_argument("--messages", type=int, default=60_000, help="default 60000")
    parser.add_argument("--requests", type=int, default=320, help="counted of each, default 320")
    parser.add_argument("--only", nargs="+", choices=NAMES, help="some of the workloads")
    options = parser.parse_args()
    if shutil.which(_VALGRIND[0]) is None or shutil.which("callgrind_control") is None:
        sys.stderr.write("Valgrind is not installed: its packages are called valgrind.\n")
        sys.exit(2)
    uvloop.run(run(options))


async def run(options: argparse.Namespace) -> None:
    """Counts for each workload and prints a table."""
    size = Size(options.sessions, options.messages)
    table = Table(
        "workload", "server", "instructions", "L1 misses", "LL misses", "cost", "of limit"
    )
    with tempfile.TemporaryDirectory(prefix="scrollback-benchmarks-") as name:
        folder = Path(name)
        async with sqlite_store(folder, size, console) as url:
            theirs = await count(limit(url), folder / "limit", size, options)
            ours = await count(product(url), folder / "product", size, options)
    for workload, counted in ours.items():
        for server, counts in (("Scrollback", counted), ("limit", theirs[workload])):
            table.add_row(
                workload,
                server,
                f"{counts.instructions:,.0f}",
                f"{counts.first_misses:,.0f}",
                f"{counts.last_misses:,.0f}",
                f"{counts.cost:,.0f}",
                f"{counts.cost / theirs[workload].cost:.2f}",
            )
    console.print(table)


async def count(
    command: list[str], folder: Path, size: Size, options: argparse.Namespace
) -> dict[str, Counts]:
    """Runs a server under Valgrind and returns what a request of each workload takes."""
    output = _output_in(folder)
    # Valgrind has no use for a script: it is given what runs it.
    program = [sys.executable, *command] if command[0] != sys.executable else command
    watched = [*_VALGRIND, f"--callgrind-out-file={output}", *program]
    found: dict[str, Counts] = {}
    async with serving(watched, folder, patience=_SECONDS_TO_START) as server:
        async with HttpConnection(*server.address) as connection:
            targets = await find_targets(connection, size.deep)
        await _control("--instr=on", server.pid)
        for workload in workloads(targets):
            if options.only and workload.name not in options.only:
                continue
            console.print(f"{folder.name}: {workload.name} …")
            await send(*server.address, workload, connections=_CONNECTIONS, requests=320)
            await _control("--zero", server.pid)
            sent = await send(
                *server.address, workload, connections=_CONNECTIONS, requests=options.requests
            )
            await _control("--dump", server.pid)
            found[workload.name] = read_counts(_last_dump(output), sent)
    return found


def read_counts(dump: Path, requests: int) -> Counts:
    """Returns what one of so many requests took, of a file that Callgrind wrote.

    ValueError for a file that does not say it.
    """
    events: list[str] = []
    for line in dump.read_text().splitlines():
        if line.startswith("events:"):
            events = line.split()[1:]
        elif line.startswith(("totals:", "summary:")) and events:
            total = dict(zip(events, map(int, line.split()[1:]), strict=False))
            return Counts(
                total["Ir"] / requests,
                (total["I1mr"] + total["D1mr"] + total["D1mw"]) / requests,
                (total["ILmr"] + total["DLmr"] + total["DLmw"]) / requests,
            )
    raise ValueError(f"{dump.name} has no totals")


def _output_in(folder: Path) -> Path:
    folder.mkdir()
    return folder / "counts"


def _last_dump(output: Path) -> Path:
    dumps = output.parent.glob(f"{output.name}.*")
    return max(dumps, key=lambda dump: int(dump.suffix[1:]))


async def _control(what: str, pid: int) -> None:
    command = ["callgrind_control", what, str(pid)]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)


if __name__ == "__main__":
    main()

"""Servers as processes of their own, and what the system says of them."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    host: str
    port: int
    pid: int

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self.host, self.port

    def anonymous_memory(self) -> float | None:
        """Returns its memory that is no file's, in MiB; None where the system does not tell."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup")
        if not rollup.exists():
            return None
        for line in rollup.read_text().splitlines():
            if line.startswith("Anonymous:"):
                return int(line.split()[1]) / 1024
        return None

    def processor_seconds(self) -> float | None:
        """Returns the processor's time that it has used; None where the system does not tell."""
        stat = Path(f"/proc/{self.pid}/stat")
        if not stat.exists():
            return None
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def product(store: str) -> list[str]:
    """Returns the command that serves a store on any free port."""
    scrollback = str(Path(sys.executable).with_name("scrollback"))
    return [scrollback, "serve", "--store", store, "--port", "0"]


def limit(store: str) -> list[str]:
    """Returns the command of the limit over a store."""
    return [sys.executable, "-m", "benchmarks.limit", store]


@asynccontextmanager
async def serving(
    command: list[str], folder: Path, *, compiled: bool = True, patience: float = 30
) -> AsyncIterator[Server]:
    """Runs a server and stops it at the end. Its log goes to a file, as it would in earnest.

    TimeoutError where it says nothing for `patience` seconds while it starts.
    """
    log_file = folder / f"server-{next(_numbers)}.log"
    environment = {
        **os.environ,
        "SCROLLBACK_COMPILED": str(compiled).lower(),
        # Only so that a machine with much else to do is measured, too.
        "SCROLLBACK_OPERATION_TIMEOUT": "60",
    }
    with log_file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=log, env=environment
        )
        try:
            assert process.stdout is not None
            address = ""
            while not address:
                line = (await asyncio.wait_for(process.stdout.readline(), patience)).decode()
                if not line:
                    raise RuntimeError(f"the server ended: {log_file.read_text()}")
                if line.startswith("GraphQL"):
                    address = line.split()[-1]
            parts = urlsplit(address)
            yield Server(str(parts.hostname), int(parts.port or 0), process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            await process.communicate()

"""Where the time of a request goes: the processor's time of its stages, for each workload.

The same request runs at four depths: through a server, through the executor, through the executor
over a store that answers from memory, and only as far as its document is checked. What one depth
costs more than the next is the stage between them.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from statistics import median
from typing import TypeAlias, cast

import orjson
from rich.table import Table

from app.backends.protocol import Backend
from app.config import load_settings
from app.execution.document import Prepared
from app.execution.operation import Request, Response
from app.resolvers.services import Services
from app.wiring import LOCAL_CALLER, Wired, wire
from benchmarks.load import send
from benchmarks.remembered import RememberedBackend
from benchmarks.serving import Server
from benchmarks.workloads import Workload

STAGES = ("document", "execution", "store", "JSON", "HTTP and log")
CONNECTIONS = 32
TURNS = 5

Run: TypeAlias = Callable[[], Awaitable[object]]


async def measure_stages(
    server: Server, store: str, workloads: list[Workload], *, requests: int
) -> Table:
    """Returns the table of the stages' shares; `requests` are made at each depth."""
    table = Table("workload", "ms of processor", *STAGES)
    async with wire(load_settings({"store": store})) as wired:
        for workload in workloads:
            whole = await _of_server(server, workload, requests)
            if whole is None:
                continue
            stages = await _of_process(wired, workload, requests)
            inside = sum(stages)
            shares = [stage / max(whole, inside) for stage in stages]
            shares.append(max(0.0, 1 - inside / whole))
            table.add_row(
                workload.name, f"{whole * 1000:.3f}", *[f"{share:.0%}" for share in shares]
            )
    return table


async def _of_server(server: Server, workload: Workload, requests: int) -> float | None:
    await send(*server.address, workload, connections=1, requests=requests // CONNECTIONS)
    before = server.processor_seconds()
    sent = await send(*server.address, workload, connections=CONNECTIONS, requests=requests)
    after = server.processor_seconds()
    if before is None or after is None:
        return None
    return (after - before) / sent


async def _of_process(wired: Wired, workload: Workload, requests: int) -> list[float]:
    """Returns the seconds of document, execution, store and JSON."""
    asked = [
        Request(workload.document, workload.variables(random.Random(number)))
        for number in range(CONNECTIONS)
    ]
    remembered = Wired(_remembering(wired), wired.executor)
    answers = [(await _execute(remembered, one)()).formatted() for one in asked]
    # Each connection asks for something of its own, again and again: what several ask for at once
    # is read once, and a memory that had to look for other answers would cost more than what it
    # stands for.
    depths: list[list[Run]] = [
        [_prepare(wired, one) for one in asked],
        [_execute(remembered, one) for one in asked],
        [_execute(wired, one) for one in asked],
        [_dump(answer) for answer in answers],
    ]
    for runs in depths:
        for run in runs:
            await run()
    times: list[list[float]] = [[] for _ in depths]
    # By turns, so that what else the machine does weighs on all of them alike.
    for _ in range(TURNS):
        for runs, taken in zip(depths, times, strict=True):
            taken.append(await _time(runs, requests // TURNS))
    document, execution, everything, encoding = (median(taken) for taken in times)
    return [
        document,
        max(0.0, execution - document),
        max(0.0, everything - execution),
        encoding,
    ]


def _prepare(wired: Wired, request: Request) -> Run:
    async def run() -> object:
        return wired.executor.prepare(request)

    return run


def _dump(answer: object) -> Run:
    async def run() -> object:
        return orjson.dumps(answer)

    return run


def _remembering(wired: Wired) -> Services:
    backend = cast("Backend", RememberedBackend(wired.services.backend))
    return replace(wired.services, backend=backend)


def _execute(wired: Wired, request: Request) -> Callable[[], Awaitable[Response]]:
    async def run() -> Response:
        prepared = wired.executor.prepare(request)
        assert isinstance(prepared, Prepared)
        return await wired.executor.execute(prepared, request, wired.open_context(LOCAL_CALLER))

    return run


async def _time(runs: list[Run], requests: int) -> float:
    each = max(1, requests // len(runs))

    async def several(run: Run) -> None:
        for _ in range(each):
            await run()

    started = time.process_time()
    await asyncio.gather(*[several(run) for run in runs])
    return (time.process_time() - started) / (each * len(runs))

"""Closed-loop load: every connection sends its next request when the last was answered."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.http_connection import HttpConnection
from benchmarks.workloads import Workload, check


@dataclass(frozen=True, slots=True)
class Measured:
    """What one workload reached: requests a second, and times in milliseconds."""

    rate: float
    p50: float
    p99: float
    requests: int


async def measure(
    host: str, port: int, workload: Workload, *, connections: int, seconds: float
) -> Measured:
    """Runs a workload for `seconds`, after a tenth of that to warm up."""
    times: list[float] = []
    warm = time.perf_counter() + seconds / 10
    end = warm + seconds

    async def client(number: int) -> None:
        chance = random.Random(number)
        async with HttpConnection(host, port) as connection:
            first = await connection.send(
                connection.encode(workload.document, workload.variables(chance))
            )
            check(first)
            while (start := time.perf_counter()) < end:
                request = connection.encode(workload.document, workload.variables(chance))
                body = await connection.send(request)
                if body.startswith(b'{"errors"'):
                    check(body)
                if start >= warm:
                    times.append(time.perf_counter() - start)

    await asyncio.gather(*(client(number) for number in range(connections)))
    return Measured(len(times) / seconds, *quantiles(times), len(times))


async def send(host: str, port: int, workload: Workload, *, connections: int, requests: int) -> int:
    """Sends about so many requests from all connections and returns how many they were."""

    async def client(number: int) -> None:
        chance = random.Random(number)
        async with HttpConnection(host, port) as connection:
            for _ in range(requests // connections):
                request = connection.encode(workload.document, workload.variables(chance))
                await connection.send(request)

    await asyncio.gather(*(client(number) for number in range(connections)))
    return requests // connections * connections


def quantiles(times: list[float]) -> tuple[float, float]:
    """Returns the median and the 99th percentile of seconds, in milliseconds."""
    ordered = sorted(times)
    return 1000 * percentile(ordered, 50), 1000 * percentile(ordered, 99)


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Returns the value that so many of a hundred do not exceed, of values in ascending order."""
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]

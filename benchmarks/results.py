"""What a run found: as a table for people, and as a file that later runs are compared with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import orjson
from rich.table import Table

from benchmarks.load import Measured


@dataclass(frozen=True, slots=True)
class Result:
    """A workload on a store: answers a second and their times, beside the limit's in turn."""

    store: str
    workload: str
    what: str
    rate: float
    limit: float
    ratio: float
    p50: float
    p99: float
    statements: int | None
    plain: float | None
    """Answers a second without compiled execution, None where that was not measured."""


def result_of(
    store: str,
    workload: tuple[str, str],
    ours: list[Measured],
    limits: list[Measured],
    plain: list[Measured],
    statements: int | None,
) -> Result:
    """Returns the medians of the rounds, and the median ratio of each round's pair."""
    return Result(
        store,
        *workload,
        rate=median(each.rate for each in ours),
        limit=median(each.rate for each in limits),
        ratio=median(one.rate / other.rate for one, other in zip(ours, limits, strict=True)),
        p50=median(each.p50 for each in ours),
        p99=median(each.p99 for each in ours),
        statements=statements,
        plain=median(each.rate for each in plain) if plain else None,
    )


def table_of(results: list[Result]) -> Table:
    """Returns the table of results."""
    table = Table(
        *("store", "workload", "what", "a second", "limit", "ratio"),
        *("p50 ms", "p99 ms", "statements", "not compiled"),
    )
    for result in results:
        table.add_row(
            result.store,
            result.workload,
            result.what,
            f"{result.rate:,.0f}",
            f"{result.limit:,.0f}",
            f"{result.ratio:.3f}",
            f"{result.p50:.1f}",
            f"{result.p99:.1f}",
            "" if result.statements is None else str(result.statements),
            "" if result.plain is None else f"{result.plain:,.0f}",
        )
    return table


def save(results: list[Result], path: Path) -> None:
    """Writes results to a file, to be compared with."""
    path.write_bytes(
        orjson.dumps([asdict(result) for result in results], option=orjson.OPT_INDENT_2) + b"\n"
    )


def compared(results: list[Result], path: Path) -> Table:
    """Returns a table of the ratios now beside those of a file.

    Ratios to the limit, not times: what makes the machine slow makes both sides slow.
    """
    before = {
        (entry["store"], entry["workload"]): float(entry["ratio"])
        for entry in orjson.loads(path.read_bytes())
    }
    table = Table("store", "workload", "ratio to the limit", "before", "now to before")
    for result in results:
        known = before.get((result.store, result.workload))
        table.add_row(
            result.store,
            result.workload,
            f"{result.ratio:.3f}",
            "" if known is None else f"{known:.3f}",
            "" if known is None else f"{result.ratio / known:.2f}",
        )
    return table

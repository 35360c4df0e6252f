"""Measures the execution of operations in process: graphql-core's way and compiled, side by side.

The product's schema over model objects in memory: the store answers each question once and is
then remembered, and there is no HTTP and no encoding. Times are medians
of runs taken in turn, of the processor's time, so that other programs do not count.

Examples:
  python -m benchmarks.execution                 the workloads of benchmarks.workloads
  python -m benchmarks.execution --rounds 500    a steadier median
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import uvloop
from graphql.execution.values import VariableValues, get_variable_values
from rich.console import Console
from rich.table import Table

from app.execution.compiled.compiler import Compiler
from app.execution.compiled.operation import ExecutionOptions
from app.execution.document import Prepared
from app.execution.executor import Executor
from app.execution.operation import Request, Response
from app.execution.strawberry_schema import core_schema
from app.resolvers.services import Services
from app.schema import schema
from app.schema.context import OperationContext
from app.wiring import LOCAL_CALLER
from benchmarks.remembered import remembered_services
from benchmarks.workloads import APPEND, NESTED_LIST, PAGE, SESSION_LIST


@dataclass(frozen=True, slots=True)
class Case:
    """An operation to measure."""

    name: str
    what: str
    document: str
    variables: dict[str, Any]


MESSAGE = {"role": "USER", "parts": [{"text": {"text": "Is the window seat still free? " * 4}}]}


def cases(session: str) -> list[Case]:
    """Returns what is measured, given a session's id."""
    return [
        Case("Q1", "20 sessions, owner, last message", SESSION_LIST, {}),
        Case("Q2", "50 messages of a session", PAGE, {"session": session}),
        Case("Q4", "20 sessions x 20 messages", NESTED_LIST, {}),
        Case(
            "append", "one message", APPEND, {"input": {"sessionId": session, "message": MESSAGE}}
        ),
    ]


def main() -> None:
    """Reads the arguments and measures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.execution",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=200, help="runs of each way, default 200")
    uvloop.run(measure(parser.parse_args().rounds))


async def measure(rounds: int) -> None:
    """Measures each case both ways and prints a table."""
    async with remembered_services() as services:
        session = await first_session(services)
        Console(width=110).print(await compare(services, cases(session), rounds))


async def first_session(services: Services) -> str:
    """Returns the id of a session."""
    run = way(services, Case("", "", "{ sessions(first: 1) { edges { node { id } } } }", {}), False)
    data: Any = (await run()).data
    return str(data["sessions"]["edges"][0]["node"]["id"])


async def compare(services: Services, measured: list[Case], rounds: int) -> Table:
    """Returns the table of all cases."""
    table = Table("workload", "what", "graphql-core ms", "compiled ms", "ratio", "compile ms")
    for case in measured:
        ways = [way(services, case, compiled) for compiled in (False, True)]
        answers = [(await run()).formatted() for run in ways]
        if answers[0] != answers[1] or "errors" in answers[0]:
            raise RuntimeError(f"{case.name} has two answers: {answers}")
        times: list[list[float]] = [[], []]
        gc.disable()
        for _ in range(rounds):
            for run, taken in zip(ways, times, strict=True):
                started = time.process_time()
                await run()
                taken.append(time.process_time() - started)
            gc.collect(0)
        gc.enable()
        core, compiled = (median(taken) * 1_000 for taken in times)
        table.add_row(
            *(case.name, case.what, f"{core:.3f}", f"{compiled:.3f}", f"{core / compiled:.1f}"),
            f"{compile_time(case) * 1_000:.2f}",
        )
    return table


def way(services: Services, case: Case, compiled: bool) -> Callable[[], Awaitable[Response]]:
    """Returns one way to run a case."""
    executor = Executor(
        schema,
        options=ExecutionOptions(compiled=compiled, runs_before_compiling=0),
        describe_error=lambda _: None,
        report_error=lambda error, _: print(repr(error)),
    )
    request = Request(case.document, case.variables)

    async def run() -> Response:
        prepared = executor.prepare(request)
        assert isinstance(prepared, Prepared)
        return await executor.execute(prepared, request, OperationContext(services, LOCAL_CALLER))

    return run


def compile_time(case: Case) -> float:
    """Returns the median of the seconds that it takes to compile a case's operation."""
    graphql_schema = core_schema(schema)
    executor = Executor(schema, describe_error=lambda _: None, report_error=lambda *_: None)
    prepared = executor.prepare(Request(case.document))
    assert isinstance(prepared, Prepared)
    variables = get_variable_values(
        graphql_schema, prepared.variable_definitions, dict(case.variables)
    )
    assert isinstance(variables, VariableValues)
    compiler = Compiler(graphql_schema)
    compiler.compile(prepared, variables)
    taken: list[float] = []
    for _ in range(20):
        started = time.process_time()
        compiler.compile(prepared, variables)
        taken.append(time.process_time() - started)
    return median(taken)


if __name__ == "__main__":
    main()

"""How many SQL statements a request costs, counted at the engines of the store."""

from __future__ import annotations

import random
from typing import Any

from sqlalchemy import event

from app.backends.sql.backend import SqlBackend
from app.config import load_settings
from app.execution.operation import Request, Response
from app.wiring import LOCAL_CALLER, wire
from benchmarks.workloads import Workload

_NO_STATEMENTS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA")


async def count_statements(store: str, workloads: list[Workload]) -> dict[str, int]:
    """Returns the number of statements that one request of each workload runs on a store."""
    counted = 0

    def count(
        _connection: Any, _cursor: Any, statement: str, _values: Any, _context: Any, _many: bool
    ) -> None:
        nonlocal counted
        counted += not statement.startswith(_NO_STATEMENTS)

    numbers = {}
    async with wire(load_settings({"store": store})) as wired:
        backend = wired.services.backend
        if not isinstance(backend, SqlBackend):
            raise RuntimeError("statements are counted in SQL stores")
        for engine in backend.engines:
            event.listen(engine, "before_cursor_execute", count)
        for workload in workloads:
            variables = workload.variables(random.Random(0))
            request = Request(workload.document, variables)
            prepared = wired.executor.prepare(request)
            if isinstance(prepared, Response):
                raise RuntimeError(f"{workload.name} is refused: {prepared.errors}")
            counted = 0
            context = wired.open_context(LOCAL_CALLER)
            response = await wired.executor.execute(prepared, request, context)
            if response.errors:
                raise RuntimeError(f"{workload.name} failed: {response.errors}")
            numbers[workload.name] = counted
    return numbers

"""What a backend asks of its database."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import event

from app.backends.sql.backend import SqlBackend

_ON_ROWS = re.compile(r"\s*(\(|SELECT|WITH|UPDATE|DELETE|INSERT)", re.IGNORECASE)


class Statements:
    """Every statement on rows that a backend ran from now on, with its parameters."""

    def __init__(self, store: SqlBackend) -> None:
        self.seen: list[tuple[str, Any]] = []
        for engine in store.engines:
            event.listen(engine, "before_cursor_execute", self._see)

    def _see(
        self,
        _connection: Any,
        _cursor: Any,
        statement: str,
        parameters: Any,
        _context: Any,
        many: bool,
    ) -> None:
        if _ON_ROWS.match(statement):
            self.seen.append((statement, parameters[0] if many else parameters))

"""Databases on a server, made for the measurements and dropped after them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

_DRIVERS = {"postgresql": "postgresql+asyncpg", "mysql": "mysql+asyncmy"}


class Unreachable(Exception):
    """The server does not answer, or does not let us in."""


class Databases:
    """Makes databases on one server."""

    def __init__(self, url: str) -> None:
        """`url` is that of any database there, of a user who may create others."""
        parsed = make_url(url)
        kind = "postgresql" if parsed.get_backend_name() == "postgresql" else "mysql"
        self._url = parsed
        self._admin = parsed.set(drivername=_DRIVERS[kind])
        self._force = " WITH (FORCE)" if kind == "postgresql" else ""
        self._run = f"scrollback_benchmark_{secrets.token_hex(4)}"
        self._made: list[str] = []

    async def fresh(self, name: str) -> str:
        """Returns the URL of a new, empty database. Raises `Unreachable`."""
        database = f"{self._run}_{name}"
        try:
            await _execute(self._admin, f"CREATE DATABASE {database}")
        except (SQLAlchemyError, OSError) as error:
            raise Unreachable(str(error).splitlines()[0]) from error
        self._made.append(database)
        return self._url.set(database=database).render_as_string(hide_password=False)

    async def drop(self) -> None:
        """Drops what was made."""
        while self._made:
            await _execute(self._admin, f"DROP DATABASE {self._made.pop()}{self._force}")


@asynccontextmanager
async def databases(url: str) -> AsyncIterator[Databases]:
    """Gives a server's databases, dropped at the end."""
    server = Databases(url)
    try:
        yield server
    finally:
        await server.drop()


async def _execute(url: URL, statement: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.exec_driver_sql(statement)
    finally:
        await engine.dispose()

"""The database servers that tests of several rooms use."""

from tests.databases import mariadb, postgresql, server

__all__ = ["mariadb", "postgresql", "server"]

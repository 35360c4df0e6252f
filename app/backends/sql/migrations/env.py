"""Alembic's entry: runs the steps on the connection that the caller holds the lock with."""

from __future__ import annotations

from alembic import context

from app.backends.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=context.config.attributes["transactional"],
)
with context.begin_transaction():
    context.run_migrations()

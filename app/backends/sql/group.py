"""Carrying out several commits in one transaction, each as if it had one of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.backends.protocol import Scope
from app.backends.sql.commit import carry_out, carry_out_together, is_drafted
from app.backends.sql.dialects.dialect import Dialect, Failure, explain
from app.model.changes import Commit, Committed
from app.model.errors import ScrollbackError

Outcome: TypeAlias = Committed | ScrollbackError
Work: TypeAlias = tuple[Commit, Scope]

_TRIES = 3
"""How often a commit is tried when others keep taking its key at the same moment."""

log = structlog.get_logger(__name__)


def carry_out_group(
    dialect: Dialect, connection: Connection, work: Sequence[Work]
) -> list[Outcome]:
    """Carries commits out in this order and answers their outcomes; the caller commits.

    A refused one leaves nothing of itself. Raises the database's errors that end a transaction,
    after which nothing of the group has been done.
    """
    if len(work) == 1:
        return [_carry_out_alone(dialect, connection, *work[0])]
    outcomes: list[Outcome] = []
    for run in _runs(work):
        together = _carry_out_run(dialect, connection, run) if len(run) > 1 else None
        outcomes += together or [
            _carry_out_behind_savepoint(dialect, connection, commit, scope) for commit, scope in run
        ]
    return outcomes


def _runs(work: Sequence[Work]) -> Iterator[Sequence[Work]]:
    """Cuts the work where it can't be carried out together."""
    start = 0
    for end in range(1, len(work) + 1):
        if end == len(work) or not _fits(work[end - 1], work[end]):
            yield work[start:end]
            start = end


def _fits(one: Work, other: Work) -> bool:
    (commit, scope), (following, following_scope) = one, other
    return (
        commit.session_id == following.session_id
        and scope == following_scope
        and is_drafted(commit)
        and is_drafted(following)
    )


def _carry_out_alone(
    dialect: Dialect, connection: Connection, commit: Commit, scope: Scope
) -> Outcome:
    try:
        return carry_out(dialect, connection, commit, scope)
    except ScrollbackError as refusal:
        connection.rollback()
        return refusal
    except DBAPIError as error:
        if dialect.failure(error) is not Failure.INVALID:
            raise
        connection.rollback()
        return explain(Failure.INVALID)


def _carry_out_run(
    dialect: Dialect, connection: Connection, run: Sequence[Work]
) -> list[Outcome] | None:
    savepoint = connection.begin_nested()
    try:
        commits = [commit for commit, _ in run]
        outcomes = carry_out_together(dialect, connection, commits, run[0][1])
    except DBAPIError as error:
        if dialect.failure(error) is not Failure.INVALID:
            raise
        savepoint.rollback()
        return None
    savepoint.commit()
    return outcomes


def _carry_out_behind_savepoint(
    dialect: Dialect, connection: Connection, commit: Commit, scope: Scope
) -> Outcome:
    failure = Failure.OTHER
    for _ in range(_TRIES):
        savepoint = connection.begin_nested()
        try:
            committed = carry_out(dialect, connection, commit, scope)
        except ScrollbackError as refusal:
            savepoint.rollback()
            return refusal
        except DBAPIError as error:
            failure = dialect.failure(error)
            if failure not in (Failure.CONTRADICTED, Failure.INVALID):
                raise
            savepoint.rollback()
            if failure is Failure.INVALID:
                break
        else:
            savepoint.commit()
            return committed
    log.warning("commit_refused_by_database", session_id=commit.session_id, failure=failure.name)
    return explain(failure)

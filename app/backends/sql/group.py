"""Carrying out several commits in one transaction, each as if it had one of its own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import groupby

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.backends.protocol import Scope
from app.backends.sql.commit import carry_out
from app.backends.sql.dialects.dialect import Dialect, Failure, explain
from app.backends.sql.known_sessions import KnownSessions
from app.backends.sql.together import Outcome, Work, carry_out_together, is_drafted
from app.model.changes import Commit
from app.model.errors import ScrollbackError

_TRIES = 3
"""How often a commit is tried when others keep taking its key at the same moment."""

log = logging.getLogger(__name__)


def carry_out_group(
    dialect: Dialect,
    connection: Connection,
    work: Sequence[Work],
    known: KnownSessions | None = None,
) -> list[Outcome]:
    """Carries commits out in this order and answers their outcomes; the caller commits.

    A refused one leaves nothing of itself. `known` are sessions that are in the transaction as
    they are there; the caller settles it after the commit. Raises the database's errors that end
    a transaction, after which nothing of the group has been done.
    """
    runs = [(drafted, list(run)) for drafted, run in groupby(work, key=_is_drafted)]
    outcomes: list[Outcome] = []
    for drafted, run in runs:
        together: list[Outcome | None] = [None] * len(run)
        if drafted:
            together = _carry_out_run(dialect, connection, run, known, alone=len(runs) == 1)
        singly = _carry_out_alone if len(work) == 1 else _carry_out_behind_savepoint
        for outcome, (commit, scope) in zip(together, run, strict=True):
            if outcome is None:
                if known is not None:
                    known.forget(commit.session_id)
                outcome = singly(dialect, connection, commit, scope)
            outcomes.append(outcome)
    return outcomes


def _is_drafted(work: Work) -> bool:
    return is_drafted(work[0])


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
    dialect: Dialect,
    connection: Connection,
    run: Sequence[Work],
    known: KnownSessions | None,
    *,
    alone: bool,
) -> list[Outcome | None]:
    """Carries drafted commits out together; `alone` says that the transaction has no others."""
    savepoint = None if alone else connection.begin_nested()
    try:
        outcomes = carry_out_together(dialect, connection, run, wait=True, known=known)
    except DBAPIError as error:
        if dialect.failure(error) is not Failure.INVALID:
            raise
        (savepoint or connection).rollback()
        return [None] * len(run)
    if savepoint is not None:
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
    log.warning(
        "commit_refused_by_database",
        extra={"session_id": commit.session_id, "failure": failure.name},
    )
    return explain(failure)

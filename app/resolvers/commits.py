"""The one way in which a change reaches the store: commit, then ring."""

from __future__ import annotations

from app.backends.protocol import Scope
from app.model.changes import Change, Commit, Committed
from app.model.errors import Forbidden, NotFound, ScrollbackError
from app.model.identifiers import Revision, SessionId
from app.model.timestamps import Timestamp, now
from app.resolvers.attempts import Attempt
from app.resolvers.scopes import read_scope, write_scope
from app.resolvers.services import Services
from app.rules.caller import Caller
from app.rules.sessions import check_expected_revision


async def commit_changes(
    services: Services,
    caller: Caller,
    session_id: SessionId,
    changes: tuple[Change, ...],
    attempt: Attempt,
    *,
    expected: Revision | None = None,
    at: Timestamp | None = None,
    scope: Scope | None = None,
) -> Committed:
    """Makes changes of one session durable, all or none, and tells its followers.

    `at` None is now; `scope` None is what the caller may change. Raises NotFound, Conflict,
    InvalidInput, LimitExceeded, and Forbidden where the caller sees the session and may not
    change it.
    """
    idempotency = None
    if attempt.key is not None:
        attempt.check(services.limits)
        idempotency = attempt.idempotency()
    if expected is not None:
        check_expected_revision(expected)
    if scope is None:
        scope = write_scope(caller)
    commit = Commit(
        session_id=session_id,
        changes=changes,
        at=at or now(),
        idempotency=idempotency,
        expected=expected,
    )
    (outcome,) = await services.backend.commit([commit], scope)
    if isinstance(outcome, ScrollbackError):
        if isinstance(outcome, NotFound) and scope != read_scope(caller):
            await _explain_refusal(services, caller, session_id)
        raise outcome
    if not (outcome.replayed or outcome.existing):
        services.broker.ring(session_id, outcome.position.revision)
    return outcome


async def _explain_refusal(services: Services, caller: Caller, session_id: SessionId) -> None:
    """Raises Forbidden for a session that the caller can read: its existence is no secret."""
    scope = read_scope(caller)
    if session_id in await services.backend.get_sessions([session_id], scope) and (
        session_id not in await services.backend.get_sessions([session_id], write_scope(caller))
    ):
        raise Forbidden("You can read this session and may not change it.")

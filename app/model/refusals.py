"""Why a change or a record is refused, in the same words on every backend."""

from __future__ import annotations

from app.model.errors import Conflict, InvalidInput, NotFound
from app.model.identifiers import Revision, SessionId
from app.model.session import Session


def no_such_session() -> NotFound:
    """The session is not there, or not in scope."""
    return NotFound("no such session")


def no_such_source() -> NotFound:
    """The session that messages are to be copied from is not there, or not in scope."""
    return NotFound("no such session to copy from")


def no_such_message() -> NotFound:
    """The session has no message of that number, or none any more."""
    return NotFound("no such message")


def key_taken(existing: Session) -> Conflict:
    """The owner has a session of that key."""
    return Conflict("there is a session with this key already", existing)


def id_taken() -> Conflict:
    """There is a session of that id, of whatever owner."""
    return Conflict("there is a session with this id already")


def id_of_another_owner() -> Conflict:
    """A session that is deleted had that id, and belonged to somebody else."""
    return Conflict("this id was a session's of another owner")


def revision_differs(
    revision: Revision, expected: Revision, current: Session | None = None
) -> Conflict:
    """The session is not at the revision that was expected; `current` is it as it is."""
    return Conflict(f"the session is at revision {revision}, not {expected}", current)


def attempt_differs(current: Session | None) -> Conflict:
    """An idempotency key comes with another request than it did before."""
    return Conflict("this idempotency key was used for another request", current)


def owner_out_of_scope() -> InvalidInput:
    """A session is to be created for somebody whom the scope does not hold."""
    return InvalidInput("a session can only be created for its own owner here")


def creation_not_first() -> InvalidInput:
    """A session is created behind another change."""
    return InvalidInput("a session can only be created by the first change of a commit")


def deletion_not_alone() -> InvalidInput:
    """A session is deleted together with another change."""
    return InvalidInput("a session's deletion is a commit of its own")


def copy_into_used_session() -> InvalidInput:
    """Messages are copied into a session that was there before, or has messages."""
    return InvalidInput("messages can only be copied into a new, empty session")


def no_json() -> InvalidInput:
    """A value can't be written as JSON and read back the same."""
    return InvalidInput("the change holds a value that can't be stored as JSON")


def record_misplaced(session_id: SessionId) -> InvalidInput:
    """A record of a session comes elsewhere than behind that session."""
    return InvalidInput(f"a record of session {session_id} does not stand behind its session")


def session_not_whole(session_id: SessionId) -> InvalidInput:
    """A session comes with other messages or events than its header counts."""
    return InvalidInput(
        f"session {session_id} is not whole: its messages and events do not fit its header"
    )

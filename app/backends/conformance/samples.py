"""What the tests of the kit are made of: owners, ids, times, commits, and how to carry them out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from app.backends.protocol import EVERYTHING, Backend, Finding, Scope, Severity
from app.model.changes import AddMessages, Change, Commit, Committed, CreateSession, Idempotency
from app.model.errors import ScrollbackError
from app.model.events import Event, LogRead, LogSlice
from app.model.identifiers import Epoch, MessageId, Position, Revision, Sequence, SessionId, UserId
from app.model.message import Message, MessageRole, MessageScope, NewMessage
from app.model.paging import MessagePageRequest, Page, Take, Window
from app.model.parts import TextPart
from app.model.records import Record
from app.model.session import Session
from app.model.timestamps import Timestamp

ALICE = UserId("alice")
BOB = UserId("bob")
ALICES = Scope(ALICE)
BOBS = Scope(BOB)
FIRST = SessionId("01900000000070008000000000000001")
SECOND = SessionId("01900000000070008000000000000002")
THIRD = SessionId("01900000000070008000000000000003")
ABSENT = SessionId("0190000000007000800000000000ffff")
EPOCH = Epoch("0a1b2c3d")
OTHER_EPOCH = Epoch("ffffffff")
EVERYTHING_AT_ONCE = 1_000_000


def number_id(number: int) -> SessionId:
    """Returns the id of a numbered session; ids sort as their numbers do."""
    return SessionId(f"019000000000700080000000{number:08x}")


def moment(seconds: int) -> Timestamp:
    """Returns a time, that many seconds (0 to 86,399) after the start of the tests' day."""
    hours, rest = divmod(seconds, 3600)
    return Timestamp(f"2026-03-01T{hours:02d}:{rest // 60:02d}:{rest % 60:02d}.000000Z")


def said(text: str, role: MessageRole = MessageRole.USER, **fields: Any) -> NewMessage:
    """Returns a message of one text part that previews itself."""
    return NewMessage(role, (TextPart(text),), preview=fields.pop("preview", text), **fields)


def numbered(count: int, start: int = 1) -> tuple[NewMessage, ...]:
    """Returns messages that say `m1`, `m2` … so that their text tells their number."""
    return tuple(said(f"m{number}") for number in range(start, start + count))


def created(
    session_id: SessionId = FIRST,
    *,
    messages: Iterable[NewMessage] = (),
    at: int = 0,
    idempotency: Idempotency | None = None,
    **fields: Any,
) -> Commit:
    """Returns a commit that makes a session, Alice's unless told otherwise, with messages."""
    fields.setdefault("key", f"key-{session_id}")
    fields.setdefault("owner_id", ALICE)
    fields.setdefault("epoch", EPOCH)
    changes: tuple[Change, ...] = (CreateSession(**fields),)
    added = tuple(messages)
    if added:
        changes += (AddMessages(added),)
    return Commit(session_id, changes, moment(at), idempotency)


def changed(
    *changes: Change,
    session_id: SessionId = FIRST,
    at: int = 1,
    idempotency: Idempotency | None = None,
    expected: int | None = None,
) -> Commit:
    """Returns a commit on a session, the first unless told otherwise."""
    revision = None if expected is None else Revision(expected)
    return Commit(session_id, changes, moment(at), idempotency, revision)


def attempt(key: str, digest: str = "digest") -> Idempotency:
    """Returns a client's name for one attempt."""
    return Idempotency(key, digest)


async def outcome_of(
    backend: Backend, commit: Commit, scope: Scope = EVERYTHING
) -> Committed | ScrollbackError:
    """Carries one commit out and returns its outcome, whichever it is."""
    outcomes = await backend.commit([commit], scope)
    assert len(outcomes) == 1, "one commit has one outcome"
    return outcomes[0]


async def done(backend: Backend, commit: Commit, scope: Scope = EVERYTHING) -> Committed:
    """Carries one commit out that must succeed."""
    outcome = await outcome_of(backend, commit, scope)
    assert isinstance(outcome, Committed), f"{commit} was refused: {outcome!r}"
    return outcome


async def all_done(backend: Backend, *commits: Commit) -> list[Committed]:
    """Carries commits out in one call; all must succeed."""
    outcomes = await backend.commit(list(commits), EVERYTHING)
    assert len(outcomes) == len(commits), "each commit has one outcome"
    committed = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    assert len(committed) == len(commits), f"refused: {outcomes!r}"
    return committed


async def session_of(backend: Backend, session_id: SessionId = FIRST) -> Session:
    """Returns a session that must be there."""
    session = (await backend.get_sessions([session_id], EVERYTHING)).get(session_id)
    assert isinstance(session, Session), f"no session {session_id}: {session!r}"
    return session


async def messages_of(
    backend: Backend, session_id: SessionId = FIRST, scope: MessageScope = MessageScope.ALL
) -> tuple[Message, ...]:
    """Returns all messages of a session that must be there, archived ones too."""
    request = MessagePageRequest(session_id, Window(EVERYTHING_AT_ONCE), scope)
    return page_for((await backend.page_messages([request], EVERYTHING))[request]).items


async def texts_of(
    backend: Backend, session_id: SessionId = FIRST, scope: MessageScope = MessageScope.ALL
) -> list[str]:
    """Returns what the messages of a session say."""
    return [message.text for message in await messages_of(backend, session_id, scope)]


def page_for(answer: Page[Message] | ScrollbackError) -> Page[Message]:
    """Returns a page of messages that must not be an error."""
    assert isinstance(answer, Page), f"no page: {answer!r}"
    return answer


def message_window(
    limit: int, take: Take = Take.FIRST, after: int | None = None, before: int | None = None
) -> Window[Sequence]:
    """Returns a window on messages with bare numbers for bounds."""
    return Window(
        limit,
        take,
        None if after is None else Sequence(after),
        None if before is None else Sequence(before),
    )


async def log_of(
    backend: Backend,
    session_id: SessionId = FIRST,
    after: Position | None = None,
    limit: int = EVERYTHING_AT_ONCE,
    scope: Scope = EVERYTHING,
) -> LogSlice:
    """Returns a slice of a log that must be there."""
    read = LogRead(session_id, after, limit)
    answer = (await backend.read_logs([read], scope)).get(read)
    assert isinstance(answer, LogSlice), f"no log of {session_id}: {answer!r}"
    return answer


async def events_of(
    backend: Backend, session_id: SessionId = FIRST, after: int = 0
) -> tuple[Event, ...]:
    """Returns the events of a session's log after a revision."""
    return (await log_of(backend, session_id, Position(EPOCH, Revision(after)))).events


def message_id(sequence: int, session_id: SessionId = FIRST) -> MessageId:
    """Returns the id of a message, of the first session unless told otherwise."""
    return MessageId(session_id, Sequence(sequence))


async def records_of(
    backend: Backend, scope: Scope = EVERYTHING, after: SessionId | None = None
) -> list[Record]:
    """Returns everything that a store exports: its whole content, to be compared."""
    return [record async for record in backend.export(scope, after=after)]


async def stream(records: Iterable[Record]) -> AsyncIterator[Record]:
    """Yields records as a load takes them."""
    for record in records:
        yield record


async def errors_found(backend: Backend) -> list[Finding]:
    """Returns what the check of a store finds wrong, warnings and remarks aside."""
    return [finding async for finding in backend.check() if finding.severity is Severity.ERROR]

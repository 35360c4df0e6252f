"""What a batch of commits comes to, before anything is written.

Commits are carried out in order on drafts of their sessions, so that the second commit on a
session sees the first; a refused commit leaves its draft as it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from app.backends.files.catalogue import (
    Row,
    Rows,
    Stored,
    attempts_of,
    find_attempt,
    find_by_id,
    find_by_name,
    find_tombstone,
    segments_of,
)
from app.backends.files.changes import ReadSource, carry_out, new_session
from app.backends.files.draft import Draft, ReadMessage
from app.backends.files.entry import line_of
from app.backends.files.named import Named
from app.backends.files.names import file_name
from app.backends.files.record import encode_record, seed_of
from app.backends.files.session_files import Lost, Moved
from app.backends.files.store import Store
from app.backends.protocol import Scope
from app.model import identifiers
from app.model.changes import Commit, Committed, CopyMessages, CreateSession
from app.model.errors import (
    ScrollbackError,
    StoreUnavailable,
)
from app.model.identifiers import Position, Revision, SessionId, SessionKey
from app.model.message import Message
from app.model.records import IdempotencyRecord
from app.model.refusals import (
    attempt_differs,
    id_of_another_owner,
    id_taken,
    key_taken,
    no_such_message,
    no_such_session,
    no_such_source,
    owner_out_of_scope,
    revision_differs,
)
from app.model.session import Session

SYNC_FAILED = (
    "the file of this session could not be made durable earlier; nothing was changed: "
    "check the disk and open the store anew"
)
DAMAGED = "the file of this session is damaged; nothing was changed: see `scrollback doctor`"


@dataclass(slots=True)
class Work:
    """What is to be written to one session's file. `stored` is None for a new session.

    `last` is where the last record begins in `data`; `durable` the highest number that is known
    durable before it.
    """

    name: str
    stored: Stored | None
    draft: Draft
    durable: int
    data: bytearray = field(default_factory=bytearray)
    last: int = 0
    last_crc: str = ""
    attempts: list[IdempotencyRecord] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    named: Named = field(default_factory=Named)
    archived: bool = False


class Plan:
    """The drafts of one batch, read in one transaction of the index, under the stripes."""

    def __init__(self, store: Store, connection: sqlite3.Connection) -> None:
        self._store = store
        self._connection = connection
        self.works: dict[SessionId, Work] = {}
        self._by_name: dict[str, SessionId] = {}

    def add(self, at: int, commit: Commit, scope: Scope) -> Committed | ScrollbackError:
        """Carries a commit out on its draft; `at` is its place in the batch."""
        try:
            committed = self._carry_out(commit, scope)
        except ScrollbackError as refusal:
            return refusal
        except (Moved, Lost):
            return StoreUnavailable(DAMAGED)
        else:
            if committed.existing and committed.session is not None:
                self._depends(committed.session.id, at)
            return committed
        finally:
            self._depends(commit.session_id, at)

    def delete(self, commit: Commit, scope: Scope) -> Work | Committed:
        """Returns the session that a commit may delete, or its earlier result. Raises a refusal."""
        work = self._find(commit.session_id)
        replayed = self._replay(work, commit, scope)
        return replayed if replayed is not None else self._require(work, commit, scope)

    def _depends(self, session_id: SessionId, at: int) -> None:
        """Ties an outcome to the records that are yet to be written, of which it speaks."""
        work = self.works.get(session_id)
        if work is not None and work.data:
            work.commits.append(at)

    def _find(self, session_id: SessionId) -> Work | None:
        work = self.works.get(session_id)
        if work is None:
            stored = find_by_id(self._connection, session_id)
            work = None if stored is None else self._open(stored)
        return work

    def _carry_out(self, commit: Commit, scope: Scope) -> Committed:
        work = self._find(commit.session_id)
        replayed = self._replay(work, commit, scope)
        if replayed is not None:
            return replayed
        first = commit.changes[0] if commit.changes else None
        if isinstance(first, CreateSession):
            made = self._create(work, commit, first, scope)
            if isinstance(made, Committed):
                return made
            work = made
        else:
            work = self._require(work, commit, scope)
        draft = work.draft.copy()
        carry_out(draft, commit, self._reader(work), self._source_reader(scope))
        if isinstance(first, CreateSession):
            _carry_attempts(draft)
        data, last, last_crc = encode(draft, work.durable)
        if data:
            work.last, work.last_crc = len(work.data) + last, last_crc
            work.data += data
            work.archived |= draft.archived_through > work.draft.archived_through
            for told in draft.told:
                work.attempts += told.entry.attempts
                work.named.add_entry(told.entry)
        work.draft = draft
        self.works[commit.session_id] = work
        self._by_name[work.name] = commit.session_id
        return Committed(draft.session.position, draft.sequences, draft.affected, draft.session)

    def _open(self, stored: Stored) -> Work:
        session, file = stored.session, stored.file
        draft = Draft(
            session,
            Rows(session.id, self._connection),
            file.archived_through,
            file.life,
            file.dead,
        )
        return Work(stored.name, stored, draft, session.revision)

    def _replay(self, work: Work | None, commit: Commit, scope: Scope) -> Committed | None:
        wanted = commit.idempotency
        if wanted is None:
            return None
        record = work.draft.attempts.get(wanted.key) if work is not None else None
        record = record or find_attempt(self._connection, commit.session_id, wanted)
        if record is None:
            return None
        session: Session | None = None
        if work is not None and in_scope(work.draft.session.owner_id, scope):
            session = work.draft.session
            epoch = session.epoch
        else:
            tombstone = find_tombstone(self._connection, commit.session_id)
            if work is not None or tombstone is None:
                return None
            if not in_scope(tombstone.deletion.owner_id, scope):
                return None
            epoch = tombstone.deletion.epoch
        if record.idempotency.digest != wanted.digest:
            raise attempt_differs(session)
        return Committed(
            Position(epoch, record.revision),
            record.sequences,
            record.affected,
            session,
            replayed=True,
        )

    def _require(self, work: Work | None, commit: Commit, scope: Scope) -> Work:
        if work is None or not in_scope(work.draft.session.owner_id, scope):
            if work is None and self._is_unreadable(commit.session_id):
                raise StoreUnavailable(DAMAGED)
            raise no_such_session()
        if work.name in self._store.failed:
            raise StoreUnavailable(SYNC_FAILED)
        session = work.draft.session
        if commit.expected is not None and commit.expected != session.revision:
            raise revision_differs(session.revision, commit.expected, session)
        return work

    def _create(
        self, work: Work | None, commit: Commit, creation: CreateSession, scope: Scope
    ) -> Work | Committed:
        if not in_scope(creation.owner_id, scope):
            raise owner_out_of_scope()
        name = file_name(SessionKey(creation.owner_id, creation.key))
        existing = self._find_by_name(name)
        if existing is not None:
            if not creation.get_existing:
                raise key_taken(existing)
            return Committed(existing.position, range(0), 0, existing, existing=True)
        if work is not None:
            raise id_taken()
        tombstone = find_tombstone(self._connection, commit.session_id)
        if tombstone is not None and tombstone.deletion.owner_id != creation.owner_id:
            raise id_of_another_owner()
        if commit.expected:
            raise revision_differs(Revision(0), commit.expected)
        if self._is_unreadable(commit.session_id) or self._store.system.fingerprint(
            self._store.layout.active(name)
        ):
            # A damaged file is never overwritten by an empty session.
            raise StoreUnavailable(DAMAGED)
        session = new_session(commit, creation)
        draft = Draft(session, Rows(session.id, None))
        if tombstone is not None:
            draft.life = tombstone.number
            former = attempts_of(self._connection, session.id)
            draft.attempts = {one.idempotency.key: one for one in former}
        return Work(name, None, draft, 0)

    def _find_by_name(self, name: str) -> Session | None:
        session_id = self._by_name.get(name)
        if session_id is not None and session_id in self.works:
            return self.works[session_id].draft.session
        stored = find_by_name(self._connection, name)
        return None if stored is None else stored.session

    def _is_unreadable(self, session_id: SessionId) -> bool:
        found = self._connection.execute(
            "SELECT 1 FROM unreadable WHERE session_id = ?", (session_id,)
        ).fetchone()
        return found is not None

    def _reader(self, work: Work) -> ReadMessage:
        def read(row: Row) -> Message:
            stored = work.stored
            if stored is None:
                raise Lost
            segments = segments_of(self._connection, stored.session.id)
            return self._store.files.read_messages(stored, segments, [row])[0]

        return read

    def _source_reader(self, scope: Scope) -> ReadSource:
        def read(session_id: SessionId, through: identifiers.Sequence | None) -> list[Message]:
            stored = find_by_id(self._connection, session_id)
            if stored is None or not in_scope(stored.session.owner_id, scope):
                raise no_such_source()
            rows = Rows(session_id, self._connection)
            if through is not None and rows.get(through) is None:
                raise no_such_message()
            last = stored.session.last_sequence if through is None else through
            segments = segments_of(self._connection, session_id)
            return self._store.files.read_messages(stored, segments, rows.between(0, last))

        return read


def _carry_attempts(draft: Draft) -> None:
    """Puts the attempts on a deleted session into the first line of the one made anew."""
    former = tuple(
        one
        for one in draft.attempts.values()
        if all(one not in told.entry.attempts for told in draft.told)
    )
    if former:
        first = draft.told[0]
        entry = replace(first.entry, attempts=(*former, *first.entry.attempts))
        draft.told[0] = replace(first, entry=entry)


def encode(draft: Draft, durable: int, *, one_commit: bool = True) -> tuple[bytes, int, str]:
    """Returns the lines of what a draft has told, where the last begins, and its checksum.

    Sets the sizes of the rows whose messages these lines hold.
    """
    seed = seed_of(draft.session.id, draft.session.epoch)
    lines: list[bytes] = []
    for at, told in enumerate(draft.told):
        entry = told.entry
        line = encode_record(
            line_of(entry, told.session),
            number=told.session.revision,
            durable=durable,
            more=one_commit and at < len(draft.told) - 1,
            seed=seed,
        )
        lines.append(line)
        if entry.message is not None and entry.event is not None:
            row = draft.rows.changed.get(entry.message.sequence)
            if row is not None and row.revision == entry.event.revision:
                draft.rows.changed[entry.message.sequence] = replace(row, size=len(line))
    if not lines:
        return b"", 0, ""
    data = b"".join(lines)
    return data, len(data) - len(lines[-1]), lines[-1][-11:-3].decode()


def in_scope(owner_id: str | None, scope: Scope) -> bool:
    """Answers whether a session of that owner may be touched."""
    return scope.owner is None or scope.owner == owner_id


def locks_of(
    connection: sqlite3.Connection, commits: Iterable[Commit]
) -> tuple[set[str], set[str]]:
    """Returns the names of the files that commits touch, and all names to lock.

    Ids are locked beside, so that one is not given to two sessions of different names.
    """
    files: set[str] = set()
    ids: set[str] = set()
    for commit in commits:
        touched = [commit.session_id]
        ids.add(commit.session_id)
        for change in commit.changes:
            if isinstance(change, CreateSession):
                files.add(file_name(SessionKey(change.owner_id, change.key)))
            if isinstance(change, CopyMessages):
                touched.append(change.source_id)
        for session_id in touched:
            row = connection.execute(
                "SELECT name FROM sessions WHERE id = ?", (session_id,)
            ).fetchone()
            if row is not None:
                files.add(row[0])
    return files, files | ids

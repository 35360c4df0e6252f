"""The writing half: batches of commits into files, durable, indexed, acknowledged.

Runs on the one writer thread of a process. A batch is planned in memory, then each session's file
gets its records by one write and one sync, then the index follows in one transaction. What fails
before the write was not done; what fails after it has an unknown outcome, and the files tell.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeAlias

from app.backends.files.append import NotWritten, OutcomeUnknown, append
from app.backends.files.catalogue import (
    FileState,
    Stored,
    Tombstone,
    attempts_of,
    drop_session,
    find_by_name,
    put_attempts,
    put_rows,
    put_session,
    put_tombstone,
)
from app.backends.files.compaction import Compaction
from app.backends.files.named import Named
from app.backends.files.plan import Plan, Work, locks_of
from app.backends.files.policy import Durability
from app.backends.files.recovery import Recovery, append_to_register, write_names
from app.backends.files.register import deletion_fields
from app.backends.files.store import Store
from app.backends.files.system import Fingerprint
from app.backends.files.texts import FRESH_LENGTH, drop_texts, is_due, put_texts, settle
from app.backends.protocol import Scope
from app.model.changes import Commit, Committed, CopyMessages, DeleteSession
from app.model.errors import ScrollbackError, StoreUnavailable, UnknownOutcome
from app.model.identifiers import Position, Revision, SessionId
from app.model.records import Deletion, IdempotencyRecord

Outcome: TypeAlias = Committed | ScrollbackError

_SYNCERS = 8
"""How many files of a batch are made durable at once at most."""

_UNKNOWN = "the store failed while it was making the change durable; retry with the same key"
_NOTHING_DONE = "the store could not write the change; nothing was changed"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ordered:
    """A commit with the scope that it came with."""

    commit: Commit
    scope: Scope


class Committer:
    """Carries commits out. Blocks; used from the writer's thread only."""

    def __init__(self, store: Store, recovery: Recovery) -> None:
        self._store = store
        self._recovery = recovery
        self._compaction = Compaction(store, recovery)
        self._dirty: set[str] = set()
        self._archived: set[str] = set()
        self._fresh_length = 0
        self.texts_due = False
        """Whether there are searched texts to settle, once nobody waits for it."""
        self._syncers = ThreadPoolExecutor(_SYNCERS, thread_name_prefix="scrollback-files-sync")

    def commit(self, ordered: Sequence[Ordered]) -> list[Outcome]:
        """Carries commits out in order and returns their outcomes, aligned.

        Each commit is answered for itself: what went wrong with one file is `UnknownOutcome` or
        `StoreUnavailable` for the commits of that file alone.
        """
        outcomes: list[Outcome] = []
        for batch in _batches(ordered):
            try:
                outcomes += self._commit_batch(batch)
            except ScrollbackError as error:
                outcomes += [error] * len(batch)
            except OSError:
                log.exception("files_not_read")
                outcomes += [StoreUnavailable(_NOTHING_DONE)] * len(batch)
        self._store.index.checkpoint()
        return outcomes

    def close(self) -> None:
        """Makes durable what has yet to be, and ends the threads."""
        self.sync_dirty()
        self._syncers.shutdown()

    def settle_texts(self) -> None:
        """Settles a number of searched texts that keeps nobody waiting for long."""
        index = self._store.index
        try:
            with index.sharing(), index.writing() as connection:
                settle(connection)
                self._fresh_length = 0
                self.texts_due = is_due(connection)
            index.checkpoint()
        except (ScrollbackError, OSError):
            # They are found as they are; the next commit has it tried again.
            log.exception("texts_not_settled")
            self.texts_due = False

    def sync_dirty(self) -> None:
        """Makes durable what the policy has left to be made so later."""
        store = self._store
        dirty, self._dirty = self._dirty, set()
        for name in dirty:
            path = store.layout.active(name)
            try:
                with store.system.opened(path, 0) as descriptor:
                    store.system.fdatasync(descriptor)
                store.system.sync_directory(path.parent)
            except FileNotFoundError:
                continue
            except OSError:
                log.exception("sync_failed", extra={"file": name})
                store.failed.add(name)

    def _commit_batch(self, batch: Sequence[Ordered]) -> list[Outcome]:
        store = self._store
        commits = [one.commit for one in batch]
        while True:
            with store.index.sharing():
                with store.index.reading() as connection:
                    _, wanted = locks_of(connection, commits)
                with store.locks.stripes(wanted):
                    with store.index.reading() as connection:
                        files, needed = locks_of(connection, commits)
                    if not needed <= wanted:
                        # A session got another file between the two looks.
                        continue
                    self.refresh(files)
                    if _is_deletion(commits[0]):
                        outcomes = [self._delete(batch[0])]
                    else:
                        outcomes = self._write(batch)
                    self._maintain(files, {one for one in self._archived if one in files})
                    self._archived.clear()
            if _is_deletion(commits[0]):
                self._purge()
            return outcomes

    def refresh(self, names: set[str]) -> None:
        """Reads files anew that are not as the index knows them. Under their stripes."""
        store = self._store
        for name in names:
            if name in store.failed:
                continue
            with store.index.reading() as connection:
                known = find_by_name(connection, name)
                unreadable = connection.execute(
                    "SELECT inode, size, modified FROM unreadable WHERE name = ?", (name,)
                ).fetchone()
            expected = known.file.fingerprint if known else None
            if unreadable is not None:
                expected = Fingerprint(*unreadable)
            if store.system.fingerprint(store.layout.active(name)) != expected:
                self._recovery.resync(name)

    def _write(self, batch: Sequence[Ordered]) -> list[Outcome]:
        store = self._store
        with store.index.reading() as connection:
            plan = Plan(store, connection)
            outcomes = [plan.add(at, one.commit, one.scope) for at, one in enumerate(batch)]
            works = [work for work in plan.works.values() if work.data]
            named = Named()
            for work in works:
                named.merge(work.named)
            unknown = named.unknown(connection)
        if not works:
            return outcomes
        written: list[tuple[Work, Fingerprint]] = []
        for work, result in zip(works, self._append_all(works), strict=True):
            if isinstance(result, ScrollbackError):
                _fail(outcomes, work, result)
                continue
            written.append((work, result))
            if store.policy.durability is Durability.INTERVAL:
                self._dirty.add(work.name)
            if work.archived:
                self._archived.add(work.name)
        if written:
            try:
                self._index(written, unknown)
            except (ScrollbackError, NotWritten, OutcomeUnknown, OSError) as error:
                log.exception("index_behind_files")
                why = f" ({error.message})" if isinstance(error, ScrollbackError) else ""
                for work, _ in written:
                    _fail(outcomes, work, UnknownOutcome(f"{_UNKNOWN}{why}"))
        return outcomes

    def _append_all(self, works: Sequence[Work]) -> list[Fingerprint | ScrollbackError]:
        """Writes each session's file, several at once: syncs that wait together share a flush."""
        if len(works) == 1 or self._store.policy.durability is not Durability.ALWAYS:
            return [self._append(work) for work in works]
        return list(self._syncers.map(self._append, works))

    def _append(self, work: Work) -> Fingerprint | ScrollbackError:
        store = self._store
        always = store.policy.durability is Durability.ALWAYS
        try:
            return append(
                store.system,
                store.layout.active(work.name),
                bytes(work.data),
                create=work.stored is None,
                sync=always,
            )
        except NotWritten as error:
            log.warning("append_refused", extra={"file": work.name, "reason": str(error)})
            return StoreUnavailable(f"{_NOTHING_DONE} ({error})")
        except OutcomeUnknown as error:
            log.error("append_unknown", extra={"file": work.name, "reason": str(error)})  # noqa: TRY400
            store.failed.add(work.name)
            return UnknownOutcome(_UNKNOWN)

    def _index(
        self, written: Sequence[tuple[Work, Fingerprint]], unknown: dict[str, list[str]]
    ) -> None:
        store = self._store
        with store.registers.hold(unknown):
            with store.index.reading() as connection:
                registered = write_names(store, connection, unknown)
            with store.index.writing() as connection:
                for work, fingerprint in written:
                    _index_work(connection, work, fingerprint)
                    texts = work.draft.texts.values()
                    self._fresh_length += sum([len(text.normal) for text in texts])
                self.texts_due = self._fresh_length >= FRESH_LENGTH or is_due(connection)
                for register, contents in registered.items():
                    store.registers.index(connection, register, contents)

    def _delete(self, ordered: Ordered) -> Outcome:
        store = self._store
        commit, scope = ordered.commit, ordered.scope
        with store.index.reading() as connection:
            try:
                found = Plan(store, connection).delete(commit, scope)
            except ScrollbackError as refusal:
                return refusal
            if isinstance(found, Committed):
                return found
            attempts = attempts_of(connection, commit.session_id)
        session = found.draft.session
        position = Position(session.epoch, Revision(session.revision + 1))
        deletion = Deletion(session.id, session.owner_id, *position, commit.at)
        if commit.idempotency is not None:
            attempts.append(
                IdempotencyRecord(
                    session.id,
                    commit.idempotency,
                    position.revision,
                    range(0),
                    session.message_count,
                    commit.at,
                )
            )
        try:
            self.bury(found.name, deletion, attempts)
        except NotWritten as error:
            return StoreUnavailable(f"{_NOTHING_DONE} ({error})")
        except (OutcomeUnknown, OSError, ScrollbackError):
            log.exception("deletion_unknown")
            return UnknownOutcome(_UNKNOWN)
        return Committed(position, range(0), session.message_count, None)

    def bury(self, name: str | None, deletion: Deletion, attempts: list[IdempotencyRecord]) -> None:
        """Registers a deletion, which decides it, then puts the files away, if there are any.

        Raises what `append` raises, and `OSError` where the files could not be put away.
        """
        store = self._store
        with store.registers.hold(["deletions"]):
            with store.index.reading() as connection:
                contents = append_to_register(
                    store, connection, "deletions", [deletion_fields(deletion, attempts)]
                )
            if name is not None:
                store.trash.take(name, contents.state.number)
            with store.index.writing() as connection:
                drop_session(connection, deletion.session_id)
                drop_texts(connection, deletion.session_id)
                self.texts_due = True
                put_tombstone(connection, Tombstone(deletion, contents.state.number))
                put_attempts(connection, attempts)
                store.registers.index(connection, "deletions", contents)

    def _maintain(self, names: set[str], archived: set[str]) -> None:
        for name in names:
            try:
                self._compaction.maintain(name, archived=name in archived)
            except (OSError, ScrollbackError):
                # The commits are durable; the files are put right when they are next touched.
                log.exception("maintenance_failed", extra={"file": name})

    def _purge(self) -> None:
        try:
            self._store.trash.purge()
        except OSError:
            log.exception("trash_not_purged")


def _batches(ordered: Sequence[Ordered]) -> Iterator[list[Ordered]]:
    """Splits commits where one has to see what another has written."""
    batch: list[Ordered] = []
    touched: set[SessionId] = set()
    for one in ordered:
        sources = {c.source_id for c in one.commit.changes if isinstance(c, CopyMessages)}
        alone = _is_deletion(one.commit)
        if batch and (alone or sources & touched or _is_deletion(batch[0].commit)):
            yield batch
            batch, touched = [], set()
        batch.append(one)
        touched.add(one.commit.session_id)
    if batch:
        yield batch


def _is_deletion(commit: Commit) -> bool:
    return commit.changes == (DeleteSession(),)


def _fail(outcomes: list[Outcome], work: Work, error: ScrollbackError) -> None:
    for at in work.commits:
        outcomes[at] = error


def _index_work(connection: sqlite3.Connection, work: Work, fingerprint: Fingerprint) -> None:
    draft = work.draft
    before = work.stored.file if work.stored is not None else FileState(fingerprint)
    file = replace(
        before,
        fingerprint=fingerprint,
        last=fingerprint.size - len(work.data) + work.last,
        last_crc=work.last_crc,
        archived_through=draft.archived_through,
        dead=draft.dead,
        life=draft.life,
    )
    put_session(connection, Stored(draft.session, work.name, file))
    known = None if work.stored is None else work.stored.session
    put_texts(connection, draft.session, known, draft.changed_texts)
    put_rows(connection, draft.session.id, draft.rows.changed.items())
    put_attempts(connection, work.attempts)

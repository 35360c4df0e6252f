"""Examining a store: every byte of every file read, and the index held against what they say."""

from __future__ import annotations

from collections.abc import Iterator

from app.backends.files.catalogue import (
    Damaged,
    Rows,
    Stored,
    find_by_name,
)
from app.backends.files.check_texts import check_settled, check_texts_of
from app.backends.files.names import shard_of
from app.backends.files.recovery import Recovery
from app.backends.files.register import NAMES
from app.backends.files.replay import Ranges, Replay, Replayed, Unreadable, numbers_in
from app.backends.files.store import Store
from app.backends.files.texts import texts_of
from app.backends.protocol import Finding, Severity

_RESTORE = "Its bytes are kept as they are: restore this file from a backup, or fork the session."


def names_of(store: Store) -> list[str]:
    """Returns the names of all sessions' files, and of those that should be there."""
    layout, system = store.layout, store.system
    files = {
        file.removesuffix(".jsonl")
        for shard in system.list_names(layout.sessions)
        for file in system.list_names(layout.sessions / shard)
        if file.endswith(".jsonl")
    }
    with store.index.reading() as connection:
        known = {name for (name,) in connection.execute("SELECT name FROM sessions")}
    return sorted(files | known)


def check_session(store: Store, name: str) -> list[Finding]:
    """Returns what is to be said of one session's files. Under no lock; takes its stripe."""
    with store.index.sharing(), store.locks.stripes([name]):
        with store.index.reading() as connection:
            try:
                known = find_by_name(connection, name)
            except Damaged:
                known = None
        try:
            replayed = Replay(store.layout, store.system, name, known).read()
        except Unreadable as error:
            return [_unreadable(name, str(error))]
        if replayed is None:
            if store.system.fingerprint(store.layout.active(name)) is None and known is not None:
                return [_unreadable(name, "it is missing")]
            return [] if known is None else [_unreadable(name, "nothing in it is whole")]
        return list(_findings(store, name, known, replayed))


def _unreadable(name: str, reason: str) -> Finding:
    return Finding(
        Severity.ERROR,
        "FILE_UNREADABLE",
        f"the file s/{shard_of(name)}/{name}.jsonl can't be read: {reason}",
        _RESTORE,
    )


def _findings(
    store: Store, name: str, known: Stored | None, replayed: Replayed
) -> Iterator[Finding]:
    session_id = replayed.draft.session.id
    if replayed.missing:
        lost = set(numbers_in(replayed.missing_messages))
        if known is not None:
            missing = set(numbers_in(replayed.missing))
            with store.index.reading() as connection:
                rows = Rows(session_id, connection).between(0, known.session.last_sequence)
            lost |= {int(row.sequence) for row in rows if row.revision in missing}
            lost |= set(numbers_in(known.file.missing_messages))
        lost = {at for at in lost if known is None or at <= known.session.last_sequence}
        yield Finding(
            Severity.ERROR,
            "RECORDS_DAMAGED",
            f"session {session_id} has lost the events {_told(tuple(replayed.missing))} of its "
            f"log{_messages(lost)} to damage of s/{shard_of(name)}/{name}.jsonl",
            _RESTORE,
        )
    elif replayed.stray:
        yield Finding(
            Severity.WARNING,
            "STRAY_BYTES",
            f"s/{shard_of(name)}/{name}.jsonl has {replayed.stray} bytes that are no records of "
            f"session {session_id}, or copies of some; none of its records is missing",
            "They are passed over. Look for what wrote them: a failing disk, or another program.",
        )
    if replayed.cut is not None:
        yield Finding(
            Severity.WARNING,
            "TAIL_NOT_ACKNOWLEDGED",
            f"the file of session {session_id} ends in bytes that were never acknowledged",
            "They are moved to quarantine when the session is next written.",
        )
        return
    if known is None or known.file.fingerprint != replayed.fingerprint:
        yield Finding(
            Severity.WARNING,
            "NOT_INDEXED",
            f"the index does not have all of session {session_id} yet",
            "Open the store anew, or delete index.db.",
        )
    elif not replayed.missing and not _agrees(store, known, replayed):
        yield Finding(
            Severity.ERROR,
            "COUNTERS_DRIFTED",
            f"the index does not fit the file of session {session_id}",
            "Run `scrollback doctor --repair`, which reads the file again.",
        )
    elif not replayed.missing:
        with store.index.reading() as connection:
            yield from check_texts_of(connection, replayed)


def _agrees(store: Store, known: Stored, replayed: Replayed) -> bool:
    draft = replayed.draft
    with store.index.reading() as connection:
        rows = Rows(known.session.id, connection).between(0, known.session.last_sequence)
    found = [row for _, row in sorted(draft.rows.changed.items()) if row is not None]
    return draft.session == known.session and rows == found


def _told(ranges: Ranges) -> str:
    return ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in ranges)


def _messages(lost: set[int]) -> str:
    if not lost:
        return ""
    return f" and the messages {', '.join(map(str, sorted(lost)))}"


def check_rest(store: Store) -> list[Finding]:
    """Returns what is to be said of registers, quarantine and files that belong to no session."""
    findings: list[Finding] = []
    with store.index.reading() as connection:
        for name in NAMES:
            state = store.registers.state(connection, name)
            if state is not None and state.missing:
                numbers = ", ".join(map(str, state.missing))
                findings.append(
                    Finding(
                        Severity.ERROR,
                        "RECORDS_DAMAGED",
                        f"registers/{name}.jsonl has lost its records {numbers} to damage",
                        "Its bytes are kept as they are: restore this file from a backup.",
                    )
                )
        kept = connection.execute("SELECT count(*) FROM damages").fetchone()[0]
        gone = connection.execute(
            "SELECT name FROM unreadable WHERE size = 0 AND inode = 0 ORDER BY name"
        ).fetchall()
    findings += [_unreadable(name, "it is missing") for (name,) in gone]
    if kept:
        findings.append(
            Finding(
                Severity.INFO,
                "DAMAGE_KEPT",
                f"{kept} damaged records of imported files are kept as they came",
                "Run `scrollback export` and look at the records of type damage.",
            )
        )
    quarantined = store.system.list_names(store.layout.quarantine)
    if quarantined:
        findings.append(
            Finding(
                Severity.WARNING,
                "QUARANTINED",
                f"{len(quarantined)} pieces of files are in quarantine: they were never "
                "acknowledged, most likely because the machine or a process stopped",
                "Look at the folder quarantine, and delete what you do not need.",
            )
        )
    return findings + check_settled(store)


def repair_session(store: Store, recovery: Recovery, name: str) -> bool:
    """Reads a session's files into the index again; answers whether that changed anything."""
    with store.index.sharing(), store.locks.stripes([name]):
        drifted = _state(store, name)
        recovery.resync(name)
        return drifted != _state(store, name)


def _state(store: Store, name: str) -> object:
    with store.index.reading() as connection:
        try:
            stored = find_by_name(connection, name)
        except Damaged:
            return None
        if stored is None:
            return None
        rows = Rows(stored.session.id, connection).between(0, stored.session.last_sequence)
        return stored.session, rows, texts_of(connection, stored.session.id)

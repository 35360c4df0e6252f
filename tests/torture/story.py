"""A story that leads through every operation on files, and its telling on the reference model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from app.backends.conformance.samples import (
    EPOCH,
    FIRST,
    SECOND,
    attempt,
    changed,
    created,
    number_id,
    numbered,
    records_of,
    said,
    stream,
)
from app.backends.files.backend import FilesBackend
from app.backends.files.compaction import Compaction
from app.backends.files.open import open_files
from app.backends.files.system import System
from app.backends.protocol import EVERYTHING, Backend
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    Commit,
    Committed,
    DeleteMessage,
    DeleteSession,
    EditMessage,
    RenameSession,
)
from app.model.identifiers import AgentId, Sequence, UserId
from app.model.message import Sender
from app.model.parts import TextPart
from app.model.records import Record
from app.model.session import Agent, Profile, User
from tests.conformance.reference import ReferenceBackend

Act: TypeAlias = Callable[[Backend], Awaitable[None]]


def committing(commit: Commit) -> Act:
    """Returns the act of one commit, which raises what refuses it."""

    async def act(backend: Backend) -> None:
        [outcome] = await backend.commit([commit], EVERYTHING)
        if not isinstance(outcome, Committed):
            raise outcome

    return act


async def compact(backend: Backend) -> None:
    """Compacts every session; on other backends there is nothing to do."""
    if not isinstance(backend, FilesBackend):
        return
    store = backend.store
    with store.index.reading() as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sessions")]
    for name in names:
        with store.index.sharing(), store.locks.stripes([name]):
            backend.committer.refresh({name})
            Compaction(store, backend.recovery).compact(name)


async def load(backend: Backend) -> None:
    """Loads a session that was made elsewhere."""
    other = ReferenceBackend()
    await committing(created(number_id(7), messages=numbered(3), agent_id=AgentId("pilot")))(other)
    await committing(changed(ArchiveMessages(Sequence(2)), session_id=number_id(7)))(other)
    await backend.load(stream(await records_of(other)))


SENDER = Sender("Bo", UserId("bo"))
EDIT = EditMessage(Sequence(3), parts=(TextPart("new words"),), preview="new words")

STORY: dict[str, Act] = {
    "create": committing(
        created(FIRST, messages=numbered(4), idempotency=attempt("create"), title="One")
    ),
    "append": committing(
        changed(
            AddMessages((said("m5"), said("m6", sender=SENDER))),
            idempotency=attempt("append"),
            at=2,
        )
    ),
    "edit": committing(changed(EDIT, RenameSession("Two"), idempotency=attempt("edit"), at=3)),
    "archive and roll": committing(
        changed(ArchiveMessages(Sequence(2)), idempotency=attempt("archive"), at=4)
    ),
    "append behind a seal": committing(
        changed(AddMessages((said("m7"),)), idempotency=attempt("append 2"), at=5)
    ),
    "delete a message": committing(
        changed(DeleteMessage(Sequence(1)), idempotency=attempt("delete m1"), at=6)
    ),
    "compact": compact,
    "create another": committing(
        created(SECOND, messages=numbered(2), idempotency=attempt("second"), epoch=EPOCH, at=7)
    ),
    "delete": committing(changed(DeleteSession(), idempotency=attempt("delete"), at=8)),
    "load": load,
}


async def states() -> list[list[Record]]:
    """Returns what a store holds before the story and after each of its acts."""
    reference = ReferenceBackend()
    found = [await records_of(reference)]
    for act in STORY.values():
        await act(reference)
        found.append(await records_of(reference))
    return found


async def opened(root: Path, system: System | None = None) -> FilesBackend:
    """Opens a store of files that does not wait long for others."""
    backend, _ = await open_files(root, system=system, patience=5)
    return backend


def sessions_in(records: list[Record]) -> list[Record]:
    """Leaves out the directory, which a load takes in before the sessions that name it."""
    return [one for one in records if not isinstance(one, User | Agent | Profile)]

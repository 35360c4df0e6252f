"""Taking conversations and archives in. Safe to repeat: a second run changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from app.backends.protocol import Backend, Scope
from app.formats.conversation import Conversation, Item, Notice
from app.model.changes import Commit, Committed
from app.model.errors import (
    Conflict,
    InvalidInput,
    LimitExceeded,
    ScrollbackError,
    UnknownOutcome,
)
from app.model.identifiers import SessionId, UserId
from app.model.message import Message, MessageScope
from app.model.paging import MessagePageRequest, Window
from app.model.records import Damage, Record
from app.model.session import Session
from app.resolvers.import_plans import (
    Incoming,
    begins_with,
    creation,
    extension,
    is_imported,
    may_be_ahead,
    prepare,
)
from app.rules.limits import Limits

_BATCH_SESSIONS = 200
_BATCH_BYTES = 8 << 20
_COMPARED = 500
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that did not come in as it stands in its source; `code` is for programs.

    DAMAGED: a record can't be read, its bytes are kept. DIFFERENT: the session is here in another
    state. DELETED: it was imported before and has been deleted here. REFUSED: no session can be
    made of it. NOTICE: nothing is lost.
    """

    code: str
    source: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. `messages` were added; `damaged` and `left_alone` count problems."""

    sessions: int = 0
    created: int = 0
    extended: int = 0
    unchanged: int = 0
    left_alone: int = 0
    messages: int = 0
    damaged: int = 0
    damages_kept: int = 0

    @property
    def complete(self) -> bool:
        """Whether everything of the source is in the store."""
        return self.damaged == 0 and self.left_alone == 0


async def import_conversations(
    backend: Backend,
    owner: UserId | None,
    conversations: AsyncIterator[Item],
    *,
    on_problem: Callable[[Problem], None],
    restore: bool = False,
    limits: Limits | None = None,
) -> ImportReport:
    """Takes conversations in as sessions of an owner (None: unowned), in batches.

    A conversation that is not here becomes a session, with its messages, in one commit. One that
    has grown since gains the rest. One that is here in another state is reported and left alone,
    and so is one that was deleted here, unless `restore`. Damaged records are kept with the
    store. Whatever happens, each session is imported whole or not at all. Raises
    `StoreUnavailable`, `UnknownOutcome` and what the source raises.
    """
    importing = _Import(backend, owner, on_problem, restore)
    limits = limits or Limits()
    async for item in conversations:
        match item:
            case Conversation():
                await importing.take(item, limits)
            case Damage():
                importing.take_damage(item)
            case Notice():
                on_problem(Problem("NOTICE", item.source, item.line, item.reason))
        if importing.full:
            await importing.flush()
    await importing.flush()
    return importing.report()


@dataclass(slots=True)
class _Import:
    backend: Backend
    owner: UserId | None
    on_problem: Callable[[Problem], None]
    restore: bool
    batch: dict[SessionId, Incoming] = field(default_factory=dict)
    damages: list[Damage] = field(default_factory=list)
    size: int = 0
    sessions: int = 0
    created: int = 0
    extended: int = 0
    unchanged: int = 0
    left_alone: int = 0
    messages: int = 0
    damaged: int = 0
    damages_kept: int = 0

    @property
    def full(self) -> bool:
        return len(self.batch) + len(self.damages) >= _BATCH_SESSIONS or self.size >= _BATCH_BYTES

    async def take(self, conversation: Conversation, limits: Limits) -> None:
        self.sessions += 1
        try:
            incoming = prepare(conversation, self.owner, limits)
        except (InvalidInput, LimitExceeded) as error:
            self._leave(conversation, "REFUSED", error.message)
            return
        if incoming.session_id in self.batch:
            # The second of a key is compared with the first, so that has to be there.
            await self.flush()
        self.batch[incoming.session_id] = incoming
        self.size += incoming.size

    def take_damage(self, damage: Damage) -> None:
        self.damaged += 1
        self.damages.append(damage)
        self.size += len(damage.content)
        self.on_problem(Problem("DAMAGED", damage.source, damage.line, damage.reason))

    async def flush(self) -> None:
        batch, damages = self.batch, self.damages
        self.batch, self.damages, self.size = {}, [], 0
        records: list[Record] = list(damages)
        for incoming in batch.values():
            conversation = incoming.conversation
            records += [r for r in (conversation.agent, conversation.profile) if r is not None]
        if records:
            loaded = await self.backend.load(_stream(list(dict.fromkeys(records))))
            self.damages_kept += loaded.damages
        if batch:
            await self._import(batch)

    async def _import(self, batch: dict[SessionId, Incoming]) -> None:
        found = await self.backend.get_sessions(list(batch), Scope(self.owner))
        commits: list[Commit] = []
        for session_id, incoming in batch.items():
            session = found.get(session_id)
            if session is None:
                commits.append(creation(incoming, self.owner, restore=self.restore))
            elif isinstance(session, ScrollbackError):
                self._leave(incoming.conversation, "REFUSED", session.message)
            elif is_imported(incoming, session):
                self.unchanged += 1
            elif (commit := extension(incoming, session)) is not None:
                commits.append(commit)
            elif await self._has_all(incoming, session):
                self.unchanged += 1
            else:
                self._leave_different(incoming)
        if commits:
            for commit, outcome in zip(commits, await self._commit(commits), strict=True):
                self._count(batch[commit.session_id], commit, outcome)

    async def _commit(self, commits: Sequence[Commit]) -> Sequence[Committed | ScrollbackError]:
        for _ in range(_TRIES - 1):
            try:
                return await self.backend.commit(commits, Scope(self.owner))
            except UnknownOutcome:
                continue
        return await self.backend.commit(commits, Scope(self.owner))

    def _count(
        self, incoming: Incoming, commit: Commit, outcome: Committed | ScrollbackError
    ) -> None:
        deleted = "the session was deleted here after an earlier import; --restore brings it back"
        if isinstance(outcome, Committed) and outcome.session is None:
            self._leave(incoming.conversation, "DELETED", deleted)
        elif isinstance(outcome, Committed):
            self.messages += len(outcome.sequences)
            if commit.expected is None:
                self.created += 1
            else:
                self.extended += 1
        elif isinstance(outcome, Conflict) and outcome.current is None:
            self._leave(incoming.conversation, "DELETED", deleted)
        elif isinstance(outcome, Conflict):
            self._leave_different(incoming)
        else:
            self._leave(incoming.conversation, "REFUSED", outcome.message)

    async def _has_all(self, incoming: Incoming, session: Session) -> bool:
        if not may_be_ahead(incoming, session):
            return False
        stored: list[Message] = []
        while len(stored) < len(incoming.messages):
            window = Window(_COMPARED, after=stored[-1].sequence if stored else None)
            request = MessagePageRequest(session.id, window, MessageScope.ALL)
            page = (await self.backend.page_messages([request], Scope(self.owner))).get(request)
            if page is None or isinstance(page, ScrollbackError):
                return False
            stored += page.items
            if not page.has_next:
                break
        return begins_with(stored, incoming.conversation.messages)

    def _leave_different(self, incoming: Incoming) -> None:
        key = incoming.conversation.key
        self._leave(
            incoming.conversation,
            "DIFFERENT",
            f"there is a session of the key {key} with other messages; it is left as it is",
        )

    def _leave(self, conversation: Conversation, code: str, reason: str) -> None:
        self.left_alone += 1
        self.on_problem(Problem(code, conversation.source, conversation.line, reason))

    def report(self) -> ImportReport:
        return ImportReport(
            sessions=self.sessions,
            created=self.created,
            extended=self.extended,
            unchanged=self.unchanged,
            left_alone=self.left_alone,
            messages=self.messages,
            damaged=self.damaged,
            damages_kept=self.damages_kept,
        )


async def _stream(records: Sequence[Record]) -> AsyncIterator[Record]:
    for record in records:
        yield record

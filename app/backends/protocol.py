"""The storage protocol: what every backend promises, whatever it stores on.

Batch-first: a loader's batch is one call here and a constant number of statements below. An answer
is a mapping by what was asked for, so it can't be misaligned: a key that is absent is no such
thing or not in scope (the two can't be told apart), a key with an error failed alone, and an
exception means that the whole call failed. The scope of access is part of every call and is
applied in the statement itself, writes included.

A backend decides nothing that depends on chance or on a clock: ids, epochs and times come with
the commit. `app.backends.conformance` tests every promise made here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias, TypeVar

from app.model.changes import Commit, Committed
from app.model.errors import ScrollbackError
from app.model.events import LogRead, LogSlice
from app.model.identifiers import AgentId, MessageId, ProfileId, SessionId, SessionKey, UserId
from app.model.message import Message
from app.model.paging import MessagePageRequest, Page, SessionPageRequest
from app.model.records import Loaded, Record
from app.model.search import SearchHit, SearchRequest
from app.model.session import Agent, Profile, Session, User

K = TypeVar("K")
V = TypeVar("V")

Found: TypeAlias = Mapping[K, V | ScrollbackError]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a caller may touch: the sessions of one owner, or, with `owner` None, all of them."""

    owner: UserId | None = None


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Support:
    """Whether a backend has a capability; if not, why."""

    supported: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend declares of itself. What it does not support raises `NotSupported`."""

    name: str
    durable: Support
    several_processes: Support


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the store answers; `detail` says what is wrong, without internals."""

    ready: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Migrated:
    """Which version a store had (None: it was empty), and which it has."""

    before: str | None
    after: str


class Severity(StrEnum):
    """How much a finding matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check of the store: what is the case, and what to do about it."""

    severity: Severity
    code: str
    message: str
    remedy: str = ""


class Sessions(Protocol):
    """Reading sessions."""

    async def get_sessions(
        self, ids: Collection[SessionId], scope: Scope
    ) -> Found[SessionId, Session]:
        """Answers sessions by id."""
        ...

    async def find_sessions(
        self, keys: Collection[SessionKey], scope: Scope
    ) -> Found[SessionKey, Session]:
        """Answers sessions by owner and key; keys are compared byte for byte."""
        ...

    async def page_sessions(
        self, requests: Collection[SessionPageRequest], scope: Scope
    ) -> Found[SessionPageRequest, Page[Session]]:
        """Answers pages of sessions; every request has an answer."""
        ...


class Messages(Protocol):
    """Reading messages."""

    async def get_messages(
        self, ids: Collection[MessageId], scope: Scope
    ) -> Found[MessageId, Message]:
        """Answers messages by id."""
        ...

    async def page_messages(
        self, requests: Collection[MessagePageRequest], scope: Scope
    ) -> Found[MessagePageRequest, Page[Message]]:
        """Answers pages of messages; a session that is not in scope has no answer."""
        ...


class Search(Protocol):
    """Finding messages by what was said.

    What is committed is found, and what was edited or deleted is not, from then on. Every backend
    answers alike: `app.model.search_query.matches` has the last word on what matches.
    """

    async def search_messages(
        self, requests: Collection[SearchRequest], scope: Scope
    ) -> Found[SearchRequest, Page[SearchHit]]:
        """Answers pages of hits, each with its session; every request has an answer."""
        ...


class Directory(Protocol):
    """Reading the people, agents and profiles that sessions name."""

    async def get_users(self, ids: Collection[UserId], scope: Scope) -> Found[UserId, User]:
        """Answers users by id; an owner's scope holds that owner alone."""
        ...

    async def get_agents(self, ids: Collection[AgentId]) -> Found[AgentId, Agent]:
        """Answers agents by id."""
        ...

    async def get_profiles(self, ids: Collection[ProfileId]) -> Found[ProfileId, Profile]:
        """Answers profiles by id."""
        ...


class Log(Protocol):
    """The one door for writes, and the log that they leave."""

    async def commit(
        self, commits: Sequence[Commit], scope: Scope
    ) -> Sequence[Committed | ScrollbackError]:
        """Carries commits out, each in one transaction of its own, in this order.

        Answers one outcome a commit, aligned: `Committed` once it is durable; `NotFound`,
        `Conflict`, `InvalidInput` where nothing of it was done, while its siblings go on.
        `Conflict` with the current session where `expected` is not its revision, a key is taken,
        or an idempotency key was used for another request. A change that changes nothing adds
        no event. Raises `StoreUnavailable` (nothing was done) and `UnknownOutcome` (retry with
        the same idempotency keys).
        """
        ...

    async def read_logs(self, reads: Collection[LogRead], scope: Scope) -> Found[LogRead, LogSlice]:
        """Answers slices of event logs; what "caught up" means comes with the read."""
        ...


class Transfer(Protocol):
    """Moving a store's content, whole and unchanged."""

    def export(self, scope: Scope, *, after: SessionId | None = None) -> AsyncIterator[Record]:
        """Yields the records of a store in their one order, each session as one consistent state.

        `app.model.records` tells the order. `after` leaves out the sessions up to and with that
        id, and everything that goes before sessions, so that an export can be resumed.
        """
        ...

    async def load(self, records: AsyncIterator[Record], *, replace: bool = False) -> Loaded:
        """Takes records in, with their ids, sequences, log and idempotency keys.

        A session is loaded whole or not at all. One that is here in the same state is left
        alone, one in another state is reported and left alone, so a load can be repeated. Raises
        `InvalidInput` for one that does not come whole, and for a record that does not stand
        behind its session; what came before that is taken in.

        With `replace` the store follows a source that has moved on, and never gives up what was
        written here alone. A session whose log here is the beginning of the log that comes (of
        the same epoch) is replaced whole in one transaction; idempotency keys that come are
        added to those known here. A session that is here at an earlier revision of the deleted
        epoch is deleted, and a deletion takes the place of another one. All else is reported.
        """
        ...


class Backend(Sessions, Messages, Search, Directory, Log, Transfer, Protocol):
    """A store of conversations."""

    @property
    def capabilities(self) -> Capabilities:
        """What this backend can do."""
        ...

    async def ready(self) -> Readiness:
        """Answers whether the store can be read and written now."""
        ...

    def check(self) -> AsyncIterator[Finding]:
        """Examines the whole store and yields what it finds. Changes nothing."""
        ...

    async def repair(self) -> int:
        """Sets every counter to its recount; answers how many sessions were mended."""
        ...

    async def close(self) -> None:
        """Finishes what is under way and lets go of the store. Safe to call twice."""
        ...

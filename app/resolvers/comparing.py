"""Comparing two stores record by record, in one pass over both and without holding either.

Both give their records in the order that `app.model.records` tells, so they are merged like two
sorted lists. Digests are SHA-256 over the lines in which an archive holds the records, so a
store has the digest of its archive between the first and the last line.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple

from msgspec.structs import fields

from app.backends.protocol import EVERYTHING, Backend
from app.formats.archive_records import encode_record
from app.model.errors import InvalidInput
from app.model.events import Event
from app.model.identifiers import SessionId
from app.model.message import Message
from app.model.records import Damage, Deletion, IdempotencyRecord, Record
from app.model.session import Agent, Profile, Session, User

_LISTED = 20
"""How many numbers or ranges of them a difference names; the rest are counted."""


class Fault(StrEnum):
    """How two stores differ in one thing."""

    MISSING_IN_FIRST = "missing_in_first"
    MISSING_IN_SECOND = "missing_in_second"
    DIFFERENT = "different"


class _Section(IntEnum):
    """The parts of a stream of records, in their order."""

    USER = 0
    AGENT = 1
    PROFILE = 2
    SESSION = 3
    DELETION = 4
    DAMAGE = 5


class _Kind(IntEnum):
    """What stands behind a session, in its order."""

    HEADER = 0
    MESSAGE = 1
    EVENT = 2
    IDEMPOTENCY = 3


class _Place(NamedTuple):
    section: _Section
    id: str
    kind: _Kind = _Kind.HEADER
    number: int = 0
    name: str = ""


@dataclass(slots=True)
class Numbers:
    """Which records: how many, and the first of them; consecutive numbers make a range `3-7`."""

    count: int = 0
    _ranges: list[tuple[int, int]] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)

    def add(self, which: int | str) -> None:
        """Adds one; numbers come ascending."""
        self.count += 1
        if isinstance(which, str):
            if len(self._names) < _LISTED:
                self._names.append(which)
        elif self._ranges and self._ranges[-1][1] == which - 1:
            self._ranges[-1] = (self._ranges[-1][0], which)
        elif len(self._ranges) < _LISTED:
            self._ranges.append((which, which))

    @property
    def listed(self) -> list[str]:
        """The first of them, in words."""
        ranges = [f"{low}-{high}" if low < high else str(low) for low, high in self._ranges]
        return ranges + self._names


@dataclass(frozen=True, slots=True)
class RecordDifference:
    """Records of one kind that differ in one way. Of a session's own record: its fields."""

    kind: str
    fault: Fault
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class Difference:
    """A thing that is not the same in both stores: a session, a user, a deletion …

    `records` say what it is that differs, where both have it.
    """

    kind: str
    id: str
    fault: Fault
    records: tuple[RecordDifference, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionDigests:
    """The digests of one session in both stores; None where a store lacks it."""

    session_id: SessionId
    first: str | None
    second: str | None


@dataclass(frozen=True, slots=True)
class StoreDigest:
    """What a store holds, in numbers, and the digest over all of it."""

    digest: str
    sessions: int
    messages: int
    records: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result: both stores, and how many things differ."""

    first: StoreDigest
    second: StoreDigest
    differences: int

    @property
    def identical(self) -> bool:
        """Whether both hold the same."""
        return self.differences == 0


async def compare_stores(
    first: Backend,
    second: Backend,
    *,
    on_difference: Callable[[Difference], None],
    on_session: Callable[[SessionDigests], None],
    on_record: Callable[[Record], None],
) -> Comparison:
    """Compares all that two stores hold. Differences and digests are told as they are met.

    `on_record` is told of each record that the first store has, or the second alone.

    A session that is written to meanwhile can show as a difference that is none any more.
    """
    sides = _Side(first, "first"), _Side(second, "second")
    group = _Group(_Place(_Section.USER, ""))
    differences = 0

    def end_group() -> None:
        nonlocal differences
        difference = group.difference()
        if difference is not None:
            differences += 1
            on_difference(difference)
        if group.place.section is _Section.SESSION:
            digests = [one.digest.hexdigest() if one else None for one in group.found]
            on_session(SessionDigests(SessionId(group.place.id), *digests))

    async with sides[0], sides[1]:
        while any(side.place for side in sides):
            place = min(side.place for side in sides if side.place)
            if place[:2] != group.place[:2]:
                end_group()
                group = _Group(place)
            met = [side.record if side.place == place else None for side in sides]
            lines = [side.line if side.place == place else None for side in sides]
            group.take(place, met, lines)
            on_record(next(record for record in met if record is not None))
            for side in sides:
                if side.place == place:
                    await side.advance()
        end_group()
    return Comparison(sides[0].digest(), sides[1].digest(), differences)


class _Side:
    """One of the two streams, at the record that comes next; `place` is None at its end."""

    def __init__(self, backend: Backend, name: str) -> None:
        self.place: _Place | None = None
        self.record: Record | None = None
        self.line = b""
        self._name = name
        self._records = _exported(backend)
        self._whole = hashlib.sha256()
        self._section = _Section.SESSION
        self._counts = {Session: 0, Message: 0, object: 0}

    async def __aenter__(self) -> None:
        await self.advance()

    async def __aexit__(self, *exception: object) -> None:
        await self._records.aclose()

    async def advance(self) -> None:
        """Goes on to the next record. Raises `InvalidInput` where it does not come in order."""
        before = self.place
        self.record = await anext(self._records, None)
        if self.record is None:
            self.place = None
            return
        if isinstance(self.record, Session | Deletion):
            deleted = isinstance(self.record, Deletion)
            self._section = _Section.DELETION if deleted else _Section.SESSION
        self.place = _place_of(self.record, self._section)
        if before is not None and self.place <= before:
            raise InvalidInput(
                f"the {self._name} store does not give its records in order: "
                f"{self.place[1:]} came after {before[1:]}"
            )
        self.line = encode_record(self.record)
        self._whole.update(self.line)
        for kind in self._counts:
            self._counts[kind] += isinstance(self.record, kind)

    def digest(self) -> StoreDigest:
        """Returns what has been read."""
        return StoreDigest(
            self._whole.hexdigest(),
            sessions=self._counts[Session],
            messages=self._counts[Message],
            records=self._counts[object],
        )


class _Found:
    """What one store has of a thing."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()


class _Group:
    """One thing, a session with all that belongs to it or a record alone, in both stores."""

    def __init__(self, place: _Place) -> None:
        self.place = place
        self.found: list[_Found | None] = [None, None]
        self._differences: dict[tuple[_Kind, Fault], Numbers] = {}

    def take(self, place: _Place, records: list[Record | None], lines: list[bytes | None]) -> None:
        """Takes what both have at one place."""
        for side, line in enumerate(lines):
            if line is not None:
                found = self.found[side] or _Found()
                found.digest.update(line)
                self.found[side] = found
        first, second = records
        if lines[0] == lines[1]:
            return
        if first is None or second is None:
            fault = Fault.MISSING_IN_FIRST if first is None else Fault.MISSING_IN_SECOND
            self._note(place, fault, place.name or place.number)
        elif place.kind is _Kind.HEADER:
            for one in fields(first):
                if getattr(first, one.name) != getattr(second, one.name):
                    self._note(place, Fault.DIFFERENT, one.name)
        else:
            self._note(place, Fault.DIFFERENT, place.name or place.number)

    def difference(self) -> Difference | None:
        """Returns how the two stores differ in this; None where they do not."""
        if not self._differences:
            return None
        kind = self.place.section.name.lower()
        for found, fault in zip(
            self.found, (Fault.MISSING_IN_FIRST, Fault.MISSING_IN_SECOND), strict=True
        ):
            if found is None:
                return Difference(kind, self.place.id, fault)
        records = [
            RecordDifference(
                kind if record is _Kind.HEADER else record.name.lower(), fault, numbers
            )
            for (record, fault), numbers in sorted(self._differences.items())
        ]
        return Difference(kind, self.place.id, Fault.DIFFERENT, tuple(records))

    def _note(self, place: _Place, fault: Fault, which: int | str) -> None:
        self._differences.setdefault((place.kind, fault), Numbers()).add(which)


async def _exported(backend: Backend) -> AsyncGenerator[Record, None]:
    records = backend.export(EVERYTHING)
    if isinstance(records, AsyncGenerator):
        async with aclosing(records):
            async for record in records:
                yield record
    else:
        async for record in records:
            yield record


def _place_of(record: Record, section: _Section) -> _Place:
    """Returns where a record stands; `section` tells whose idempotency keys are being read."""
    match record:
        case User():
            return _Place(_Section.USER, record.id)
        case Agent():
            return _Place(_Section.AGENT, record.id)
        case Profile():
            return _Place(_Section.PROFILE, record.id)
        case Session():
            return _Place(_Section.SESSION, record.id)
        case Message():
            return _Place(_Section.SESSION, record.session_id, _Kind.MESSAGE, record.sequence)
        case Event():
            return _Place(_Section.SESSION, record.session_id, _Kind.EVENT, record.revision)
        case IdempotencyRecord():
            name = record.idempotency.key
            return _Place(section, record.session_id, _Kind.IDEMPOTENCY, name=name)
        case Deletion():
            return _Place(_Section.DELETION, record.session_id)
        case Damage():
            return _Place(_Section.DAMAGE, record.digest)

"""Comparing two stores finds each difference, says exactly what it is, and finds nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.backends.conformance.samples import (
    FIRST,
    SECOND,
    THIRD,
    changed,
    created,
    done,
    number_id,
    numbered,
    records_of,
    stream,
)
from app.backends.memory.backend import MemoryBackend
from app.backends.memory.store import MemoryStore
from app.backends.protocol import Backend, Scope
from app.formats.archive_records import encode_record
from app.model.changes import DeleteMessage, DeleteSession, RenameSession
from app.model.errors import InvalidInput
from app.model.events import Event
from app.model.identifiers import Sequence, SessionId
from app.model.message import Message
from app.model.records import Damage, Deletion, IdempotencyRecord, Record
from app.model.session import Session, User
from app.resolvers.comparing import (
    Comparison,
    Difference,
    Fault,
    Numbers,
    SessionDigests,
    compare_stores,
)
from tests.stores import fill


class Records(MemoryBackend):
    """A store that exports what it is given, sound or not."""

    def __init__(self, records: Iterable[Record]) -> None:
        super().__init__(MemoryStore())
        self._given = list(records)

    async def export(
        self, scope: Scope, *, after: SessionId | None = None
    ) -> AsyncIterator[Record]:
        for record in self._given:
            yield record


class Comparing:
    """A comparison with all that it told."""

    def __init__(self) -> None:
        self.differences: list[Difference] = []
        self.sessions: list[SessionDigests] = []
        self.records: list[Record] = []

    async def of(self, first: Backend, second: Backend) -> Comparison:
        return await compare_stores(
            first,
            second,
            on_difference=self.differences.append,
            on_session=self.sessions.append,
            on_record=self.records.append,
        )


@pytest.fixture
async def records() -> list[Record]:
    """The records of a well filled store."""
    backend = MemoryBackend(MemoryStore())
    await fill(backend)
    return await records_of(backend)


def words(difference: Difference) -> list[tuple[str, Fault, list[str]]]:
    """Returns what a difference says of its records."""
    return [(one.kind, one.fault, one.numbers.listed) for one in difference.records]


async def test_the_same_content_has_the_same_digests(records: list[Record]) -> None:
    comparing = Comparing()
    comparison = await comparing.of(Records(records), Records(records))
    assert comparison.identical
    assert comparing.differences == []
    assert comparison.first == comparison.second
    whole = hashlib.sha256(b"".join(map(encode_record, records))).hexdigest()
    assert comparison.first.digest == whole
    counted = (comparison.first.sessions, comparison.first.messages, comparison.first.records)
    assert counted == (6, 1417, len(records))
    assert comparing.records == records


async def test_a_session_has_the_digest_of_its_lines(records: list[Record]) -> None:
    comparing = Comparing()
    await comparing.of(Records(records), Records(records))
    gone = {one.session_id for one in records if isinstance(one, Deletion)}
    lines: dict[str, bytes] = {}
    for record in records:
        match record:
            case Session():
                lines[record.id] = encode_record(record)
            case Message() | Event() | IdempotencyRecord() if record.session_id not in gone:
                lines[record.session_id] += encode_record(record)
    digests = {one: hashlib.sha256(line).hexdigest() for one, line in lines.items()}
    assert [(one.session_id, one.first) for one in comparing.sessions] == list(digests.items())
    assert all(one.first == one.second for one in comparing.sessions)


async def test_stores_of_two_kinds_with_one_history_are_the_same() -> None:
    first, second = MemoryBackend(MemoryStore()), MemoryBackend(MemoryStore())
    for backend in (first, second):
        await fill(backend)
    assert (await Comparing().of(first, second)).identical


async def test_a_session_that_one_lacks_is_said_to_be_missing_there() -> None:
    first, second = MemoryBackend(MemoryStore()), MemoryBackend(MemoryStore())
    for backend in (first, second):
        await done(backend, created(SECOND, messages=numbered(3)))
    await done(first, created(FIRST))
    await done(second, created(THIRD))
    comparing = Comparing()
    comparison = await comparing.of(first, second)
    assert comparing.differences == [
        Difference("session", FIRST, Fault.MISSING_IN_SECOND),
        Difference("session", THIRD, Fault.MISSING_IN_FIRST),
    ]
    assert comparison.differences == 2
    assert [(one.first is None, one.second is None) for one in comparing.sessions] == [
        (False, True),
        (False, False),
        (True, False),
    ]


async def test_what_differs_within_a_session_is_named_by_kind_and_number() -> None:
    first, second = MemoryBackend(MemoryStore()), MemoryBackend(MemoryStore())
    for backend in (first, second):
        await done(backend, created(messages=numbered(9)))
    gone = (DeleteMessage(Sequence(number)) for number in (2, 3, 4, 8))
    await done(second, changed(*gone, at=5))
    comparing = Comparing()
    await comparing.of(first, second)
    (difference,) = comparing.differences
    assert (difference.kind, difference.id, difference.fault) == ("session", FIRST, Fault.DIFFERENT)
    assert words(difference) == [
        ("session", Fault.DIFFERENT, ["updated_at", "message_count", "revision"]),
        ("message", Fault.MISSING_IN_SECOND, ["2-4", "8"]),
        ("event", Fault.MISSING_IN_FIRST, ["11-14"]),
    ]
    assert [one.numbers.count for one in difference.records] == [3, 4, 4]


async def test_a_deletion_is_named_beside_the_session_that_lives_elsewhere() -> None:
    first, second = MemoryBackend(MemoryStore()), MemoryBackend(MemoryStore())
    for backend in (first, second):
        await done(backend, created())
    await done(second, changed(DeleteSession()))
    comparing = Comparing()
    await comparing.of(first, second)
    assert comparing.differences == [
        Difference("session", FIRST, Fault.MISSING_IN_SECOND),
        Difference("deletion", FIRST, Fault.MISSING_IN_FIRST),
    ]


@pytest.mark.parametrize(
    "kind", [User, Session, Message, Event, IdempotencyRecord, Deletion, Damage]
)
async def test_a_record_of_any_kind_that_is_lost_is_found(
    records: list[Record], kind: type[Record]
) -> None:
    for lost in [one for one in records if isinstance(one, kind)][::50]:
        gone = lost.session_id if isinstance(lost, Deletion) else None
        rest = [
            one
            for one in records
            if one is not lost and (gone is None or getattr(one, "session_id", None) != gone)
        ]
        for first, second, fault in (
            (records, rest, Fault.MISSING_IN_SECOND),
            (rest, records, Fault.MISSING_IN_FIRST),
        ):
            comparing = Comparing()
            comparison = await comparing.of(Records(first), Records(second))
            assert not comparison.identical
            (difference,) = comparing.differences
            faults = {one.fault for one in difference.records} or {difference.fault}
            assert faults == {fault}


async def test_a_byte_that_is_not_the_same_is_found(records: list[Record]) -> None:
    place = next(at for at, one in enumerate(records) if isinstance(one, Message))
    message = records[place]
    assert isinstance(message, Message)
    other = [*records]
    other[place] = replace(message, metadata={"changed": True})
    comparing = Comparing()
    comparison = await comparing.of(Records(records), Records(other))
    (difference,) = comparing.differences
    assert words(difference) == [("message", Fault.DIFFERENT, ["1"])]
    assert comparison.first.digest != comparison.second.digest


async def test_a_title_is_a_field_of_the_session() -> None:
    first, second = MemoryBackend(MemoryStore()), MemoryBackend(MemoryStore())
    for backend, title in ((first, "here"), (second, "there")):
        await done(backend, created())
        await done(backend, changed(RenameSession(title), at=5))
    comparing = Comparing()
    await comparing.of(first, second)
    (difference,) = comparing.differences
    assert words(difference) == [
        ("session", Fault.DIFFERENT, ["title"]),
        ("event", Fault.DIFFERENT, ["2"]),
    ]


async def test_records_out_of_order_are_an_error_and_no_difference(records: list[Record]) -> None:
    sessions = [one for one in records if isinstance(one, Session)]
    with pytest.raises(InvalidInput, match="second store does not give its records in order"):
        await Comparing().of(Records(records), Records(reversed(sessions)))


async def test_empty_stores_are_the_same() -> None:
    comparison = await Comparing().of(Records([]), Records([]))
    assert comparison.identical
    assert comparison.first.digest == hashlib.sha256(b"").hexdigest()


@given(st.sets(st.integers(1, 60)))
def test_numbers_are_listed_as_ranges_that_hold_each_once(numbers: set[int]) -> None:
    listed = Numbers()
    for number in sorted(numbers):
        listed.add(number)
    bounds = [[int(end) for end in one.split("-")] for one in listed.listed]
    held = [number for low, *high in bounds for number in range(low, (high or [low])[0] + 1)]
    assert listed.count == len(numbers)
    assert held == sorted(numbers)[: len(held)]
    assert len(listed.listed) <= 20
    assert held == sorted(numbers) or len(listed.listed) == 20


async def test_the_comparison_takes_what_is_written_as_it_comes() -> None:
    first, second = MemoryBackend(MemoryStore()), MemoryBackend(MemoryStore())
    for number in range(5):
        await first.load(stream([User(f"user-{number}")]))  # type: ignore[arg-type]
        await done(first, created(number_id(number)))
    comparing = Comparing()
    await comparing.of(first, second)
    assert [one.kind for one in comparing.differences] == ["user"] * 6 + ["session"] * 5

"""An archive gives back exactly what went in, and a damaged one loses no more than is damaged."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.formats.archive import encode_archive, read_archive
from app.formats.archive_records import decode_record, encode_record
from app.formats.atomic_file import write_atomically
from app.formats.lines import SourceUnreadable, Unreadable
from app.model.changes import Idempotency
from app.model.events import Event, EventKind
from app.model.identifiers import (
    AgentId,
    Epoch,
    MessageId,
    ProfileId,
    Revision,
    Sequence,
    SessionId,
    UserId,
)
from app.model.message import Message, MessageRole, MessageStatus, Sender
from app.model.parts import (
    AudioPart,
    FilePart,
    ImagePart,
    OtherPart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from app.model.records import Damage, Deletion, IdempotencyRecord, Record
from app.model.session import Agent, Profile, Session, SessionKind, User
from app.model.timestamps import Timestamp

AT = Timestamp("2026-03-01T09:00:00.000000Z")
FIRST = SessionId("1" * 32)
SECOND = SessionId("2" * 32)
THIRD = SessionId("3" * 32)


def session(session_id: SessionId) -> Session:
    return Session(
        id=session_id,
        key=f"web:{session_id[0]}",
        owner_id=UserId("local"),
        agent_id=AgentId("atlas"),
        peer_agent_id=None,
        profile_id=ProfileId("everyday"),
        title="日本語 \u2028",
        kind=SessionKind.DIRECT,
        channel="web",
        forked_from=MessageId(SECOND, Sequence(3)),
        metadata={"b": {"a": [1, 2.5, None, True]}, "a": "x"},
        pinned_at=AT,
        starred_at=None,
        archived_at=None,
        created_at=AT,
        updated_at=AT,
        last_message_at=AT,
        last_activity_at=AT,
        message_count=1,
        archived_message_count=0,
        preview="Hello",
        last_sequence=Sequence(1),
        epoch=Epoch("e"),
        revision=Revision(2),
    )


def message(session_id: SessionId) -> Message:
    return Message(
        session_id=session_id,
        sequence=Sequence(1),
        role=MessageRole.ASSISTANT,
        status=MessageStatus.COMPLETE,
        parts=(
            TextPart("Hello"),
            ReasoningPart("hm", "sig"),
            ImagePart("https://example.com/a.png", alt="a"),
            AudioPart("https://example.com/a.mp3", transcript="a"),
            FilePart("https://example.com/a", size=5),
            ToolCallPart("c", "f", '{"a": '),
            ToolResultPart("c", "", is_error=True),
            OtherPart("refusal", {"refusal": "no"}),
        ),
        preview="Hello",
        sender=Sender("Ada", UserId("ada")),
        model="m",
        usage={"total": 1},
        metadata={},
        created_at=AT,
        edited_at=AT,
        archived_at=None,
    )


def events(session_id: SessionId) -> list[Record]:
    created = Event(session_id, Revision(1), EventKind.SESSION_CREATED, AT, None, {}, None)
    added = Event(session_id, Revision(2), EventKind.MESSAGE_ADDED, AT, Sequence(1), {"a": 1}, None)
    return [created, added]


def group(session_id: SessionId) -> list[Record]:
    replayed = IdempotencyRecord(session_id, Idempotency("k", "d"), Revision(2), range(1, 2), 0, AT)
    return [session(session_id), message(session_id), *events(session_id), replayed]


RECORDS: list[Record] = [
    User(UserId("local"), "Ada"),
    Agent(AgentId("atlas")),
    Profile(ProfileId("everyday"), "Everyday"),
    *group(FIRST),
    *group(SECOND),
    Deletion(THIRD, None, Epoch("e"), Revision(9), AT),
    IdempotencyRecord(THIRD, Idempotency("k", "d"), Revision(2), range(1, 1), 0, AT),
    Damage("a.jsonl", 3, "torn", b"\x00\xff{"),
]


async def stream(records: list[Record]) -> AsyncIterator[Record]:
    for record in records:
        yield record


async def save(path: Path, records: list[Record]) -> list[bytes]:
    await write_atomically(path, encode_archive(stream(records), on_record=lambda _: None))
    return path.read_bytes().splitlines(keepends=True)


async def load(path: Path) -> tuple[list[Record], list[Damage]]:
    damages: list[Damage] = []
    return [record async for record in read_archive(path, on_damage=damages.append)], damages


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_was_and_always_in_the_same_bytes(record: Record) -> None:
    line = encode_record(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_record(line) == record
    assert encode_record(decode_record(line)) == line


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_with_a_field_too_many_too_few_or_of_a_wrong_type_is_refused(
    record: Record,
) -> None:
    fields = json.loads(encode_record(record))
    for name in fields.keys() - {"type"}:
        without = {key: value for key, value in fields.items() if key != name}
        with pytest.raises(Unreadable, match=name):
            decode_record(json.dumps(without).encode())
        with pytest.raises(Unreadable, match=name):
            decode_record(json.dumps({**fields, name: [[]]}).encode())
    with pytest.raises(Unreadable, match="surplus"):
        decode_record(json.dumps({**fields, "surplus": 1}).encode())


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"created_at": "2026-03-01T09:00:00Z"}, "created_at is not in the form 2026-"),
        ({"role": "bard"}, "role is 'bard'; it can be system, developer, user"),
        ({"sequence": -1}, "sequence is not a whole number of at least 0"),
        ({"sequence": True}, "sequence is not a whole number of at least 0"),
        ({"session_id": "1"}, "session_id is not 32 hexadecimal digits"),
        ({"parts": [{"type": "text", "text": None}]}, "text of a text part is of the wrong type"),
        ({"parts": [{"text": "x"}]}, "one of the parts is no object with a type"),
        ({"preview": "\u0000"}, "preview: Text can't hold the character U"),
    ],
)
def test_values_that_no_store_would_have_written_are_refused(
    changed: dict[str, object], reason: str
) -> None:
    fields = json.loads(encode_record(message(FIRST)))
    with pytest.raises(Unreadable, match=reason):
        decode_record(json.dumps({**fields, **changed}).encode())


def test_a_part_without_what_its_kind_needs_is_kept_whole() -> None:
    fields = json.loads(encode_record(message(FIRST)))
    decoded = decode_record(json.dumps({**fields, "parts": [{"type": "text"}]}).encode())
    assert isinstance(decoded, Message)
    assert decoded.parts == (OtherPart("text", {}),)


async def test_an_archive_comes_back_as_it_was_and_always_in_the_same_bytes(
    tmp_path: Path,
) -> None:
    lines = await save(tmp_path / "a", RECORDS)
    assert lines[0] == b'{"type":"scrollback","version":1}\n'
    assert lines[-1] == b'{"type":"end","records":%d}\n' % len(RECORDS)
    records, damages = await load(tmp_path / "a")
    assert records == RECORDS
    assert damages == []
    assert await save(tmp_path / "b", records) == lines


@pytest.mark.parametrize("lost", ["torn", "gone"])
@pytest.mark.parametrize("place", range(3), ids=["message", "event", "last event"])
async def test_a_session_that_is_not_whole_is_kept_as_damage_and_the_others_come_in(
    tmp_path: Path, lost: str, place: int
) -> None:
    path = tmp_path / "a"
    lines = await save(path, RECORDS)
    line = 5 + place
    lines[line : line + 1] = [] if lost == "gone" else [lines[line][:-9] + b"\n"]
    path.write_bytes(b"".join(lines))
    records, damages = await load(path)
    assert [record for record in records if not isinstance(record, Damage)] == [
        record
        for record in RECORDS
        if not isinstance(record, Damage)
        and FIRST not in (getattr(record, "id", ""), getattr(record, "session_id", ""))
    ]
    mine = lines[4:9] if lost == "torn" else lines[4:8]
    assert [damage.content + b"\n" for damage in damages if damage.content] == mine


async def test_records_behind_a_damaged_header_of_their_session_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "a"
    lines = await save(path, RECORDS)
    lines[9] = b"{\n"
    path.write_bytes(b"".join(lines))
    records, damages = await load(path)
    assert [record.id for record in records if isinstance(record, Session)] == [FIRST]
    assert [damage.line for damage in damages] == [10, 11, 12, 13, 14]
    assert damages[1].reason == f"its session {SECOND} does not stand before it"


async def test_an_archive_that_was_cut_off_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a"
    lines = await save(path, RECORDS)
    path.write_bytes(b"".join(lines[:9]))
    records, damages = await load(path)
    assert [record.id for record in records if isinstance(record, Session)] == [FIRST]
    assert [damage.reason for damage in damages] == [
        "the archive is cut off: its last line is missing"
    ]


async def test_a_line_that_was_taken_out_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a"
    lines = await save(path, RECORDS)
    del lines[1]
    path.write_bytes(b"".join(lines))
    _, damages = await load(path)
    assert [damage.reason for damage in damages] == [
        f"the archive was of {len(RECORDS)} records and has {len(RECORDS) - 1}"
    ]


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (b'{"messages": []}', "is no archive of Scrollback"),
        (b"\x89PNG", "is no archive of Scrollback"),
        (b'{"type":"scrollback","version":2}', "of version 2, this program reads 1: upgrade"),
    ],
)
async def test_what_is_no_archive_is_refused(tmp_path: Path, first: bytes, reason: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(first + b"\n")
    with pytest.raises(SourceUnreadable, match=reason):
        await load(path)


async def test_a_file_that_fails_half_way_leaves_the_old_one_and_nothing_else(
    tmp_path: Path,
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("the store has gone")

    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="the store has gone"):
        await write_atomically(path, chunks())
    assert os.listdir(tmp_path) == ["a"]
    assert path.read_bytes() == b"old"

"""Session files of nanobot, whole and as disks leave them: no healthy record is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.formats.lines import SourceUnreadable
from app.formats.nanobot import read_nanobot
from app.formats.times import local_zone
from app.model.parts import ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from tests.formats.reading import Read, read_all

BERLIN = ZoneInfo("Europe/Berlin")


def header(key: str | None = "telegram:7", **fields: Any) -> dict[str, Any]:
    return {"_type": "metadata", "key": key, "created_at": "2026-07-01T10:00:00", **fields}


def said(text: str, **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, "timestamp": "2026-07-01T10:00:05", **fields}


def encode(record: object) -> bytes:
    return record if isinstance(record, bytes) else json.dumps(record).encode()


def write(folder: Path, name: str, *records: object, end: bytes = b"\n") -> None:
    (folder / name).write_bytes(b"\n".join([encode(record) for record in records]) + end)


async def read(folder: Path) -> Read:
    return await read_all(read_nanobot(folder, zone=BERLIN))


def texts(told: Read) -> list[list[str]]:
    return [
        [
            part.text
            for message in one.messages
            for part in message.parts
            if isinstance(part, TextPart)
        ]
        for one in told.conversations
    ]


async def test_a_whole_file_is_a_conversation(tmp_path: Path) -> None:
    write(
        tmp_path,
        "telegram_7.jsonl",
        header(
            metadata={"title": "Shopping", "mood": "good"},
            updated_at="2026-07-01T10:09:00",
            last_consolidated=2,
            last_archived=1,
        ),
        said("Milk?", media=["media/a.png"]),
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "Look it up.",
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "list", "arguments": "{}"}}
            ],
            "thinking_blocks": [{"thinking": "hm"}],
            "_command": True,
        },
        {"role": "tool", "tool_call_id": "c", "name": "list", "content": "eggs"},
    )
    told = await read(tmp_path)
    (conversation,) = told.conversations
    assert told.damages == []
    assert (conversation.key, conversation.channel) == ("telegram:7", "telegram")
    assert conversation.title == "Shopping"
    assert conversation.created_at == "2026-07-01T08:00:00.000000Z"
    assert conversation.metadata == {
        "mood": "good",
        "updated_at": "2026-07-01T10:09:00",
        "last_consolidated": 2,
        "last_archived": 1,
    }
    asked, looked, found = conversation.messages
    assert asked.created_at == "2026-07-01T08:00:05.000000Z"
    assert asked.metadata == {"media": ["media/a.png"]}
    assert looked.parts == (ReasoningPart("Look it up."), ToolCallPart("c", "list", "{}"))
    assert looked.metadata == {"thinking_blocks": [{"thinking": "hm"}], "_command": True}
    assert found.parts == (ToolResultPart("c", "eggs", "list"),)


async def test_the_key_in_the_metadata_line_is_the_one_to_trust(tmp_path: Path) -> None:
    write(tmp_path, "a_b.jsonl", header("a_b"), said("x"))
    write(tmp_path, "c_d.jsonl", header("c:d:e"), said("x"))
    told = await read(tmp_path)
    assert [(one.key, one.channel) for one in told.conversations] == [
        ("a_b", None),
        ("c:d:e", "c"),
    ]


async def test_a_torn_last_record_is_damage_and_what_is_before_it_comes_in(tmp_path: Path) -> None:
    torn = encode(said("never finished"))[:-20]
    write(tmp_path, "t_1.jsonl", header("t:1"), said("a"), torn, end=b"")
    told = await read(tmp_path)
    assert texts(told) == [["a"]]
    ((source, line, reason),) = told.faults
    assert (source, line) == ("t_1.jsonl", 3)
    assert reason.startswith("the line is not JSON: Unterminated string")
    assert told.damages[0].content == torn


async def test_a_hole_inside_a_record_costs_that_record(tmp_path: Path) -> None:
    whole = encode(said("with a hole"))
    hole = whole[:25] + b"\x00" * 7 + whole[32:]
    write(tmp_path, "t_1.jsonl", header("t:1"), said("a"), hole, said("b"))
    told = await read(tmp_path)
    assert texts(told) == [["a", "b"]]
    assert told.faults == [("t_1.jsonl", 3, "the line holds NUL bytes")]
    assert told.damages[0].content == hole


async def test_a_hole_between_records_costs_none(tmp_path: Path) -> None:
    joined = encode(said("b")) + b"\x00" * 4096 + encode(said("c"))
    write(tmp_path, "t_1.jsonl", header("t:1"), said("a"), joined, said("d"))
    told = await read(tmp_path)
    assert texts(told) == [["a", "b", "c", "d"]]
    assert told.faults == [
        ("t_1.jsonl", 3, "the line holds NUL bytes; 2 whole records in it are kept")
    ]
    assert told.damages[0].content == joined


async def test_a_hole_over_the_border_of_two_records_leaves_the_third(tmp_path: Path) -> None:
    border = encode(said("torn"))[:20] + b"\x00" * 90 + b'rest"}\n' + encode(said("b"))
    write(tmp_path, "t_1.jsonl", header("t:1"), border, said("c"))
    told = await read(tmp_path)
    assert texts(told) == [["b", "c"]]
    assert [line for _, line, _ in told.faults] == [2]


async def test_a_record_behind_a_torn_one_on_its_line_comes_in(tmp_path: Path) -> None:
    torn = encode(said("to"))[:30]
    write(tmp_path, "t_1.jsonl", header("t:1"), torn + encode(said('"b" {"role": "x"}')))
    told = await read(tmp_path)
    assert texts(told) == [['"b" {"role": "x"}']]
    assert told.damages[0].reason.endswith("; 1 whole records in it are kept")


async def test_a_lost_metadata_line_leaves_the_name_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, "cli_my_chat.jsonl", said("a"))
    told = await read(tmp_path)
    (conversation,) = told.conversations
    assert (conversation.key, conversation.channel) == ("cli:my_chat", "cli")
    assert conversation.created_at == "2026-07-01T08:00:05.000000Z"
    assert told.faults == [
        (
            "cli_my_chat.jsonl",
            1,
            "there is no metadata line: the key cli:my_chat is read from the file's name",
        )
    ]


async def test_a_torn_metadata_line_is_one_damage_and_a_notice(tmp_path: Path) -> None:
    write(tmp_path, "cli_1.jsonl", encode(header("cli:1"))[:-9], said("a"))
    told = await read(tmp_path)
    assert [(one.key, len(one.messages)) for one in told.conversations] == [("cli:1", 1)]
    assert [line for _, line, _ in told.faults] == [1]
    assert [notice.line for notice in told.notices] == [1]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b'{"role": "user", "content": "\xff"}', "the line is not UTF-8 at byte 30"),
        (b'["role", "user"]', "the line is a list, not a JSON object"),
        (b'"user"', "the line is a text, not a JSON object"),
        (b"12", "the line is a number, not a JSON object"),
        (b"null", "the line is null, not a JSON object"),
        ({"role": "narrator", "content": "x"}, "the role 'narrator' is unknown"),
        ({"content": "x"}, "it has no role"),
        ({"_type": "summary", "text": "x"}, "a record of the type 'summary' is unknown"),
        (
            b'{"role": "user", "content": "\\u0000"}',
            "content: Text can't hold the character U+0000.",
        ),
        (
            b'{"role": "user", "content": "\\udc00"}',
            "content: Text can't hold half of a surrogate pair.",
        ),
        (
            b'{"role": "user", "score": -Infinity}',
            "score: A number has to be finite: NaN and infinity are no JSON.",
        ),
    ],
)
async def test_a_record_that_is_no_message_is_damage_and_its_neighbours_are_not(
    tmp_path: Path, record: object, reason: str
) -> None:
    write(tmp_path, "t_1.jsonl", header("t:1"), said("a"), record, said("b"))
    told = await read(tmp_path)
    assert texts(told) == [["a", "b"]]
    assert told.faults == [("t_1.jsonl", 3, reason)]
    assert told.damages[0].content == encode(record)


async def test_an_empty_file_is_told_and_is_no_conversation(tmp_path: Path) -> None:
    (tmp_path / "t_1.jsonl").touch()
    told = await read(tmp_path)
    assert told.conversations == []
    assert told.faults == [("t_1.jsonl", 1, "the file is empty")]


async def test_a_session_without_messages_is_a_conversation(tmp_path: Path) -> None:
    write(tmp_path, "t_1.jsonl", header("t:1"))
    told = await read(tmp_path)
    assert [(one.key, one.messages) for one in told.conversations] == [("t:1", ())]
    assert told.damages == []


async def test_a_metadata_line_that_comes_late_still_counts(tmp_path: Path) -> None:
    write(tmp_path, "x.jsonl", said("a"), header("t:1"), said("b"))
    told = await read(tmp_path)
    assert [one.key for one in told.conversations] == ["t:1"]
    assert texts(told) == [["a", "b"]]
    assert told.damages == []
    assert [(one.line, one.reason) for one in told.notices] == [
        (2, "the metadata line is not the first of the file")
    ]


async def test_a_later_metadata_line_replaces_an_earlier_of_the_same_key(tmp_path: Path) -> None:
    write(
        tmp_path,
        "t_1.jsonl",
        header("t:1", metadata={"title": "Old"}),
        said("a"),
        header("t:1", metadata={"title": "New"}),
    )
    told = await read(tmp_path)
    assert [one.title for one in told.conversations] == ["New"]
    assert told.damages == []
    assert [one.line for one in told.notices] == [3]


async def test_a_second_metadata_line_of_another_key_is_damage(tmp_path: Path) -> None:
    other = header("t:2", metadata={"title": "Other"})
    write(tmp_path, "t_1.jsonl", header("t:1"), said("a"), other, said("b"))
    told = await read(tmp_path)
    assert [(one.key, one.title) for one in told.conversations] == [("t:1", None)]
    assert texts(told) == [["a", "b"]]
    assert told.faults == [
        ("t_1.jsonl", 3, "a second metadata line names another key, t:2, than line 1")
    ]


async def test_two_files_of_one_key_are_two_conversations_of_it(tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl", header("t:1"), said("a"))
    write(tmp_path, "b.jsonl", header("t:1"), said("b"))
    told = await read(tmp_path)
    assert [(one.source, one.key) for one in told.conversations] == [
        ("a.jsonl", "t:1"),
        ("b.jsonl", "t:1"),
    ]


async def test_summer_and_winter_times_are_told_apart(tmp_path: Path) -> None:
    write(
        tmp_path,
        "t_1.jsonl",
        header("t:1"),
        said("summer", timestamp="2026-07-01T12:00:00"),
        said("winter", timestamp="2026-01-01T12:00:00"),
    )
    told = await read(tmp_path)
    assert [message.created_at for message in told.conversations[0].messages] == [
        "2026-07-01T10:00:00.000000Z",
        "2026-01-01T11:00:00.000000Z",
    ]


def test_this_machine_has_a_zone_with_the_rules_that_its_variable_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    zone = local_zone()
    assert datetime(2026, 7, 1, tzinfo=zone).utcoffset() != (
        datetime(2026, 1, 1, tzinfo=zone).utcoffset()
    )
    monkeypatch.setenv("TZ", "Nowhere/At-All")
    assert datetime(2026, 7, 1, tzinfo=UTC).astimezone(local_zone()).utcoffset() is not None


async def test_a_folder_without_session_files_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    with pytest.raises(
        SourceUnreadable, match=r"holds no session file \(\*\.jsonl\); try .*sessions"
    ):
        await read(tmp_path)


async def test_progress_counts_the_bytes_of_all_files(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path, f"{name}.jsonl", header(name), said("x" * 1000))
    told: list[tuple[int, int]] = []
    await read_all(read_nanobot(tmp_path, progress=lambda read, total: told.append((read, total))))
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert {total for _, total in told} == {size}
    assert told[-1] == (size, size)

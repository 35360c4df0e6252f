"""A file of chats: keys and times that stay, healthy conversations in, damage told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.formats.lines import SourceUnreadable
from app.formats.openai import read_openai
from app.model.identifiers import AgentId, ProfileId
from app.model.session import Agent, Profile, SessionKind
from tests.formats.reading import Read, read_all

HELLO = {"role": "user", "content": "Hello"}
BYE = {"role": "user", "content": "Bye"}


def write(folder: Path, *lines: object, name: str = "chats.jsonl") -> Path:
    path = folder / name
    path.write_bytes(
        b"\n".join([one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines])
    )
    return path


async def read(folder: Path, *lines: object, **options: Any) -> Read:
    return await read_all(read_openai(write(folder, *lines), **options))


async def test_what_an_object_says_of_its_conversation_is_taken(tmp_path: Path) -> None:
    told = await read(
        tmp_path,
        {
            "key": "web:1",
            "title": "Greeting",
            "channel": "web",
            "kind": "group",
            "agent": {"id": "atlas", "name": "Atlas"},
            "profile": "everyday",
            "created_at": "2026-03-01T09:00:00Z",
            "metadata": {"a": 1},
            "score": 0.5,
            "messages": [HELLO],
        },
    )
    (conversation,) = told.conversations
    assert (conversation.key, conversation.title) == ("web:1", "Greeting")
    assert (conversation.channel, conversation.kind) == ("web", SessionKind.GROUP)
    assert conversation.agent == Agent(AgentId("atlas"), "Atlas")
    assert conversation.profile == Profile(ProfileId("everyday"))
    assert conversation.created_at == "2026-03-01T09:00:00.000000Z"
    assert conversation.metadata == {"a": 1, "score": 0.5}
    assert (conversation.source, conversation.line) == ("chats.jsonl", 1)


async def test_what_does_not_fit_its_field_stays_in_the_metadata(tmp_path: Path) -> None:
    odd = {"kind": "party", "agent": 5, "profile": {"id": ""}, "title": ["x"], "created": "soon"}
    told = await read(tmp_path, {**odd, "messages": [HELLO]})
    (conversation,) = told.conversations
    assert conversation.metadata == odd
    assert (conversation.kind, conversation.agent) == (SessionKind.DIRECT, None)


async def test_a_bare_list_of_messages_is_a_conversation(tmp_path: Path) -> None:
    told = await read(tmp_path, [HELLO, BYE], {"messages": [HELLO, BYE]})
    first, second = told.conversations
    assert first.messages == second.messages
    assert second.key == f"{first.key}-2"


@pytest.mark.parametrize("field", ["key", "session_id", "id"])
async def test_a_key_goes_by_several_names(tmp_path: Path, field: str) -> None:
    told = await read(tmp_path, {field: "k", "messages": []}, {field: 7, "messages": []})
    assert [one.key for one in told.conversations] == ["k", "7"]


async def test_a_key_that_is_not_given_is_the_same_wherever_the_conversation_stands(
    tmp_path: Path,
) -> None:
    before = await read(tmp_path, {"messages": [HELLO]}, {"messages": [BYE]})
    after = await read(
        tmp_path, {"messages": [BYE, HELLO]}, b"", {"messages": [BYE]}, {"messages": [HELLO]}
    )
    hello, bye = [one.key for one in before.conversations]
    assert [one.key for one in after.conversations][1:] == [bye, hello]
    assert len({one.key for one in after.conversations}) == 3


@settings(max_examples=25)
@given(st.lists(st.sampled_from("abc"), max_size=8), st.randoms())
async def test_sorting_a_file_anew_changes_no_set_of_keys(
    tmp_path_factory: pytest.TempPathFactory, said: list[str], random: Any
) -> None:
    folder = tmp_path_factory.mktemp("sorted")
    lines = [{"messages": [{"role": "user", "content": text}]} for text in said]
    before = await read(folder, *lines)
    random.shuffle(lines)
    after = await read(folder, *lines)
    assert sorted(one.key for one in before.conversations) == sorted(
        one.key for one in after.conversations
    )
    assert len({one.key for one in after.conversations}) == len(said)


async def test_a_conversation_without_times_begins_a_minute_later_a_line(tmp_path: Path) -> None:
    start = datetime(2026, 1, 31, 9, tzinfo=UTC)
    told = await read(tmp_path, [HELLO], b"", [BYE], start=start)
    assert [one.created_at for one in told.conversations] == [
        "2026-01-31T09:01:00.000000Z",
        "2026-01-31T09:03:00.000000Z",
    ]
    assert told.conversations[0].messages[0].created_at is None


async def test_a_conversation_begins_with_its_first_message_that_has_a_time(
    tmp_path: Path,
) -> None:
    told = await read(tmp_path, [HELLO, {**BYE, "timestamp": "2026-03-01T09:00:00Z"}])
    assert told.conversations[0].created_at == "2026-03-01T09:00:00.000000Z"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"messages": [', "the line is not JSON: Expecting value (character 15)"),
        (b'"hello"', "the line is no conversation: an object with a list `messages`"),
        (b"null", "the line is no conversation: an object with a list `messages`"),
        (b'{"messages": {}}', "the line is no conversation: an object with a list `messages`"),
        (b'{"messages": ["\xff"]}', "the line is not UTF-8 at byte 16"),
        (b"\x00\x00\x00\x00", "the line holds NUL bytes"),
        (b"[" * 5000, "the line is nested too deeply"),
        (
            b'{"messages": [], "n": 1' + b"0" * 5000 + b"}",
            "the line holds a number that is too long",
        ),
        (
            b'{"messages": [], "title": "\\u0000"}',
            "title: Text can't hold the character U+0000.",
        ),
        (
            b'{"messages": [{"role": "x"}]}',
            "none of its messages can be read: message 1: the role 'x' is unknown",
        ),
    ],
)
async def test_a_line_that_is_no_conversation_is_damage_and_its_neighbours_are_not(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    told = await read(tmp_path, [HELLO], line, [BYE])
    assert len(told.conversations) == 2
    assert told.faults == [("chats.jsonl", 2, reason)]
    assert told.damages[0].content == line


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b'{"role": "user", "content": "\\ud83d"}', "content: Text can't hold half of a"),
        (b'{"role": "user", "score": NaN}', "score: A number has to be finite"),
        (b'{"role": "user", "score": 1e999}', "score: A number has to be finite"),
        (b'{"role": "user", "id": 99999999999999999999}', "id: A whole number has to fit"),
        (b'{"role": "bard", "content": "x"}', "the role 'bard' is unknown"),
        (b"17", "it is not a JSON object"),
    ],
)
async def test_a_damaged_message_costs_itself_and_not_its_conversation(
    tmp_path: Path, message: bytes, reason: str
) -> None:
    hello, bye = json.dumps(HELLO).encode(), json.dumps(BYE).encode()
    told = await read(tmp_path, b'{"messages": [%b, %b, %b]}' % (hello, message, bye))
    (conversation,) = told.conversations
    assert [one.parts for one in conversation.messages] == [
        one.parts for one in (await read(tmp_path, [HELLO, BYE])).conversations[0].messages
    ]
    (damage,) = told.damages
    assert damage.reason.startswith(f"message 2: {reason}")
    assert json.loads(damage.content.replace(b"NaN", b"0")) is not None


async def test_a_byte_order_mark_and_the_line_ends_of_windows_do_no_harm(tmp_path: Path) -> None:
    hello = json.dumps([HELLO]).encode()
    told = await read(tmp_path, b"\xef\xbb\xbf" + hello + b"\r", hello + b"\r", b"\r")
    assert len(told.conversations) == 2
    assert told.damages == []


async def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    assert await read(tmp_path) == Read()


async def test_a_file_of_something_else_is_refused_before_anything_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path, *[b"GIF89a"] * 150)
    first = anext(read_openai(path))
    with pytest.raises(SourceUnreadable, match=r"holds no chats.*Nothing was imported"):
        await first


async def test_much_damage_among_chats_is_all_told(tmp_path: Path) -> None:
    told = await read(tmp_path, *[b"x"] * 99, [HELLO], *[b"y"] * 150)
    assert len(told.conversations) == 1
    assert [damage.line for damage in told.damages] == [*range(1, 100), *range(101, 251)]


async def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="can't be read: No such file"):
        await read_all(read_openai(tmp_path / "gone.jsonl"))


async def test_progress_is_told_in_bytes_up_to_the_whole_file(tmp_path: Path) -> None:
    path = write(tmp_path, *[[{"role": "user", "content": "x" * 200_000}]] * 20)
    told: list[tuple[int, int]] = []
    await read_all(read_openai(path, progress=lambda read, total: told.append((read, total))))
    size = path.stat().st_size
    assert {total for _, total in told} == {size}
    assert [read for read, _ in told] == sorted(read for read, _ in told)
    assert told[-1] == (size, size)
    assert len(told) > 3

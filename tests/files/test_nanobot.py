"""nanobot reads what is written here, and so does the importer of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.backends.conformance.samples import FIRST, attempt, changed, created, done, said
from app.backends.files.open import open_files
from app.model.changes import (
    AddMessages,
    ArchiveMessages,
    EditMessage,
    PinSession,
    RenameSession,
)
from app.model.identifiers import Sequence
from app.model.message import MessageRole, NewMessage
from app.model.parts import ImagePart, TextPart, ToolCallPart, ToolResultPart


def read_as_nanobot(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Reads a session's file: metadata lines, of which the last counts, and messages."""
    header: dict[str, Any] = {}
    messages: list[dict[str, Any]] = []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.strip():
                continue
            record = json.loads(line)
            if record.get("_type") == "metadata":
                header = record
            else:
                messages.append(record)
    return header, messages


async def files_of(root: Path) -> list[Path]:
    return sorted(root.glob("s/*/*.jsonl"))


async def test_nanobot_reads_a_conversation(tmp_path: Path) -> None:
    backend, _ = await open_files(tmp_path / "store")
    call = ToolCallPart("call_1", "search", '{"q": 1}')
    await done(
        backend,
        created(
            FIRST,
            key="cli:1002",
            owner_id=None,
            title="Draft",
            metadata={"source": "cli"},
            messages=[
                said("你好\r\n\u2028 there"),
                NewMessage(MessageRole.ASSISTANT, (TextPart("Let me see"), call)),
                NewMessage(MessageRole.TOOL, (ToolResultPart("call_1", "found", "search"),)),
                NewMessage(
                    MessageRole.USER, (TextPart("a"), ImagePart("https://example.org/a.png"))
                ),
            ],
        ),
    )
    await done(
        backend, changed(RenameSession("Flights"), PinSession(True), at=5, idempotency=attempt("k"))
    )
    await backend.close()
    [path] = await files_of(tmp_path / "store")
    assert path.name == "cli%3a1002.jsonl"
    header, messages = read_as_nanobot(path)
    assert header["key"] == "cli:1002"
    assert header["metadata"] == {"source": "cli", "title": "Flights"}
    assert (header["created_at"], header["updated_at"]) == (
        "2026-03-01T00:00:00.000000Z",
        "2026-03-01T00:00:05.000000Z",
    )
    assert header["last_consolidated"] == 0
    assert [(one["role"], one["content"]) for one in messages] == [
        ("user", "你好\r\n\u2028 there"),
        ("assistant", "Let me see"),
        ("tool", "found"),
        ("user", "a"),
    ]
    assert all(one["timestamp"] == "2026-03-01T00:00:00.000000Z" for one in messages)
    function = {"name": "search", "arguments": '{"q": 1}'}
    assert messages[1]["tool_calls"] == [{"id": "call_1", "type": "function", "function": function}]
    assert (messages[2]["tool_call_id"], messages[2]["name"]) == ("call_1", "search")
    assert ["parts" in message for message in messages] == [False, False, False, True]


async def test_the_active_file_holds_what_is_not_archived(tmp_path: Path) -> None:
    backend, _ = await open_files(tmp_path / "store")
    await done(backend, created(FIRST, messages=[said(f"m{at}") for at in range(1, 7)]))
    await done(backend, changed(ArchiveMessages(Sequence(4)), at=1))
    edit = EditMessage(Sequence(5), parts=(TextPart("edited"),), preview="edited")
    await done(backend, changed(edit, AddMessages((said("m7"),)), at=2))
    await backend.close()
    [active] = await files_of(tmp_path / "store")
    _, messages = read_as_nanobot(active)
    assert [one["content"] for one in messages] == ["m5", "m6", "m7"]
    [sealed] = (tmp_path / "store").glob("s/*/*.d/*.jsonl")
    assert [one["content"] for one in read_as_nanobot(sealed)[1]][:4] == ["m1", "m2", "m3", "m4"]


@pytest.mark.parametrize("title", ["Mine", None])
async def test_a_title_and_metadata_of_that_name_do_not_meet(
    tmp_path: Path, title: str | None
) -> None:
    backend, _ = await open_files(tmp_path / "store")
    metadata = {"title": "theirs"}
    first = await done(backend, created(FIRST, title=title, metadata=metadata))
    await backend.close()
    for path in (tmp_path / "store").glob("index.db*"):
        path.unlink()
    backend, _ = await open_files(tmp_path / "store")
    again = await done(backend, changed(PinSession(False)))
    assert again.session == first.session
    await backend.close()

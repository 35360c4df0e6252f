"""Importing, exporting and importing again, with the real command on a real store."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import DATA, PROGRAM, Scrollback, environment

CHATS = DATA / "chats.jsonl"


def test_chats_come_in_once(scrollback: Scrollback) -> None:
    first = scrollback("import", "openai", CHATS)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith(
        "3 sessions read: 3 new, 0 extended, 0 unchanged. 9 messages added. "
    )
    before = scrollback("export").stdout
    second = scrollback("import", "openai", CHATS)
    assert second.returncode == 0
    assert second.stdout.startswith(
        "3 sessions read: 0 new, 0 extended, 3 unchanged. 0 messages added. "
    )
    assert scrollback("export").stdout == before


def test_times_and_owner_can_be_given(scrollback: Scrollback) -> None:
    scrollback("import", "openai", CHATS, "--start-time", "2026-01-31T09:00", "--owner", "ada")
    exported = [json.loads(line) for line in scrollback("export").stdout.splitlines()]
    sessions = [record for record in exported if record["type"] == "session"]
    assert {session["owner_id"] for session in sessions} == {"ada"}
    assert sorted(session["created_at"] for session in sessions) == [
        "2026-01-31T09:01:00.000000Z",
        "2026-01-31T09:02:00.000000Z",
        "2026-04-02T10:00:00.000000Z",
    ]


def test_sessions_of_nanobot_come_in_once(scrollback: Scrollback) -> None:
    arguments = ("import", "nanobot", DATA / "nanobot", "--timezone", "Asia/Tokyo", "--json")
    first, second = scrollback(*arguments), scrollback(*arguments)
    assert (first.returncode, second.returncode) == (0, 0)
    report = json.loads(first.stdout)
    assert (report["sessions"], report["created"], report["messages"]) == (2, 2, 6)
    report = json.loads(second.stdout)
    assert (report["unchanged"], report["created"], report["messages"]) == (2, 0, 0)
    records = [json.loads(line) for line in scrollback("export").stdout.splitlines()]
    created = {one["key"]: one["created_at"] for one in records if one["type"] == "session"}
    assert created == {
        "cli:a_b": "2026-03-31T23:00:00.000000Z",
        "telegram:5": "2026-03-31T23:00:00.000000Z",
    }


def test_damage_is_told_with_file_and_line_and_kept_and_the_healthy_comes_in(
    scrollback: Scrollback,
) -> None:
    first = scrollback("import", "nanobot", DATA / "nanobot-damaged", "--json")
    assert first.returncode == 1
    report = json.loads(first.stdout)
    assert (report["created"], report["messages"], report["damages_kept"]) == (4, 6, 3)
    places = [(one["code"], one["source"], one["line"]) for one in report["problems"]]
    assert places == [
        ("DAMAGED", "cli_7.jsonl", 1),
        ("DAMAGED", "discord_3.jsonl", 3),
        ("DAMAGED", "telegram_9.jsonl", 3),
    ]
    assert [line.rsplit(": ", 2)[0].split(": ")[0] for line in first.stderr.splitlines()] == [
        "cli_7.jsonl:1",
        "discord_3.jsonl:3",
        "telegram_9.jsonl:3",
    ]
    again = json.loads(scrollback("import", "nanobot", DATA / "nanobot-damaged", "--json").stdout)
    assert (again["unchanged"], again["damages_kept"]) == (4, 0)
    doctor = json.loads(scrollback("doctor", "--json").stdout)
    assert "DAMAGE_KEPT" in [finding["code"] for finding in doctor["findings"]]


def test_text_of_a_source_does_not_steer_the_terminal(
    scrollback: Scrollback, tmp_path: Path
) -> None:
    (tmp_path / "odd\x1b[31m.jsonl").write_text('{"messages": [{"role": "\\u001b[2J"}]}')
    told = scrollback("import", "openai", "odd\x1b[31m.jsonl")
    assert told.returncode == 1
    assert "\x1b" not in told.stderr
    assert told.stderr.startswith("odd\\x1b[31m.jsonl:1: damaged: ")


def test_an_archive_gives_the_same_content_and_the_same_bytes(
    scrollback: Scrollback, tmp_path: Path
) -> None:
    scrollback("import", "openai", CHATS)
    scrollback("import", "nanobot", DATA / "nanobot-damaged")
    told = scrollback("export", "--output", "a.jsonl")
    assert told.returncode == 0
    assert told.stdout == ""
    assert told.stderr.startswith("7 sessions and 15 messages written. ")
    other = ("--store", "sqlite:///other.db")
    loaded = scrollback("import", "scrollback", "a.jsonl", *other)
    assert loaded.returncode == 0
    assert loaded.stdout.startswith("7 sessions and 15 messages added, 0 sessions replaced, ")
    scrollback("export", "--output", "b.jsonl", *other)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    again = json.loads(scrollback("import", "scrollback", "a.jsonl", *other, "--json").stdout)
    assert (again["sessions"], again["unchanged"], again["damaged"]) == (0, 7, 0)


def test_a_store_follows_an_archive_that_has_moved_on_only_when_told_to(
    scrollback: Scrollback, tmp_path: Path
) -> None:
    copy = ("--store", "sqlite:///copy.db", "--json")
    line = {"key": "k", "messages": [{"role": "user", "content": "a"}]}
    (tmp_path / "chats.jsonl").write_text(json.dumps(line))
    scrollback("import", "openai", "chats.jsonl")
    scrollback("export", "--output", "old.jsonl")
    scrollback("import", "scrollback", "old.jsonl", *copy)
    line["messages"] = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    (tmp_path / "chats.jsonl").write_text(json.dumps(line))
    scrollback("import", "openai", "chats.jsonl")
    scrollback("export", "--output", "new.jsonl")
    refused = scrollback("import", "scrollback", "new.jsonl", *copy)
    assert refused.returncode == 1
    assert len(json.loads(refused.stdout)["conflicts"]) == 1
    taken = scrollback("import", "scrollback", "new.jsonl", "--replace", *copy)
    assert taken.returncode == 0
    assert json.loads(taken.stdout)["replaced"] == 1
    assert scrollback("export", *copy[:2]).stdout == (tmp_path / "new.jsonl").read_text()
    older = scrollback("import", "scrollback", "old.jsonl", "--replace", *copy)
    assert older.returncode == 1
    assert json.loads(older.stdout)["replaced"] == 0


@pytest.mark.parametrize("reference", ["telegram:5", "id", "node id"])
def test_one_session_is_exported_by_key_or_id(scrollback: Scrollback, reference: str) -> None:
    from app.model.identifiers import derive_session_id
    from app.schema.global_id import encode_session_id

    scrollback("import", "nanobot", DATA / "nanobot")
    session_id = derive_session_id("import", "local", "telegram:5")
    names = {"id": session_id, "node id": encode_session_id(session_id)}
    told = scrollback("export", "--session", names.get(reference, reference))
    assert told.returncode == 0
    records = [json.loads(line) for line in told.stdout.splitlines()]
    assert [one["id"] for one in records if one["type"] == "session"] == [session_id]
    assert [one["type"] for one in records].count("message") == 2
    assert {one["session_id"] for one in records if "session_id" in one} == {session_id}


def test_a_session_that_is_not_there_is_an_error(scrollback: Scrollback) -> None:
    scrollback("migrate")
    told = scrollback("export", "--session", "nope", "--output", "a.jsonl")
    assert told.returncode == 1
    assert told.stderr == "Error: there is no session of the id or key nope\n"
    assert not Path("a.jsonl").exists()


def test_an_export_that_is_not_read_to_its_end_says_nothing(
    scrollback: Scrollback, tmp_path: Path
) -> None:
    shutil.copy(CHATS, tmp_path / "chats.jsonl")
    many = "".join(
        json.dumps({"key": str(n), "messages": [{"role": "user", "content": "x" * 5000}]}) + "\n"
        for n in range(200)
    )
    (tmp_path / "many.jsonl").write_text(many)
    scrollback("import", "openai", "many.jsonl")
    with subprocess.Popen(
        [PROGRAM, "export", "--quiet"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline() == '{"type":"scrollback","version":1}\n'
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == 1


def test_a_file_of_something_else_is_refused_and_leaves_no_trace(
    scrollback: Scrollback, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("Dear diary,\n" * 200)
    told = scrollback("import", "openai", "notes.txt")
    assert told.returncode == 2
    assert told.stderr.startswith("Error: notes.txt holds no chats")
    told = scrollback("import", "scrollback", "notes.txt")
    assert told.returncode == 2
    assert told.stderr.startswith("Error: notes.txt is no archive of Scrollback")
    records = [json.loads(line)["type"] for line in scrollback("export").stdout.splitlines()]
    assert records == ["scrollback", "end"]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Has programs heed Ctrl-C; what a shell starts in the background ignores it, and its own."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_an_import_with_whole_sessions_and_it_can_be_repeated(
    scrollback: Scrollback, tmp_path: Path, interruptible: None
) -> None:
    source = tmp_path / "chats.jsonl"
    os.mkfifo(source)
    with subprocess.Popen(
        [PROGRAM, "import", "openai", "chats.jsonl"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        # Opening the other end waits until the command reads, so it is at work by then.
        with source.open("w") as chats:
            for number in range(300):
                said = [{"role": "user", "content": "x" * 9000}] * 2
                chats.write(json.dumps({"key": str(number), "messages": said}) + "\n")
            chats.flush()
            running.send_signal(signal.SIGINT)
            # The chunk that is being read ends with the file.
        stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert stdout == ""
    assert stderr == "Interrupted. What was done so far is whole; run it again to go on.\n"
    assert scrollback("doctor").returncode == 0
    exported = scrollback("export").stdout
    sessions = [one for one in map(json.loads, exported.splitlines()) if one["type"] == "session"]
    assert {session["message_count"] for session in sessions} <= {2}

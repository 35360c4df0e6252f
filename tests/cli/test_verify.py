"""`scrollback verify`: says of two stores that they hold the same, or what it is that differs."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from app.backends.conformance.samples import number_id, said
from app.model.changes import AddMessages, DeleteMessage, DeleteSession, RenameSession
from app.model.identifiers import Sequence
from tests.cli.conftest import Scrollback
from tests.cli.moving import SOURCE, TARGET, change, make_sessions


@pytest.fixture(autouse=True)
def copied(scrollback: Scrollback, tmp_path: Path) -> Path:
    """A store of four sessions of five messages, and a copy of it, which is returned."""
    make_sessions(tmp_path / "source.db", 4, messages=5)
    assert scrollback("copy", SOURCE, TARGET, "--quiet").returncode == 0
    return tmp_path / "target.db"


def test_a_copy_has_the_digest_of_its_source_and_of_its_archive(scrollback: Scrollback) -> None:
    verified = scrollback("verify", SOURCE, TARGET)
    assert (verified.returncode, verified.stderr) == (0, "")
    exported = scrollback("export", "--quiet", "--store", SOURCE).stdout
    records = exported.splitlines(keepends=True)[1:-1]
    digest = hashlib.sha256("".join(records).encode()).hexdigest()
    held = f"sha256 {digest}  4 sessions, 20 messages, {len(records)} records"
    assert verified.stdout.splitlines() == [f"A  {held}", f"B  {held}", "A and B hold the same."]


def test_every_difference_is_told(scrollback: Scrollback, copied: Path) -> None:
    change(copied, 0, AddMessages((said("m6"), said("m7"))))
    change(copied, 1, DeleteMessage(Sequence(2)), DeleteMessage(Sequence(4)))
    change(copied, 2, DeleteSession())
    verified = scrollback("verify", SOURCE, TARGET)
    assert verified.returncode == 1
    first, second, third = (number_id(number) for number in range(3))
    assert verified.stdout.splitlines()[:-3] == [
        f"session {first}: fields updated_at, last_message_at, last_activity_at, message_count, "
        "preview, last_sequence, revision different (7 in all)",
        f"session {first}: messages 6-7 missing in A (2 in all)",
        f"session {first}: events 7-8 missing in A (2 in all)",
        f"session {second}: fields updated_at, message_count, revision different (3 in all)",
        f"session {second}: messages 2, 4 missing in B (2 in all)",
        f"session {second}: events 7-8 missing in A (2 in all)",
        f"session {third}: missing in B",
        f"deletion {third}: missing in A",
    ]
    assert verified.stdout.splitlines()[-1] == "A and B differ in 4 things."


def test_a_report_for_programs(scrollback: Scrollback, copied: Path) -> None:
    change(copied, 3, RenameSession("Renamed"))
    verified = scrollback("verify", SOURCE, TARGET, "--json")
    report = json.loads(verified.stdout)
    assert verified.returncode == 1
    assert (report["identical"], report["found"]) == (False, 1)
    assert report["a"]["sha256"] != report["b"]["sha256"]
    assert (report["b"]["sessions"], report["b"]["messages"]) == (4, 20)
    assert report["differences"] == [
        {
            "kind": "session",
            "id": number_id(3),
            "fault": "different",
            "records": [
                {
                    "kind": "session",
                    "fault": "different",
                    "count": 3,
                    "listed": ["title", "updated_at", "revision"],
                },
                {"kind": "event", "fault": "missing_in_a", "count": 1, "listed": ["7"]},
            ],
        }
    ]


def test_each_session_has_its_line_of_digests(scrollback: Scrollback, copied: Path) -> None:
    change(copied, 1, RenameSession("Renamed"))
    change(copied, 2, DeleteSession())
    verified = scrollback("verify", SOURCE, TARGET, "--digests")
    lines = [line.split(" ") for line in verified.stdout.splitlines()]
    assert [line[0] for line in lines] == [number_id(number) for number in range(4)]
    assert [line[1] == line[2] for line in lines] == [True, False, False, True]
    assert lines[2][2] == "-"
    assert all(re.fullmatch("[0-9a-f]{64}", line[1]) for line in lines)
    assert "A and B differ in 3 things." in verified.stderr


def test_looking_changes_nothing(scrollback: Scrollback, copied: Path) -> None:
    before = copied.read_bytes()
    scrollback("verify", SOURCE, TARGET)
    assert copied.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SOURCE, "sqlite:///missing.db"), "there is no store at missing.db"),
        ((SOURCE, TARGET, "--digests", "--json"), "choose one"),
        ((SOURCE,), "Missing argument 'B'"),
    ],
)
def test_what_can_not_be_compared_is_refused(
    scrollback: Scrollback, arguments: tuple[str, ...], message: str
) -> None:
    refused = scrollback("verify", *arguments)
    assert refused.returncode == 2
    assert message in refused.stderr

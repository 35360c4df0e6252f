"""`scrollback copy`: everything comes over, once, and a copy that was stopped goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from app.backends.conformance.samples import number_id, said
from app.model.changes import AddMessages, DeleteSession, RenameSession
from tests.cli.conftest import PROGRAM, Scrollback, environment
from tests.cli.moving import SOURCE, TARGET, change, count_sessions, make_sessions


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A store of three sessions."""
    make_sessions(tmp_path / "source.db", 3)
    return tmp_path / "source.db"


def test_a_copy_is_told_in_one_line_and_the_second_changes_nothing(
    scrollback: Scrollback, source: Path
) -> None:
    first = scrollback("copy", SOURCE, TARGET)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith(
        "3 sessions new, 0 brought forward, 0 unchanged, 0 left alone. 9 messages written. "
    )
    second = scrollback("copy", SOURCE, TARGET)
    assert second.stdout.startswith(
        "0 sessions new, 0 brought forward, 3 unchanged, 0 left alone. Nothing was written. "
    )
    exported = [
        scrollback("export", "--quiet", "--store", store).stdout for store in (SOURCE, TARGET)
    ]
    assert exported[0] == exported[1] != ""
    assert scrollback("doctor", "--store", TARGET).returncode == 0


def test_what_has_changed_since_is_brought_over(scrollback: Scrollback, source: Path) -> None:
    scrollback("copy", SOURCE, TARGET)
    change(source, 0, AddMessages((said("more"),)))
    change(source, 1, DeleteSession())
    report = json.loads(scrollback("copy", SOURCE, TARGET, "--json").stdout)
    seconds = report.pop("seconds")
    assert report == {
        "sessions": 0,
        "messages": 4,
        "unchanged": 1,
        "conflicts": [],
        "damages": 0,
        "replaced": 1,
        "deletions": 1,
    }
    assert seconds > 0
    assert scrollback("verify", SOURCE, TARGET).returncode == 0


def test_what_was_written_in_the_target_alone_is_reported_and_stays(
    scrollback: Scrollback, source: Path, tmp_path: Path
) -> None:
    scrollback("copy", SOURCE, TARGET)
    change(tmp_path / "target.db", 1, RenameSession("only here"))
    change(source, 1, RenameSession("only there"))
    before = scrollback("export", "--quiet", "--store", TARGET).stdout
    copied = scrollback("copy", SOURCE, TARGET)
    assert copied.returncode == 1
    assert copied.stderr == (
        f"session {number_id(1)} is in TO in a state that FROM never had; it is left as it is\n"
    )
    assert ", 2 unchanged, 1 left alone. Nothing was written. " in copied.stdout
    assert scrollback("export", "--quiet", "--store", TARGET).stdout == before


@pytest.mark.parametrize("arguments", [("--quiet",), ()])
def test_nothing_but_the_report_is_printed(
    scrollback: Scrollback, source: Path, arguments: tuple[str, ...]
) -> None:
    copied = scrollback("copy", SOURCE, TARGET, *arguments)
    assert (copied.returncode, copied.stderr) == (0, "")
    assert (copied.stdout == "") == bool(arguments)


def test_a_copy_killed_at_any_time_goes_on_where_it_was(
    scrollback: Scrollback, tmp_path: Path
) -> None:
    make_sessions(tmp_path / "source.db", 600, messages=20)
    copying = subprocess.Popen(
        [PROGRAM, "copy", SOURCE, TARGET], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not count_sessions(tmp_path / "target.db"):
        assert copying.poll() is None, "the copy ended before it could be killed"
        assert time.monotonic() < deadline, "nothing is copied"
    copying.send_signal(signal.SIGKILL)
    copying.communicate()
    there = count_sessions(tmp_path / "target.db")
    assert 0 < there < 600
    rest = json.loads(scrollback("copy", SOURCE, TARGET, "--json").stdout)
    assert (rest["sessions"], rest["unchanged"]) == (600 - there, there)
    assert scrollback("verify", SOURCE, TARGET).returncode == 0
    assert scrollback("doctor", "--store", TARGET).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SOURCE, SOURCE), "FROM and TO are the same store"),
        ((SOURCE, "mongodb://host/x"), "no backend for 'mongodb'"),
        (("sqlite:///missing.db", TARGET), "there is no store at missing.db"),
        ((SOURCE, "memory://x"), "nothing can be kept at TO: it is kept in memory"),
        ((SOURCE, "sqlite:///nowhere/x.db"), "the folder nowhere does not exist"),
    ],
)
def test_stores_that_can_not_be_copied_are_refused_in_one_line(
    scrollback: Scrollback, source: Path, arguments: tuple[str, ...], message: str
) -> None:
    before = source.read_bytes()
    refused = scrollback("copy", *arguments)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not (source.parent / "missing.db").exists()
    assert source.read_bytes() == before

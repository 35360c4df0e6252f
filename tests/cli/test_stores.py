"""Making, examining and mending stores; errors of one line that say what to do."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import DATA, Scrollback

CHATS = DATA / "chats.jsonl"


def test_a_store_is_made_once(scrollback: Scrollback, tmp_path: Path) -> None:
    made, again = scrollback("migrate"), scrollback("migrate")
    assert (made.returncode, again.returncode) == (0, 0)
    assert made.stdout.startswith("sqlite:///scrollback.db was made, of version ")
    assert again.stdout.startswith("sqlite:///scrollback.db is of version ")
    assert (tmp_path / "scrollback.db").is_file()


def test_a_healthy_store_is_said_to_be_healthy(scrollback: Scrollback) -> None:
    scrollback("import", "openai", CHATS)
    told = scrollback("doctor")
    assert told.returncode == 0
    assert told.stdout.endswith("sqlite:///scrollback.db is healthy.\n")


def test_drifted_counters_are_found_and_set_right(scrollback: Scrollback, tmp_path: Path) -> None:
    scrollback("import", "openai", CHATS)
    with sqlite3.connect(tmp_path / "scrollback.db") as store:
        store.execute("UPDATE sessions SET message_count = message_count + 1")
    store.close()
    found = scrollback("doctor", "--json")
    assert found.returncode == 1
    report = json.loads(found.stdout)
    assert report["healthy"] is False
    (drift,) = [one for one in report["findings"] if one["severity"] == "error"]
    assert drift["code"] == "COUNTERS_DRIFTED"
    assert "doctor --repair" in drift["remedy"]
    mended = scrollback("doctor", "--repair")
    assert mended.returncode == 0
    assert mended.stdout.startswith("The counters of 3 sessions were set right.\n")
    assert scrollback("doctor").returncode == 0


@pytest.mark.parametrize("command", [("doctor",), ("export",), ("export", "--output", "a.jsonl")])
def test_a_command_that_only_reads_makes_no_store(
    scrollback: Scrollback, tmp_path: Path, command: tuple[str, ...]
) -> None:
    told = scrollback(*command)
    assert told.returncode == 2
    assert "there is no store at scrollback.db" in told.stderr
    assert list(tmp_path.iterdir()) == [] or not (tmp_path / "scrollback.db").exists()
    assert not (tmp_path / "a.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("migrate", "--store", "sqlite:///no/such/folder.db"), "Error: the folder no/such does"),
        (("migrate", "--store", "oracle:///x"), "Error: "),
        (("migrate", "--store", "chats.db"), "Error: store can't be 'chats.db' (from --store)"),
        (("serve", "--log-level", "loud"), "Error: log_level can't be 'loud' (from --log-level)"),
        (("doctor", "--config", "wrong.toml"), "Error: the configuration file wrong.toml is not"),
    ],
)
def test_an_error_is_one_line_and_the_code_of_wrong_usage(
    scrollback: Scrollback, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "wrong.toml").write_text("port =")
    told = scrollback(*arguments)
    assert told.returncode == 2
    assert told.stderr.startswith(message)
    assert told.stderr.count("\n") == 1
    assert told.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "openai", "gone.jsonl"),
        ("import", "nanobot", "gone"),
        ("import", "nanobot", ".", "--timezone", "Mars/Olympus"),
        ("import", "openai", ".", "--start-time", "soon"),
        ("serve", "--port", "70000"),
        ("frobnicate",),
    ],
)
def test_wrong_arguments_are_explained(scrollback: Scrollback, arguments: tuple[str, ...]) -> None:
    told = scrollback(*arguments)
    assert told.returncode == 2
    assert "Error: " in told.stderr
    assert "Traceback" not in told.stderr


def test_a_traceback_is_shown_only_when_asked_for(scrollback: Scrollback) -> None:
    arguments = ("migrate", "--store", "sqlite:///no/such/folder.db")
    assert "Traceback" not in scrollback(*arguments).stderr
    shown = scrollback(*arguments, "--debug")
    assert shown.stderr.startswith("Traceback")
    assert shown.stderr.splitlines()[-1].startswith("Error: the folder no/such does not exist")
    assert shown.returncode == 2


def test_settings_reach_a_command_from_the_environment_and_from_a_file(
    scrollback: Scrollback, tmp_path: Path
) -> None:
    (tmp_path / "scrollback.toml").write_text('store = "sqlite:///file.db"')
    assert scrollback("migrate").stdout.startswith("sqlite:///file.db was made")
    told = scrollback("migrate", SCROLLBACK_STORE="sqlite:///environment.db")
    assert told.stdout.startswith("sqlite:///environment.db was made")
    assert not (tmp_path / "scrollback.db").exists()


def test_the_schema_is_printed_and_compared(scrollback: Scrollback, tmp_path: Path) -> None:
    printed = scrollback("schema")
    assert printed.returncode == 0
    assert "type Query" in printed.stdout
    copy = tmp_path / "schema.graphql"
    copy.write_text(printed.stdout)
    assert scrollback("schema", "--check", copy).returncode == 0
    copy.write_text(printed.stdout.replace("type Query", "type Kweri"))
    differs = scrollback("schema", "--check", copy)
    assert differs.returncode == 1
    assert "-type Kweri" in differs.stdout
    assert "+type Query" in differs.stdout

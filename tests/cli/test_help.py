"""Every command explains itself with examples that are taken as they stand."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from app.cli.command import Command
from app.cli.main import cli
from tests.cli.conftest import PROGRAM


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            assert isinstance(command, Command)
            yield " ".join((*path, name)), command


COMMANDS = dict(commands(cli))


def test_these_are_the_commands() -> None:
    assert sorted(COMMANDS) == [
        "copy",
        "doctor",
        "export",
        "import nanobot",
        "import openai",
        "import scrollback",
        "migrate",
        "schema",
        "serve",
        "verify",
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_shows_its_examples(name: str) -> None:
    shown = subprocess.run(
        [PROGRAM, *name.split(), "--help"], capture_output=True, text=True, check=True
    )
    assert COMMANDS[name].examples
    for purpose, line in COMMANDS[name].examples:
        assert f"  {purpose}\n    $ {line}\n" in shown.stdout


@pytest.mark.parametrize(
    "line", [line for command in COMMANDS.values() for _, line in command.examples]
)
def test_an_example_is_taken_as_it_stands(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("chats.jsonl").touch()
    Path("backup.jsonl").touch()
    Path("schema.graphql").touch()
    Path("workspace/sessions").mkdir(parents=True)
    Path("sessions").mkdir()
    program, *arguments = shlex.split(line.split("|")[0].split(">")[0])
    assert program == "scrollback"
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        name = arguments.pop(0)
        command = command.commands[name]
    context = command.make_context(command.name, arguments, parent=context)
    assert context.params.keys() >= {one.name for one in command.params if one.expose_value} - {
        "help"
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_whatever_touches_a_store_can_be_given_another(name: str) -> None:
    options = {option for one in COMMANDS[name].params for option in one.opts}
    # Those of two stores take them as arguments.
    assert ("--store" in options) == (name not in ("schema", "copy", "verify"))
    assert "--debug" in options


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from app.cli.main import cli; "
        "cli.main(['--help'], standalone_mode=False); "
        "print([m for m in ('strawberry', 'graphql', 'aiohttp', 'sqlalchemy', 'rich.progress', "
        "'pydantic', 'orjson') if m in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "Commands:" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "[]"


def test_the_exit_codes_are_part_of_the_help() -> None:
    shown = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
    codes = [line.split()[0] for line in shown.split("Exit codes:")[1].splitlines() if line.strip()]
    assert [code for code in codes if code.isdigit()] == ["0", "1", "2", "70", "130"]

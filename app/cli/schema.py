"""`scrollback schema`."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from app.cli.command import FOUND, Command


@click.command(
    "schema",
    cls=Command,
    examples=[
        ("Write the schema for a code generator", "scrollback schema > schema.graphql"),
        ("Fail where a committed copy is out of date", "scrollback schema --check schema.graphql"),
    ],
)
@click.option(
    "--check",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Compare with a file instead of printing; exit code 1 when it differs.",
)
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def command(check: Path | None) -> None:
    """Print the GraphQL schema as sorted SDL."""
    from app.schema.sdl import print_sdl

    sdl = print_sdl()
    if check is None:
        click.echo(sdl, nl=not sdl.endswith("\n"))
        return
    ours, theirs = sdl.rstrip("\n").splitlines(), check.read_text("utf-8").rstrip("\n").splitlines()
    if ours == theirs:
        click.echo(f"{check} is up to date.")
        return
    for line in difflib.unified_diff(theirs, ours, str(check), "scrollback schema", lineterm=""):
        click.echo(line)
    click.echo(f"{check} differs: run `scrollback schema > {check}`.", err=True)
    click.get_current_context().exit(FOUND)

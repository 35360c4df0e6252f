"""`scrollback import openai FILE`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from app.cli.command import Command
from app.cli.importing import import_options, import_source, owner_options
from app.cli.times import MOMENT, ZONE, Zone


@click.command(
    "openai",
    cls=Command,
    examples=[
        ("Into the store of the working directory", "scrollback import openai chats.jsonl"),
        (
            "With a report for programs",
            "scrollback import openai chats.jsonl --json --store sqlite:///team.db",
        ),
        (
            "Chats without times, as if they began on some day",
            "scrollback import openai chats.jsonl --start-time 2026-01-31T09:00:00Z",
        ),
    ],
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--start-time",
    type=MOMENT,
    default="1970-01-01T00:00:00Z",
    show_default=True,
    help="When conversations without any time began; each line is a minute later.",
)
@click.option(
    "--timezone", type=ZONE, default="UTC", show_default=True, help="Where times have no offset."
)
@owner_options
@import_options
def command(file: Path, start_time: datetime, timezone: Zone, **options: Any) -> None:
    """Import chats in the OpenAI format.

    A file has one {"messages": [...]} a line.

    Safe to repeat: a second run changes nothing, and a conversation that has grown gains the
    rest. What can't be read is reported with its line and kept; exit code 1 says that there was
    such a thing.
    """
    from app.formats.openai import read_openai

    import_source(
        file,
        lambda progress: read_openai(
            file, start=start_time, zone=timezone or UTC, progress=progress
        ),
        **options,
    )

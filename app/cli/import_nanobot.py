"""`scrollback import nanobot DIR`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.cli.command import Command
from app.cli.importing import import_options, import_source, owner_options
from app.cli.times import ZONE, Zone


@click.command(
    "nanobot",
    cls=Command,
    examples=[
        (
            "Import the sessions of a nanobot workspace",
            "scrollback import nanobot workspace/sessions",
        ),
        (
            "Written on a machine in Tokyo",
            "scrollback import nanobot sessions --timezone Asia/Tokyo",
        ),
    ],
)
@click.argument(
    "folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option(
    "--timezone",
    type=ZONE,
    help="Where the times, which nanobot writes without an offset, were taken.  [default: here]",
)
@owner_options
@import_options
def command(folder: Path, timezone: Zone, **options: Any) -> None:
    """Import the session files of nanobot: every DIR/*.jsonl.

    Safe to repeat: a second run changes nothing, and a session that has grown gains the rest.
    Files that disks have damaged give every whole record; what can't be read is reported with
    file and line and kept, and exit code 1 says that there was such a thing.
    """
    from app.formats.nanobot import read_nanobot

    import_source(
        folder,
        lambda progress: read_nanobot(folder, zone=timezone, progress=progress),
        **options,
    )

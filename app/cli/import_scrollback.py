"""`scrollback import scrollback FILE`."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.command import FOUND, Command, run
from app.cli.importing import Problems, import_options, print_json

if TYPE_CHECKING:
    from app.model.records import Damage, Loaded


@click.command(
    "scrollback",
    cls=Command,
    examples=[
        (
            "Take in what another store gave out",
            "scrollback import scrollback backup.jsonl --store sqlite:///new.db",
        ),
    ],
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--replace",
    is_flag=True,
    help="Bring sessions that are here in an earlier state to the archive's; never the reverse.",
)
@import_options
def command(
    file: Path,
    replace: bool,
    store: str | None,
    config: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Import an archive of `scrollback export`.

    It comes in unchanged: ids, numbers and event log.

    Safe to repeat. A session that the store holds in another state is reported and left alone,
    and so is one that is not whole in the archive; exit code 1 says that there was such a thing.
    """
    from app.cli.progress import shown
    from app.cli.store import opened
    from app.config import load_settings
    from app.formats.archive import read_archive
    from app.resolvers.imports import Problem

    settings = load_settings({"store": store}, config=config)
    began = time.monotonic()
    damaged = 0
    with shown(f"Importing {file.name}", quiet=quiet) as display:
        problems = Problems(display.say)

        def tell(damage: Damage) -> None:
            nonlocal damaged
            damaged += 1
            problems.add(Problem("DAMAGED", damage.source, damage.line, damage.reason))

        async def work() -> Loaded:
            async with opened(settings.store, migrate=True) as backend:
                return await backend.load(
                    read_archive(file, on_damage=tell, progress=display.progress),
                    replace=replace,
                )

        loaded = run(work())
        found = problems.finish()
        for session_id in loaded.conflicts:
            display.say(f"session {session_id} is here in another state; it is left as it is")
    seconds = round(time.monotonic() - began, 3)
    if as_json:
        report = {**asdict(loaded), "damaged": damaged, "seconds": seconds}
        print_json({**report, **found})
    elif not quiet:
        click.echo(
            f"{loaded.sessions:,} sessions and {loaded.messages:,} messages added, "
            f"{loaded.replaced:,} sessions replaced, {loaded.unchanged:,} unchanged, "
            f"{len(loaded.conflicts):,} left alone, {damaged:,} damaged records. {seconds:.1f} s"
        )
    if damaged or loaded.conflicts:
        click.get_current_context().exit(FOUND)

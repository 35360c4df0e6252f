"""`scrollback copy FROM TO`."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from app.cli.command import FOUND, Command, Failure, run
from app.cli.importing import print_json

if TYPE_CHECKING:
    from app.model.records import Loaded

_NAMED = 100
"""How many sessions that were left alone are named one by one."""


@click.command(
    "copy",
    cls=Command,
    examples=[
        (
            "Move from one file to another",
            "scrollback copy sqlite:///scrollback.db sqlite:///team.db",
        ),
        (
            "Later, bring over what has changed since, with a report for programs",
            "scrollback copy sqlite:///scrollback.db sqlite:///team.db --json",
        ),
    ],
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def command(source: str, target: str, as_json: bool, quiet: bool) -> None:
    """Copy everything of one store to another.

    FROM and TO are URLs of stores, of any kinds. Ids, cursors, numbers, event logs, idempotency
    keys, deletions and kept damage stay what they are. TO is made where it is missing.

    Safe to repeat and to interrupt: what TO has already is left alone, and what has moved on in
    FROM is brought over. Works beside running servers. A session that was written to in TO alone
    is reported and left as it is; exit code 1 says that there was such a thing.
    """
    from app.cli.progress import counted
    from app.cli.store import opened
    from app.resolvers.moving import copy_store

    if source == target:
        raise Failure("FROM and TO are the same store")
    began = time.monotonic()

    async def work() -> Loaded:
        async with (
            opened(source, migrate=False, sole=False) as first,
            opened(target, migrate=True, sole=False) as second,
        ):
            durable = second.capabilities.durable
            if not durable.supported:
                raise Failure(f"nothing can be kept at TO: {durable.reason}")
            return await copy_store(first, second, on_record=count)

    with counted("Copying", quiet=quiet) as count:
        loaded = run(work())
    seconds = round(time.monotonic() - began, 3)
    if as_json:
        print_json({**asdict(loaded), "seconds": seconds})
    else:
        _tell_conflicts(loaded)
        if not quiet:
            click.echo(_summary(loaded, seconds))
    if loaded.conflicts:
        click.get_current_context().exit(FOUND)


def _tell_conflicts(loaded: Loaded) -> None:
    for session_id in loaded.conflicts[:_NAMED]:
        click.echo(
            f"session {session_id} is in TO in a state that FROM never had; it is left as it is",
            err=True,
        )
    if len(loaded.conflicts) > _NAMED:
        click.echo(
            f"… and {len(loaded.conflicts) - _NAMED} more; --json lists all of them", err=True
        )


def _summary(loaded: Loaded, seconds: float) -> str:
    counts = [
        f"{loaded.sessions:,} sessions new",
        f"{loaded.replaced:,} brought forward",
        f"{loaded.unchanged:,} unchanged",
        f"{len(loaded.conflicts):,} left alone",
    ]
    more = [
        f"{count:,} {what}"
        for count, what in (
            (loaded.messages, "messages written"),
            (loaded.deletions, "deletions"),
            (loaded.damages, "damaged records kept"),
        )
        if count
    ]
    return f"{', '.join(counts)}. {', '.join(more) or 'Nothing was written'}. {seconds:.1f} s"

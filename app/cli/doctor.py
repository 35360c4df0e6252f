"""`scrollback doctor`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.command import FOUND, Command, run, store_options
from app.cli.importing import print_json

if TYPE_CHECKING:
    from app.backends.protocol import Finding


@click.command(
    "doctor",
    cls=Command,
    examples=[
        ("Examine the store of the working directory", "scrollback doctor"),
        ("Set drifted counters right", "scrollback doctor --repair --store sqlite:///team.db"),
        ("For a monitor", "scrollback doctor --json"),
    ],
)
@click.option("--repair", is_flag=True, help="Set counters to their recount, then examine again.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@store_options
def command(repair: bool, as_json: bool, store: str | None, config: Path | None) -> None:
    """Examine a store and say what to do about what is found.

    Counters are compared with recounts, event logs are searched for gaps, and the database is
    checked. Exit code 1 when an error is found; warnings and notes leave it at 0.
    """
    from app.backends.protocol import Severity
    from app.cli.store import opened
    from app.config import load_settings, shown_url

    settings = load_settings({"store": store}, config=config)

    async def work() -> tuple[list[Finding], int | None]:
        async with opened(settings.store, migrate=False) as backend:
            repaired = await backend.repair() if repair else None
            return [finding async for finding in backend.check()], repaired

    findings, repaired = run(work())
    healthy = all(finding.severity is not Severity.ERROR for finding in findings)
    if as_json:
        print_json(
            {
                "store": shown_url(settings.store),
                "healthy": healthy,
                "repaired": repaired,
                "findings": [asdict(finding) for finding in findings],
            }
        )
    else:
        _print(findings, repaired, shown_url(settings.store), healthy)
    if not healthy:
        click.get_current_context().exit(FOUND)


def _print(findings: list[Finding], repaired: int | None, store: str, healthy: bool) -> None:
    if repaired is not None:
        click.echo(f"The counters of {repaired:,} sessions were set right.")
    for finding in findings:
        click.echo(f"{finding.severity.value:8}{finding.code}: {finding.message}")
        if finding.remedy:
            click.echo(f"{'':8}{finding.remedy}")
    click.echo(f"{store} is healthy." if healthy else f"{store} has errors, see above.")

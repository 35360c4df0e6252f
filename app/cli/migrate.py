"""`scrollback migrate`."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.command import Command, run, store_options


@click.command(
    "migrate",
    cls=Command,
    examples=[
        ("Make or upgrade the store of the working directory", "scrollback migrate"),
        ("Another one", "scrollback migrate --store sqlite:////srv/scrollback/team.db"),
    ],
)
@store_options
def command(store: str | None, config: Path | None) -> None:
    """Bring a store to this program's version.

    A missing one is made. `serve` and `import` do the same by themselves. A store of a newer
    version is refused and left as it is.
    """
    from app.backends.open import migrate_store
    from app.config import load_settings, shown_url

    settings = load_settings({"store": store}, config=config)
    migrated = run(migrate_store(settings.store))
    store = shown_url(settings.store)
    if migrated is None:
        click.echo(f"{store} has no versions; there is nothing to do.")
    elif migrated.before == migrated.after:
        click.echo(f"{store} is of version {migrated.after} already.")
    elif migrated.before is None:
        click.echo(f"{store} was made, of version {migrated.after}.")
    else:
        click.echo(f"{store} went from version {migrated.before} to {migrated.after}.")

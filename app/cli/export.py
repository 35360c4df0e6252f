"""`scrollback export`."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.command import Command, run, store_options

if TYPE_CHECKING:
    from app.backends.protocol import Backend
    from app.model.identifiers import UserId
    from app.model.records import Record
    from app.model.session import Session


@click.command(
    "export",
    cls=Command,
    examples=[
        ("Save everything in a file", "scrollback export --output backup.jsonl"),
        ("One session, by its key", "scrollback export --session telegram:1000"),
        (
            "From another store, compressed",
            "scrollback export --store sqlite:///team.db | gzip > team.jsonl.gz",
        ),
    ],
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write, replaced only once it is complete. Standard output by default.",
)
@click.option(
    "--session",
    metavar="ID|KEY",
    help="Only this session, by its id in the API or in an archive, or by its key.",
)
@click.option("--owner", default="local", show_default=True, help="Whose key --session is.")
@click.option("--quiet", is_flag=True, help="No summary.")
@store_options
def command(
    output: Path | None,
    session: str | None,
    owner: str,
    quiet: bool,
    store: str | None,
    config: Path | None,
) -> None:
    """Write the store's content as JSON Lines.

    `import scrollback` takes them in again. Works beside a running server: each session is
    written as one consistent state. The same content always gives the same bytes.
    """
    from app.cli.store import opened
    from app.config import load_settings
    from app.formats.archive import encode_archive
    from app.formats.atomic_file import write_atomically
    from app.model.identifiers import UserId
    from app.model.message import Message
    from app.model.session import Session
    from app.resolvers.exports import export_records

    settings = load_settings({"store": store}, config=config)
    began = time.monotonic()
    sessions = messages = 0

    def count(record: Record) -> None:
        nonlocal sessions, messages
        sessions += isinstance(record, Session)
        messages += isinstance(record, Message)

    async def work() -> None:
        async with opened(settings.store, migrate=False) as backend:
            only = None if session is None else await _find(backend, UserId(owner), session)
            async with (
                aclosing(export_records(backend, only)) as records,
                aclosing(encode_archive(records, on_record=count)) as chunks,
            ):
                if output is not None:
                    await write_atomically(output, chunks)
                else:
                    await _print(chunks)

    run(work())
    if not quiet:
        click.echo(
            f"{sessions:,} sessions and {messages:,} messages written. "
            f"{time.monotonic() - began:.1f} s",
            err=True,
        )


async def _find(backend: Backend, owner: UserId, reference: str) -> Session:
    from app.model.errors import InvalidInput, NotFound
    from app.resolvers.exports import find_session

    try:
        return await find_session(backend, owner, reference)
    except NotFound as unknown:
        # Only now, since the schema takes a second to import.
        from app.schema.global_id import decode_session_id

        try:
            session_id = decode_session_id(reference, ("session",))
        except InvalidInput:
            raise unknown from None
        return await find_session(backend, owner, session_id)


async def _print(chunks: AsyncIterator[bytes]) -> None:
    async for chunk in chunks:
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()

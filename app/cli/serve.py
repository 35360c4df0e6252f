"""`scrollback serve`."""

from __future__ import annotations

import errno
import gc
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.command import Command, Failure, store_options

if TYPE_CHECKING:
    from app.config import Settings


_EPHEMERAL = "memory://ephemeral"


@click.command(
    "serve",
    cls=Command,
    examples=[
        ("Serve the store of the working directory", "scrollback serve"),
        ("With a few conversations to look at", "scrollback serve --demo"),
        ("The same, leaving nothing on the disk", "scrollback serve --demo --ephemeral"),
        (
            "Another store, to the whole network",
            "scrollback serve --store sqlite:///team.db --host 0.0.0.0 --port 9000",
        ),
    ],
)
@click.option("--host", help="The address or name to listen on.  [default: 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="The port; 0 takes any that is free.  [default: 8000]",
)
@click.option("--demo", is_flag=True, help="First import a few sample conversations, once.")
@click.option(
    "--ephemeral",
    is_flag=True,
    help="Keep everything in memory, and nothing once the server has stopped.",
)
@click.option("--log-level", help="debug, info, warning, error or critical.  [default: info]")
@click.option("--log-format", help="auto, json or text.  [default: auto]")
@store_options
def command(
    host: str | None,
    port: int | None,
    demo: bool,
    ephemeral: bool,
    log_level: str | None,
    log_format: str | None,
    store: str | None,
    config: Path | None,
) -> None:
    """Serve the GraphQL API and GraphiQL.

    A browser gets GraphiQL at the address of the API. SIGTERM and Ctrl-C stop the server
    gracefully; a second one stops it at once. docs/configuration.md lists every setting.
    """
    from app.config import load_settings
    from app.server.logging import LogFormat, configure_logging

    if ephemeral and store is not None:
        raise click.UsageError("--ephemeral keeps no store, --store names one: choose one")
    settings = load_settings(
        {
            "host": host,
            "port": port,
            "store": _EPHEMERAL if ephemeral else store,
            "log_level": log_level,
            "log_format": log_format,
        },
        config=config,
    )
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    configure_logging(LogFormat.TEXT if text else LogFormat.JSON, settings.log_level)
    _event_loop_run(settings, demo=demo)


def _event_loop_run(settings: Settings, *, demo: bool) -> None:
    if sys.platform == "win32":
        from asyncio import run
    else:
        from uvloop import run

    run(_serve(settings, demo=demo))


async def _serve(settings: Settings, *, demo: bool) -> None:
    from app.config import shown_url
    from app.server.opening import open_server
    from app.server.run import serve

    if demo:
        from app.cli.demo import load_demo

        await load_demo(settings.store)
    listening = False

    def announce(base_url: str) -> None:
        nonlocal listening
        listening = True
        for name, address in (
            ("GraphQL", f"{base_url}/graphql"),
            *([("GraphiQL", f"{base_url}/graphql")] if settings.graphiql else []),
            ("WebSocket", f"{base_url.replace('http', 'ws', 1)}/graphql"),
            ("Store", shown_url(settings.store)),
        ):
            click.echo(f"{name:<10} {address}")

    async with open_server(settings) as application:
        _keep_what_is_loaded_from_the_garbage_collector()
        try:
            await serve(application, settings.host, settings.port, on_listening=announce)
        except OSError as error:
            if listening:
                raise
            raise Failure(_explain(error, settings.host, settings.port)) from error


def _keep_what_is_loaded_from_the_garbage_collector() -> None:
    """Has the collector look at what requests leave behind, and seldom.

    Modules, schema and tables are some 200,000 objects that stay: to walk them again and again
    took a quarter of the time of a busy server, in pauses of 90 ms. What requests leave in cycles
    is little, so ten thousand objects may come together before it is looked for.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 10)


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use: stop what uses it, or choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} of {host} needs more rights: choose one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"{host} is no address of this machine: choose another with --host"
    return f"{host}:{port} can't be listened on: {error.strerror or error}"

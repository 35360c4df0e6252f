"""What every command has: examples in its help, and errors of one line with a documented code."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

FOUND = 1
"""Something was found, damaged, different or missing."""
USAGE = 2
"""Wrong arguments or settings, or a file or store that can't be used."""
INTERNAL = 70
"""A fault of Scrollback's own (EX_SOFTWARE of sysexits.h)."""
INTERRUPTED = 130
"""Stopped with Ctrl-C, as shells count it: 128 and the number of SIGINT."""

_INDENT = 2

T = TypeVar("T")
FuncT = TypeVar("FuncT", bound=Callable[..., Any])


class Failure(click.ClickException):
    """An error that a user can do something about, said in one line."""

    exit_code = USAGE


class Command(click.Command):
    """A command with examples in its help, and one line and a documented code for each error."""

    def __init__(self, *args: Any, examples: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the examples: what each is for, and its command line."""
        if self.examples:
            with formatter.section("Examples"):
                for purpose, line in self.examples:
                    formatter.write(f"{'':{_INDENT}}{purpose}\n{'':{2 * _INDENT}}$ {line}\n")
        super().format_epilog(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; with --debug a traceback goes before the line of an error."""
        debug = ctx.params.pop("debug", False)
        _log_to_stderr(debug=debug)
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            click.echo(
                "Interrupted. What was done so far is whole; run it again to go on.", err=True
            )
            ctx.exit(INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - the end of the line: nothing above shows it
            if debug:
                traceback.print_exc()
            message, code = _describe(error)
            click.echo(f"Error: {message}", err=True)
            ctx.exit(code)


def store_options(command: FuncT) -> FuncT:
    """Gives a command the options of whatever touches a store: --store, --config and --debug."""
    for option in (
        click.option("--debug", is_flag=True, help="Show a traceback when something fails."),
        click.option(
            "--config",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="A TOML file of settings; scrollback.toml where there is one.",
        ),
        click.option("--store", metavar="URL", help="The store, such as sqlite:///scrollback.db."),
    ):
        command = option(command)
    return command


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs the work of a command to its end; Ctrl-C cancels it first, so that it cleans up."""
    return asyncio.run(work)


def printable(text: str) -> str:
    """Returns text of a source so that it can't steer the terminal."""
    return "".join(
        [one if one.isprintable() else one.encode("unicode_escape").decode() for one in text]
    )


def _log_to_stderr(*, debug: bool) -> None:
    """Keeps the log off standard output, where results are, and without --debug to what is fatal.

    What fails is told in one line at the end.
    """
    from app.server.log_lines import OWN_LOGGERS, TextFormatter

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter())
    logging.getLogger().handlers[:] = [handler]
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.CRITICAL)


def _describe(error: Exception) -> tuple[str, int]:
    """Returns what a user is told of an error, and the exit code."""
    from app.config import SettingsError
    from app.formats.lines import SourceUnreadable
    from app.model.errors import (
        ScrollbackError,
        StoreUnavailable,
        StoreUnusable,
        UnknownOutcome,
    )

    if isinstance(error, StoreUnusable | StoreUnavailable | UnknownOutcome):
        return error.message, USAGE
    if isinstance(error, ScrollbackError):
        return error.message, FOUND
    if isinstance(error, SettingsError | SourceUnreadable):
        return str(error), USAGE
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}", USAGE
    return (
        f"something went wrong inside Scrollback ({type(error).__name__}). Run it again with "
        "--debug and report what it shows.",
        INTERNAL,
    )

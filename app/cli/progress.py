"""A progress bar on standard error, where somebody is looking."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.formats.conversation import Progress, no_progress

if TYPE_CHECKING:
    from app.model.records import Record

_SHOWN_EVERY = 500
"""After how many records a count is shown anew."""


@dataclass(frozen=True, slots=True)
class Display:
    """`progress` takes bytes read of total; `say` writes a line above the bar."""

    progress: Progress
    say: Callable[[str], None]


def say_on_stderr(line: str) -> None:
    """Writes a line to standard error."""
    print(line, file=sys.stderr)


@contextmanager
def shown(what: str, *, quiet: bool) -> Iterator[Display]:
    """Shows a bar inside the block when standard error is a terminal and `quiet` is not set."""
    if quiet or not sys.stderr.isatty():
        yield Display(no_progress, say_on_stderr)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield Display(
            lambda read, total: bar.update(task, completed=read, total=total),
            lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
        )


@contextmanager
def counted(what: str, *, quiet: bool) -> Iterator[Callable[[Record], None]]:
    """Yields what is told of each record that has passed; shows how many, as `shown` shows bytes.

    For work whose end is not known before it is reached.
    """
    if quiet or not sys.stderr.isatty():
        yield _ignore
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    from app.model.message import Message
    from app.model.session import Session

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        sessions = messages = passed = 0

        def count(record: Record) -> None:
            nonlocal sessions, messages, passed
            sessions += isinstance(record, Session)
            messages += isinstance(record, Message)
            passed += 1
            if passed % _SHOWN_EVERY == 0:
                text = f"{what}  {sessions:,} sessions, {messages:,} messages"
                bar.update(task, description=text)

        yield count


def _ignore(record: Record) -> None:
    """Counts nothing where nobody looks."""

"""A progress bar on standard error, where somebody is looking."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.formats.conversation import Progress, no_progress


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

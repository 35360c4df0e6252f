"""What the import commands have in common: their options, and the report at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from app.cli.command import FOUND, printable, run, store_options

if TYPE_CHECKING:
    from app.formats.conversation import Conversations, Progress
    from app.resolvers.imports import ImportReport, Problem

_NAMED = 100
"""How many problems are printed one by one; a JSON report holds ten times as many."""

FuncT = TypeVar("FuncT", bound=Callable[..., Any])


def import_options(command: FuncT) -> FuncT:
    """Gives a command the options of an import."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
        click.option("--quiet", is_flag=True, help="No progress bar and no summary."),
    ):
        command = option(command)
    return store_options(command)


def owner_options(command: FuncT) -> FuncT:
    """Gives a command the options of an import that makes sessions."""
    for option in (
        click.option(
            "--restore",
            is_flag=True,
            help="Bring back sessions that were deleted here after an earlier import.",
        ),
        click.option(
            "--owner", default="local", show_default=True, help="The user who owns the sessions."
        ),
    ):
        command = option(command)
    return command


class Problems:
    """Prints the first problems as they come, and keeps them for a report."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._kept: list[Problem] = []
        self._count = 0

    def add(self, problem: Problem) -> None:
        """Takes one in."""
        self._count += 1
        if self._count <= _NAMED:
            place = f"{problem.source}:{problem.line}"
            self._say(f"{printable(place)}: {problem.code.lower()}: {printable(problem.reason)}")
        if len(self._kept) < 10 * _NAMED:
            self._kept.append(problem)

    def finish(self) -> dict[str, Any]:
        """Says how many were not printed, and returns the report's part about them."""
        if self._count > _NAMED:
            self._say(f"… and {self._count - _NAMED} more; --json lists the first {10 * _NAMED}")
        return {"problems": [asdict(problem) for problem in self._kept], "found": self._count}


def import_source(
    source: Path,
    read: Callable[[Progress], Conversations],
    *,
    store: str | None,
    config: Path | None,
    owner: str,
    restore: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Imports what `read` yields, reports, and exits with 1 where not everything came in."""
    from app.cli.progress import shown
    from app.cli.store import opened
    from app.config import load_settings
    from app.model.identifiers import UserId
    from app.resolvers.imports import import_conversations

    settings = load_settings({"store": store}, config=config)
    began = time.monotonic()
    with shown(f"Importing {source.name}", quiet=quiet) as display:
        problems = Problems(display.say)

        async def work() -> ImportReport:
            async with opened(settings.store, migrate=True) as backend:
                return await import_conversations(
                    backend,
                    UserId(owner),
                    read(display.progress),
                    on_problem=problems.add,
                    restore=restore,
                )

        report = run(work())
        found = problems.finish()
    seconds = round(time.monotonic() - began, 3)
    if as_json:
        print_json({**asdict(report), "seconds": seconds, **found})
    elif not quiet:
        click.echo(_summary(report, seconds))
    if not report.complete:
        click.get_current_context().exit(FOUND)


def print_json(report: dict[str, Any]) -> None:
    """Prints a report for programs."""
    import orjson

    click.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())


def _summary(report: ImportReport, seconds: float) -> str:
    counts = [
        f"{report.created:,} new",
        f"{report.extended:,} extended",
        f"{report.unchanged:,} unchanged",
    ]
    if report.left_alone:
        counts.append(f"{report.left_alone:,} left alone")
    damaged = f", {report.damaged:,} damaged records" if report.damaged else ""
    return (
        f"{report.sessions:,} sessions read: {', '.join(counts)}. "
        f"{report.messages:,} messages added{damaged}. {seconds:.1f} s"
    )

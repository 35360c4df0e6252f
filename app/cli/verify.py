"""`scrollback verify A B`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.cli.command import FOUND, Command, printable, run
from app.cli.importing import print_json

if TYPE_CHECKING:
    from app.resolvers.comparing import (
        Comparison,
        Difference,
        RecordDifference,
        SessionDigests,
        StoreDigest,
    )

_NAMED = 100
"""How many differences are printed one by one; a JSON report holds ten times as many."""

_FAULTS = {
    "missing_in_first": "missing in A",
    "missing_in_second": "missing in B",
    "different": "different",
}


@click.command(
    "verify",
    cls=Command,
    examples=[
        (
            "See whether a copy is whole",
            "scrollback verify sqlite:///scrollback.db sqlite:///team.db",
        ),
        (
            "Keep the digest of every session",
            "scrollback verify sqlite:///scrollback.db sqlite:///team.db --digests > digests.txt",
        ),
    ],
)
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option(
    "--digests",
    is_flag=True,
    help="Print a line for each session: its id, its digest in A, its digest in B.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def command(first: str, second: str, digests: bool, as_json: bool, quiet: bool) -> None:
    """Compare two stores and say exactly what differs.

    A and B are URLs of stores, of any kinds. Both are read once, record by record; digests are
    SHA-256 over the lines of an archive, of each session and of all. Changes nothing.

    Exit code 1 when the stores differ. A session that is written to meanwhile can show as a
    difference, so let the stores rest, or look again.
    """
    from app.cli.progress import counted
    from app.cli.store import opened
    from app.resolvers.comparing import compare_stores

    if digests and as_json:
        raise click.UsageError("--digests prints lines, --json one report: choose one")
    differences: list[Difference] = []
    found = 0

    def tell(difference: Difference) -> None:
        nonlocal found
        found += 1
        if not as_json and found <= _NAMED:
            for line in _lines(difference):
                click.echo(line, err=digests)
        if as_json and found <= 10 * _NAMED:
            differences.append(difference)

    def print_digests(session: SessionDigests) -> None:
        if digests:
            click.echo(f"{session.session_id} {session.first or '-'} {session.second or '-'}")

    async def work() -> Comparison:
        async with (
            opened(first, migrate=False, sole=False) as a,
            opened(second, migrate=False, sole=False) as b,
        ):
            return await compare_stores(
                a, b, on_difference=tell, on_session=print_digests, on_record=count
            )

    with counted("Comparing", quiet=quiet) as count:
        comparison = run(work())
    if as_json:
        print_json(_report(comparison, differences))
    else:
        _print_summary(comparison, digests)
    if not comparison.identical:
        click.get_current_context().exit(FOUND)


def _lines(difference: Difference) -> list[str]:
    name = f"{difference.kind} {printable(difference.id)}"
    if not difference.records:
        return [f"{name}: {_FAULTS[difference.fault]}"]
    return [f"{name}: {_words(one)}" for one in difference.records]


def _words(records: RecordDifference) -> str:
    shown = ", ".join([printable(one) for one in records.numbers.listed])
    count = records.numbers.count
    kinds = {
        "message": "message",
        "event": "event",
        "idempotency": "idempotency key",
    }
    kind = kinds.get(records.kind, "field") + ("" if count == 1 else "s")
    more = f" ({count:,} in all)" if count > 1 else ""
    return f"{kind} {shown} {_FAULTS[records.fault]}{more}"


def _print_summary(comparison: Comparison, digests: bool) -> None:
    if comparison.differences > _NAMED:
        click.echo(
            f"… and {comparison.differences - _NAMED} more; --json lists the first {10 * _NAMED}",
            err=digests,
        )
    for name, store in (("A", comparison.first), ("B", comparison.second)):
        click.echo(
            f"{name}  sha256 {store.digest}  {store.sessions:,} sessions, "
            f"{store.messages:,} messages, {store.records:,} records",
            err=digests,
        )
    if comparison.identical:
        click.echo("A and B hold the same.", err=digests)
    else:
        click.echo(f"A and B differ in {comparison.differences:,} things.", err=digests)


def _report(comparison: Comparison, differences: list[Difference]) -> dict[str, Any]:
    return {
        "identical": comparison.identical,
        "a": _store(comparison.first),
        "b": _store(comparison.second),
        "found": comparison.differences,
        "differences": [
            {
                "kind": one.kind,
                "id": one.id,
                "fault": _FAULTS[one.fault].replace(" ", "_").lower(),
                "records": [
                    {
                        "kind": records.kind,
                        "fault": _FAULTS[records.fault].replace(" ", "_").lower(),
                        "count": records.numbers.count,
                        "listed": records.numbers.listed,
                    }
                    for records in one.records
                ],
            }
            for one in differences
        ],
    }


def _store(store: StoreDigest) -> dict[str, Any]:
    return {
        "sha256": store.digest,
        "sessions": store.sessions,
        "messages": store.messages,
        "records": store.records,
    }

"""The console script `scrollback`."""

from __future__ import annotations

import sys

import click

from app.cli.command import INTERRUPTED
from app.cli.lazy_group import LazyGroup

_COMMANDS = {
    name: f"app.cli.{name}"
    for name in ("copy", "doctor", "export", "migrate", "schema", "serve", "verify")
}
_IMPORTS = {name: f"app.cli.import_{name}" for name in ("nanobot", "openai", "scrollback")}

_EXIT_CODES = (
    ("0", "Done, nothing to report."),
    ("1", "Something was found, damaged, different or missing; the output says what."),
    ("2", "Wrong arguments or settings, or a file or store that can't be used."),
    ("70", "A fault inside Scrollback."),
    ("130", "Interrupted with Ctrl-C; what was done so far is whole."),
)


class _Root(LazyGroup):
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes a first example and the exit codes."""
        with formatter.section("Examples"):
            formatter.write("  Serve sample conversations, then look at them in a browser\n")
            formatter.write("    $ scrollback serve --demo\n")
        with formatter.section("Exit codes"):
            formatter.write_dl(list(_EXIT_CODES))


@click.group(cls=_Root, modules=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="scrollback", message="%(prog)s %(version)s")
def cli() -> None:
    """Scrollback: the conversation store for AI chat and agents.

    Every command reads its settings from flags, then from SCROLLBACK_… in the environment, then
    from scrollback.toml.
    """


@cli.group("import", cls=LazyGroup, modules=_IMPORTS)
def import_group() -> None:
    """Import conversations, from other programs or from an archive."""


def main() -> None:
    """Runs the command line of this process and exits with its code."""
    try:
        cli.main(prog_name="scrollback")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

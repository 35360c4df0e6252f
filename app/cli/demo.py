"""The sample conversations of `scrollback serve --demo`."""

from __future__ import annotations

from importlib.resources import as_file, files

from app.cli.store import opened
from app.formats.openai import read_openai
from app.resolvers.imports import Problem, import_conversations
from app.rules.caller import LOCAL_USER


async def load_demo(store: str) -> None:
    """Imports the sample into a store, as the local user's; what is there already stays."""
    with as_file(files("app.formats") / "demo.jsonl") as path:
        async with opened(store, migrate=True) as backend:
            await import_conversations(backend, LOCAL_USER, read_openai(path), on_problem=_ignore)


def _ignore(problem: Problem) -> None:
    """Says nothing: a sample session that the user has changed or deleted is theirs."""

"""The project's pages of Markdown, and the fenced blocks in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^`]*)$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: `info` is what stands behind the opening fence, `line` where that is."""

    page: str
    line: int
    info: str
    text: str

    @property
    def language(self) -> str:
        """The first word of the info string, such as `console`; empty without one."""
        return self.info.split(" ")[0]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A line behind a `$ ` prompt, and the output shown under it."""

    line: str
    shown: str


def pages() -> list[Path]:
    """Returns every page for readers, the README first."""
    names = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
    return [*[ROOT / name for name in names], *sorted((ROOT / "docs").glob("*.md"))]


def page_name(page: Path) -> str:
    """Returns a page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def read_blocks(page: Path) -> list[Block]:
    """Returns the fenced blocks of a page. Raises ValueError for one that is never closed."""
    blocks: list[Block] = []
    opened: tuple[str, str, int] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
        found = _FENCE.match(line)
        if opened is None:
            if found is not None:
                opened = found["fence"], found["info"].strip(), number
                lines = []
        elif found is not None and found["fence"] == opened[0] and not found["info"].strip():
            blocks.append(Block(page_name(page), opened[2], opened[1], "\n".join(lines)))
            opened = None
        else:
            lines.append(line)
    if opened is not None:
        raise ValueError(f"{page_name(page)}:{opened[2]}: the block is never closed")
    return blocks


def read_commands(block: Block) -> Iterator[Command]:
    """Yields the commands of a console block; a line that ends in a backslash goes on below."""
    line: str | None = None
    shown: list[str] = []
    for text in block.text.splitlines():
        if line is not None and line.endswith("\\") and not shown:
            line = f"{line}\n{text}"
        elif text.startswith("$ "):
            if line is not None:
                yield Command(line, "\n".join(shown))
            line, shown = text[2:], []
        elif line is None:
            raise ValueError(f"{block}: output before the first command")
        else:
            shown.append(text)
    if line is not None:
        yield Command(line, "\n".join(shown))

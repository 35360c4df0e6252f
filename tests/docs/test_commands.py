"""Everything that a page tells its reader to type is typed here, and must do what the page says."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from app.schema.sdl import print_sdl
from tests.docs.pages import Block, page_name, pages, read_blocks
from tests.docs.reader import reading

LANGUAGES = {"console", "graphql", "json", "js", "python", "text", "toml", ""}
"""What blocks may hold. Those without a language show files and messages, never commands."""

PAGES = [pytest.param(page, id=page_name(page)) for page in pages() if read_blocks(page)]


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    folder.mkdir()
    blocks = read_blocks(page)
    async with reading(folder) as reader:
        for place, block in enumerate(blocks):
            if block.language == "console":
                await reader.type(block)
            elif block.language == "python":
                shown = _following(blocks, place, "text")
                await reader.run_python(block, shown[0].text if shown else None)
            elif block.language == "js":
                await reader.check_javascript(block)
            elif block.language == "graphql":
                values = _following(blocks, place, "json")
                variables = [json.loads(one.text) for one in values if one.info == "json variables"]
                answers = [json.loads(one.text) for one in values if one.info == "json"]
                if answers:
                    await reader.send(block, variables[0] if variables else None, answers)
    if reader.missed:
        pytest.skip("; ".join(reader.missed))


@pytest.mark.parametrize("page", PAGES)
def test_commands_stand_where_they_are_run(page: Path) -> None:
    for block in read_blocks(page):
        assert block.language in LANGUAGES, f"{block}: nothing tests a block of {block.language}"
        if block.language != "console":
            assert not [line for line in block.text.splitlines() if line.startswith("$ ")], (
                f"{block}: commands are in blocks of `console`, where they are run"
            )


@pytest.mark.parametrize("page", PAGES)
def test_queries_fit_the_schema_and_data_parses(page: Path) -> None:
    schema = build_schema(print_sdl())
    for block in read_blocks(page):
        if block.language == "graphql":
            assert [str(error) for error in validate(schema, parse(block.text))] == [], str(block)
        elif block.language == "json":
            json.loads(block.text)
        elif block.language == "toml":
            tomllib.loads(block.text)


def _following(blocks: list[Block], place: int, language: str) -> list[Block]:
    """Returns the blocks of a language that follow directly."""
    found = []
    for block in blocks[place + 1 :]:
        if block.language != language:
            break
        found.append(block)
    return found

"""Files are read in pieces of a bounded size."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.formats import lines
from app.formats.conversation import no_progress
from app.formats.lines import Line, Unreadable, parse_line, read_lines


async def read(path: Path) -> list[Line]:
    return [line async for line in read_lines(path, no_progress)]


@given(st.lists(st.binary(max_size=12)), st.integers(1, 9))
async def test_lines_are_the_same_whatever_the_size_of_the_chunks(
    tmp_path_factory: pytest.TempPathFactory, written: list[bytes], chunk: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "file"
    content = b"\n".join(written)
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "CHUNK_BYTES", chunk)
        found = await read(path)
    first, *rest = content.split(b"\n")
    expected = [first.removeprefix(b"\xef\xbb\xbf"), *rest]
    assert found == [
        Line(number, line) for number, line in enumerate(expected, start=1) if line.strip()
    ]


async def test_a_line_that_is_too_long_comes_in_pieces_and_the_next_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "CHUNK_BYTES", 4)
    monkeypatch.setattr(lines, "LONGEST_LINE", 10)
    path = tmp_path / "file"
    path.write_bytes(b"x" * 30 + b"\nshort\n")
    found = await read(path)
    assert all(line.overlong and line.number == 1 for line in found[:-1])
    assert b"".join(line.content for line in found[:-1]) == b"x" * 30
    assert max(len(line.content) for line in found) <= 14
    assert found[-1] == Line(2, b"short")
    with pytest.raises(Unreadable, match="the line has more than"):
        parse_line(found[0])


async def test_numbers_beyond_64_bits_keep_every_digit() -> None:
    assert parse_line(Line(1, b'{"id": 123456789012345678901}')) == {"id": 123456789012345678901}

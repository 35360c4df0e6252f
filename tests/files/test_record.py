"""A record is one readable line whose every byte is under its checksum."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.files.record import encode_record, fields_of, seed_of, split, stamp_of
from app.model.errors import InvalidInput

SEED = seed_of("5" * 32, "00c0ffee")

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
records = st.dictionaries(texts, values, max_size=4).map(lambda d: {"role": "user"} | d)


def line_of(fields: dict[str, object], number: int = 7, durable: int = 6) -> bytes:
    return encode_record(fields, number=number, durable=durable, more=False, seed=SEED)


@given(fields=records, number=st.integers(1, 10**12), more=st.booleans())
def test_what_is_written_is_read_back(fields: dict[str, object], number: int, more: bool) -> None:
    line = encode_record(fields, number=number, durable=number - 1, more=more, seed=SEED)
    assert line.count(b"\n") == 1
    stamp = stamp_of(line[:-1], SEED)
    assert stamp is not None
    assert (stamp.number, stamp.durable, stamp.more) == (number, number - 1, more)
    assert {name: fields_of(line)[name] for name in fields} == fields


@given(fields=records)
def test_a_line_is_plain_json_as_any_program_writes_it(fields: dict[str, object]) -> None:
    line = line_of(fields)
    read = json.loads(line)
    assert json.dumps(read, ensure_ascii=False).encode() + b"\n" == line
    assert list(read)[-3:] == ["_seq", "_d", "_crc"]


@given(fields=records, data=st.data())
def test_no_changed_byte_goes_unseen(fields: dict[str, object], data: st.DataObject) -> None:
    line = line_of(fields)[:-1]
    at = data.draw(st.integers(0, len(line) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != line[at]))
    assert stamp_of(line[:at] + bytes([byte]) + line[at + 1 :], SEED) is None


@given(fields=records, data=st.data())
def test_no_torn_line_passes(fields: dict[str, object], data: st.DataObject) -> None:
    line = line_of(fields)[:-1]
    assert stamp_of(line[: data.draw(st.integers(0, len(line) - 1))], SEED) is None


def test_a_line_of_another_session_or_life_does_not_pass() -> None:
    line = line_of({"role": "user"})[:-1]
    assert stamp_of(line, SEED) is not None
    assert stamp_of(line, seed_of("5" * 32, "00c0ffef")) is None
    assert stamp_of(line, seed_of("6" * 32, "00c0ffee")) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**64, "\ud800", object()])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        line_of({"role": "user", "value": value})


@given(
    count=st.integers(1, 6),
    lost=st.integers(0, 5),
    junk=st.binary(max_size=3).map(lambda found: found.replace(b"\n", b"x")),
)
def test_records_that_lost_the_line_break_between_them_are_found(
    count: int, lost: int, junk: bytes
) -> None:
    lines = [line_of({"role": "user", "content": f"m{at}"}, at + 1, at) for at in range(count)]
    lost %= count
    lines[lost] = lines[lost][:-1] + junk
    pieces = list(split(b"".join(lines), 0, SEED))
    numbers = [piece.stamp.number for piece in pieces if piece.stamp is not None]
    assert numbers == list(range(1, count + 1))
    damage = b"".join(piece.content for piece in pieces if piece.stamp is None)
    assert damage.strip() == junk.strip()


@given(text=st.text(string.printable))
def test_words_that_look_like_a_record_stay_words(text: str) -> None:
    inner = line_of({"role": "user", "content": "inner"}).decode() + text
    line = line_of({"role": "user", "content": inner}, 9, 8)
    pieces = list(split(line, 0, SEED))
    assert [piece.stamp and piece.stamp.number for piece in pieces] == [9]

"""Where in a text its normal form comes from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.search_offsets import offsets_of
from app.model.search_text import normalize

TEXTS = st.text(max_size=30) | st.text(
    st.sampled_from(
        "aB \t\n.é字ガｶﾞ한글ㄱㅏᄒ\u1161\u11a8👍🏽\u200d\ufe0f\u0301\u0327ﬁİß½´…ไท\u00ad"
    ),
    max_size=30,
)


@given(TEXTS)
def test_each_character_of_the_normal_form_comes_from_its_own_part(text: str) -> None:
    normal = normalize(text)
    offsets = offsets_of(text, len(normal), 0)
    assert offsets.first == 0
    assert offsets.end == len(offsets.starts) == len(offsets.ends) == len(normal)
    places = list(zip(offsets.starts, offsets.ends, strict=True))
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert places == sorted(places)
    for start, end in dict.fromkeys(places):
        comes_from = [
            character
            for character, place in zip(normal, places, strict=True)
            if place == (start, end)
        ]
        assert "".join(comes_from).strip() == normalize(text[start:end])


@given(pieces=st.lists(TEXTS, max_size=4), at=st.floats(0, 1))
def test_what_lies_far_before_a_place_is_passed_over_and_counted(
    pieces: list[str], at: float
) -> None:
    # Long enough that whole strides of it are passed over.
    text = "".join(piece * (700 // (len(piece) or 1)) for piece in pieces)
    normal = normalize(text)
    place = int(at * len(normal))
    offsets = offsets_of(text, place, 20)
    assert offsets.first <= place <= offsets.end
    for number in range(place, offsets.end):
        start = offsets.starts[number - offsets.first]
        end = offsets.ends[number - offsets.first]
        assert normal[number].strip() in normalize(text[start:end])


@pytest.mark.parametrize("length", range(505, 520))
def test_a_character_is_whole_wherever_strides_end(length: int) -> None:
    text = "x" * length + "e\u0301" + "y" * 600
    offsets = offsets_of(text, length, 10)
    number = length - offsets.first
    assert (offsets.starts[number], offsets.ends[number]) == (length, length + 2)


def test_a_character_and_what_combines_with_it_are_one_place() -> None:
    text = "Re\u0301sume\u0301  ﬁn ㅎㅏ\u11ab!"
    offsets = offsets_of(text, len(text), 0)
    parts = [text[start:end] for start, end in zip(offsets.starts, offsets.ends, strict=True)]
    assert normalize(text) == "résumé fin 한!"
    assert parts == [
        "R",
        "e\u0301",
        "s",
        "u",
        "m",
        "e\u0301",
        " ",
        "ﬁ",
        "ﬁ",
        "n",
        " ",
        "ㅎㅏ\u11ab",
        "!",
    ]


def test_no_more_is_looked_at_than_is_asked_for() -> None:
    text = "word 字 " * 1000
    offsets = offsets_of(text, 3_500, 20)
    assert 3_000 <= offsets.first <= 3_500
    assert 3_520 <= offsets.end < 3_540

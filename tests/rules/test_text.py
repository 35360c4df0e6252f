"""What text and JSON can be kept."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.errors import InvalidInput, LimitExceeded
from app.rules.text import check_json, check_json_object, check_length, check_text

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_whatever_is_allowed_can_be_stored_and_read_alike(value: object) -> None:
    check_json(value, ("data",), 32)
    assert orjson.loads(orjson.dumps(value)) == value


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "x\udfff"])
def test_text_that_cannot_be_kept_is_refused_wherever_it_stands(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_text(text, ("title",))
    assert refused.value.path == ("title",)
    for value, path in (
        ({"a": [1, text]}, ("data", "a", "1")),
        ({"a": {text: 1}}, ("data", "a")),
    ):
        with pytest.raises(InvalidInput) as refused:
            check_json(value, ("data",), 32)
        assert refused.value.path == path


@pytest.mark.parametrize(
    "number", [float("nan"), float("inf"), -float("inf"), 2**63, -(2**63) - 1, object(), b"x"]
)
def test_what_is_no_json_for_everybody_is_refused(number: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_json({"a": number}, ("data",), 32)
    assert refused.value.path == ("data", "a")


def test_depth_and_size_are_limited_exactly() -> None:
    check_json([[["x"]]], ("data",), 3)
    with pytest.raises(LimitExceeded):
        check_json([[["x"]]], ("data",), 2)
    assert check_json_object({"a": "é"}, 100, ("data",), 3) > 2
    with pytest.raises(LimitExceeded):
        check_json_object({"a": "é" * 50}, 100, ("data",), 3)
    with pytest.raises(InvalidInput):
        check_json_object([], 100, ("data",), 3)


def test_length_counts_characters() -> None:
    assert check_length("世" * 5, 5, ("title",)) == 15
    with pytest.raises(LimitExceeded, match="title has 6 characters, 5 are allowed"):
        check_length("世" * 6, 5, ("title",))

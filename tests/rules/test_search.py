"""What may be searched for."""

from __future__ import annotations

import pytest

from app.model.errors import InvalidInput, LimitExceeded
from app.rules.limits import Limits
from app.rules.search import check_search_query

LIMITS = Limits()


@pytest.mark.parametrize(
    "text", ["a", "世", "::", "🎉", "x" * 200, " ".join("abcdefghij"), "a a " * 20, "a + b", "? 世"]
)
def test_a_query_of_a_term_that_can_be_looked_up_is_taken(text: str) -> None:
    assert check_search_query(text, ("query",), LIMITS).terms


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b", "?", ". , ;", "a\x00b", "\ud800"])
def test_a_query_that_nothing_could_answer_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_search_query(text, ("filter", "query"), LIMITS)
    assert refused.value.path == ("filter", "query")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x" * 201, "query has 201 characters, 200 are allowed."),
        (" ".join("abcdefghijk"), "query has 11 terms, 10 are allowed."),
    ],
)
def test_a_query_that_is_too_much_is_refused(text: str, message: str) -> None:
    with pytest.raises(LimitExceeded) as refused:
        check_search_query(text, ("query",), LIMITS)
    assert (refused.value.message, refused.value.path) == (message, ("query",))

"""What may be searched for."""

from __future__ import annotations

from app.model.errors import InvalidInput, LimitExceeded
from app.model.search_query import SearchQuery, parse_query, query_grams
from app.rules.limits import Limits
from app.rules.text import Path, check_length


def check_search_query(text: str, path: Path, limits: Limits) -> SearchQuery:
    """Returns the query that somebody typed.

    InvalidInput where it has no term that an index can look up; LimitExceeded for too long a
    query or too many terms.
    """
    check_length(text, limits.search_query_length, path)
    query = parse_query(text)
    if not query.terms:
        raise InvalidInput("There is nothing to search for.", path)
    if len(query.terms) > limits.search_terms:
        raise LimitExceeded(
            f"{path[-1]} has {len(query.terms)} terms, {limits.search_terms} are allowed.", path
        )
    if not query_grams(query):
        raise InvalidInput(
            "A single punctuation character can't be searched for alone. Add a letter, a digit "
            "or another character.",
            path,
        )
    return query

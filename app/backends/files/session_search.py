"""Which sessions match a query: by their title, or by one of their messages."""

from __future__ import annotations

import sqlite3
from itertools import chain

from app.backends.files.text_queries import MatchingTexts
from app.backends.protocol import Scope
from app.model.identifiers import SessionId
from app.model.search_query import SearchQuery


def sessions_matching(
    connection: sqlite3.Connection, query: SearchQuery, scope: Scope, *, most: int | None = None
) -> set[SessionId] | None:
    """Returns the sessions that match, None where more than `most` texts do."""
    texts = MatchingTexts(connection, query, owner_id=scope.owner)
    found: set[SessionId] = set()
    for number, text in enumerate(chain(texts.fresh(), texts.settled()), start=1):
        if most is not None and number > most:
            return None
        found.add(text.place.session_id)
    return found


def session_matches(
    connection: sqlite3.Connection, query: SearchQuery, session_id: SessionId
) -> bool:
    """Answers whether one session matches."""
    texts = MatchingTexts(connection, query, session_id=session_id)
    return next(chain(texts.fresh(), texts.settled()), None) is not None

"""Cursors: what is encoded comes back, and anything else is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.model.errors import InvalidInput
from app.model.identifiers import Epoch, Position, Revision, Sequence, SessionId
from app.model.paging import SessionBound, SessionOrderField
from app.model.search import SearchBound, SearchOrder
from app.model.search_query import SearchQuery, parse_query
from app.model.timestamps import Timestamp
from app.schema.cursors import (
    decode_event_cursor,
    decode_message_cursor,
    decode_search_cursor,
    decode_session_cursor,
    encode_event_cursor,
    encode_message_cursor,
    encode_search_cursor,
    encode_session_cursor,
)

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SESSION_IDS = st.text("0123456789abcdef", min_size=1, max_size=32).map(SessionId)
NUMBERS = st.integers(0, 10**17)
TITLES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
QUERIES = TITLES.map(parse_query)
ALPHA = parse_query("alpha")
AT = Timestamp("2026-03-01T09:30:00.000000Z")
ORDERS = st.tuples(st.sampled_from(SessionOrderField), st.booleans())


@given(SESSION_IDS, NUMBERS)
def test_a_message_cursor_comes_back(session_id: SessionId, number: int) -> None:
    cursor = encode_message_cursor(session_id, Sequence(number))
    assert decode_message_cursor(cursor, session_id, ("after",)) == number


@given(SESSION_IDS, TITLES, ORDERS)
def test_a_session_cursor_comes_back_in_its_order(
    session_id: SessionId, title: str, order: tuple[SessionOrderField, bool]
) -> None:
    cursor = encode_session_cursor(session_id, title, *order)
    bound = SessionBound(title, session_id)
    assert decode_session_cursor(cursor, *order, ("after",)) == bound


@given(SESSION_IDS, NUMBERS, st.text("0123456789abcdef", min_size=8, max_size=8))
def test_an_event_cursor_comes_back(session_id: SessionId, number: int, epoch: str) -> None:
    position = Position(Epoch(epoch), Revision(number))
    cursor = encode_event_cursor(session_id, position)
    assert decode_event_cursor(cursor, session_id, ("after",)) == position


@given(SESSION_IDS, NUMBERS, NUMBERS, QUERIES, st.sampled_from(SearchOrder))
def test_a_search_cursor_comes_back_for_its_query(
    session_id: SessionId, score: int, number: int, query: SearchQuery, order: SearchOrder
) -> None:
    bound = SearchBound(score, AT, session_id, Sequence(number))
    cursor = encode_search_cursor(bound, query, order)
    assert decode_search_cursor(cursor, query, order, ("after",)) == bound


@given(QUERIES, QUERIES, st.sampled_from(SearchOrder), st.sampled_from(SearchOrder))
def test_a_search_cursor_is_refused_for_any_other_query_or_order(
    query: SearchQuery, other: SearchQuery, order: SearchOrder, other_order: SearchOrder
) -> None:
    assume((query, order) != (other, other_order))
    cursor = encode_search_cursor(SearchBound(0, AT, SessionId("0123"), Sequence(1)), query, order)
    with pytest.raises(InvalidInput, match="belong to the list and the order"):
        decode_search_cursor(cursor, other, other_order, ("after",))


@given(SESSION_IDS, SESSION_IDS, NUMBERS)
def test_a_cursor_of_another_session_is_refused(
    session_id: SessionId, other: SessionId, number: int
) -> None:
    assume(session_id != other)
    message = encode_message_cursor(session_id, Sequence(number))
    event = encode_event_cursor(session_id, Position(Epoch("00000000"), Revision(number)))
    with pytest.raises(InvalidInput):
        decode_message_cursor(message, other, ("after",))
    with pytest.raises(InvalidInput):
        decode_event_cursor(event, other, ("after",))


@given(SESSION_IDS, TITLES, ORDERS, ORDERS)
def test_a_session_cursor_is_refused_in_any_other_order(
    session_id: SessionId,
    title: str,
    order: tuple[SessionOrderField, bool],
    other: tuple[SessionOrderField, bool],
) -> None:
    assume(order != other)
    cursor = encode_session_cursor(session_id, title, *order)
    with pytest.raises(InvalidInput, match="belong to the list and the order"):
        decode_session_cursor(cursor, *other, ("after",))


def _decoders(session_id: SessionId) -> list[Callable[[str], object]]:
    return [
        lambda text: decode_message_cursor(text, session_id, ("before",)),
        lambda text: decode_event_cursor(text, session_id, ("before",)),
        lambda text: decode_session_cursor(
            text, SessionOrderField.LAST_ACTIVITY, True, ("before",)
        ),
        lambda text: decode_search_cursor(text, ALPHA, SearchOrder.NEWEST, ("before",)),
    ]


@given(SESSION_IDS, NUMBERS)
def test_a_cursor_of_one_kind_is_refused_by_the_others(session_id: SessionId, number: int) -> None:
    cursors = [
        encode_message_cursor(session_id, Sequence(number)),
        encode_event_cursor(session_id, Position(Epoch("e"), Revision(number))),
        encode_session_cursor(session_id, str(number), SessionOrderField.LAST_ACTIVITY, True),
        encode_search_cursor(
            SearchBound(number, AT, session_id, Sequence(number)), ALPHA, SearchOrder.NEWEST
        ),
    ]
    for kind, decode in enumerate(_decoders(session_id)):
        for other, cursor in enumerate(cursors):
            if other != kind:
                with pytest.raises(InvalidInput):
                    decode(cursor)


@given(SESSION_IDS, NUMBERS, st.data())
def test_a_cursor_with_any_character_changed_or_cut_off_is_refused(
    session_id: SessionId, number: int, data: st.DataObject
) -> None:
    cursors = [
        encode_message_cursor(session_id, Sequence(number)),
        encode_event_cursor(session_id, Position(Epoch("0a1b2c3d"), Revision(number))),
        encode_session_cursor(
            session_id,
            "2026-03-01T09:30:00.000000Z",
            SessionOrderField.LAST_ACTIVITY,
            True,
        ),
        encode_search_cursor(
            SearchBound(number, AT, session_id, Sequence(1)), ALPHA, SearchOrder.NEWEST
        ),
    ]
    kind = data.draw(st.integers(0, 3))
    cursor = cursors[kind]
    place = data.draw(st.integers(0, len(cursor) - 1))
    changed = data.draw(st.sampled_from(ALPHABET))
    mutated = cursor[:place] + changed + cursor[place + 1 :]
    if changed != cursor[place]:
        with pytest.raises(InvalidInput) as refused:
            _decoders(session_id)[kind](mutated)
        assert refused.value.path == ("before",)
        assert refused.value.code == "INVALID_INPUT"
    with pytest.raises(InvalidInput):
        _decoders(session_id)[kind](cursor[:place])


@given(st.text(max_size=60) | st.text(ALPHABET, max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    for decode in _decoders(SessionId("0123")):
        with pytest.raises(InvalidInput):
            decode(text)


def test_a_very_long_text_is_refused_unread() -> None:
    with pytest.raises(InvalidInput):
        decode_message_cursor("A" * 1_000_000, SessionId("0123"), ("after",))

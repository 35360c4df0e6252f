"""Timestamps have one form, and sort as text as they do in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.timestamps import now, parse_timestamp, to_timestamp

offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(
    datetime.fromisoformat("0002-01-01"), datetime.fromisoformat("9998-01-01"), timezones=offsets
)


@given(moments, moments)
def test_they_sort_as_text_as_they_do_in_time(one: datetime, other: datetime) -> None:
    assert (to_timestamp(one) < to_timestamp(other)) == (one < other)
    assert (to_timestamp(one) == to_timestamp(other)) == (one == other)


@given(moments)
def test_they_are_read_back_to_the_microsecond(moment: datetime) -> None:
    text = to_timestamp(moment)
    assert len(text) == 27
    assert datetime.fromisoformat(text) == moment
    assert parse_timestamp(text) == parse_timestamp(moment.isoformat()) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2026-03-01T09:30:00Z", "2026-03-01T09:30:00.000000Z"),
        ("2026-03-01T10:30:00.5+01:00", "2026-03-01T09:30:00.500000Z"),
        ("2026-02-28T23:30:00-10:00", "2026-03-01T09:30:00.000000Z"),
        ("0999-01-01T00:00:00Z", "0999-01-01T00:00:00.000000Z"),
    ],
)
def test_every_iso_form_has_one_canonical_form(text: str, canonical: str) -> None:
    assert parse_timestamp(text) == canonical


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-01T00:00:00Z", "2026-03-01T09:30:00", "0001-01-01T00:00:00+10:00"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_timestamp(text)


def test_a_time_without_an_offset_needs_a_zone() -> None:
    zone = timezone(timedelta(hours=2))
    assert parse_timestamp("2026-03-01T09:30:00", naive=zone) == "2026-03-01T07:30:00.000000Z"
    assert parse_timestamp("2026-03-01T09:30:00Z", naive=zone) == "2026-03-01T09:30:00.000000Z"
    with pytest.raises(ValueError, match="ambiguous"):
        to_timestamp(datetime(2026, 3, 1))  # noqa: DTZ001 - that is what is refused


def test_now_is_between_before_and_after() -> None:
    before = to_timestamp(datetime.now(UTC))
    assert before <= now() <= to_timestamp(datetime.now(UTC))

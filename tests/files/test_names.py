"""Names of files are readable, safe, and never the same for two sessions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.backends.files.names import STRIPES, file_name, shard_of, stripe_of
from app.model.identifiers import SessionKey, UserId

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
keys = st.builds(SessionKey, st.none() | texts.map(UserId), texts)


def test_a_name_says_whose_session_of_which_key_it_is() -> None:
    assert file_name(SessionKey(None, "cli:1002")) == "cli%3a1002"
    assert file_name(SessionKey(UserId("ana"), "web:7")) == "ana@web%3a7"


@given(one=keys, other=keys)
def test_two_sessions_never_share_a_name(one: SessionKey, other: SessionKey) -> None:
    assert (file_name(one) == file_name(other)) == (one == other)
    assert (file_name(one).lower() == file_name(other).lower()) == (one == other)


def test_names_that_are_cut_still_differ() -> None:
    names = {file_name(SessionKey(None, "x" * 400 + end)) for end in "abc"}
    assert len(names) == 3


@given(key=st.builds(SessionKey, st.none() | st.text().map(UserId), st.text(min_size=200))
       .filter(lambda key: "".join(key[1]).isprintable()))  # fmt: skip
def test_a_name_fits_and_leads_nowhere_else(key: SessionKey) -> None:
    name = file_name(key)
    assert len(name) <= 180
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_%@~")
    assert len(shard_of(name)) == 2
    assert 0 <= stripe_of(name) < STRIPES

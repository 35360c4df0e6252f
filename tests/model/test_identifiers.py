"""Ids: random ones sort by time, derived ones depend on every name."""

from __future__ import annotations

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.identifiers import derive_session_id, new_epoch, new_session_id


def test_a_new_id_is_a_uuid_of_version_7() -> None:
    parsed = uuid.UUID(new_session_id())
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


def test_new_ids_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    times = [0, 1, 999, 1_000, 1_772_000_000_000, 2**47]
    made = []
    for milliseconds in times:
        monkeypatch.setattr(time, "time_ns", lambda at=milliseconds: at * 1_000_000)
        made.append(new_session_id())
    assert made == sorted(made)
    assert [int(one[:12], 16) for one in made] == times


def test_new_ids_and_epochs_differ() -> None:
    assert len({new_session_id() for _ in range(1_000)}) == 1_000
    assert len({new_epoch() for _ in range(100)}) == 100


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), min_size=1))
def test_a_derived_id_is_always_the_same(names: list[str]) -> None:
    assert derive_session_id(*names) == derive_session_id(*names)
    assert uuid.UUID(derive_session_id(*names)).version == 5


def test_a_derived_id_is_that_of_these_names_alone() -> None:
    ids = [
        derive_session_id("import", "a", "b"),
        derive_session_id("import", "ab"),
        derive_session_id("import", "a", "", "b"),
        derive_session_id("b", "a", "import"),
        derive_session_id("import", "A", "b"),
    ]
    assert len(set(ids)) == len(ids)


def test_a_derived_id_does_not_change_between_versions() -> None:
    assert derive_session_id("import", "local", "web:1") == "4adf1053e5fe5df7b3d7fac3155e8636"

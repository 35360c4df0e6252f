"""A store's URL is shown without its password."""

from __future__ import annotations

import pytest

from app.config import shown_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("postgresql://ana@db/chats", "postgresql://ana@db/chats"),
        ("postgresql://ana:se%40cret@db:5432/chats", "postgresql://ana:***@db:5432/chats"),
        ("mysql://root:@127.0.0.1/chats", "mysql://root:***@127.0.0.1/chats"),
        ("file:///data?durability=os", "file:///data?durability=os"),
    ],
)
def test_only_the_password_is_left_out(url: str, shown: str) -> None:
    assert shown_url(url) == shown

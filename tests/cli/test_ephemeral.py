"""`scrollback serve --ephemeral`: a whole server that leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Scrollback
from tests.cli.test_serve import ask, serving, sessions

CREATE = """mutation { createSession(input: {key: "room", title: "Kept in memory"}) {
  session { title } userErrors { code } } }"""


def test_an_ephemeral_server_answers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with serving(tmp_path, "--ephemeral", "--demo") as printed:
        assert printed["Store"] == "memory://ephemeral"
        url = printed["GraphQL"]
        demo = sessions(url)
        assert 6 <= len(demo) <= 8
        created = ask(url, CREATE)["createSession"]
        assert created == {"session": {"title": "Kept in memory"}, "userErrors": []}
        assert next(one["title"] for one in sessions(url)) == "Kept in memory"
    assert list(tmp_path.iterdir()) == []
    with serving(tmp_path, "--ephemeral") as printed:
        assert sessions(printed["GraphQL"]) == []


def test_an_ephemeral_server_of_a_store_is_refused(scrollback: Scrollback) -> None:
    refused = scrollback("serve", "--ephemeral", "--store", "sqlite:///kept.db")
    assert refused.returncode == 2
    assert "--ephemeral keeps no store, --store names one: choose one" in refused.stderr

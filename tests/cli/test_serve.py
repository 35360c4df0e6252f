"""Serving: what is printed, what the first page shows, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.cli.conftest import DATA, PROGRAM, Scrollback, environment


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[dict[str, str]]:
    """Serves inside the block, and gives the addresses that were printed."""
    with subprocess.Popen(
        [PROGRAM, "serve", "--port", "0", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        printed: dict[str, str] = {}
        try:
            for line in server.stdout:
                name, address = line.split()
                printed[name] = address
                if name == "Store":
                    break
            yield printed
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=30) == 0


def ask(url: str, query: str) -> Any:
    body = json.dumps({"query": query}).encode()
    request = Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(request, timeout=30) as response:  # noqa: S310
        answer = json.load(response)
    assert "errors" not in answer
    return answer["data"]


TITLES = "{ sessions(first: 50) { edges { node { title messageCount preview channel } } } }"


def sessions(url: str) -> list[dict[str, Any]]:
    return [edge["node"] for edge in ask(url, TITLES)["sessions"]["edges"]]


def test_the_addresses_are_printed_once_the_server_listens(tmp_path: Path) -> None:
    with serving(tmp_path) as printed:
        assert list(printed) == ["GraphQL", "GraphiQL", "WebSocket", "Store"]
        assert printed["GraphQL"].startswith("http://127.0.0.1:")
        assert printed["GraphQL"].endswith("/graphql")
        assert printed["WebSocket"] == printed["GraphQL"].replace("http://", "ws://")
        assert printed["Store"] == "sqlite:///scrollback.db"
        assert sessions(printed["GraphQL"]) == []


def test_the_demo_brings_conversations_once_and_respects_what_was_deleted(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, "--demo") as printed:
        first = sessions(printed["GraphQL"])
        assert 6 <= len(first) <= 8
        assert all(one["messageCount"] and one["preview"] for one in first)
        assert len({one["channel"] for one in first}) >= 5
        found = ask(printed["GraphQL"], '{ sessionByKey(key: "web:order-20318") { id } }')
        session_id = found["sessionByKey"]["id"]
        deleted = ask(
            printed["GraphQL"],
            f'mutation {{ deleteSession(input: {{ sessionId: "{session_id}" }}) '
            "{ deletedSessionId } }",
        )
        assert deleted["deleteSession"]["deletedSessionId"] == session_id
    with serving(tmp_path, "--demo") as printed:
        assert sessions(printed["GraphQL"]) == [
            one for one in first if one["title"] != "The blue one, please"
        ]


def test_an_import_beside_a_running_server_is_seen_by_it(
    tmp_path: Path, scrollback: Scrollback
) -> None:
    with serving(tmp_path) as printed:
        assert scrollback("import", "openai", DATA / "chats.jsonl").returncode == 0
        assert len(sessions(printed["GraphQL"])) == 3
        assert scrollback("export", "--output", "a.jsonl").returncode == 0
        assert scrollback("doctor").returncode == 0


def test_a_port_in_use_is_an_error_that_says_what_to_do(scrollback: Scrollback) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = scrollback("serve", "--port", port)
    assert told.returncode == 2
    assert told.stdout == ""
    assert told.stderr == (
        f"Error: port {port} of 127.0.0.1 is in use: stop what uses it, or choose another with "
        "--port\n"
    )


def test_an_address_of_another_machine_is_an_error(scrollback: Scrollback) -> None:
    told = scrollback("serve", "--port", "0", "--host", "203.0.113.1")
    assert told.returncode == 2
    assert told.stderr == (
        "Error: 203.0.113.1 is no address of this machine: choose another with --host\n"
    )

"""GraphiQL on the live server, in a real browser.

Runs where Node, npm and a Chromium (named by CHROMIUM, or on the path) are present and GraphiQL
has been bundled; elsewhere every test is skipped and says what is missing.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from app.server.graphiql.examples import EXAMPLES
from app.server.graphiql.page import assets_directory

HERE: Final = Path(__file__).parent
VISIT_TIMEOUT: Final = 120  # seconds, for a slow machine; a visit takes about six


@pytest.fixture(scope="module")
def chromium() -> str:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: no test in a browser")
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if executable is None:
        pytest.skip("no Chromium (set CHROMIUM to its path): no test in a browser")
    if assets_directory() is None:
        pytest.skip("GraphiQL is not bundled (npm ci && npm run build in clients/graphiql)")
    return executable


@pytest.fixture(scope="module")
def driver(chromium: str) -> Path:
    """The script that drives the browser, with its packages installed as locked."""
    installed = HERE / "node_modules" / ".package-lock.json"
    locked = HERE / "package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < locked.stat().st_mtime:
        subprocess.run(["npm", "ci"], cwd=HERE, check=True, timeout=VISIT_TIMEOUT)
        installed.touch()
    return HERE / "graphiql.mjs"


@pytest.fixture(scope="module")
def address(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of GraphiQL on a server of its own, with the demo's conversations."""
    store = tmp_path_factory.mktemp("store") / "scrollback.db"
    log = store.with_suffix(".log")
    command = [str(Path(sys.executable).with_name("scrollback")), "serve", "--demo"]
    command += ["--store", f"sqlite:///{store}", "--host", "127.0.0.1", "--port", "0"]
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as server,
    ):
        assert server.stdout is not None
        try:
            for line in server.stdout:
                if line.strip().startswith("GraphiQL "):
                    yield line.split()[-1]
                    break
            else:
                pytest.fail(f"the server ended before it served:\n{log.read_text('utf-8')}")
        finally:
            server.terminate()
            # Read to the end, or a server that still writes could wait for us for ever.
            server.stdout.read()


@pytest.fixture(scope="module")
def seen(driver: Path, address: str, chromium: str) -> dict[str, Any]:
    """What one visit saw: see graphiql.mjs."""
    visit = subprocess.run(
        ["node", str(driver), address],
        capture_output=True,
        check=False,
        env={**os.environ, "CHROMIUM": chromium},
        text=True,
        timeout=VISIT_TIMEOUT,
    )
    if visit.returncode != 0:
        pytest.fail(f"the visit did not come to its end:\n{visit.stderr}")
    report: dict[str, Any] = json.loads(visit.stdout)
    return report


def test_everything_comes_from_the_server_itself(seen: dict[str, Any], address: str) -> None:
    server = urlsplit(address)
    assert server.hostname == "127.0.0.1"
    assert seen["origins"] == [f"http://{server.netloc}"]
    assert seen["sockets"] == [server.netloc]


def test_the_browser_has_nothing_to_complain_about(seen: dict[str, Any]) -> None:
    assert seen["problems"] == []


def test_a_first_visitor_finds_the_examples_as_tabs(seen: dict[str, Any]) -> None:
    assert seen["title"] == "Scrollback"
    assert len(seen["tabs"]) == len(EXAMPLES)
    for title, example in zip(seen["tabs"], EXAMPLES, strict=True):
        assert f" {title}(" in example.query


def test_a_query_shows_its_result(seen: dict[str, Any]) -> None:
    assert '"errors"' not in seen["query"]
    assert '"messageCount"' in seen["query"]


def test_the_documentation_lists_the_root_types(seen: dict[str, Any]) -> None:
    for root in ("query: Query", "mutation: Mutation", "subscription: Subscription"):
        assert root in seen["documentation"]


def test_the_editors_mark_mistakes_from_workers_of_our_own(seen: dict[str, Any]) -> None:
    assert seen["marked"] == [".graphiql-query-editor", ".graphiql-editor-tool"]
    names = [Path(path).name.split(".")[0] for path in seen["workers"]]
    assert names == ["editor", "graphql", "json"]
    assert {str(Path(path).parent) for path in seen["workers"]} == {"/graphql/assets"}


def test_what_one_window_adds_arrives_in_the_subscription_of_another(seen: dict[str, Any]) -> None:
    assert '"CaughtUp"' in seen["subscribed"]
    assert '"Hello from GraphiQL"' in seen["mutation"]
    assert '"CaughtUp"' not in seen["event"]


def test_headers_of_a_tab_go_with_its_request_and_into_its_socket(seen: dict[str, Any]) -> None:
    assert seen["sentHeaders"] == ["by socket", "by HTTP"]

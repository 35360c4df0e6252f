"""What a command does without: memory and start-up time are mostly what is imported."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

from tests.cli.conftest import Scrollback, environment
from tests.cli.test_serve import ask

TELLING_MODULES = """
import atexit, sys
atexit.register(lambda: print("modules:", *sys.modules, file=sys.stderr))
from app.cli.main import main
main()
"""

CREATE = 'mutation { createSession(input: { key: "web:1" }) { session { id } } }'
ADD = """
mutation {{
  addMessage(
    input: {{ sessionId: "{id}", message: {{ role: USER, parts: [{{ text: {{ text: "Hi" }} }}] }} }}
  ) {{
    message {{ sequence }}
  }}
}}
"""
READ = "{ sessions(first: 5) { edges { node { messages(last: 5) { edges { node { text } } } } } } }"

NOT_FOR_SERVING = {
    "alembic": "an up-to-date store needs no migration",
    "app.cli.copy": "other commands are imported by their names",
    "app.formats": "only imports and exports read files",
    "asyncpg": "the driver of another store",
    "rich": "progress bars are for other commands",
    "sqlalchemy.ext.asyncio": "reading and committing go past it",
    "sqlalchemy.orm": "nothing here is mapped by it",
}


def modules_of(stderr: str) -> set[str]:
    (line,) = [line for line in stderr.splitlines() if line.startswith("modules: ")]
    return set(line.split()[1:])


def test_a_server_over_an_up_to_date_store_imports_only_what_it_needs(
    tmp_path: Path, scrollback: Scrollback
) -> None:
    assert scrollback("migrate").returncode == 0
    with subprocess.Popen(
        [sys.executable, "-c", TELLING_MODULES, "serve", "--port", "0"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            url = server.stdout.readline().split()[-1]
            session = ask(url, CREATE)["createSession"]["session"]
            ask(url, ADD.format(id=session["id"]))
            for _ in range(3):  # the second run compiles, the third is compiled
                (edge,) = ask(url, READ)["sessions"]["edges"]
                assert edge["node"]["messages"]["edges"] == [{"node": {"text": "Hi"}}]
            with urlopen(url.replace("/graphql", "/readyz"), timeout=30) as response:  # noqa: S310
                assert json.load(response)["status"] == "ready"
        finally:
            server.send_signal(signal.SIGTERM)
            _, stderr = server.communicate(timeout=30)
    imported = modules_of(stderr)
    assert {"aiohttp", "sqlalchemy", "strawberry"} <= imported
    assert imported.isdisjoint(NOT_FOR_SERVING)

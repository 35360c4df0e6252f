"""A reader who does what a page says: types its commands, sends its queries, in its order."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from tests.docs.matching import json_matches, text_matches
from tests.docs.pages import ROOT, Block, Command, read_commands

ADDRESS: Final = "127.0.0.1:8000"
"""Where pages say that the server is; the reader's own listens on a free port."""

_SECONDS = 60.0
_OPTIONAL: Final = frozenset({"curl", "node", "sqlite3"})
"""Programs that pages use and that a machine may lack."""
_TARGET = re.compile(r"^(?P<name>[a-z]+):", re.MULTILINE)
_COPIED = re.compile(r"<(?P<field>\w+)>")
_VARIABLE = re.compile(r"^(?P<name>[A-Z_]+) [?:]?=", re.MULTILINE)


class Reader:
    """One page's reader, in a folder of its own. `missed` says what could not be tried, and why."""

    def __init__(self, folder: Path) -> None:
        self.missed: list[str] = []
        self._folder = folder
        self._server: asyncio.subprocess.Process | None = None
        self._server_log = folder.with_suffix(".log")
        self._address = ADDRESS
        self._exit_code = 0
        self._seen: dict[str, str] = {}

    async def type(self, block: Block) -> None:
        """Runs the commands of a console block and compares what they print."""
        commands = list(read_commands(block))
        assert commands, f"{block}: a console block has commands"
        for place, command in enumerate(commands):
            checked = place + 1 < len(commands) and commands[place + 1].line == "echo $?"
            await self._run(block, command, any_exit_code=checked)

    async def send(self, block: Block, variables: Any, answers: list[Any]) -> None:
        """Sends a GraphQL operation and compares its answers: of a subscription, its first ones.

        A variable `"<field>"` is what a reader copies there: that field of the newest answer that
        had it.
        """
        if self._server is None:
            await self._serve(["--demo"])
        accept = "text/event-stream" if len(answers) > 1 else "application/json"
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_SECONDS)) as session,
            session.post(
                f"http://{self._address}/graphql",
                json={"query": block.text, "variables": self._filled(variables)},
                headers={"Accept": accept},
            ) as response,
        ):
            for shown in answers:
                real = await _next_answer(response)
                if isinstance(shown, dict) and "extensions" not in shown:
                    real.pop("extensions", None)
                self._remember(real)
                printed = orjson.dumps(real, option=orjson.OPT_INDENT_2).decode()
                assert json_matches(shown, real), f"{block}: the answer is\n{printed}"

    async def run_python(self, block: Block, shown: str | None) -> None:
        """Runs a program in Python and compares what it prints, where the page shows that."""
        program = self._folder / f"line{block.line}.py"
        program.write_text(self._addressed(block.text), "utf-8")
        printed, code = await self._shell(shlex.join([sys.executable, program.name]))
        assert code == 0, f"{block}: {printed}"
        if shown is not None:
            assert text_matches(shown, printed), f"{block}: it prints\n{printed}"

    async def check_javascript(self, block: Block) -> None:
        """Lets Node parse a module; nothing of it is run."""
        if shutil.which("node") is None:
            self.missed.append(f"{block}: node is not installed")
            return
        module = self._folder / f"line{block.line}.mjs"
        module.write_text(block.text, "utf-8")
        printed, code = await self._shell(f"node --check {module.name}")
        assert code == 0, f"{block}: {printed}"

    async def leave(self) -> None:
        """Stops the server, if there is one."""
        server, self._server = self._server, None
        if server is None:
            return
        with suppress(ProcessLookupError):
            server.send_signal(signal.SIGTERM)
        await asyncio.wait_for(server.communicate(), _SECONDS)
        assert server.returncode == 0, self._server_log.read_text("utf-8")

    async def _run(self, block: Block, command: Command, *, any_exit_code: bool) -> None:
        words = shlex.split(command.line, comments=True)
        if words[0] == "make":
            await self._make(block, words[1:])
            return
        if words[:2] == ["scrollback", "serve"]:
            printed = await self._serve(words[2:])
        else:
            lacking = {word for word in words if word in _OPTIONAL and shutil.which(word) is None}
            if lacking:
                self.missed.append(f"{block}: {', '.join(sorted(lacking))} is not installed")
                return
            line = self._addressed(command.line)
            printed, self._exit_code = await self._shell(f"(exit {self._exit_code}); {line}")
            code = self._exit_code
            assert any_exit_code or code == 0, f"{block}: {command.line} exits {code}\n{printed}"
        if command.shown:
            real = printed.replace(self._address, ADDRESS)
            assert text_matches(command.shown, real), f"{block}: {command.line} prints\n{real}"

    async def _make(self, block: Block, words: list[str]) -> None:
        """Checks that the Makefile has it; of `make serve` the server itself is started."""
        makefile = (ROOT / "Makefile").read_text("utf-8")
        targets = {found["name"] for found in _TARGET.finditer(makefile)}
        variables = {found["name"] for found in _VARIABLE.finditer(makefile)}
        given = dict(word.split("=", 1) for word in words if "=" in word)
        named = [word for word in words if "=" not in word]
        assert set(named) <= targets, f"{block}: the Makefile has {sorted(targets)}"
        assert given.keys() <= variables, f"{block}: the Makefile has {sorted(variables)}"
        if named == ["serve"]:
            await self._serve(shlex.split(given.get("SERVE_FLAGS", "")))

    async def _serve(self, flags: list[str]) -> str:
        """Starts `scrollback serve` in the place of one that runs; returns what it announces."""
        await self.leave()
        with self._server_log.open("wb") as log:
            self._server = await asyncio.create_subprocess_exec(
                *("scrollback", "serve", *flags),
                cwd=self._folder,
                env=self._environment(),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self._server.stdout is not None
        announced = ""
        while "Store " not in announced:
            line = await asyncio.wait_for(self._server.stdout.readline(), _SECONDS)
            assert line, self._server_log.read_text("utf-8")
            announced += line.decode()
        found = re.search(r"http://(\S+)/graphql", announced)
        assert found is not None, announced
        self._address = found[1]
        return announced

    async def _shell(self, line: str) -> tuple[str, int]:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", line),
            cwd=self._folder,
            env=self._environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), _SECONDS)
        assert process.returncode is not None
        return output.decode(), process.returncode

    def _remember(self, answer: Any) -> None:
        if isinstance(answer, dict):
            for name, value in answer.items():
                if isinstance(value, str):
                    self._seen[name] = value
                self._remember(value)
        elif isinstance(answer, list):
            for item in answer:
                self._remember(item)

    def _filled(self, variables: Any) -> Any:
        if isinstance(variables, dict):
            return {name: self._filled(value) for name, value in variables.items()}
        if isinstance(variables, str) and (found := _COPIED.fullmatch(variables)):
            return self._seen[found["field"]]
        return variables

    def _addressed(self, text: str) -> str:
        return text.replace(ADDRESS, self._address)

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if "SCROLLBACK_" not in name}
        programs = Path(sys.executable).parent
        return {**own, "PATH": f"{programs}:{own['PATH']}", "SCROLLBACK_PORT": "0", "TZ": "UTC"}


@asynccontextmanager
async def reading(folder: Path) -> AsyncIterator[Reader]:
    """Gives a reader in a folder that looks like a clone with its environment installed."""
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    reader = Reader(folder)
    try:
        yield reader
    finally:
        await reader.leave()


async def _next_answer(response: aiohttp.ClientResponse) -> Any:
    if response.content_type != "text/event-stream":
        return await response.json(content_type=None)
    while True:
        line = await response.content.readline()
        assert line, "the stream ended before all of its events came"
        if line.startswith(b"data: {"):
            return orjson.loads(line.removeprefix(b"data: "))

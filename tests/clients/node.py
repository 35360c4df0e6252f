"""Runs the JavaScript clients of this directory, for any test that has a server for them."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

HERE: Final = Path(__file__).parent
INSTALL_TIMEOUT: Final = 300.0
RUN_TIMEOUT: Final = 60.0


@cache
def missing_program() -> str | None:
    """Returns the name of a program that the clients need and that is not there."""
    return next((name for name in ("node", "npm") if shutil.which(name) is None), None)


def install_clients() -> None:
    """Installs the clients as locked, unless they are. Skips the test where Node is missing."""
    if (program := missing_program()) is not None:
        pytest.skip(f"{program} is not installed: JavaScript clients are not tested")
    installed = HERE / "node_modules" / ".package-lock.json"
    locked = HERE / "package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < locked.stat().st_mtime:
        subprocess.run(["npm", "ci"], cwd=HERE, check=True, timeout=INSTALL_TIMEOUT)
        installed.touch()


async def run_audits(url: str) -> list[dict[str, Any]]:
    """Returns the result of each GraphQL over HTTP audit of the server at `url`."""
    results: list[dict[str, Any]] = await _run("audits.mjs", url)
    return results


async def run_socket_client(url: str, plan: dict[str, Any]) -> dict[str, Any]:
    """Runs a plan (described in subscribe.mjs) with the graphql-ws client, returns what it got."""
    got: dict[str, Any] = await _run("subscribe.mjs", url, json.dumps(plan))
    return got


async def _run(script: str, *arguments: str) -> Any:
    program = await asyncio.create_subprocess_exec(
        "node",
        str(HERE / script),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await asyncio.wait_for(program.communicate(), RUN_TIMEOUT)
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    assert program.returncode == 0, errors.decode()
    return json.loads(output)

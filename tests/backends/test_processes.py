"""Several processes write to one store: nobody fails, nothing is lost, numbers come once."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from app.backends.protocol import EVERYTHING
from app.backends.sql.backend import SqlBackend
from app.model.message import Message
from app.model.paging import MessagePageRequest, Take, Window
from tests.backends.conftest import SESSION, create

PROCESSES = 4
APPENDS = 50

APPENDER = """
import asyncio, sys
from pathlib import Path
from app.backends.protocol import EVERYTHING
from app.backends.sql.open import open_sqlite
from app.model.changes import AddMessages, Commit, Committed
from tests.backends.conftest import AT, SESSION, said

async def main(path, name, appends):
    store, _ = await open_sqlite(Path(path), migrate=False)
    for number in range(int(appends)):
        change = AddMessages((said(f"{name} {number}"),))
        [outcome] = await store.commit([Commit(SESSION, (change,), AT)], EVERYTHING)
        assert isinstance(outcome, Committed), outcome
        print(outcome.sequences[0], name, number, flush=True)
    await store.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def append_from_elsewhere(path: Path, name: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        APPENDER,
        str(path),
        name,
        str(APPENDS),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, error.decode()
    return out.decode().splitlines()


async def test_every_append_of_every_process_is_there_once_and_in_order(
    store: SqlBackend, path: Path
) -> None:
    await create(store)
    acknowledged = await asyncio.gather(
        *(append_from_elsewhere(path, f"process{n}") for n in range(PROCESSES))
    )
    told = {
        int(line.split(" ", 1)[0]): line.split(" ", 1)[1] for log in acknowledged for line in log
    }
    assert sorted(told) == list(range(1, PROCESSES * APPENDS + 1))
    request = MessagePageRequest(SESSION, Window(PROCESSES * APPENDS, Take.FIRST))
    page = (await store.page_messages([request], EVERYTHING))[request]
    assert not isinstance(page, Exception)
    stored: tuple[Message, ...] = page.items
    assert {message.sequence: message.text for message in stored} == told
    for name in {line.split()[1] for log in acknowledged for line in log}:
        mine = [message.text for message in stored if message.text.startswith(f"{name} ")]
        assert mine == [f"{name} {number}" for number in range(APPENDS)]
    codes = {finding.code async for finding in store.check()} - {"SQLITE_VERSION"}
    assert codes == set()

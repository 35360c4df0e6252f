"""How a test of the kit gets its store: opened fresh, closed after the test, sound at the end."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, ClassVar, TypeAlias

import pytest

from app.backends.conformance.samples import errors_found
from app.backends.protocol import Backend

OpenNamed: TypeAlias = Callable[[str], Awaitable[Backend]]
"""Opens the store of that name, of those that belong to the test; empty when first opened."""

OpenStore: TypeAlias = Callable[[], Awaitable[Backend]]
"""Opens a store that is known from the context."""


class Subject:
    """The store that a test works on, and every handle that the test opened, on others too."""

    def __init__(self, open_store: OpenNamed) -> None:
        self._open_store = open_store
        self._others = 0
        self.handles: list[Backend] = []

    async def open(self, name: str = "store") -> Backend:
        """Opens a handle on the test's store, beside those that are open already."""
        backend = await self._open_store(name)
        self.handles.append(backend)
        return backend

    async def open_another(self) -> Backend:
        """Opens a store that is new and empty each time."""
        self._others += 1
        return await self.open(f"other-{self._others}")

    async def reopen(self) -> Backend:
        """Closes every handle and opens the store anew."""
        await self.close()
        return await self.open()

    async def close(self) -> None:
        """Closes every handle."""
        for backend in self.handles:
            await backend.close()
        self.handles.clear()

    async def finish(self) -> None:
        """Closes every handle; each store must then be found sound by a new one."""
        await self.close()
        names = ["store", *(f"other-{number + 1}" for number in range(self._others))]
        try:
            for name in names:
                assert await errors_found(await self.open(name)) == [], name
        finally:
            await self.close()


class BackendTests:
    """The base of every group. A subclass gives the fixture `open_store` and `__test__ = True`.

    Tests are coroutines; each runs in an event loop of its own together with its store, so that
    nothing but pytest is needed to run them.
    """

    __test__: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, test in list(vars(cls).items()):
            if name.startswith("test_") and inspect.iscoroutinefunction(test):
                setattr(cls, name, _run_in_loop(test))

    @pytest.fixture
    def loop_runner(self) -> Iterator[asyncio.Runner]:
        """The event loop of one test."""
        with asyncio.Runner() as runner:
            yield runner

    @pytest.fixture
    def subject(self, loop_runner: asyncio.Runner, open_store: OpenNamed) -> Iterator[Subject]:
        """The store of one test, checked when the test is over."""
        subject = Subject(open_store)
        yield subject
        loop_runner.run(subject.finish())

    @pytest.fixture
    def backend(self, loop_runner: asyncio.Runner, subject: Subject) -> Backend:
        """A handle on the test's own store."""
        return loop_runner.run(subject.open())

    @pytest.fixture
    def reopen(self, subject: Subject) -> OpenStore:
        """Closes the store and opens it again."""
        return subject.reopen

    @pytest.fixture
    def another_store(self, subject: Subject) -> OpenStore:
        """Opens a store of its own, empty, another one at each call."""
        return subject.open_another

    @pytest.fixture
    def second_process(self, backend: Backend, subject: Subject) -> OpenStore:
        """Opens the store beside its first handle, as another process would."""
        support = backend.capabilities.several_processes
        if not support.supported:
            pytest.skip(f"{backend.capabilities.name}: {support.reason}")
        return subject.open


def _run_in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    signature = inspect.signature(test)

    @functools.wraps(test)
    def run(self: object, loop_runner: asyncio.Runner, **fixtures: Any) -> None:
        loop_runner.run(test(self, **fixtures))

    self_parameter, *fixtures = signature.parameters.values()
    loop_runner = inspect.Parameter("loop_runner", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [self_parameter, loop_runner, *fixtures]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return run

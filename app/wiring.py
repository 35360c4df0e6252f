"""The only place where parts are put together: settings to store, live updates, execution."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.backends.open import open_backend
from app.config import Settings
from app.execution.compiled.operation import ExecutionOptions
from app.execution.executor import Executor
from app.execution.limits import QueryLimits
from app.live.brokers.in_process import InProcessBroker
from app.live.feeds import Feeds, keep_looking
from app.resolvers.services import Services
from app.rules.caller import LOCAL_USER, Caller, Permission
from app.rules.limits import Limits
from app.schema import schema
from app.schema.context import OperationContext
from app.schema.errors import describe_error

LOCAL_CALLER = Caller(LOCAL_USER, frozenset(Permission))
"""Who everybody is to a server without logins: the one user of this computer, with all rights."""

_log = logging.getLogger("scrollback")


@dataclass(frozen=True, slots=True)
class Wired:
    """What answers operations: the services below the schema, and the executor above it."""

    services: Services
    executor: Executor

    def open_context(self, caller: Caller) -> OperationContext:
        """Returns the context of one operation."""
        return OperationContext(self.services, caller)


@asynccontextmanager
async def wire(settings: Settings) -> AsyncIterator[Wired]:
    """Opens the store and everything over it, and closes all of it at the end.

    Raises `StoreUnusable` where the store can't be opened.
    """
    backend = await open_backend(settings.store)
    broker = InProcessBroker()
    try:
        feeds = Feeds(backend, broker)
        async with keep_looking(feeds, settings.catch_up_seconds, _report_look):
            services = Services(backend, broker, feeds, _limits(settings))
            executor = Executor(
                schema,
                limits=_query_limits(settings),
                describe_error=describe_error,
                report_error=_report_masked,
                options=ExecutionOptions(compiled=settings.compiled),
            )
            yield Wired(services, executor)
    finally:
        await broker.close()
        await backend.close()


def _limits(settings: Settings) -> Limits:
    return Limits(
        page_size=settings.page_size,
        max_page_size=settings.max_page_size,
        node_ids=settings.max_node_ids,
        messages_per_mutation=settings.max_messages_per_mutation,
        message_bytes=settings.max_message_bytes,
        metadata_bytes=settings.max_metadata_bytes,
    )


def _query_limits(settings: Settings) -> QueryLimits:
    return QueryLimits(
        document_characters=settings.max_query_characters,
        input_values=settings.max_input_values,
        tokens=settings.max_tokens,
        depth=settings.max_depth,
        aliases=settings.max_aliases,
        directives=settings.max_directives,
        nodes=settings.max_nodes,
        page_size=settings.page_size,
        timeout_seconds=settings.operation_timeout,
        cached_documents=settings.document_cache,
    )


def _report_look(error: BaseException) -> None:
    _log.error("looking for changes of other processes failed", exc_info=error)


def _report_masked(error: BaseException, details: Mapping[str, object]) -> None:
    _log.error("operation failed", exc_info=error, extra=details)

"""A client of the schema without a network: the executor over a real store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from app.backends.protocol import Backend
from app.execution.executor import Executor
from app.execution.operation import Request, Response
from app.execution.stream import ResponseStream
from app.live.brokers.in_process import InProcessBroker
from app.live.feeds import Feeds
from app.resolvers.services import Services
from app.rules.caller import Caller
from app.rules.limits import Limits
from app.schema import schema
from app.schema.context import OperationContext
from app.schema.errors import describe_error


class CountingBackend:
    """A store that counts the calls of its methods."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._backend, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            self.calls[name] += 1
            return method(*arguments, **named)

        return counted


class Api:
    """What one caller can do over GraphQL."""

    def __init__(self, services: Services, caller: Caller, reported: list[BaseException]) -> None:
        self.services = services
        self.caller = caller
        self.reported = reported
        self._executor = Executor(
            schema,
            describe_error=describe_error,
            report_error=lambda error, _: reported.append(error),
        )

    def acting_as(self, caller: Caller) -> Api:
        """Returns the same API for another caller."""
        return Api(self.services, caller, self.reported)

    async def respond(self, query: str, variables: Mapping[str, Any] | None = None) -> Response:
        """Runs an operation and returns its response."""
        request = Request(query, variables)
        prepared = self._executor.prepare(request)
        if isinstance(prepared, Response):
            return prepared
        context = OperationContext(self.services, self.caller)
        return await self._executor.execute(prepared, request, context)

    async def run(self, query: str, **variables: Any) -> Any:
        """Runs an operation that has no errors and returns its data."""
        response = await self.respond(query, variables)
        assert response.errors == []
        assert self.reported == []
        assert response.data is not None
        return response.data

    async def refuse(self, query: str, **variables: Any) -> dict[str, Any]:
        """Runs an operation that has exactly one error and returns it."""
        response = await self.respond(query, variables)
        (error,) = response.errors
        assert self.reported == []
        return error

    async def mutate(self, name: str, fields: str, /, **given: Any) -> Any:
        """Runs a mutation by its name and returns its payload."""
        input_type = f"{name[0].upper()}{name[1:]}Input"
        document = (
            f"mutation ($input: {input_type}!) {{ {name}(input: $input) {{ {fields} "
            "userErrors { __typename code message path "
            "... on ConflictError { currentRevision current { id } } } } }"
        )
        return (await self.run(document, input=given))[name]

    async def subscribe(self, query: str, **variables: Any) -> ResponseStream | Response:
        """Starts a subscription, answered together with all that are the same."""
        request = Request(query, variables)
        prepared = self._executor.prepare(request)
        if isinstance(prepared, Response):
            return prepared
        context = OperationContext(self.services, self.caller)
        return await self._executor.subscribe(
            prepared, request, context, renew=context.renew, caller=self.caller
        )

    async def create(self, *texts: str, **given: Any) -> str:
        """Creates a session with messages of the user and returns its id."""
        payload = await self.mutate("createSession", "session { id }", **given)
        session_id: str = payload["session"]["id"]
        if texts:
            await self.say(session_id, *texts)
        return session_id

    async def say(self, session_id: str, *texts: str) -> list[str]:
        """Adds messages of the user and returns their ids."""
        payload = await self.mutate(
            "addMessages",
            "messages { id }",
            sessionId=session_id,
            messages=[user_message(text) for text in texts],
        )
        assert payload["userErrors"] == []
        return [message["id"] for message in payload["messages"]]

    async def texts(self, session_id: str, scope: str = "ALL") -> list[str]:
        """Returns the words of a session's messages."""
        data = await self.run(
            "query ($id: ID!, $scope: MessageScope!) { session(id: $id) {"
            " messages(last: 100, scope: $scope) { edges { node { text } } } } }",
            id=session_id,
            scope=scope,
        )
        return [edge["node"]["text"] for edge in data["session"]["messages"]["edges"]]


def user_message(text: str) -> dict[str, Any]:
    """Returns the input of a message of one text."""
    return {"role": "USER", "parts": [{"text": {"text": text}}]}


def build_services(backend: Backend, limits: Limits | None = None) -> Services:
    """Returns the services over a store."""
    broker = InProcessBroker()
    return Services(backend, broker, Feeds(backend, broker), limits or Limits())

"""Runs GraphQL operations on a Strawberry schema without Strawberry's own pipeline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any

import strawberry
from graphql import ExecutionResult, GraphQLError, located_error
from graphql.execution import create_source_event_stream
from graphql.execution.values import VariableValues, get_variable_values

from app.execution.compiled.budget import PlanBudget
from app.execution.compiled.compiler import Compiler
from app.execution.compiled.operation import ExecutionOptions, Statistics
from app.execution.compiled.run import CompiledRun
from app.execution.deadlines import Deadlines
from app.execution.document import Document, Prepared, read_document, refusal
from app.execution.document_cache import DocumentCache
from app.execution.errors import (
    BAD_USER_INPUT,
    OPERATION_TIMEOUT,
    QUERY_TOO_COSTLY,
    TOO_MANY_INPUT_VALUES,
    ExecutionErrors,
    ReportError,
    format_error,
)
from app.execution.input_size import holds_more_than
from app.execution.limits import QueryLimits
from app.execution.operation import DescribeError, OperationKind, Request, Response
from app.execution.running import OperationTimeoutError, Run
from app.execution.sharing import Audiences, SharedEvent, answer_once
from app.execution.strawberry_schema import core_schema
from app.execution.stream import ResponseStream
from app.execution.variables import InputTypes

DEFAULT_LIMITS = QueryLimits()
DEFAULT_OPTIONS = ExecutionOptions()


class Executor:
    """Runs the operations of one schema; safe for any number of concurrent requests."""

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        limits: QueryLimits = DEFAULT_LIMITS,
        options: ExecutionOptions = DEFAULT_OPTIONS,
        describe_error: DescribeError,
        report_error: ReportError,
    ) -> None:
        """Takes the schema, the limits, how to run and what to do with errors.

        `describe_error` answers how an exception of a resolver is shown. One that it does not
        know is masked and given to `report_error`, once a response.
        """
        self._schema = core_schema(schema)
        self._limits = limits
        self._options = options
        self._input_types = InputTypes()
        self._compiler = Compiler(self._schema)
        self._plans = PlanBudget(options.plan_characters)
        self._audiences = Audiences()
        self._deadlines = Deadlines(limits.timeout_seconds)
        self.statistics = Statistics()
        self._errors = ExecutionErrors(describe_error, report_error)
        self._documents: DocumentCache[Document] = DocumentCache(
            entries=limits.cached_documents,
            characters=limits.cached_characters,
            entry_characters=limits.cached_document_characters,
        )

    def prepare(self, request: Request) -> Prepared | Response:
        """Parses, checks and selects the operation of a request, or returns a request error.

        Works once a document while it is kept; later requests share what was prepared.
        """
        document = self._documents.get(request.query)
        if document is not None:
            self.statistics.document_hits += 1
        else:
            self.statistics.document_misses += 1
            read = read_document(request.query, self._schema, self._input_types, self._limits)
            if isinstance(read, Response):
                return read
            document = read
            self._documents.put(request.query, document)
        return document.select(request.operation_name)

    async def execute(self, prepared: Prepared, request: Request, context: object) -> Response:
        """Runs a query or a mutation and returns its response.

        Returns a request error, with nothing run, when the variables do not fit or the operation
        costs too much. After the time limit the answer is OPERATION_TIMEOUT and resolvers are
        cancelled; but what a mutation has handed to a store by then may still be done there, so
        its outcome is unknown and it must be retried with the same idempotency key.
        """
        if prepared.kind is OperationKind.SUBSCRIPTION:
            raise ValueError("A subscription is run by subscribe().")
        admitted = self._admit(prepared, request)
        if isinstance(admitted, Response):
            return admitted
        variables, nodes = admitted
        self.statistics.begin(prepared.kind)
        return await self._respond(self._run(prepared, variables, context), prepared, nodes)

    def _run(
        self,
        prepared: Prepared,
        variables: VariableValues,
        context: object,
        root_value: object = None,
    ) -> Run | CompiledRun:
        if self._options.compiled:
            plan = prepared.compiled.plan(
                self._compiler, self._plans, prepared, variables, self._options, self.statistics
            )
            if plan is not None:
                return CompiledRun(plan, self._schema, prepared, variables, context, root_value)
        return Run(self._schema, prepared, variables, context, root_value)

    async def subscribe(
        self,
        prepared: Prepared,
        request: Request,
        context: object,
        *,
        renew: Callable[[], None],
        caller: Hashable = None,
    ) -> ResponseStream | Response:
        """Starts a subscription and returns its stream of responses.

        `renew` is called before each event is executed. A `SharedEvent` is executed once for all
        subscriptions with the same request and `caller`, which is all that their contexts differ
        in; with None, for each. Returns an error response instead when the request is refused or
        its source cannot be opened. Whoever takes the stream closes it; that closes the source.
        """
        if prepared.kind is not OperationKind.SUBSCRIPTION:
            raise ValueError("Only a subscription can be subscribed to.")
        admitted = self._admit(prepared, request)
        if isinstance(admitted, Response):
            return admitted
        variables, nodes = admitted
        self.statistics.begin(prepared.kind)
        run = Run(self._schema, prepared, variables, context)
        opening = create_source_event_stream(run)
        try:
            source: Any = (
                await run.within(self._deadlines, opening)
                if isinstance(opening, Awaitable)
                else opening
            )
        except OperationTimeoutError:
            return Response(executed=False, errors=[self._timeout_error(prepared)])
        finally:
            run.take_apart()
        if isinstance(source, ExecutionResult):
            return Response(executed=False, errors=self._shown(prepared, source.errors or []))

        audience = None if caller is None else self._audiences.join(request, caller)

        async def respond_alone(event: object) -> Response:
            renew()
            event_run = self._run(prepared, variables, context, event)
            return await self._respond(event_run, prepared, nodes)

        def respond(event: object) -> Awaitable[Response]:
            if audience is not None and isinstance(event, SharedEvent):
                return answer_once(event, audience, respond_alone)
            return respond_alone(event)

        def respond_to_failure(error: Exception) -> Response:
            fields = prepared.operation.selection_set.selections
            failure = located_error(error, list(fields))
            return Response(
                executed=True,
                errors=self._shown(prepared, [failure]),
                extensions=self._cost(nodes),
            )

        def report_failure(error: Exception) -> None:
            self._errors.report(error, prepared.kind, prepared.operation_name)

        def closed() -> None:
            self.statistics.open_subscriptions -= 1

        stream = ResponseStream(
            source,
            respond=respond,
            respond_to_failure=respond_to_failure,
            report_failure=report_failure,
            closed=closed,
            audience=audience,
        )
        self.statistics.open_subscriptions += 1
        return stream

    def _admit(self, prepared: Prepared, request: Request) -> tuple[VariableValues, int] | Response:
        """Coerces the variables and counts the cost, or refuses the request."""
        variables = self._coerce(prepared, dict(request.variables or {}))
        if isinstance(variables, Response):
            return variables
        nodes = prepared.cost.count(variables.coerced)
        if nodes > self._limits.nodes:
            error = GraphQLError(
                f"The operation may give {nodes} nodes; at most {self._limits.nodes} are allowed."
                " Ask for smaller pages or fewer nested lists.",
                prepared.operation,
            )
            return Response(
                executed=False,
                errors=[format_error(error, QUERY_TOO_COSTLY)],
                extensions=self._cost(nodes),
            )
        return variables, nodes

    def _coerce(self, prepared: Prepared, given: dict[str, Any]) -> VariableValues | Response:
        """Coerces the variables, or refuses the request."""
        most = self._limits.input_values
        coerced = prepared.variables.coerce(given, most)
        if coerced is not None:
            return coerced
        if holds_more_than(most, self._schema, prepared.variable_definitions, given):
            message = f"The variables hold more than {most} objects and list items: send fewer."
            return refusal(format_error(GraphQLError(message), TOO_MANY_INPUT_VALUES))
        variables = get_variable_values(
            self._schema, prepared.variable_definitions, given, max_errors=1
        )
        if isinstance(variables, list):
            return refusal(format_error(variables[0], BAD_USER_INPUT))
        return variables

    async def _respond(self, run: Run | CompiledRun, prepared: Prepared, nodes: int) -> Response:
        try:
            result = await run.result(self._deadlines)
        except OperationTimeoutError:
            errors = [self._timeout_error(prepared)]
            return Response(executed=True, errors=errors, extensions=self._cost(nodes))
        return Response(
            executed=True,
            data=result.data,
            errors=self._shown(prepared, result.errors) if result.errors else [],
            extensions=self._cost(nodes),
        )

    def _shown(self, prepared: Prepared, errors: list[GraphQLError]) -> list[dict[str, Any]]:
        return self._errors.format(errors, prepared.kind, prepared.operation_name)

    def _timeout_error(self, prepared: Prepared) -> dict[str, Any]:
        error = GraphQLError(
            f"The operation took longer than {self._limits.timeout_seconds:g} s and was stopped.",
            prepared.operation,
        )
        return format_error(error, OPERATION_TIMEOUT)

    def _cost(self, nodes: int) -> dict[str, Any]:
        return {"cost": {"nodes": nodes, "limit": self._limits.nodes}}

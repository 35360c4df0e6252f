"""How errors are shown: always with a code, and never with internals.

Shapes follow the GraphQL specification, section 7.1.2 (errors).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from graphql import GraphQLError, GraphQLSyntaxError, get_argument_values
from strawberry.exceptions import StrawberryInputCoercionError

from app.execution.operation import DescribeError, OperationKind, ShownError

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
BAD_USER_INPUT = "BAD_USER_INPUT"
OPERATION_RESOLUTION_FAILURE = "OPERATION_RESOLUTION_FAILURE"
TOO_MANY_TOKENS = "TOO_MANY_TOKENS"
TOO_MANY_INPUT_VALUES = "TOO_MANY_INPUT_VALUES"
QUERY_TOO_LONG = "QUERY_TOO_LONG"
QUERY_TOO_COSTLY = "QUERY_TOO_COSTLY"
OPERATION_TIMEOUT = "OPERATION_TIMEOUT"
INTERNAL_ERROR = "INTERNAL_ERROR"

INTERNAL = ShownError("Internal error", INTERNAL_ERROR)

ReportError = Callable[[BaseException, Mapping[str, object]], None]
"""Takes an exception that no client may see, and where it happened, to be logged."""

MESSAGE_LENGTH = 1_000
"""Longer messages are cut: graphql-core repeats a client's value in full, whatever its size."""

_TOO_LONG = "Syntax Error: Document contains more than "
_SCALAR_FAILURE_START = ", but encountered error '"
_SCALAR_FAILURE_END = "'; found"


def format_error(
    error: GraphQLError,
    code: str,
    *,
    message: str | None = None,
    extensions: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Returns an error as it goes over the wire, with its code under `extensions`."""
    text = message or without_scalar_failure(error.message)
    if len(text) > MESSAGE_LENGTH:
        text = text[:MESSAGE_LENGTH] + "…"
    shown: dict[str, Any] = {"message": text}
    if error.locations:
        shown["locations"] = [location.formatted for location in error.locations]
    if error.path is not None:
        shown["path"] = error.path
    shown["extensions"] = {**(extensions or {}), "code": code}
    return shown


def format_syntax_error(error: GraphQLError) -> dict[str, Any]:
    """Returns an error of the parser, telling a document that is too long from a wrong one."""
    too_long = isinstance(error, GraphQLSyntaxError) and error.message.startswith(_TOO_LONG)
    return format_error(error, TOO_MANY_TOKENS if too_long else PARSE_FAILED)


def without_scalar_failure(message: str) -> str:
    """Takes out what a custom scalar raised on a client's value.

    graphql-core writes the exception's text into its own message; the value that it goes on to
    name is enough for the client.
    """
    start = message.find(_SCALAR_FAILURE_START)
    end = message.rfind(_SCALAR_FAILURE_END)
    if start == -1 or end < start:
        return message
    return message[:start] + ", found" + message[end + len(_SCALAR_FAILURE_END) :]


class ExecutionErrors:
    """Shows the errors of execution and reports those that had to be masked."""

    def __init__(self, describe_error: DescribeError, report_error: ReportError) -> None:
        self._describe_error = describe_error
        self._report_error = report_error

    def format(
        self, errors: Iterable[GraphQLError], kind: OperationKind, operation_name: str | None
    ) -> list[dict[str, Any]]:
        """Returns the errors of one result as they are shown.

        An exception that several fields met (a batch that failed) is reported once.
        """
        shown: list[dict[str, Any]] = []
        reported: set[int] = set()
        for error in errors:
            original = innermost(error)
            known = self._describe(original)
            if known is None:
                known = INTERNAL
                if id(original) not in reported:
                    reported.add(id(original))
                    self.report(original, kind, operation_name, error.path)
            shown.append(
                format_error(error, known.code, message=known.message, extensions=known.extensions)
            )
        return shown

    def report(
        self,
        error: BaseException,
        kind: OperationKind,
        operation_name: str | None,
        path: list[str | int] | None = None,
    ) -> None:
        """Hands an exception that no client sees to the log."""
        details: dict[str, object] = {"operation_kind": kind.value}
        if operation_name is not None:
            details["operation_name"] = operation_name
        if path is not None:
            details["path"] = path
        self._report_error(error, details)

    def _describe(self, original: BaseException) -> ShownError | None:
        known = self._describe_error(original)
        if known is not None or not isinstance(original, GraphQLError):
            return known
        extensions = original.extensions or {}
        code = extensions.get("code")
        if isinstance(code, str):
            return ShownError(original.message, code, extensions)
        if isinstance(original, StrawberryInputCoercionError) or _of_arguments(original):
            return ShownError(without_scalar_failure(original.message), BAD_USER_INPUT)
        # What is left comes of values that resolvers returned: graphql-core shows them in full.
        return None


def innermost(error: GraphQLError) -> BaseException:
    """Returns the exception that the wrappers of graphql-core began with."""
    original: BaseException = error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    return original


def _of_arguments(error: GraphQLError) -> bool:
    """Tells whether graphql-core raised this over a client's arguments.

    Nothing in the error itself tells it from one over a value that a resolver returned.
    """
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is get_argument_values.__code__:
            return True
        trace = trace.tb_next
    return False

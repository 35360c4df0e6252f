"""A document that passed all checks, ready to run: immutable and shared by its requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableDefinitionNode,
    parse,
)
from graphql.execution.collect_fields import FragmentDetails

from app.execution.compiled.operation import CompiledOperation
from app.execution.cost import Nodes
from app.execution.cost_compiler import CostCompiler
from app.execution.errors import (
    OPERATION_RESOLUTION_FAILURE,
    QUERY_TOO_LONG,
    VALIDATION_FAILED,
    format_error,
    format_syntax_error,
)
from app.execution.limits import QueryLimits, check_limits
from app.execution.operation import OperationKind, Response
from app.execution.validation import first_validation_error
from app.execution.variables import InputTypes, VariableCoercer


@dataclass(frozen=True, slots=True)
class Prepared:
    """One operation of a document that is kept, with all that its requests have in common.

    Immutable but for `compiled`, which is filled when the operation is run again.
    """

    kind: OperationKind
    operation_name: str | None
    operation: OperationDefinitionNode
    fragment_definitions: dict[str, FragmentDefinitionNode]
    fragments: dict[str, FragmentDetails]
    variable_definitions: Sequence[VariableDefinitionNode]
    variables: VariableCoercer
    cost: Nodes
    compiled: CompiledOperation


@dataclass(frozen=True, slots=True)
class Document:
    """All operations of one document by name; None names the only one without a name."""

    operations: Mapping[str | None, Prepared]

    def select(self, operation_name: str | None) -> Prepared | Response:
        """Picks the operation that a request means.

        Follows the GraphQL specification, section 6.1 (GetOperation). Returns a request error
        when the name is missing or unknown.
        """
        if operation_name is not None:
            prepared = self.operations.get(operation_name)
            message = f"Unknown operation named '{operation_name}'."
        else:
            only_one = len(self.operations) == 1
            prepared = next(iter(self.operations.values())) if only_one else None
            message = "The document has several operations: operationName must say which to run."
        if prepared is not None:
            return prepared
        return refusal(format_error(GraphQLError(message), OPERATION_RESOLUTION_FAILURE))


def read_document(
    source: str, schema: GraphQLSchema, input_types: InputTypes, limits: QueryLimits
) -> Document | Response:
    """Parses and checks a document, and derives what its requests have in common.

    The limits come first, since validation itself is slow on what they refuse. Returns a request
    error with the first thing that is wrong.
    """
    if len(source) > limits.document_characters:
        message = (
            f"The document has {len(source)} characters; at most {limits.document_characters} "
            "are allowed. Send what is long in variables."
        )
        return refusal(format_error(GraphQLError(message), QUERY_TOO_LONG))
    try:
        syntax = parse(source, max_lexical_tokens=limits.tokens, max_comments=limits.comments)
    except GraphQLError as error:
        return refusal(format_syntax_error(error))
    exceeded = check_limits(syntax, limits)
    if exceeded is not None:
        return refusal(format_error(exceeded, str((exceeded.extensions or {})["code"])))
    invalid = first_validation_error(schema, syntax)
    if invalid is not None:
        return refusal(format_error(invalid, VALIDATION_FAILED))
    return _document(syntax, schema, input_types, limits)


def refusal(error: dict[str, object]) -> Response:
    """Returns the response to a request that is not executed."""
    return Response(executed=False, errors=[error])


def _document(
    syntax: DocumentNode, schema: GraphQLSchema, input_types: InputTypes, limits: QueryLimits
) -> Document:
    definitions = {
        definition.name.value: definition
        for definition in syntax.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    fragments = {name: FragmentDetails(node) for name, node in definitions.items()}
    costs = CostCompiler(schema, limits, syntax)
    operations: dict[str | None, Prepared] = {}
    for node in syntax.definitions:
        if isinstance(node, OperationDefinitionNode):
            name = node.name.value if node.name is not None else None
            declared = node.variable_definitions or ()
            operations[name] = Prepared(
                kind=OperationKind(node.operation.value),
                operation_name=name,
                operation=node,
                fragment_definitions=definitions,
                fragments=fragments,
                variable_definitions=declared,
                variables=VariableCoercer(input_types, schema, declared),
                cost=costs.compile(node),
                compiled=CompiledOperation(),
            )
    return Document(operations)

"""Validation of a document against the schema, ended at the first error."""

from __future__ import annotations

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    ValidationContext,
    specified_rules,
    validate,
)
from graphql.validation import ASTValidationRule, OverlappingFieldsCanBeMergedRule
from graphql.validation.validate import ValidationAbortedError

from app.execution.strawberry_schema import INPUT_RULES

OVERLAP_BUDGET = 50_000
"""Comparisons of fields; 1,000 tokens of one repeated field took 200 ms of the default 500,000."""

TOO_COMPLEX = "The document selects too many fields more than once to be validated."


class BoundedOverlapRule(OverlappingFieldsCanBeMergedRule):
    """graphql-core's rule of merging fields, with a budget that holds up nobody for long."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = OVERLAP_BUDGET


VALIDATION_RULES: tuple[type[ASTValidationRule], ...] = (
    *(
        BoundedOverlapRule if rule is OverlappingFieldsCanBeMergedRule else rule
        for rule in specified_rules
    ),
    *INPUT_RULES,
)


def first_validation_error(schema: GraphQLSchema, document: DocumentNode) -> GraphQLError | None:
    """Returns the first thing that makes the document invalid, or None for a valid one.

    Applies the rules of the GraphQL specification, section 5, and Strawberry's for its inputs.
    """
    errors = validate(schema, document, VALIDATION_RULES, max_errors=1)
    if not errors:
        return None
    error = errors[0]
    return GraphQLError(TOO_COMPLEX) if isinstance(error, ValidationAbortedError) else error

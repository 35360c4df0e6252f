"""The one place that reaches into Strawberry: its graphql-core schema and its validation rules."""

from __future__ import annotations

from typing import Any

from graphql import (
    GraphQLNamedType,
    GraphQLSchema,
    ObjectValueNode,
    OperationDefinitionNode,
    ValidationContext,
    VariableNode,
)
from graphql.validation import ASTValidationRule
from strawberry import Schema
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule


class OneOfInputRule(OneOfInputValidationRule):
    """Strawberry's rule, made safe for variables in fragments.

    The original knows the variables of the operation visited last, and raises KeyError or
    AttributeError for one that is undefined there or used in a fragment that stands first.
    """

    def __init__(self, validation_context: ValidationContext) -> None:
        super().__init__(validation_context)
        self.variable_definitions = {
            variable.variable.name.value: variable
            for operation in validation_context.document.definitions
            if isinstance(operation, OperationDefinitionNode)
            for variable in operation.variable_definitions or ()
        }

    def enter_operation_definition(self, node: Any, *_args: Any) -> None:
        """Keeps the variables of all operations."""

    def validate_one_of(self, node: ObjectValueNode, *type_: GraphQLNamedType) -> None:
        """Checks one input object; leaves undefined variables to the rule that names them."""
        if len(node.fields) == 1:
            value = node.fields[0].value
            if (
                isinstance(value, VariableNode)
                and value.name.value not in self.variable_definitions
            ):
                return
        super().validate_one_of(node, *type_)


INPUT_RULES: tuple[type[ASTValidationRule], ...] = (MaybeNullValidationRule, OneOfInputRule)
"""The rules that Strawberry adds to those of the specification."""


def core_schema(schema: Schema) -> GraphQLSchema:
    """Returns the graphql-core schema behind a Strawberry schema.

    Raises ValueError for a schema with Strawberry extensions or operation directives: those run
    inside Strawberry's own pipeline, which is not used here, and would be left out in silence.
    """
    if schema.extensions or schema.directives:
        raise ValueError(
            "The executor runs no Strawberry extensions and no operation directives:"
            " build the schema without them."
        )
    return schema._schema

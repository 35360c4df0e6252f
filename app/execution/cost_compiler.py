"""Derives the cost of an operation from its document and the types of the schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_interface_type,
    is_list_type,
    is_object_type,
)

from app.execution.cost import (
    NOTHING,
    Guard,
    ItemCount,
    ListLength,
    Nodes,
    PageSize,
    Term,
    VariableUse,
    sum_terms,
)
from app.execution.fragments import fragments_inner_first
from app.execution.limits import QueryLimits

PAGE_ARGUMENTS = ("first", "last")
IDS_ARGUMENT = "ids"


class CostCompiler:
    """Compiles the operations of one validated document."""

    def __init__(self, schema: GraphQLSchema, limits: QueryLimits, document: DocumentNode) -> None:
        self._schema = schema
        self._limits = limits
        self._fragments: dict[str, Nodes] = {}
        for fragment in fragments_inner_first(document):
            on_type = schema.get_type(fragment.type_condition.name.value)
            self._fragments[fragment.name.value] = sum_terms(
                self._terms(fragment.selection_set, on_type), reused=True
            )

    def compile(self, operation: OperationDefinitionNode) -> Nodes:
        """Returns the cost of one operation; the root object itself costs nothing."""
        root = self._schema.get_root_type(operation.operation)
        return sum_terms(self._terms(operation.selection_set, root))

    def _terms(
        self, selection_set: SelectionSetNode, parent: GraphQLNamedType | None
    ) -> list[Term]:
        terms: list[Term] = []
        for selection in selection_set.selections:
            guards = _guards(selection.directives or ())
            if guards is None:
                continue
            if isinstance(selection, FieldNode):
                terms += self._field_terms(selection, parent, guards)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                on_type = self._schema.get_type(condition.name.value) if condition else parent
                inside = sum_terms(self._terms(selection.selection_set, on_type))
                terms.append(Term(guards, 1, 0, 0, inside))
            elif isinstance(selection, FragmentSpreadNode):
                inside = self._fragments.get(selection.name.value, NOTHING)
                terms.append(Term(guards, 1, 0, 0, inside))
        return terms

    def _field_terms(
        self, node: FieldNode, parent: GraphQLNamedType | None, guards: tuple[Guard, ...]
    ) -> list[Term]:
        name = node.name.value
        field = getattr(parent, "fields", {}).get(name)
        if field is None or node.selection_set is None:
            return []  # a scalar, or introspection, which has limits of its own
        type_ = get_named_type(field.type)
        inside = sum_terms(self._terms(node.selection_set, type_))
        if is_connection(type_):
            # A page is read for its cursors alone as well, so an item counts at least once.
            least = 1 if _selects_objects(node.selection_set) else 0
            return [Term(guards, self._page_size(node, field), 0, least, inside)]
        if parent is not None and is_connection(parent):
            # The connection has multiplied already.
            own = 0 if name in ("edges", "pageInfo") else 1
            return [Term(guards, 1, own, 0, inside)]
        return [Term(guards, self._items(node, field), 1, 0, inside)]

    def _page_size(self, node: FieldNode, field: GraphQLField) -> ItemCount:
        written = {argument.name.value: argument for argument in node.arguments or ()}
        given: list[int | VariableUse] = []
        for name in PAGE_ARGUMENTS:
            if name not in field.args:
                continue
            value: int | VariableUse | None
            if name in written:
                value = _integer(written[name])
            else:
                value = _default_integer(field.args[name])
            if value is not None:
                given.append(value)
        size = PageSize(tuple(given), self._limits.page_size)
        if any(isinstance(value, VariableUse) for value in given):
            return size
        return size.items({})

    def _items(self, node: FieldNode, field: GraphQLField) -> ItemCount:
        dimensions = _list_dimensions(field)
        if dimensions == 0:
            return 1
        assumed: int = self._limits.list_size**dimensions
        written = {argument.name.value: argument for argument in node.arguments or ()}
        if any(name in field.args for name in PAGE_ARGUMENTS):
            return self._page_size(node, field)
        if IDS_ARGUMENT not in written:
            return assumed
        value = written[IDS_ARGUMENT].value
        if isinstance(value, VariableNode):
            return ListLength(VariableUse(value.name.value), assumed)
        if isinstance(value, ListValueNode):
            return len(value.values)
        # GraphQL takes a single value for a list of one; null leaves the field to its own rule.
        return assumed if isinstance(value, NullValueNode) else 1


def is_connection(type_: object) -> bool:
    """Tells whether a type is a Relay connection: an object with a list of `edges`."""
    if not (is_object_type(type_) or is_interface_type(type_)):
        return False
    edges = type_.fields.get("edges")
    return edges is not None and bool(is_list_type(get_nullable_type(edges.type)))


def _list_dimensions(field: GraphQLField) -> int:
    dimensions = 0
    type_: Any = get_nullable_type(field.type)
    while is_list_type(type_):
        dimensions += 1
        type_ = get_nullable_type(type_.of_type)
    return dimensions if is_composite_type(type_) else 0


def _selects_objects(selection_set: SelectionSetNode) -> bool:
    """Tells whether anything but plain fields is selected; a fragment may hold edges."""
    return any(
        not isinstance(selection, FieldNode) or selection.selection_set is not None
        for selection in selection_set.selections
    )


def _integer(argument: ArgumentNode) -> int | VariableUse | None:
    value = argument.value
    if isinstance(value, VariableNode):
        return VariableUse(value.name.value)
    return int(value.value) if isinstance(value, IntValueNode) else None


def _default_integer(argument: Any) -> int | None:
    default = argument.default.value if argument.default is not None else argument.default_value
    return default if isinstance(default, int) else None


def _guards(directives: Sequence[DirectiveNode]) -> tuple[Guard, ...] | None:
    """Returns the conditions that variables decide, or None for a selection never executed."""
    guards: list[Guard] = []
    for directive in directives:
        name = directive.name.value
        if name not in ("skip", "include"):
            continue
        wanted = name == "include"
        condition = _condition(directive)
        if isinstance(condition, VariableNode):
            guards.append(Guard(condition.name.value, wanted))
        elif isinstance(condition, BooleanValueNode) and condition.value is not wanted:
            return None
    return tuple(guards)


def _condition(directive: DirectiveNode) -> ValueNode | None:
    for argument in directive.arguments or ():
        if argument.name.value == "if":
            return argument.value
    return None

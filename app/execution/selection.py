"""Which fields an operation selects below the field that is being resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, SelectionSetNode


def names_under(
    nodes: Sequence[FieldNode],
    path: Sequence[str],
    fragments: Mapping[str, FragmentDefinitionNode],
) -> frozenset[str]:
    """Returns the names of all fields that are selected under a path of field names.

    `nodes` are the field's places in the document. Conditions are not looked at: a field that
    `@include` leaves out is among them, and so are the fields of every type that the place may
    be of.
    """
    selected = _selected(nodes, fragments)
    for name in path:
        selected = _selected([node for node in selected if node.name.value == name], fragments)
    return frozenset(node.name.value for node in selected)


def _selected(
    nodes: Sequence[FieldNode], fragments: Mapping[str, FragmentDefinitionNode]
) -> list[FieldNode]:
    """Returns the fields selected of these, through all fragments, each of which is read once."""
    found: list[FieldNode] = []
    spread: set[str] = set()
    pending: list[SelectionSetNode | None] = [node.selection_set for node in nodes]
    while pending:
        selection_set = pending.pop()
        for selection in selection_set.selections if selection_set is not None else ():
            if isinstance(selection, FieldNode):
                found.append(selection)
            elif isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                if name not in spread:
                    spread.add(name)
                    pending.append(fragments[name].selection_set)
            else:
                pending.append(getattr(selection, "selection_set", None))
    return found

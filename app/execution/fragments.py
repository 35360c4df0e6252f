"""The order in which the fragments of a document can be worked through, each once."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    SelectionSetNode,
)


def fragments_inner_first(document: DocumentNode) -> list[FragmentDefinitionNode]:
    """Returns every fragment after all those that it spreads.

    Unknown names are left out, and a spread that closes a cycle is passed over: both are
    reported by validation. Walks without recursion, so that no document exhausts the stack.
    """
    definitions = {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    ordered: dict[str, FragmentDefinitionNode] = {}
    entered: set[str] = set()
    for root, definition in definitions.items():
        if root in entered:
            continue
        entered.add(root)
        path = [(root, _spread_names(definition.selection_set))]
        while path:
            name, spreads = path[-1]
            inner = next((s for s in spreads if s in definitions and s not in entered), None)
            if inner is None:
                ordered[name] = definitions[name]
                path.pop()
            else:
                entered.add(inner)
                path.append((inner, _spread_names(definitions[inner].selection_set)))
    return list(ordered.values())


def _spread_names(selection_set: SelectionSetNode) -> Iterator[str]:
    pending = [selection_set]
    while pending:
        for selection in pending.pop().selections:
            if isinstance(selection, FragmentSpreadNode):
                yield selection.name.value
                continue
            nested: SelectionSetNode | None = getattr(selection, "selection_set", None)
            if nested is not None:
                pending.append(nested)

"""Which fields an operation selects below the field that is being resolved."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, SelectionSetNode

_MOST = 1_024
"""Answers remembered; those asked for longest ago give way."""


class Selecting(Protocol):
    """What is known of a field that is being resolved: the part of graphql-core's info."""

    @property
    def field_nodes(self) -> Sequence[FieldNode]:
        """The field's places in the document; more than one where selections were merged."""
        ...

    @property
    def fragments(self) -> Mapping[str, FragmentDefinitionNode]:
        """The fragments of the document by name."""
        ...


_Kept: TypeAlias = tuple[FieldNode, frozenset[str]]

_kept: OrderedDict[tuple[int, tuple[str, ...]], _Kept] = OrderedDict()


def selected_names(info: Any, *path: str) -> frozenset[str]:
    """Returns the names of all fields that are selected under a path of field names.

    Takes Strawberry's info. Conditions are not looked at: a field that `@include` leaves out is
    among them, and so are the fields of every type that the place may be of.
    """
    selecting: Selecting = getattr(info, "selecting", None) or info._raw_info
    nodes = selecting.field_nodes
    if len(nodes) != 1:
        return _names(_selected(nodes, selecting.fragments), path, selecting.fragments)
    node = nodes[0]
    key = id(node), path
    kept = _kept.get(key)
    # The node is kept with its answer, so that no other one can have its id meanwhile.
    if kept is not None:
        _kept.move_to_end(key)
        return kept[1]
    names = _names(_selected(nodes, selecting.fragments), path, selecting.fragments)
    _kept[key] = node, names
    if len(_kept) > _MOST:
        _kept.popitem(last=False)
    return names


def _names(
    nodes: list[FieldNode], path: Sequence[str], fragments: Mapping[str, FragmentDefinitionNode]
) -> frozenset[str]:
    for name in path:
        nodes = _selected([node for node in nodes if node.name.value == name], fragments)
    return frozenset(node.name.value for node in nodes)


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

"""Random documents over the library, with depth and cost counted by writing everything out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import strategies as st

LIST_SIZE = 10
PAGE_SIZE = 50
VARIABLES = {"few": 3, "none": 0, "less": -2, "nothing": None, "yes": True, "no": False}
DECLARED = "query ($few: Int, $none: Int, $less: Int, $nothing: Int, $absent: Int, " + (
    "$yes: Boolean!, $no: Boolean!, $ids: [ID!]!)"
)
IDS = ["a", "b", "c", "d"]

# For each type: its fields that have fields, with what multiplies them and their own weight.
OBJECT_FIELDS: dict[str, dict[str, tuple[str, str, int]]] = {
    "Query": {
        "book": ("one", "Book", 1),
        "books": ("page", "BookConnection", 0),
        "authors": ("list", "Author", 1),
        "nodes": ("ids", "Node", 1),
    },
    "Book": {
        "author": ("one", "Author", 1),
        "related": ("list", "Book", 1),
        "reviews": ("page of 20", "ReviewConnection", 0),
    },
    "Author": {"books": ("page", "BookConnection", 0)},
    "BookConnection": {
        "edges": ("one", "BookEdge", 0),
        "nodes": ("one", "Book", 1),
        "pageInfo": ("one", "PageInfo", 0),
    },
    "BookEdge": {"node": ("one", "Book", 1)},
    "ReviewConnection": {"edges": ("one", "ReviewEdge", 0)},
    "ReviewEdge": {"node": ("one", "Review", 1)},
    "Review": {"book": ("one", "Book", 1)},
    "PageInfo": {"origin": ("one", "Author", 1)},
    "Node": {},
}


@dataclass
class Field:
    name: str
    alias: str | None
    arguments: str
    guard: str
    items: int
    own: int
    paged: bool
    inside: list[Selection]


@dataclass
class Inline:
    guard: str
    on_type: str
    inside: list[Selection]


@dataclass
class Spread:
    guard: str
    index: int


Selection: TypeAlias = Field | Inline | Spread


@dataclass
class Fragment:
    on_type: str
    selections: list[Selection]


@dataclass
class Drawn:
    selections: list[Selection]
    fragments: list[Fragment]

    @property
    def text(self) -> str:
        """The document as GraphQL."""
        parts = [f"{DECLARED} {{ {write(self.selections)} }}"]
        for index, fragment in enumerate(self.fragments):
            parts.append(
                f"fragment F{index} on {fragment.on_type} {{ {write(fragment.selections)} }}"
            )
        return "\n".join(parts)

    def nodes(self, selections: list[Selection]) -> int:
        """The cost, each fragment written out where it is spread."""
        total = 0
        for selection in selections:
            if selection.guard and not passes(selection.guard):
                continue
            if isinstance(selection, Spread):
                total += self.nodes(self.fragments[selection.index].selections)
            elif isinstance(selection, Inline):
                total += self.nodes(selection.inside)
            else:
                each = selection.own + self.nodes(selection.inside)
                if selection.paged and any(not is_leaf(inner) for inner in selection.inside):
                    each = max(1, each)
                total += selection.items * each
        return total

    def depth(self, selections: list[Selection]) -> int:
        """The deepest level of fields."""
        deepest = 0
        for selection in selections:
            if isinstance(selection, Spread):
                below = self.depth(self.fragments[selection.index].selections)
            elif isinstance(selection, Inline):
                below = self.depth(selection.inside)
            else:
                below = 1 + self.depth(selection.inside)
            deepest = max(deepest, below)
        return deepest

    def written_out(self, selections: list[Selection]) -> list[Selection]:
        """All selections, those of fragments once for each spread."""
        found: list[Selection] = []
        for selection in selections:
            found.append(selection)
            if isinstance(selection, Spread):
                found += self.written_out(self.fragments[selection.index].selections)
            else:
                found += self.written_out(selection.inside)
        return found


def is_leaf(selection: Selection) -> bool:
    return isinstance(selection, Field) and not selection.inside


def passes(guard: str) -> bool:
    return guard in ("@include(if: $yes)", "@skip(if: $no)", "@include(if: true)")


def write(selections: list[Selection]) -> str:
    parts: list[str] = []
    for selection in selections:
        if isinstance(selection, Spread):
            parts.append(f"...F{selection.index} {selection.guard}")
        elif isinstance(selection, Inline):
            parts.append(
                f"... on {selection.on_type} {selection.guard} {{ {write(selection.inside)} }}"
            )
        else:
            alias = f"{selection.alias}: " if selection.alias else ""
            below = f"{{ {write(selection.inside)} }}" if selection.inside else ""
            parts.append(f"{alias}{selection.name}{selection.arguments} {selection.guard} {below}")
    return " ".join(parts)


GUARDS = st.sampled_from(
    (
        *("", "", "", "@include(if: $yes)", "@include(if: $no)", "@include(if: true)"),
        *("@skip(if: $yes)", "@skip(if: $no)", "@skip(if: true)"),
    )
)
SIZES: dict[str, int | None] = {
    "7": 7,
    "0": 0,
    "-1": -1,
    "null": None,
    "$few": 3,
    "$none": 0,
    "$less": -2,
    "$nothing": None,
    "$absent": None,
}


@st.composite
def pages(draw: st.DrawFn, last_default: int | None) -> tuple[str, int]:
    """Arguments of a connection, and the page that they mean."""
    first = draw(st.sampled_from([None, *SIZES]))
    last = draw(st.sampled_from([None, *SIZES]))
    written = [f"{name}: {v}" for name, v in (("first", first), ("last", last)) if v is not None]
    sizes = [
        SIZES[first] if first is not None else None,
        SIZES[last] if last is not None else last_default,
    ]
    given = [size for size in sizes if size is not None]
    return (
        f"({', '.join(written)})" if written else "",
        max(0, *given) if given else PAGE_SIZE,
    )


@st.composite
def fields(draw: st.DrawFn, type_: str, fragments: list[Fragment], room: int) -> Field:
    """A field of a type."""
    alias = draw(st.sampled_from([None, None, "other"]))
    guard = draw(GUARDS)
    names = sorted(OBJECT_FIELDS[type_]) if room else []
    name = draw(st.sampled_from([*names, "__typename"]))
    if name == "__typename":
        return Field(name, alias, "", guard, 1, 0, False, [])
    how, inner_type, own = OBJECT_FIELDS[type_][name]
    arguments, items = "", 1
    if how == "list":
        items = LIST_SIZE
    elif how == "ids":
        arguments, items = draw(
            st.sampled_from([("(ids: $ids)", 4), ('(ids: ["a", "b"])', 2), ('(ids: "a")', 1)])
        )
    elif how.startswith("page"):
        arguments, items = draw(pages(20 if how == "page of 20" else None))
    inside = draw(selection_sets(inner_type, fragments, room - 1))
    return Field(name, alias, arguments, guard, items, own, how.startswith("page"), inside)


@st.composite
def selection_sets(
    draw: st.DrawFn, type_: str, fragments: list[Fragment], room: int
) -> list[Selection]:
    """What is selected of a type, from the fragments drawn before."""
    selections: list[Selection] = []
    for _ in range(draw(st.integers(1, 3))):
        fitting = [i for i, fragment in enumerate(fragments) if fragment.on_type == type_]
        kinds = ["field", "field"] + ["inline"] * bool(room) + ["spread"] * bool(fitting)
        kind = draw(st.sampled_from(kinds))
        if kind == "field":
            selections.append(draw(fields(type_, fragments, room)))
        elif kind == "inline":
            inside = draw(selection_sets(type_, fragments, room - 1))
            selections.append(Inline(draw(GUARDS), type_, inside))
        else:
            selections.append(Spread(draw(GUARDS), draw(st.sampled_from(fitting))))
    return selections


@st.composite
def documents(draw: st.DrawFn) -> Drawn:
    """A document with up to four fragments, each spreading only those before it."""
    fragments: list[Fragment] = []
    for _ in range(draw(st.integers(0, 4))):
        on_type = draw(st.sampled_from(["Query", "Book", "Author", "BookConnection"]))
        fragments.append(Fragment(on_type, draw(selection_sets(on_type, fragments, 3))))
    return Drawn(draw(selection_sets("Query", fragments, 4)), fragments)

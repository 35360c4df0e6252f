"""Where an object stands in a generated function, and the expressions of its path there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.execution.compiled.plan import FieldPlan


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object stands in the function being written.

    Paths are made where one is asked for, and most are not: what is known at runtime is the path
    `base` and the indexes below it, and `maker` is a function from those to the object's path.
    """

    source: str
    """The variable that has the object."""
    base: str = "p"
    indexes: tuple[str, ...] = ()
    """Expressions, outermost first."""
    maker: str | None = None
    """None where the base is the path."""
    item: str | None = None
    """An expression of the object's index, where it is an item of a list."""
    blocks: int = 0
    """Loops and `try` around it."""
    whole_path: str = "p"
    """The expression of the path without the maker, for where it is always made."""

    @property
    def path(self) -> str:
        """An expression of the object's path."""
        return self.path_below(self.base, self.indexes)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters of a function that makes paths at or below this place."""
        return "p", *(f"i{number}" for number in range(len(self.indexes)))

    def path_below(self, base: str, indexes: tuple[str, ...]) -> str:
        """Returns an expression of the path below another base."""
        return base if self.maker is None else f"{self.maker}({', '.join((base, *indexes))})"

    def field_path(self, field: FieldPlan) -> str:
        """Returns an expression of the path of one of the object's fields."""
        return _field_path(self.path, field)

    def made_field_path(self, field: FieldPlan) -> str:
        """Returns the same in terms of the parameters."""
        base, *indexes = self.parameters
        return _field_path(self.path_below(base, tuple(indexes)), field)

    def whole_field_path(self, field: FieldPlan) -> str:
        """Returns the same without the maker."""
        return _field_path(self.whole_path, field)

    def rebased(self, base: str) -> Place:
        """Returns the place where its path is in a variable."""
        return replace(self, base=base, indexes=(), maker=None, whole_path=base)


def _field_path(before: str, field: FieldPlan) -> str:
    return f"({before}, {field.key!r}, {field.typename!r})"

"""Tables that list something of the program list all of it, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from app.execution import errors
from app.model.errors import ScrollbackError
from app.schema.sdl import print_sdl
from tests.docs.pages import ROOT

_NAME = re.compile(r"`([A-Z]+(?:_[A-Z]+)*)`")


def test_every_code_that_a_client_can_get_is_in_the_table() -> None:
    codes = {*_error_codes(ScrollbackError), *_execution_codes(), *_refused_codes()}
    assert codes == _first_column(ROOT / "docs" / "graphql.md", "codes")


def test_every_finding_of_the_doctor_is_in_the_table() -> None:
    found = set()
    for path in (ROOT / "app" / "backends" / "sql").rglob("*.py"):
        for call in _calls(path):
            if _called(call) in ("Finding", "_finding", "_sessions_with"):
                found |= {text for text in _texts(call) if _NAME.fullmatch(f"`{text}`")}
    assert found == _first_column(ROOT / "docs" / "operating.md", "findings")


def test_every_mutation_is_named_in_the_guide() -> None:
    mutations = re.search(r"^type Mutation \{\n(.*?)^\}", print_sdl(), re.MULTILINE | re.DOTALL)
    assert mutations is not None
    names = set(re.findall(r"^  (\w+)\(", mutations[1], re.MULTILINE))
    guide = (ROOT / "docs" / "graphql.md").read_text("utf-8")
    assert {name for name in names if f"`{name}`" not in guide} == set()


def _error_codes(error: type[ScrollbackError]) -> Iterator[str]:
    for kind in error.__subclasses__():
        yield kind.code
        yield from _error_codes(kind)


def _execution_codes() -> set[str]:
    """Returns the codes named in the errors module, and those of the limits."""
    named = {
        value
        for name, value in vars(errors).items()
        if name.isupper() and isinstance(value, str) and _NAME.fullmatch(f"`{value}`")
    }
    limits = ast.parse((ROOT / "app" / "execution" / "limits.py").read_text("utf-8"))
    return named | {
        node.elts[0].value
        for node in ast.walk(limits)
        if isinstance(node, ast.Tuple)
        and node.elts
        and isinstance(node.elts[0], ast.Constant)
        and isinstance(node.elts[0].value, str)
        and _NAME.fullmatch(f"`{node.elts[0].value}`")
    }


def _refused_codes() -> set[str]:
    """Returns the codes with which the server turns requests away."""
    codes = {"BAD_REQUEST"}
    for path in (ROOT / "app" / "server").rglob("*.py"):
        for call in _calls(path):
            if _called(call) == "Refusal" and len(call.args) > 1:
                code = call.args[1]
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    codes.add(code.value)
    return codes


def _calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield node


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _texts(call: ast.Call) -> Iterator[str]:
    for argument in call.args:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value


def _first_column(page: Path, marker: str) -> set[str]:
    """Returns the names in the first column of the table below a marker."""
    table = page.read_text("utf-8").split(f"<!-- {marker} -->\n", 1)[1].split("\n\n", 1)[0]
    return {name for row in table.splitlines() for name in _NAME.findall(row.split("|")[1])}

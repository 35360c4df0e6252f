"""Links inside the repository lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import page_name, pages

_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [pytest.param(page, id=page_name(page)) for page in pages()])
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = _FENCED.sub("", page.read_text("utf-8"))
    for found in _LINK.finditer(text):
        target, _, anchor = found["target"].partition("#")
        if target.startswith(("https:", "http:")):
            continue
        file = page.parent / target if target else page
        assert file.exists(), f"{page_name(page)} links to {target}"
        if anchor:
            assert anchor in _anchors(file), f"{page_name(page)} links to {found['target']}"


def _anchors(file: Path) -> set[str]:
    """Returns the anchors that code hosts give a page's headings."""
    headings = _HEADING.findall(_FENCED.sub("", file.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

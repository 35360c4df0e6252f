"""The GraphiQL page: what it embeds, what it loads from where, and what its policy lets in."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, parse, validate
from hypothesis import given
from hypothesis import strategies as st

from app.schema import schema
from app.server.graphiql import cdn, page
from app.server.graphiql.examples import EXAMPLES, FILLS, LOOKUP

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "graphiql"


class Elements(HTMLParser):
    """Collects the scripts (attributes and text) and the stylesheets of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.stylesheets: list[dict[str, str | None]] = []
        self.titles: list[str] = []
        self._open = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        elif tag == "link" and dict(attrs).get("rel") == "stylesheet":
            self.stylesheets.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            attributes, text = self.scripts.pop()
            self.scripts.append((attributes, text + data))
        elif self._open == "title":
            self.titles.append(data)

    def settings(self) -> dict[str, Any]:
        (text,) = (text for attributes, text in self.scripts if attributes.get("id") == "settings")
        settings: dict[str, Any] = json.loads(text)
        return settings


def rendered(
    *, endpoint: str = "/graphql", subscriptions: str = "/graphql", nonce: str = "n0"
) -> Elements:
    return Elements(
        page.render_page(endpoint=endpoint, subscription_endpoint=subscriptions, nonce=nonce)
    )


def directives(policy: str) -> dict[str, list[str]]:
    return {name: sources for name, *sources in (part.split() for part in policy.split("; "))}


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    manifest = {"app.js": "app-AB12.js", "app.css": "app-CD34.css"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    monkeypatch.setattr(page, "_DIST", tmp_path)
    return tmp_path


@pytest.fixture
def unbundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "_DIST", tmp_path / "absent")


def test_a_bundled_page_loads_its_own_files_below_the_endpoint_and_nothing_else(
    bundled: Path,
) -> None:
    elements = rendered(endpoint="/api/graphql", nonce="n0")

    assert page.assets_directory() == bundled
    assert elements.titles == ["Scrollback"]
    assert elements.stylesheets == [
        {"rel": "stylesheet", "href": "/api/graphql/assets/app-CD34.css"}
    ]
    assert [attributes for attributes, _ in elements.scripts] == [
        {"type": "application/json", "id": "settings"},
        {"type": "module", "nonce": "n0", "src": "/api/graphql/assets/app-AB12.js"},
    ]


def test_a_bundled_page_names_no_other_host(bundled: Path) -> None:
    html = page.render_page(endpoint="/graphql", subscription_endpoint="/graphql", nonce="n0")

    # The icon's namespace is percent-encoded: it is a name, not an address.
    assert re.findall(r"(?:https?:)?//[\w.]+", html) == []


def test_without_a_bundle_the_page_says_so_and_runs_its_own_start_from_the_cdn(
    unbundled: None,
) -> None:
    elements = rendered(nonce="n0")

    assert page.assets_directory() is None
    import_map, module = elements.scripts[1:]
    assert import_map[0] == {"type": "importmap", "nonce": "n0"}
    assert module[0] == {"type": "module", "nonce": "n0"}
    start = (Path(page.__file__).parent / "start.js").read_text(encoding="utf-8")
    assert start in module[1]
    assert elements.settings() == rendered().settings()


def test_every_import_of_the_start_is_in_the_import_map(unbundled: None) -> None:
    _, (_, import_map), (_, module) = rendered().scripts

    imported = re.findall(r'^import .* from "([^"]+)";$', module, flags=re.MULTILINE)
    bare = {name for name in imported if not name.startswith("https://")}

    assert bare == {
        "@graphiql/toolkit",
        "graphiql",
        "graphql",
        "graphql-ws",
        "react",
        "react-dom/client",
    }
    assert bare <= set(json.loads(import_map)["imports"])


def test_every_address_on_the_cdn_names_an_exact_version(unbundled: None) -> None:
    html = page.render_page(endpoint="/graphql", subscription_endpoint="/graphql", nonce="n0")

    addresses = re.findall(r'"(https://[^"]+)"', html)

    assert len(addresses) == 14
    pinned = re.compile(
        rf"(?:{re.escape(cdn.SCRIPT_HOST)}|{re.escape(cdn.STYLE_HOST)}/npm)"
        r"/(?:@[\w-]+/)?[\w-]+@\d+\.\d+\.\d+(?:[/?].*)?"
    )
    assert [address for address in addresses if not pinned.fullmatch(address)] == []


def test_the_cdn_serves_the_versions_that_the_bundle_is_built_from() -> None:
    package = json.loads((CLIENT / "package.json").read_text(encoding="utf-8"))

    assert package["dependencies"] == dict(cdn.VERSIONS)


def test_the_stylesheet_of_the_cdn_is_held_to_the_released_file(unbundled: None) -> None:
    (link,) = rendered().stylesheets
    assert link["integrity"] == cdn.STYLESHEET_INTEGRITY
    assert link["crossorigin"] == "anonymous"

    released = CLIENT / "node_modules" / "graphiql" / "dist" / "style.css"
    if not released.is_file():
        pytest.skip("the digest is compared where clients/graphiql is installed (npm ci)")
    digest = base64.b64encode(hashlib.sha384(released.read_bytes()).digest()).decode()
    assert link["integrity"] == f"sha384-{digest}"


def test_the_policy_of_a_bundled_page_lets_in_nobody_but_the_server() -> None:
    assert directives(page.content_security_policy("n0", True)) == {
        "default-src": ["'none'"],
        "script-src": ["'self'", "'nonce-n0'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "worker-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }


def test_the_policy_without_a_bundle_adds_the_cdn_for_scripts_and_styles_alone() -> None:
    bundled = directives(page.content_security_policy("n0", True))
    unbundled = directives(page.content_security_policy("n0", False))

    added = {
        name: sorted(set(sources) - set(bundled[name]))
        for name, sources in unbundled.items()
        if sources != bundled[name]
    }
    assert added == {
        "script-src": ["https://esm.sh"],
        "style-src": ["https://cdn.jsdelivr.net"],
        "worker-src": ["blob:"],
    }


@given(text=st.text(alphabet=st.sampled_from("</script>!-–\u2028\"'&\\ \n") | st.characters()))
def test_no_string_of_the_settings_can_end_their_script(text: str) -> None:
    settings = rendered(endpoint=f"/{text}", subscriptions=f"</script><script>{text}").settings()

    assert settings["endpoint"] == f"/{text}"
    assert settings["subscriptionEndpoint"] == f"</script><script>{text}"
    assert len(settings["examples"]) == len(EXAMPLES)


def test_an_endpoint_with_markup_stays_an_attribute(bundled: Path) -> None:
    elements = rendered(endpoint='/"><script src="//evil.example/x.js">')

    assert [attributes.get("src") for attributes, _ in elements.scripts] == [
        None,
        '/"><script src="//evil.example/x.js">/assets/app-AB12.js',
    ]


def test_every_tab_is_one_named_operation_with_its_variables_given() -> None:
    for example in EXAMPLES:
        (operation,) = parse(example.query).to_dict()["definitions"]
        assert operation["name"]["value"]
        declared = {
            variable["variable"]["name"]["value"] for variable in operation["variable_definitions"]
        }
        assert declared == set(example.variables)


def test_every_placeholder_is_used_and_its_value_is_in_the_lookup() -> None:
    used = {text for example in EXAMPLES for text in strings(dict(example.variables))}
    assert set(FILLS) <= used

    selected = set(re.findall(r"\w+", LOOKUP))
    steps = {step for path in FILLS.values() for step in path if isinstance(step, str)}
    assert steps <= selected


def test_there_is_a_tab_for_reading_scrolling_back_searching_writing_and_watching() -> None:
    operations = [
        (definition["operation"], definition["name"]["value"])
        for example in EXAMPLES
        for definition in parse(example.query).to_dict()["definitions"]
    ]
    assert operations == [
        ("query", "Sessions"),
        ("query", "NewestMessages"),
        ("query", "ScrollBack"),
        ("query", "SearchMessages"),
        ("mutation", "AddMessages"),
        ("subscription", "SessionEvents"),
    ]


def test_every_example_and_the_lookup_are_valid_in_the_schema() -> None:
    core: GraphQLSchema = schema._schema
    documents = [LOOKUP, *(example.query for example in EXAMPLES)]

    assert [validate(core, parse(document)) for document in documents] == [[]] * len(documents)

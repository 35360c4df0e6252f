"""GraphiQL from a public CDN, for an installation whose own bundle was not built.

esm.sh serves npm packages as modules that import one another, which a browser needs because
GraphiQL 5 publishes no single file; it builds them on its side, so there is no published digest
to hold them to and the exact versions are the pin. jsDelivr serves npm's files as they are, so
the stylesheet carries the digest of the released file. The versions are those of
`clients/graphiql/package.json`, which a test compares.
"""

import json
from collections.abc import Mapping
from html import escape

VERSIONS: Mapping[str, str] = {
    "@graphiql/react": "0.39.1",
    "@graphiql/toolkit": "0.12.1",
    "graphiql": "5.4.0",
    "graphql": "16.15.0",
    "graphql-ws": "6.4.2",
    "monaco-editor": "0.52.2",
    "monaco-graphql": "1.9.0",
    "react": "19.3.1",
    "react-dom": "19.3.1",
}
SCRIPT_HOST = "https://esm.sh"
STYLE_HOST = "https://cdn.jsdelivr.net"
STYLESHEET_INTEGRITY = "sha384-TFpQQKp325U5sd3PddH4cS0KOB3Gz/aqdEe12Mqkkq3wm2MGcDhRX5WhWf+o8akh"


def _module(package: str, path: str = "", *, external: str = "", flag: str = "") -> str:
    options = [flag] if flag else []
    if external:
        options.append(f"external={external}")
    query = "?" + "&".join(options) if options else ""
    return f"{SCRIPT_HOST}/{package}@{VERSIONS[package]}{path}{query}"


# `external` leaves an import to this map, so that the page holds one React and one graphql: two
# copies of either refuse to work together.
_IMPORTS: Mapping[str, str] = {
    "@emotion/is-prop-valid": f"{SCRIPT_HOST}/@emotion/is-prop-valid@1.3.1",
    "@graphiql/react": _module(
        "@graphiql/react", external="react,react-dom,graphql", flag="standalone"
    ),
    "@graphiql/toolkit": _module("@graphiql/toolkit", external="graphql", flag="standalone"),
    "graphiql": _module(
        "graphiql", external="react,react-dom,@graphiql/react,graphql", flag="standalone"
    ),
    "graphql": _module("graphql"),
    "graphql-ws": _module("graphql-ws", external="graphql"),
    "react": _module("react"),
    "react/": _module("react", "/"),
    "react-dom": _module("react-dom", external="react"),
    "react-dom/client": _module("react-dom", "/client", external="react"),
}

_WORKERS: Mapping[str, str] = {
    "json": _module("monaco-editor", "/esm/vs/language/json/json.worker.js", flag="worker"),
    "graphql": _module("monaco-graphql", "/esm/graphql.worker.js", flag="worker")
    + f"&deps=monaco-editor@{VERSIONS['monaco-editor']},graphql@{VERSIONS['graphql']}",
    "editor": _module("monaco-editor", "/esm/vs/editor/editor.worker.js", flag="worker"),
}


def stylesheets() -> str:
    """Answer the link element of GraphiQL's stylesheet."""
    address = f"{STYLE_HOST}/npm/graphiql@{VERSIONS['graphiql']}/dist/style.css"
    return (
        f'<link rel="stylesheet" href="{address}" integrity="{STYLESHEET_INTEGRITY}"'
        ' crossorigin="anonymous" />'
    )


def scripts(start: str, *, nonce: str) -> str:
    """Answer the script elements that load GraphiQL and then run `start`, a module's source."""
    allowed = escape(nonce)
    workers = "\n".join(
        f"import {label}Worker from {json.dumps(address)};" for label, address in _WORKERS.items()
    )
    return f"""\
<script type="importmap" nonce="{allowed}">{json.dumps({"imports": _IMPORTS})}</script>
<script type="module" nonce="{allowed}">
{workers}
globalThis.MonacoEnvironment = {{
  getWorker(_, label) {{
    if (label === "json") return new jsonWorker();
    if (label === "graphql") return new graphqlWorker();
    return new editorWorker();
  }},
}};
{start}
</script>"""

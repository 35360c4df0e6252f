"""The GraphiQL page: its HTML, its assets and its content security policy.

The page runs from a bundle that set-up builds into `dist/` beside this file (`clients/graphiql`),
so that it works offline. Where that bundle is missing, the same start-up code (`start.js`) runs
from a public CDN, with the versions pinned.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

from app.server.graphiql import cdn
from app.server.graphiql.examples import EXAMPLES, FILLS, LOOKUP

_HERE = Path(__file__).parent
_DIST = _HERE / "dist"
_TEMPLATE = Template((_HERE / "page.html").read_text(encoding="utf-8"))
_START = (_HERE / "start.js").read_text(encoding="utf-8")
_ICON = "data:image/svg+xml," + quote((_HERE / "icon.svg").read_text("utf-8"), safe="")
_FROM_CDN = (
    "Loading GraphiQL from a public network. Without a connection this page stays as it is; the"
    " API works all the same. Build GraphiQL's own files once, with Node, to have it offline:"
    " <code>npm ci &amp;&amp; npm run build</code> in <code>clients/graphiql</code>."
)


def render_page(*, endpoint: str, subscription_endpoint: str, nonce: str) -> str:
    """Answer the page as HTML.

    `endpoint` is the path or URL that takes GraphQL over HTTP; the files of `assets_directory()`
    are expected under `{endpoint}/assets/`. `subscription_endpoint` takes graphql-transport-ws, a
    path being resolved against the page's own origin. `nonce` is the one given to
    `content_security_policy` for the same response, new for each.
    """
    settings = _embed(
        {
            "endpoint": endpoint,
            "subscriptionEndpoint": subscription_endpoint,
            "examples": [asdict(example) for example in EXAMPLES],
            "lookup": LOOKUP,
            "fills": FILLS,
        }
    )
    bundle = _bundle(_DIST)
    if bundle is None:
        notice = _FROM_CDN
        stylesheets = cdn.stylesheets()
        scripts = cdn.scripts(_START, nonce=nonce)
    else:
        notice = "Loading GraphiQL …"
        base = escape(endpoint.rstrip("/") + "/assets/")
        stylesheets = f'<link rel="stylesheet" href="{base}{escape(bundle["app.css"])}" />'
        scripts = (
            f'<script type="module" nonce="{escape(nonce)}"'
            f' src="{base}{escape(bundle["app.js"])}"></script>'
        )
    return _TEMPLATE.substitute(
        icon=_ICON,
        stylesheets=stylesheets,
        notice=notice,
        settings=settings,
        scripts=scripts,
    )


def assets_directory() -> Path | None:
    """The directory to serve under `{endpoint}/assets/`, or None where no bundle was built.

    Every name in it but `manifest.json` carries a hash of its content: it never changes, so it may
    be cached for ever.
    """
    return None if _bundle(_DIST) is None else _DIST


def content_security_policy(nonce: str, bundled: bool) -> str:
    """The value of the page's `Content-Security-Policy` header (CSP level 3).

    `bundled` says whether `assets_directory()` is served; otherwise the CDN is let in too.
    Styles have to stay open: Monaco writes style elements and attributes as it draws, and a nonce
    can't be given to attributes.
    """
    script_host, style_host, blob = (
        ("", "", "") if bundled else (f" {cdn.SCRIPT_HOST}", f" {cdn.STYLE_HOST}", " blob:")
    )
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}'{script_host}",
            f"style-src 'self' 'unsafe-inline'{style_host}",
            "font-src 'self' data:",
            "img-src 'self' data:",
            "connect-src 'self'",
            f"worker-src 'self'{blob}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


@cache
def _bundle(dist: Path) -> Mapping[str, str] | None:
    """Which hashed file is which, as the build left it; read once, since it never changes."""
    manifest = dist / "manifest.json"
    if not manifest.is_file():
        return None
    names: dict[str, str] = json.loads(manifest.read_bytes())
    return names


def _embed(value: object) -> str:
    """JSON that can't end the script element it stands in, whatever the strings hold.

    Only `<` can begin a tag or a comment there (HTML, "restrictions for contents of script
    elements"), and in JSON it occurs in strings alone, where an escape means the same.
    """
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")

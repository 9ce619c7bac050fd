"""The pages of a server: style and script are inside of them, and they request nothing from elsewhere."""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

_FOLDER = files("stridednet.deploy.serve") / "page"


@cache
def page() -> str:
    """Return the page on which a person tries a model, as HTML."""
    return _text("page.html").replace("{{ style }}", _text("page.css")).replace("{{ script }}", _text("page.js"))


def description(openapi: dict[str, Any]) -> str:
    """Return a page that describes an application, as HTML.

    FastAPI's own pages load scripts from another server.

    Args:
        openapi: Its OpenAPI description.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_text("description.html"))
    operations = [
        {"method": method.upper(), "path": path, "parameters": [], "requestBody": None, **operation}
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    return template.render(style=_text("page.css"), info=openapi["info"], operations=operations)


@cache
def policy() -> str:
    """Return the content security policy of both: only this style and this script, and requests to this server."""
    return (
        f"default-src 'none'; style-src {_hash('page.css')}; script-src {_hash('page.js')}; connect-src 'self'; "
        "img-src 'self' data: blob:; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(name: str) -> str:
    digest = hashlib.sha256(_text(name).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"

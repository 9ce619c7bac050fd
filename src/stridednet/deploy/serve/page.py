"""The page of a server: its style and its script are inside, and it requests nothing from elsewhere."""

import base64
import hashlib
from functools import cache
from importlib.resources import files

_FOLDER = files("stridednet.deploy.serve") / "page"


@cache
def page() -> str:
    """Return the page as HTML."""
    return _text("page.html").replace("{{ style }}", _text("page.css")).replace("{{ script }}", _text("page.js"))


@cache
def policy() -> str:
    """Return its content security policy: only this style and this script, and requests to this server."""
    return (
        f"default-src 'none'; style-src {_hash('page.css')}; script-src {_hash('page.js')}; connect-src 'self'; "
        "img-src 'self' data: blob:; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(name: str) -> str:
    digest = hashlib.sha256(_text(name).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"

"""What all pages share: the frame of the document, its style, and how numbers and names are written."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import jinja2

from stridednet.data.tree import shown

MAX_BYTES = 3_000_000
_LONGEST = 120  # characters of a path
_HERE = __package__


def render(template: str, values: Mapping[str, Any], package: str = _HERE) -> str:
    """Return a page as HTML, in which all names are escaped.

    Args:
        template: Name of the template.
        values: What it shows.
        package: The package with a folder ``templates`` that contains it. It may extend or include the templates of
            this one, such as ``frame.html.j2``.
    """
    style, script = (_file(name).read_text(encoding="utf-8") for name in ("style.css", "report.js"))
    return _environment(package).get_template(template).render(values, style=style, script=script)


@cache
def _environment(package: str) -> jinja2.Environment:
    """Return the environment of a package's pages; compiling their templates takes a tenth of a second."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: _source(name, package)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shortened": shortened, "number": number, "percent": percent}
    return environment


def size_of(html: str) -> int:
    """Return the number of bytes of the file that `stridednet.storage.write_text` writes."""
    return len(html.encode("utf-8", "backslashreplace"))


def shortened(text: str) -> str:
    """Return a text with control characters escaped, and its middle left out if it is very long.

    >>> shortened("cat/1.jpg"), len(shortened("a" * 1000))
    ('cat/1.jpg', 120)
    """
    text = shown(text)
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[: half - 1]}…{text[-half:]}"


def number(count: int) -> str:
    """Return a count with separators.

    >>> number(12345)
    '12,345'
    """
    return f"{count:,}"


def percent(share: float) -> str:
    """Return a share in percent, with as many decimals as it takes not to say 0% or 100% of anything else.

    >>> percent(0.98925), percent(1.0), percent(0.9999)
    ('98.9%', '100%', '99.99%')
    """
    if share in (0, 1):
        return f"{share:.0%}"
    for digits in (1, 2, 3):
        text = f"{share:.{digits}%}"
        if float(text[:-1]) not in (0, 100):
            return text
    return text


def _source(name: str, package: str) -> str | None:
    for place in (package, _HERE):
        file = resources.files(place).joinpath("templates", name)
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return None


def _file(name: str) -> Any:
    return resources.files(_HERE).joinpath(name)

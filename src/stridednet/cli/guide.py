"""``stridednet guide``."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from stridednet.errors import InputError

if TYPE_CHECKING:
    from rich.text import Text

_PAGE_WIDTH = 88  # longer lines are hard to read


def guide_command(
    parameter: Annotated[
        str | None, typer.Argument(help="Name of a Conv2D parameter. [default: a table of all parameters]")
    ] = None,
    claims: Annotated[
        bool, typer.Option("--claims", help="Show all that was measured, as a chart and in numbers.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, as in the documentation.")] = False,
) -> None:
    """Explain the parameters of Keras' Conv2D: which ones matter, which values to choose, and what to leave alone."""
    if as_json and markdown:
        raise InputError("--json and --markdown cannot be combined")
    if claims and parameter:
        raise InputError("--claims covers all parameters; omit the name of one")

    from stridednet.conv2d.parameters import find_parameter
    from stridednet.pages import claims as claims_page
    from stridednet.pages import guide as guide_page

    chosen = None if parameter is None else find_parameter(parameter)
    if claims and markdown:
        print("\n".join(claims_page.markdown()))
    elif claims and as_json:
        print(claims_page.as_json())
    elif claims:
        _show(lambda width: guide_page.claims(min(width, _PAGE_WIDTH)))
    elif as_json:
        print(guide_page.as_json(chosen))
    elif markdown:
        print("\n".join(guide_page.markdown(chosen)))
    elif chosen:
        _show(lambda width: guide_page.page(chosen, min(width, _PAGE_WIDTH)))
    else:
        _show(guide_page.table)


def _show(lines: Callable[[int], Iterator["Text"]]) -> None:
    """Print lines that fit the width of the terminal; without color if the output is not a terminal."""
    from stridednet.cli.consoles import ResultConsole

    console = ResultConsole(highlight=False)
    for line in lines(console.width):
        console.print(line, soft_wrap=True)

"""``stridednet guide``."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from stridednet.errors import InputError

if TYPE_CHECKING:
    from rich.text import Text

_PAGE_WIDTH = 88  # longer lines are hard to read


def guide_command(
    parameter: Annotated[str | None, typer.Argument(help="A parameter of Conv2D. [default: a table of all]")] = None,
    claims: Annotated[bool, typer.Option("--claims", help="What sweeps found of the tutorial's advice.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print it as Markdown, as the pages in docs.")] = False,
) -> None:
    """Explain the parameters of Keras' Conv2D: which matter, which value to take, and what to leave alone."""
    if as_json and markdown:
        raise InputError("--json and --markdown: give one")

    if claims and (parameter or as_json):
        raise InputError("--claims is about all parameters, and goes with --markdown only")

    from stridednet.conv2d.parameters import find_parameter
    from stridednet.pages import claims as claims_page
    from stridednet.pages import guide as guide_page

    chosen = None if parameter is None else find_parameter(parameter)
    if claims and markdown:
        print("\n".join(claims_page.markdown()))
    elif claims:
        _show(lambda width: guide_page.claims(min(width, _PAGE_WIDTH)))
    elif as_json:
        print(guide_page.as_json(chosen))
    elif markdown:
        print("\n".join(guide_page.markdown(chosen)))
    elif chosen:
        _show(lambda width: guide_page.page(chosen, min(width, _PAGE_WIDTH)))
    else:
        _show(lambda _: guide_page.table())


def _show(lines: Callable[[int], Iterator["Text"]]) -> None:
    """Print the lines that fit a width; without colours where nobody looks."""
    from rich.console import Console

    console = Console(highlight=False)
    for line in lines(console.width):
        console.print(line, soft_wrap=True)

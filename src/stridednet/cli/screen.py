"""Tables on the screen."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH_OF_A_PIPE = 200


def wide_console() -> "Console":
    """Return a console for tables, wide enough not to truncate them in files and pipes."""
    from stridednet.cli.consoles import ResultConsole

    console = ResultConsole(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_PIPE
    return console

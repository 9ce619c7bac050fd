"""Formatting of tables and sizes on the screen."""

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


def size_text(count: int) -> str:
    """Format a number of bytes.

    >>> size_text(129_600), size_text(4_147_200)
    ('129.6 kB', '4.1 MB')
    """
    return f"{count / 1000:,.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"

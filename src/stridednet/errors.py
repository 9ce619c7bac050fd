"""The exceptions of the package.

Every message is one line that states what is wrong, where, and what to do. The command line prints it after ``error:``
and exits with the ``exit_status`` of the class.
"""

from typing import Any


class StridedNetError(Exception):
    """Base class of all exceptions that this package raises on purpose; ``exit_status`` is that of the command.

    Examples:
        >>> import stridednet
        >>> try:
        ...     stridednet.train("no/such/folder")
        ... except StridedNetError as error:
        ...     print(type(error).__name__, error.exit_status)
        DataError 2
    """

    exit_status = 1


class InputError(StridedNetError):
    """An argument, a setting or an input file is invalid."""

    exit_status = 2


class RecipeError(InputError):
    """A setting is unknown, or its value is invalid."""


class DataError(InputError):
    """A data set does not exist or cannot be used."""


class ModelError(InputError, ValueError):
    """A model cannot be built from the given arguments."""


class ArrayError(InputError, ValueError):
    """An array of images or classes cannot be used."""


class RunError(InputError):
    """A run directory is missing, not empty, already finished, or does not match the data set."""


class DownloadError(StridedNetError):
    """A data set could not be downloaded."""


class StorageError(StridedNetError):
    """A file could not be written: the disk is full or write-protected."""


class TrainingError(StridedNetError):
    """Training failed: the loss became NaN or infinite."""


class ExportError(StridedNetError):
    """A run cannot be exported, or its exported file computes something else; nothing was written."""


class FigureError(StridedNetError):
    """A figure or page of a finished training or sweep could not be drawn or written; everything else is in its folder.

    Args:
        message: The reason.
        result: The result, as `stridednet.train` or `stridednet.sweep` would have returned it.
    """

    def __init__(self, message: str, result: Any) -> None:
        super().__init__(message)
        self.result = result


def one_line(error: Exception) -> str:
    r"""Return an exception as one line; the type is named unless it is one of this package.

    >>> one_line(ValueError("no\nfonts")), one_line(StorageError("cannot write x"))
    ('ValueError: no fonts', 'cannot write x')
    """
    text = " ".join(str(error).split())
    return text if isinstance(error, StridedNetError) else f"{type(error).__name__}: {text}"

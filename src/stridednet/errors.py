"""The exceptions of the package, one tree.

Every message is one line that says what was wrong, where, and what to do. The command line prints it after ``error:``
and leaves with the ``exit_status`` of the class.
"""


class StridedNetError(Exception):
    """Anything that this package raises on purpose: the work could not be done."""

    exit_status = 1


class InputError(StridedNetError):
    """What the user gave is wrong: an argument, a setting, a file."""

    exit_status = 2


class RecipeError(InputError):
    """A setting is unknown or its value is not allowed."""


class DataError(InputError):
    """A data set cannot be used as it is."""


class ModelError(InputError, ValueError):
    """A model cannot be built from the arguments given."""


class RunError(InputError):
    """A run directory is missing, taken, finished, or does not fit the data."""


class DownloadError(StridedNetError):
    """A data set could not be fetched."""


class StorageError(StridedNetError):
    """A file could not be written: the disk is full or not writable."""


class TrainingError(StridedNetError):
    """A training went wrong: its loss is no number any more."""

"""Rich consoles whose output may end early."""

from rich.console import Console

from stridednet.cli.streams import OutputClosedError


class ProgressConsole(Console):
    """A console for the progress of a computation, which continues if the progress can no longer be shown."""

    def on_broken_pipe(self) -> None:
        """Show nothing more."""
        self.quiet = True

    def print(self, *objects: object, **options: object) -> None:
        """Print as `rich.console.Console.print` does."""
        try:
            super().print(*objects, **options)  # type: ignore[arg-type]
        except OSError:  # such as a full disk
            self.quiet = True


class ResultConsole(Console):
    """A console for results."""

    def on_broken_pipe(self) -> None:
        """End the command.

        Raises:
            OutputClosedError: Always.
        """
        raise OutputClosedError("standard output is closed")
